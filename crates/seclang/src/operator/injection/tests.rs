mod vocabulary;

use libinjectionrs::sqli::sqli_data::SQL_KEYWORDS;
use proptest::{prelude::*, sample::select};

use super::{SCRIPT_NEEDS, sqli, xss};
use crate::cpu_time::is_linear;
use vocabulary::{HTML, SQL};

/// What the C library says, 3.9.2 as in libmodsecurity 3.0.9: a fingerprint or `-`, whether there is a script, and the
/// value with what is not plain ASCII written as in a string of Rust.
const VERDICTS: &str = include_str!("tests/libinjection-3.9.2.txt");

/// Pieces put together, or random bytes, or a value of the list with pieces put into it.
fn value(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&str> =
        SQL_KEYWORDS.iter().map(|entry| entry.word).filter(|word| !word.starts_with('0')).collect();
    let piece = prop_oneof![4 => select(pieces), 1 => select(words)].prop_map(str::to_ascii_lowercase);
    let attacks: Vec<Vec<u8>> = verdicts().map(|(.., value)| value).collect();
    prop_oneof![
        4 => prop::collection::vec(piece.clone(), 0..14).prop_map(|pieces| pieces.concat().into_bytes()),
        4 => prop::collection::vec(piece.clone(), 0..9).prop_map(|pieces| pieces.join(" ").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..24),
        1 => prop::collection::vec(select(&b"!\"#$'()*,-./:;<=>?@[\\]^_`{|}~ 1aEoOnN\0\xa0\xff\n&+%"[..]), 0..30),
        2 => (select(attacks), any::<prop::sample::Index>(), piece).prop_map(|(mut attack, at, piece)| {
            let at = at.index(attack.len() + 1);
            attack.splice(at..at, piece.bytes());
            attack
        }),
    ]
}

/// What `libinjectionrs` is known to read differently from the C library: variables, NUL bytes and what is beyond
/// ASCII, `into` in small letters, open backquotes, and phrases that mean no more than a name.
fn port_reads_it_as_c_does(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_uppercase();
    let names = SQL_KEYWORDS.iter().filter(|entry| entry.token_type == b'n');
    let mut phrases = names.filter_map(|entry| entry.word.split_once(' '));
    value.is_ascii()
        && !["@", "\0", "INTO", "{`"].iter().any(|known| text.contains(known))
        && !phrases.any(|(one, other)| text.contains(one) && text.contains(other))
}

/// And NUL bytes, and attributes that begin with `on` and are no event that it knows.
fn port_reads_it_as_html_as_c_does(value: &[u8]) -> bool {
    !value.contains(&0) && !value.windows(2).any(|pair| pair.eq_ignore_ascii_case(b"on"))
}

fn sql_of_port(value: &[u8]) -> Option<String> {
    let detected = libinjectionrs::detect_sqli(value);
    detected.is_injection().then(|| detected.fingerprint.unwrap().as_str().to_owned())
}

// `PROPTEST_CASES` says how many values.
proptest! {
    #[test]
    fn sql_is_what_the_port_finds(value in value(SQL)) {
        if port_reads_it_as_c_does(&value) {
            prop_assert_eq!(sqli::detect(&value), sql_of_port(&value), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn scripts_are_what_the_port_finds(value in value(HTML)) {
        let found = xss::detect(&value);
        prop_assert!(!found || value.iter().any(|byte| SCRIPT_NEEDS.contains(*byte)));
        if port_reads_it_as_html_as_c_does(&value) {
            let port = libinjectionrs::detect_xss(&value).is_injection();
            prop_assert_eq!(found, port, "{}", value.escape_ascii());
        }
    }
}

#[test]
fn verdicts_are_those_of_the_c_library() {
    let mut count = 0;
    for (fingerprint, is_script, value) in verdicts() {
        assert_eq!(sqli::detect(&value).as_deref(), fingerprint, "{}", value.escape_ascii());
        assert_eq!(xss::detect(&value), is_script, "{}", value.escape_ascii());
        count += 1;
    }
    assert!(count > 500);
}

fn verdicts() -> impl Iterator<Item = (Option<&'static str>, bool, Vec<u8>)> {
    VERDICTS.lines().map(|line| {
        let mut fields = line.splitn(3, '\t');
        let mut field = || fields.next().unwrap();
        (Some(field()).filter(|fingerprint| *fingerprint != "-"), field() == "script", unescape(field()))
    })
}

/// The reverse of `escape_ascii`.
fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let (byte, length) = match (first, behind) {
            (b'\\', [b'x', digits @ ..]) => {
                (u8::from_str_radix(std::str::from_utf8(&digits[..2]).unwrap(), 16).unwrap(), 4)
            }
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [other, ..]) => (*other, 2),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

#[test]
fn no_single_byte_is_sql() {
    assert!((0..=u8::MAX).all(|byte| sqli::detect(&[byte]).is_none()));
    assert_eq!(sqli::detect(b""), None);
}

/// All of them are folded, or read to the end in several ways, without being told at the beginning.
const HOSTILE: &[(&str, &str)] = &[
    ("", "<a "),
    ("", " or 1"),
    ("", "like`a`"),
    ("", "like`a`.like"),
    ("", "1+"),
    ("/*'*/ /*\"*/ # \n", "1+"),
    ("\"'#\n", "a,"),
    ("", "("),
    ("", "--"),
    ("", "--a\n"),
    ("", "/*"),
    ("", "/**/"),
    ("", "\\'"),
    ("", "''"),
    ("", "'\""),
    ("", "a."),
    ("", "`a`."),
    ("", "$a$b"),
    ("$a$", "$aa"),
    ("", "x'0"),
    ("", "q'("),
    ("", "@@`a`,"),
    ("", "0e"),
    ("", "{a "),
    ("", "in "),
    ("", "<"),
    ("", "</"),
    ("", "<!--"),
    ("<!--", "-\0"),
    ("", "<![CDATA["),
    ("", "<%"),
    ("", "<a b='"),
    ("", "/"),
    ("<a href='", "&#0"),
    ("<a attributename='", "\0"),
    ("", "<\0"),
];

#[test]
fn time_is_linear_in_hostile_values() {
    for (start, repeated) in HOSTILE {
        let value =
            |size: usize| [start.as_bytes(), &repeated.as_bytes().repeat(size / repeated.len())].concat();
        let is_linear = is_linear(&value(1 << 12), &value(1 << 16), |value| {
            std::hint::black_box((sqli::detect(value), xss::detect(value)));
        });
        assert!(is_linear, "`{start}` and many `{repeated}`");
    }
}
