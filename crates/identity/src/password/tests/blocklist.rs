use std::fmt::Write as _;

use super::*;
use crate::password::blocklist::sha1_hex;

fn sorted_hashes(passwords: &[String], ending: &str) -> String {
    let mut hashes: Vec<_> = passwords.iter().map(|text| sha1_hex(text)).collect();
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
fn sha1_of_fips_180_4() {
    assert_eq!(&sha1_hex("abc"), b"A9993E364706816ABA3E25717850C26C9CD0D89D");
}

#[test]
fn every_line_of_a_sorted_file_is_found_and_nothing_else() {
    for size in [0, 1, 2, 3, 7, 100, 500] {
        for ending in ["\n", "\r\n"] {
            let listed: Vec<String> = (0..size).map(|number| format!("breached {number}")).collect();
            let text = sorted_hashes(&listed, ending);
            for text in [text.as_str(), text.trim_end()] {
                let file = file(text);
                let list = Blocklist::sorted_sha1(file.path()).unwrap();
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
    assert!(matches!(Blocklist::sorted_sha1("/nowhere/list".as_ref()), Err(BlocklistError::File { .. })));

    let passwords: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let good = sorted_hashes(&passwords, "\n");
    let reversed: String = good.lines().rev().flat_map(|line| [line, "\n"]).collect();
    for text in
        [reversed, good.to_lowercase(), "password\n".repeat(40), "x".repeat(1000), format!("{:040}x\n", 0)]
    {
        let file = file(&text);
        assert!(
            matches!(Blocklist::sorted_sha1(file.path()), Err(BlocklistError::Order { .. })),
            "{text:.50}"
        );
    }
    let long_line = file(&"x".repeat(5000));
    assert!(matches!(Blocklist::passwords(long_line.path()), Err(BlocklistError::TooLong { .. })));
}

#[test]
fn an_unreadable_answer_is_not_a_pass() {
    let listed: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let file = file(&sorted_hashes(&listed, "\n"));
    let list = Blocklist::sorted_sha1(file.path()).unwrap();
    std::fs::write(file.path(), "nothing of use here\n".repeat(500)).unwrap();
    assert!(matches!(list.contains(&password("1")), Err(BlocklistError::Order { .. })));
}
