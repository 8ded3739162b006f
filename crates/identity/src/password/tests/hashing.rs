use std::{num::NonZeroUsize, time::Duration};

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};

use super::*;

fn limits(threads: usize, queue: usize, patience: Duration) -> HashingLimits {
    let some = |number| NonZeroUsize::new(number).unwrap();
    HashingLimits { threads: some(threads), queue: some(queue), patience }
}

fn hasher() -> PasswordHasher {
    let parameters = Argon2Parameters::new(7 * 1024, 5, 1).unwrap();
    PasswordHasher::start(parameters, limits(1, 8, Duration::from_mins(1))).unwrap()
}

#[test]
fn argon2id_of_rfc_9106_section_5_3() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .output_len(32)
        .build()
        .unwrap();
    let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    let expected = [
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0,
        0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
    ];
    assert_eq!(tag, expected);
}

#[tokio::test]
async fn a_hash_of_the_reference_implementation_is_understood_and_replaced() {
    let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let (hash, hasher) = (PasswordHash::parse(text).unwrap(), hasher());
    assert_eq!(hash.expose(), text);
    let verified = hasher.verify(password("password"), &hash).await.unwrap();
    assert_eq!(verified, Verified { matches: true, needs_rehash: true });
    let verified = hasher.verify(password("Password"), &hash).await.unwrap();
    assert_eq!(verified, Verified { matches: false, needs_rehash: false });
}

#[tokio::test]
async fn what_was_hashed_is_recognised_however_it_is_typed() {
    let hasher = hasher();
    let hash = hasher.hash(password("scho\u{308}ne Grüße")).await.unwrap();
    let again = hasher.hash(password("schöne Grüße")).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{}", hash.expose());
    assert_ne!(hash.expose(), again.expose(), "every hash has its own salt");
    let stored = PasswordHash::parse(hash.expose()).unwrap();
    let verified = hasher.verify(password("schöne Grüße"), &stored).await.unwrap();
    assert_eq!(verified, Verified { matches: true, needs_rehash: false });
    assert!(!hasher.verify(password("schone Grusse"), &stored).await.unwrap().matches);
    assert!(stored.needs_rehash(Argon2Parameters::default()));
    assert!(!hasher.verify_nobody(password("schöne Grüße")).await.unwrap().matches);

    let shown = format!("{hash:?} {hasher:?}");
    let (_, secret) = hash.expose().rsplit_once("p=1$").unwrap();
    assert!(!shown.contains(secret) && !shown.contains("$argon2id"), "{shown}");
}

#[tokio::test]
async fn a_flood_is_turned_away_and_leaves_the_runtime_free() {
    let hasher =
        PasswordHasher::start(Argon2Parameters::default(), limits(1, 2, Duration::from_mins(1))).unwrap();
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { hasher.verify_nobody(password("guess")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let is_computed_elsewhere = flood.iter().any(|attempt| !attempt.is_finished());
    assert!(is_computed_elsewhere, "the only thread of this runtime hashes nothing");
    let mut busy = 0;
    for attempt in flood {
        match attempt.await.unwrap() {
            Ok(verified) => assert!(!verified.matches),
            Err(HashingError::Busy) => busy += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((16..20).contains(&busy), "one is computed and two wait: {busy} were turned away");
    assert!(hasher.verify_nobody(password("guess")).await.is_ok(), "afterwards there is room again");
}

#[tokio::test]
async fn who_loses_patience_costs_nothing_more() {
    let parameters = Argon2Parameters::new(64 * 1024, 4, 1).unwrap();
    let hasher = PasswordHasher::start(parameters, limits(1, 4, Duration::from_millis(1))).unwrap();
    for _ in 0..8 {
        let error = hasher.hash(password("x")).await.unwrap_err();
        assert!(matches!(error, HashingError::Busy), "{error}");
    }
}

#[tokio::test]
async fn the_threads_give_way_to_everything_else() {
    let hasher = hasher();
    hasher.verify_nobody(password("guess")).await.unwrap();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    // proc_pid_stat(5): the nice value is field 19, the 17th after the name in parentheses.
    let nice: Vec<_> = stats
        .filter_map(|stat| stat.split_once("(password) ").map(|(_, rest)| rest.to_owned()))
        .filter_map(|rest| rest.split(' ').nth(16).map(str::to_owned))
        .collect();
    assert!(nice.contains(&"10".to_owned()), "{nice:?}");
}

#[test]
fn parameters_have_bounds() {
    let cases = [
        ((19 * 1024, 2, 1), ""),
        ((46 * 1024, 1, 1), ""),
        ((7 * 1024, 5, 1), ""),
        ((1024 * 1024, 16, 16), ""),
        ((19 * 1024, 1, 1), "too weak"),
        ((6 * 1024, 16, 1), "too weak"),
        ((1024 * 1024 + 1, 1, 1), "out of bounds"),
        ((19 * 1024, 17, 1), "out of bounds"),
        ((19 * 1024, 0, 1), "out of bounds"),
        ((19 * 1024, 2, 0), "out of bounds"),
        ((19 * 1024, 2, 17), "out of bounds"),
        ((u32::MAX, u32::MAX, u32::MAX), "out of bounds"),
    ];
    for ((memory, passes, lanes), expected) in cases {
        let message = Argon2Parameters::new(memory, passes, lanes)
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            message.contains(expected) && message.is_empty() == expected.is_empty(),
            "{memory} {passes} {message}"
        );
    }
}

#[test]
fn stored_texts_that_are_no_hashes() {
    let good = "$argon2id$v=19$m=8192,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(PasswordHash::parse(good).is_ok());
    let refused = [
        (String::new(), HashFormatError::Form),
        ("password".into(), HashFormatError::Form),
        (good.replace("argon2id", "argon2d"), HashFormatError::Algorithm),
        (good.replace("argon2id", "scrypt"), HashFormatError::Algorithm),
        (good.replace("v=19", "v=16"), HashFormatError::Algorithm),
        (good.replace("m=8192,", ""), HashFormatError::Form),
        (good.replace("p=1", "p=1,data=aGVsbG8"), HashFormatError::Form),
        (good.replace("$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", ""), HashFormatError::Form),
        (good.replace("7cJHAph8ArZWb2GRPPc", ""), HashFormatError::Short),
    ];
    for (text, error) in refused {
        assert_eq!(PasswordHash::parse(&text).unwrap_err(), error, "{text}");
    }
    for greedy in ["m=4000000", "m=4"] {
        let error = PasswordHash::parse(&good.replace("m=8192", greedy)).unwrap_err();
        assert!(matches!(error, HashFormatError::Parameters(ParametersError::OutOfBounds { .. })), "{error}");
    }
}
