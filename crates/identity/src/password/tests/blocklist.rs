use std::fmt::Write as _;

use super::*;
use crate::password::blocklist::HashKind;

fn sorted_hashes(kind: HashKind, passwords: &[String], ending: &str) -> String {
    let mut hashes: Vec<_> = passwords.iter().map(|text| kind.digits_of(text)).collect();
    hashes.sort_unstable();
    hashes.iter().enumerate().fold(String::new(), |mut text, (count, hash)| {
        let hash = str::from_utf8(hash).unwrap();
        // Counts of different lengths, and none.
        let count = if count % 3 == 0 { String::new() } else { format!(":{}", count * count * 1000) };
        write!(text, "{hash}{count}{ending}").unwrap();
        text
    })
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn hashes_of_fips_180_4() {
    let cases: [(_, &[u8]); 2] = [
        (HashKind::Sha1, b"A9993E364706816ABA3E25717850C26C9CD0D89D"),
        (HashKind::Sha256, b"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
    ];
    for (kind, digits) in cases {
        assert_eq!(*kind.digits_of("abc"), *digits);
    }
}

#[test]
fn every_line_of_a_sorted_file_is_found_and_nothing_else() {
    for (size, kind) in [0, 1, 2, 3, 7, 100, 500]
        .into_iter()
        .flat_map(|size| [HashKind::Sha1, HashKind::Sha256].map(|kind| (size, kind)))
    {
        for ending in ["\n", "\r\n"] {
            let listed: Vec<String> = (0..size).map(|number| format!("breached {number}")).collect();
            let text = sorted_hashes(kind, &listed, ending);
            for text in [text.as_str(), text.trim_end()] {
                let file = file(text);
                let list = Blocklist::open(file.path()).unwrap();
                for known in &listed {
                    assert!(list.contains(&password(known)).unwrap(), "{known} of {size}");
                }
                for number in 0..100 {
                    assert!(!list.contains(&password(&format!("unknown {number}"))).unwrap());
                }
            }
        }
    }
}

#[test]
fn a_plain_list_ignores_case_and_line_ends() {
    let list = file("Summer of 1969\r\nschöne Grüße\n\nlast one");
    let list = Blocklist::passwords(list.path()).unwrap();
    for known in ["Summer of 1969", "SUMMER of 1969", "scho\u{308}ne grüße", "last one"] {
        assert!(list.contains(&password(known)).unwrap(), "{known}");
    }
    assert!(!list.contains(&password("Summer of 1968")).unwrap());

    let rules = PasswordRules::default().with_blocklist(list);
    let violations =
        rules.check(&password("summer of 1969"), Factors::WithSecondFactor, &PasswordContext::default());
    assert!(violations.unwrap().contains(&Violation::Breached));
}

#[test]
fn files_that_are_no_lists() {
    let missing = Blocklist::passwords("/nowhere/list".as_ref()).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read the blocklist `/nowhere/list`: "), "{missing}");
    assert!(matches!(Blocklist::hashes("/nowhere/list".as_ref()), Err(BlocklistError::File { .. })));

    let passwords: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let good = sorted_hashes(HashKind::Sha1, &passwords, "\n");
    let reversed: String = good.lines().rev().flat_map(|line| [line, "\n"]).collect();
    for text in [
        reversed,
        format!("{}\n{good}", "0".repeat(64)),
        good.to_lowercase(),
        "password\n".repeat(40),
        "x".repeat(1000),
        format!("{:040}x\n", 0),
    ] {
        let file = file(&text);
        assert!(matches!(Blocklist::hashes(file.path()), Err(BlocklistError::Order { .. })), "{text:.50}");
    }
    let long_line = file(&"x".repeat(5000));
    assert!(matches!(Blocklist::passwords(long_line.path()), Err(BlocklistError::TooLong { .. })));
}

#[test]
fn an_unreadable_answer_is_not_a_pass() {
    let listed: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let file = file(&sorted_hashes(HashKind::Sha1, &listed, "\n"));
    let list = Blocklist::hashes(file.path()).unwrap();
    std::fs::write(file.path(), "nothing of use here\n".repeat(500)).unwrap();
    assert!(matches!(list.contains(&password("1")), Err(BlocklistError::Order { .. })));
}
