use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::{
    code::{CodeError, CodeKey, CodePolicy, CodePurpose},
    recovery::{self, RecoveryCodeHash},
    totp::{EnrolmentError, Totp, TotpError, TotpHash, TotpSecret, TotpStep},
};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn secret(length: usize) -> TotpSecret {
    let bytes: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
    TotpSecret::from_bytes(&bytes).unwrap()
}

#[test]
fn the_vectors_of_rfc_6238_appendix_b() {
    let vectors = [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ];
    for (seconds, sha1, sha256, sha512) in vectors {
        let cases =
            [(TotpHash::Sha1, 20, sha1), (TotpHash::Sha256, 32, sha256), (TotpHash::Sha512, 64, sha512)];
        for (hash, length, expected) in cases {
            let totp = Totp::new(hash, 8, 30).unwrap();
            assert_eq!(totp.code(&secret(length), at(seconds)), expected, "{hash:?} {seconds}");
            assert_eq!(totp.verify(&secret(length), expected, at(seconds), None), Ok(TotpStep(seconds / 30)));
        }
    }
}

#[test]
fn a_code_is_good_for_its_step_and_the_neighbours_and_once() {
    let (totp, secret) = (Totp::default(), secret(20));
    let code = totp.code(&secret, at(3000));
    let verify = |now, last| totp.verify(&secret, &code, at(now), last);
    for (now, expected) in [
        (2969, Err(TotpError::Wrong)),
        (2970, Ok(TotpStep(100))),
        (3029, Ok(TotpStep(100))),
        (3059, Ok(TotpStep(100))),
        (3060, Err(TotpError::Wrong)),
    ] {
        assert_eq!(verify(now, None), expected, "{now}");
    }
    assert_eq!(verify(3000, Some(TotpStep(99))), Ok(TotpStep(100)));
    assert_eq!(verify(3000, Some(TotpStep(100))), Err(TotpError::Replayed));
    assert_eq!(verify(3000, Some(TotpStep(101))), Err(TotpError::Replayed), "an older code after a newer");
    assert!(
        totp.verify(&secret, &totp.code(&secret, at(0)), at(0), None).is_ok(),
        "no step before the first"
    );

    let spaced = format!(" {} {}\n", &code[..3], &code[3..]);
    assert!(totp.verify(&secret, &spaced, at(3000), None).is_ok());
    for typed in ["", "12345", "1234567", "12345a", "１２３４５６", "+12345"] {
        assert_eq!(totp.verify(&secret, typed, at(3000), None), Err(TotpError::Form), "{typed}");
    }
}

#[test]
fn enrolment_shows_the_secret_in_every_form_an_app_reads() {
    // RFC 4648, section 10, and the secret of RFC 6238.
    assert_eq!(secret(20).base32().expose_secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let foo = TotpSecret::from_bytes(b"foobarfoobarfoobarf").unwrap();
    assert_eq!(foo.base32().expose_secret(), "MZXW6YTBOJTG633CMFZGM33PMJQXEZQ");

    let enrolment = Totp::default().enrol(&secret(20), "Acme & Sons", "alice@shop.example").unwrap();
    assert_eq!(
        enrolment.uri().expose_secret(),
        "otpauth://totp/Acme%20%26%20Sons:alice%40shop.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=Acme%20%26%20Sons&algorithm=SHA1&digits=6&period=30"
    );
    assert!(enrolment.svg().contains("<svg "));
    assert!(enrolment.terminal().lines().count() > 10);
    assert_eq!(format!("{enrolment:?} {:?}", secret(20)), "Enrolment(***) TotpSecret(***)");
    for (issuer, account) in [("", "a"), ("a", ""), ("a:b", "c"), ("a", &*"b".repeat(255))] {
        assert_eq!(Totp::default().enrol(&secret(20), issuer, account).unwrap_err(), EnrolmentError::Label);
    }
    assert!(Totp::default().enrol(&secret(64), "Acme", &"a@".repeat(127)).is_ok());
    let crabs = "🦀".repeat(254);
    assert_eq!(Totp::default().enrol(&secret(20), "Acme", &crabs).unwrap_err(), EnrolmentError::TooLong);
}

/// What a reader of QR codes sees in so many points of light (`true`) and dark.
fn read_qr(width: usize, height: usize, light: impl Fn(usize, usize) -> bool) -> String {
    let point = |x, y| if light(x, y) { 255 } else { 0 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, point);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

#[test]
fn a_reader_reads_the_code_of_a_terminal_and_of_a_page() {
    const SCALE: usize = 4;
    let enrolment = Totp::default().enrol(&secret(20), "Acme", "alice@shop.example").unwrap();
    let uri = enrolment.uri().expose_secret();

    // A dark terminal: blocks are light, two points in each character.
    let terminal = enrolment.terminal();
    let lines: Vec<Vec<char>> = terminal.lines().map(|line| line.chars().collect()).collect();
    let (width, height) = (lines[0].len() * SCALE, lines.len() * 2 * SCALE);
    let read = read_qr(width, height, |x, y| {
        let character = lines[y / SCALE / 2][x / SCALE];
        character == '█' || character == if (y / SCALE).is_multiple_of(2) { '▀' } else { '▄' }
    });
    assert_eq!(read, uri);

    // One path of dark rectangles: `M{x} {y}h{width}v{height}H{x}V{y}`.
    let svg = enrolment.svg();
    let number = |text: &str| text.parse::<usize>().unwrap();
    let size = number(svg.split_once("width=\"").unwrap().1.split_once('"').unwrap().0);
    let path = svg.split_once(" d=\"").unwrap().1.split_once('"').unwrap().0;
    let rectangles: Vec<[usize; 4]> = path
        .split('M')
        .skip(1)
        .map(|rectangle| {
            let mut numbers = rectangle.split(|character: char| !character.is_ascii_digit()).map(number);
            std::array::from_fn(|_| numbers.next().unwrap())
        })
        .collect();
    let read = read_qr(size, size, |x, y| {
        !rectangles.iter().any(|[left, top, width, height]| {
            (*left..left + width).contains(&x) && (*top..top + height).contains(&y)
        })
    });
    assert_eq!(read, uri);
}

#[test]
fn secrets_and_settings_have_bounds() {
    assert_ne!(TotpSecret::generate().unwrap().expose(), TotpSecret::generate().unwrap().expose());
    assert_eq!(TotpSecret::generate().unwrap().expose().len(), 20);
    assert!(TotpSecret::from_bytes(&[1; 15]).is_none() && TotpSecret::from_bytes(&[1; 65]).is_none());
    for (digits, period) in [(5, 30), (9, 30), (6, 14), (6, 121)] {
        assert!(Totp::new(TotpHash::Sha1, digits, period).is_none());
    }
    for (digits, seconds, tries) in [(5, 60, 5), (9, 60, 5), (6, 59, 5), (6, 601, 5), (6, 60, 0), (6, 60, 11)]
    {
        assert!(CodePolicy::new(digits, Duration::from_secs(seconds), tries).is_none());
    }
}

#[test]
fn recovery_codes_are_forgiving_to_people_only() {
    let codes = recovery::generate("alice").unwrap();
    let hashes: HashSet<_> = codes.iter().map(|(_, hash)| *hash).collect();
    assert_eq!(hashes.len(), 10);
    for (code, hash) in &codes {
        let code = code.expose_secret();
        assert_eq!(code.len(), 19);
        let spoken = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        for typed in [code, &*spoken, &*code.replace('-', "")] {
            assert_eq!(RecoveryCodeHash::of("alice", typed), Some(*hash), "{typed}");
        }
        assert_ne!(RecoveryCodeHash::of("bob", code), Some(*hash));
        assert_eq!(RecoveryCodeHash::from_bytes(*hash.as_bytes()), *hash);
        assert_eq!(format!("{hash:?}"), "RecoveryCodeHash(***)");
    }
    for typed in ["", "7XQ2-9KDM-04TB", "7XQ2-9KDM-04TB-ZC8RR", "UXQ2-9KDM-04TB-ZC8R", "ÄXQ2-9KDM-04TB-ZC8"]
    {
        assert_eq!(RecoveryCodeHash::of("alice", typed), None, "{typed}");
    }
    let again = recovery::generate("alice").unwrap();
    assert!(again.iter().all(|(_, hash)| !hashes.contains(hash)));
}

#[test]
fn a_sent_code_works_for_its_purpose_and_account_only() {
    let (key, policy, now) = (CodeKey::new(&[7; 32]), CodePolicy::default(), at(1_000_000));
    let (code, issued) = policy.issue(&key, CodePurpose::SecondFactor, "alice", now).unwrap();
    let code = code.expose_secret();
    assert_eq!(code.len(), 6);
    let verify = |key: &CodeKey, purpose, account, typed: &str, seconds| {
        issued.clone().verify(key, purpose, account, typed, now + Duration::from_secs(seconds))
    };
    let purpose = CodePurpose::SecondFactor;
    assert_eq!(verify(&key, purpose, "alice", code, 599), Ok(()));
    assert_eq!(verify(&key, purpose, "alice", &format!("{}-{}", &code[..3], &code[3..]), 0), Ok(()));
    assert_eq!(verify(&key, purpose, "alice", code, 600), Err(CodeError::Expired));
    assert_eq!(verify(&key, CodePurpose::PasswordReset, "alice", code, 0), Err(CodeError::Wrong));
    assert_eq!(verify(&key, CodePurpose::Contact, "alice", code, 0), Err(CodeError::Wrong));
    assert_eq!(verify(&key, purpose, "alic", &format!("e{code}"), 0), Err(CodeError::Wrong));
    assert_eq!(verify(&key, purpose, "bob", code, 0), Err(CodeError::Wrong));
    assert_eq!(verify(&CodeKey::new(&[8; 32]), purpose, "alice", code, 0), Err(CodeError::Wrong));
    assert_eq!(verify(&key, purpose, "alice", "", 0), Err(CodeError::Wrong));
    let shown = format!("{issued:?} {key:?}");
    assert!(!shown.contains("hash") && shown.contains("CodeKey(***)"), "{shown}");
}

#[test]
fn tries_are_used_up_by_the_right_code_too() {
    let (key, now) = (CodeKey::new(&[7; 32]), at(0));
    let policy = CodePolicy::new(8, Duration::from_mins(1), 3).unwrap();
    let (code, mut issued) = policy.issue(&key, CodePurpose::Contact, "alice", now).unwrap();
    let code = code.expose_secret().to_owned();
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    for left in [2, 1, 0] {
        assert_eq!(issued.verify(&key, CodePurpose::Contact, "alice", wrong, now), Err(CodeError::Wrong));
        assert_eq!(issued.tries_left, left);
    }
    assert_eq!(issued.verify(&key, CodePurpose::Contact, "alice", &code, now), Err(CodeError::Exhausted));
}

proptest! {
    #[test]
    fn only_the_shown_code_is_accepted(seconds in 0_u64..10_000_000_000, typed in "[0-9]{6}") {
        let (totp, secret) = (Totp::default(), secret(20));
        let shown: Vec<_> = [-30_i64, 0, 30]
            .iter()
            .filter_map(|offset| seconds.checked_add_signed(*offset))
            .map(|seconds| totp.code(&secret, at(seconds)))
            .collect();
        let accepted = totp.verify(&secret, &typed, at(seconds), None).is_ok();
        prop_assert_eq!(accepted, shown.contains(&typed));
    }

    #[test]
    fn any_text_is_read(typed in "\\PC{0,40}") {
        let _ = RecoveryCodeHash::of("alice", &typed);
        let totp = Totp::default().verify(&secret(20), &typed, at(59), None);
        prop_assert!(totp.is_err() || typed.contains(|character: char| character.is_ascii_digit()));
    }
}
