//! No operator takes more than a linear share of time, whatever it is given.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::{Operator, OperatorName, compile, from_file};
use crate::{Location, Locations, cpu_time::is_linear};

/// Operator, argument, and what is repeated: values in which something nearly begins everywhere.
const HOSTILE: &[(&str, &str, &str)] = &[
    ("beginsWith", "aaaaaaaaaaaaaaaaaaab", "a"),
    ("contains", "aaaaaaaaaaaaaaaaaaab", "a"),
    ("strmatch", "baaaaaaaaaaaaaaaaaaa", "a"),
    ("containsWord", "aa", "a"),
    ("containsWord", "a a", "a "),
    ("endsWith", "aaaaaaaaaaaaaaaaaaab", "a"),
    ("streq", "a", "a"),
    ("within", "GET POST", "GET "),
    ("eq", "5", "9"),
    ("ge", "5", " "),
    ("gt", "5", "0"),
    ("le", "5", "-"),
    ("lt", "5", "9"),
    ("ipMatch", "10.0.0.0/8,::1", "1."),
    ("ipMatch", "10.0.0.0/8,::1", ":"),
    ("noMatch", "", "a"),
    ("unconditionalMatch", "", "a"),
    ("pm", "aaaaaaaab aaaaaaab aaaaaab", "a"),
    ("rx", "(?:a+)+b", "a"),
    ("rx", "(a|aa)*$b", "a"),
    ("rx", "[^b]*x[^b]*y[^b]*z", "x"),
    ("rxGlobal", "a(?:a|b)*c|a", "ab"),
    ("rxGlobal", "(?:a+)+b", "a"),
    ("validateByteRange", "1-255", "a"),
    ("validateUrlEncoding", "", "%41"),
    ("validateUtf8Encoding", "", "\u{20ac}"),
    ("verifyCC", "\\d{13,16}", "4"),
    ("verifyCC", "(?:\\d[ -]*?){13,16}", "4-"),
    ("verifyCPF", "\\d{11}", "1"),
    ("verifySSN", "\\d{9}", "1"),
    ("verifySVNR", "\\d{10}", "1"),
    ("detectSQLi", "", "1 or "),
    ("detectXSS", "", "<a "),
];

#[derive(Debug)]
struct Nowhere;

impl Locations for Nowhere {
    fn locate(&self, _address: IpAddr) -> Option<Location> {
        None
    }
}

#[test]
fn time_is_linear_for_every_operator() {
    let mut seen = BTreeSet::new();
    for (name, argument, repeated) in HOSTILE {
        for name in [(*name).to_owned(), format!("!{name}")] {
            let operator = compile(&name, argument).unwrap();
            let value = |size: usize| repeated.repeat(size / repeated.len()).into_bytes();
            let is_linear = is_linear(&value(1 << 12), &value(1 << 16), |value| {
                std::hint::black_box((operator.matches(value, b""), operator.captures(value, b"")));
            });
            assert!(is_linear, "@{name} {argument} and many `{repeated}`");
        }
        seen.insert(*name);
    }
    let files: [(_, &[u8]); 2] = [
        (OperatorName::PmFromFile, b"aaaaaaaaab\naaaaaab\naab"),
        (OperatorName::IpMatchFromFile, b"10.0.0.0/8\n::1"),
    ];
    for (name, file) in files {
        let operator = from_file(name, file);
        let is_linear = is_linear(&b"a".repeat(1 << 12), &b"a".repeat(1 << 16), |value| {
            std::hint::black_box(operator.captures(value, b""));
        });
        assert!(is_linear, "{name:?}");
        seen.insert(name.name());
    }
    let nowhere = Operator::locating(Arc::new(Nowhere), false);
    for repeated in [b'1', b':', b' '] {
        let is_linear = is_linear(&[repeated].repeat(1 << 12), &[repeated].repeat(1 << 16), |value| {
            std::hint::black_box(nowhere.captures(value, b""));
        });
        assert!(is_linear, "@geoLookup and many `{repeated}`");
    }
    seen.insert(OperatorName::GeoLookup.name());
    let missing: Vec<_> =
        OperatorName::ALL.iter().map(|name| name.name()).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
