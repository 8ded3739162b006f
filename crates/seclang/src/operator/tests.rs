//! One table of questions and answers for all operators, and the patterns and phrases of the Core Rule Set.

mod growth;

use std::{env, fs, path::PathBuf};

use super::*;
use crate::ast::Part;

fn compile(name: &str, argument: &str) -> Result<Operator, Problem> {
    let (negated, name) = name.strip_prefix('!').map_or((false, name), |name| (true, name));
    let name = OperatorName::from_name(name).unwrap_or_else(|| unreachable!("{name}"));
    let argument = Template::literal(argument);
    let data: [&[u8]; 0] = [];
    Operator::compile(&ast::Operator { name, negated, argument }, &data)
}

fn operator(name: &str, argument: &str) -> Operator {
    compile(name, argument).unwrap_or_else(|problem| unreachable!("{name} {argument}: {problem}"))
}

fn from_file(name: OperatorName, file: &[u8]) -> Operator {
    let operator = ast::Operator { name, negated: false, argument: Template::literal("a.data") };
    Operator::compile(&operator, &[file]).unwrap_or_else(|problem| unreachable!("{problem}"))
}

/// Operator, argument, value, and the part of the value that is found.
type Answer = (&'static str, &'static str, &'static [u8], Option<(usize, usize)>);

const ANSWERS: &[Answer] = &[
    ("unconditionalMatch", "", b"abc", Some((0, 3))),
    ("noMatch", "", b"abc", None),
    ("!noMatch", "", b"abc", Some((0, 3))),
    ("beginsWith", "ab", b"abc", Some((0, 2))),
    ("beginsWith", "bc", b"abc", None),
    ("!beginsWith", "bc", b"abc", Some((0, 3))),
    ("contains", "bc", b"abcbc", Some((1, 3))),
    ("contains", "BC", b"abc", None),
    ("contains", "", b"abc", Some((0, 0))),
    ("strmatch", "bc", b"abc", Some((1, 3))),
    ("containsWord", "sel", b"a sel b", Some((2, 5))),
    ("containsWord", "sel", b"selx sel", Some((5, 8))),
    ("containsWord", "sel", b"select", None),
    ("containsWord", "sel", b"sel1", Some((0, 3))),
    ("containsWord", "aa", b"aaa", None),
    ("endsWith", "bc", b"abc", Some((1, 3))),
    ("endsWith", "abcd", b"bcd", None),
    ("streq", "abc", b"abc", Some((0, 3))),
    ("streq", "abc", b"ABC", None),
    ("within", "GET POST", b"POS", Some((0, 3))),
    ("within", "GET POST", b"PUT", None),
    ("within", "GET", b"", Some((0, 0))),
    ("eq", "5", b" 5x", Some((0, 3))),
    ("eq", "0", b"x", Some((0, 1))),
    ("eq", "0", b"4294967296", Some((0, 10))),
    ("gt", "5", b"6", Some((0, 1))),
    ("gt", "5", b"5", None),
    ("gt", "4294967295", b"4294967296", Some((0, 10))),
    ("gt", "9223372036854775806", b"99999999999999999999", Some((0, 20))),
    ("ge", "5", b"5", Some((0, 1))),
    ("lt", "-4", b"-5", Some((0, 2))),
    ("le", "5", b"5", Some((0, 1))),
    ("le", "5", b"", Some((0, 0))),
    ("ipMatch", "127.0.0.1,::1,10.0.0.0/8", b"10.200.3.4", Some((0, 10))),
    ("ipMatch", "127.0.0.1,::1,10.0.0.0/8", b"::1", Some((0, 3))),
    ("ipMatch", "127.0.0.1, ::1", b"127.0.0.2", None),
    ("ipMatch", "10.0.0.0/8", b"not an address", None),
    ("ipMatch", "2001:db8::/32,10.0.0.0/9,10.128.0.0/9", b"10.128.0.1", Some((0, 10))),
    ("validateByteRange", "9,10,13,32-126", b"ab\x7fc", Some((2, 3))),
    ("validateByteRange", "0-255", b"\0\xff", None),
    ("validateByteRange", "1-255", b"", None),
    ("validateUrlEncoding", "", b"a%41%4", Some((4, 6))),
    ("validateUrlEncoding", "", b"%zz", Some((0, 3))),
    ("validateUrlEncoding", "", b"%41+", None),
    ("validateUtf8Encoding", "", "aé😀".as_bytes(), None),
    ("validateUtf8Encoding", "", b"a\xc0\xaf", Some((1, 3))),
    ("validateUtf8Encoding", "", b"\xed\xa0\x80", Some((0, 3))),
    ("validateUtf8Encoding", "", b"ab\xe2\x82", Some((2, 4))),
    ("validateUtf8Encoding", "", b"\xf4\x90\x80\x80x", None),
    ("validateUtf8Encoding", "", b"\xf5\x80\x80\x80", Some((0, 4))),
    ("detectSQLi", "", b"1' or '1'='1", Some((0, 12))),
    ("detectSQLi", "", b"a plain sentence", None),
    ("detectXSS", "", b"<script>alert(1)</script>", Some((0, 25))),
    ("detectSQLi", "", b"1 into outfile 'x'", Some((0, 18))),
    ("detectSQLi", "", b"\xff-- sp_password", Some((0, 15))),
    ("detectXSS", "", b"x onfoo=y", Some((0, 9))),
    ("detectXSS", "", b"x on=y", None),
    ("detectXSS", "", b"1 < 2 and 3 > 2", None),
    ("pm", "sel UNION", b"a union", Some((2, 7))),
    ("pm", "abcd bc", b"abcd", Some((1, 3))),
    ("pm", "a|41 42|b", b"aABB", Some((0, 4))),
    ("pm", r"a\:b \q", br"\Q", Some((0, 2))),
    ("pm", "\"x y\"", b"Y", Some((0, 1))),
    ("pm", "é", "É é".as_bytes(), Some((3, 5))),
    ("verifyCC", r"\d{13,16}", b"no 4111111111111111 yes", Some((3, 19))),
    ("verifyCC", r"\b\d{13,16}\b", b"4111111111111112", None),
    ("verifyCPF", r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}", b"529.982.247-25", Some((0, 14))),
    ("verifyCPF", r"[0-9]{11}", b"11111111111", None),
    ("verifyCPF", r"[0-9]{11}", b"52998224726", None),
    ("verifySSN", r"\d{3}-?\d{2}-?\d{4}", b"ssn 078-05-1120", Some((4, 15))),
    ("verifySSN", r"\d{9}", b"666051120", None),
    ("verifySSN", r"\d{9}", b"123456789", None),
    ("verifySSN", r"\d{9}", b"078000120", None),
    ("verifySVNR", r"\d{10}", b"1237010180", Some((0, 10))),
    ("verifySVNR", r"\d{10}", b"1238010180", None),
    ("rx", "^b$", b"a\nb\nc", Some((2, 3))),
    ("rx", "^$", b"", Some((0, 0))),
    ("rx", "^$", b"a\n", None),
    ("rx", "^$", b"a\n\nb", Some((2, 2))),
    ("rx", "a.c", b"a\nc", Some((0, 3))),
    ("rx", "ABC", b"abc", None),
    ("rx", "(?i)ABC", b"abc", Some((0, 3))),
    ("rx", "", b"abc", Some((0, 0))),
    ("!rx", "^[a-z]+$", b"a1", Some((0, 2))),
    ("rx", r"\x{e9}|\xe8", b"\xe9", Some((0, 1))),
    ("rx", "é+", b"\xc3\xa9\xa9", Some((0, 3))),
    ("rx", "[é]", b"\xa9", Some((0, 1))),
    ("rx", r"\<a\>", b"<a>", Some((0, 3))),
    ("rx", "[[a]", b"[", Some((0, 1))),
    ("rx", "[]a]", b"]", Some((0, 1))),
    ("rx", "[^]a]", b"]a", None),
    ("rx", "[a&&b]", b"&", Some((0, 1))),
    ("rx", "[!--a]", b"+", Some((0, 1))),
    ("rx", r"[\w-z]", b"-", Some((0, 1))),
    ("rx", r"[a-\d]", b"-", Some((0, 1))),
    ("rx", r"[\b]", b"\x08", Some((0, 1))),
    ("rx", "[[:digit:]x]", b"x", Some((0, 1))),
    ("rx", "a{,2}", b"a{,2}", Some((0, 5))),
    ("rx", "{a}", b"{a}", Some((0, 3))),
    ("rx", "a{2}", b"aaa", Some((0, 2))),
    ("rx", r"\v\h\s", b"\x85\xa0\x0b", Some((0, 3))),
    ("rx", r"[\101]\040", b"A ", Some((0, 2))),
    ("rx", r"\x4\0\e\cA", b"\x04\x00\x1b\x01", Some((0, 4))),
    ("rx", r"\Qa.b\E+", b"a.bb", Some((0, 4))),
    ("rx", r"(?<word>\w)(?P<other>\w)(?'third'\w)(?:x)(?#y)", b"abcx", Some((0, 4))),
    ("rx", r"a\R", b"a\r\n", Some((0, 3))),
    ("rxGlobal", "a", b"ba", Some((1, 2))),
];

#[test]
fn operators_answer() {
    for (name, argument, value, expected) in ANSWERS {
        let operator = operator(name, argument);
        let range = expected.map(|(start, end)| start..end);
        let context = format!("{name} {argument} on {:?}", String::from_utf8_lossy(value));
        assert_eq!(operator.matches(value, b"").map(|found| found.range), range, "{context}");
        assert_eq!(operator.captures(value, b"").map(|found| found.range), range, "capturing {context}");
    }
}

#[test]
fn operators_that_cannot_be_compiled_say_why() {
    for (name, argument, message) in [
        (
            "rx",
            "a(?=b)",
            "pattern `a(?=b)` is not supported: looking ahead or behind needs backtracking; use a chained rule instead",
        ),
        ("rx", r"(a)\1", r"pattern `(a)\1` is not supported: a back-reference needs backtracking"),
        ("rx", "a++", "pattern `a++` is not supported: a possessive quantifier needs backtracking"),
        ("rx", "(?>a)", "pattern `(?>a)` is not supported: an atomic group needs backtracking"),
        (
            "rx",
            "(?x)a",
            "pattern `(?x)a` is not supported: of the inline options only `i`, `m` and `s` are known",
        ),
        (
            "rx",
            r"\x{20ac}",
            r"pattern `\x{20ac}` is not supported: `\x{...}` is more than a byte, and patterns are matched with bytes",
        ),
        ("rx", "[a", "pattern `[a` is not supported: a class is not closed"),
        ("rx", "(a", "`(a` is not a value of `rx`: expected a regular expression of PCRE"),
        ("rx", r"(?:\w{1000}){1000}", "the bytes of a compiled pattern exceed their limit of 16777216"),
        ("pm", "  ", "`@pm` needs at least one phrase"),
        (
            "ipMatch",
            "10.0.0.0/33",
            "`10.0.0.0/33` is not a value of `ipMatch`: expected an address or a network, such as `10.0.0.0/8`",
        ),
        (
            "validateByteRange",
            "1-256",
            "`1-256` is not a value of `validateByteRange`: expected a byte or a range of bytes, such as `32-126`",
        ),
        (
            "validateByteRange",
            "9-1",
            "`9-1` is not a value of `validateByteRange`: expected a byte or a range of bytes, such as `32-126`",
        ),
    ] {
        let problem = compile(name, argument).err().map(|problem| problem.to_string());
        assert_eq!(problem.as_deref(), Some(message), "{name} {argument}");
    }
}

#[test]
fn an_argument_with_macros_is_the_callers_to_expand() {
    let variable = ast::Macro { variable: ast::Variable::RequestMethod, name: None };
    let argument = Template::new(vec![Part::Text("x".to_owned()), Part::Macro(variable)]);
    let written = ast::Operator { name: OperatorName::StrEq, negated: false, argument };
    let data: [&[u8]; 0] = [];
    let operator = Operator::compile(&written, &data).unwrap_or_else(|problem| unreachable!("{problem}"));
    assert_eq!(operator.argument(), Some(&written.argument));
    assert_eq!(operator.matches(b"xGET", b"xGET").map(|found| found.range), Some(0..4));
    assert_eq!(operator.matches(b"xGET", b"xPUT"), None);

    for name in [OperatorName::Rx, OperatorName::RxGlobal] {
        let pattern = ast::Operator { name, ..written.clone() };
        let operator = Operator::compile(&pattern, &data).unwrap_or_else(|problem| unreachable!("{problem}"));
        assert_eq!(operator.matches(b"axG", b"x(G|P)").map(|found| found.range), Some(1..3));
        let captured = operator.captures(b"axG", b"x(G|P)").map(|found| found.captured);
        assert_eq!(captured, Some(vec![Captured::Part(1..3), Captured::Part(2..3)]));
        assert_eq!(operator.matches(b"axG", b"x(P"), None);
    }
    // Where ModSecurity takes a macro for what it is not, it keeps the rules from being loaded.
    for name in [
        OperatorName::Pm,
        OperatorName::IpMatch,
        OperatorName::ValidateByteRange,
        OperatorName::VerifyCc,
        OperatorName::VerifyCpf,
        OperatorName::VerifySsn,
        OperatorName::VerifySvnr,
    ] {
        let refused = ast::Operator { name, ..written.clone() };
        assert!(matches!(Operator::compile(&refused, &data), Err(Problem::Unsupported { .. })), "{name}");
    }
}

#[test]
fn captures_are_those_of_the_reference() {
    let captured = |name: &str, argument: &str, value: &[u8]| {
        operator(name, argument).captures(value, b"").map(|found| found.captured).unwrap_or_default()
    };
    let part = |start, end| Captured::Part(start..end);
    assert_eq!(captured("rx", "(a)|(b)", b"xb"), [part(1, 2), Captured::Nothing, part(1, 2)]);
    assert_eq!(captured("rx", "()()()()()()()()()()()()", b"").len(), CAPTURED_AT_MOST);
    assert_eq!(captured("rxGlobal", "(.)-", b"a-b-"), [part(0, 2), part(0, 1), part(2, 4), part(2, 3)]);
    assert_eq!(captured("pm", "b", b"abc"), [part(1, 2)]);
    assert_eq!(captured("detectSQLi", "", b"1' or '1'='1"), [Captured::Text("s&sos".to_owned())]);
    assert_eq!(captured("!rx", "(a)", b"b"), []);
}

const CAPTURED_AT_MOST: usize = 10;

#[test]
fn data_files_have_comments_and_empty_lines() {
    let phrases = from_file(
        OperatorName::PmFromFile,
        b"# comment\n\n  # another\r\n.htaccess\r\n/etc/ passwd\n \n|41|",
    );
    for (value, expected) in [
        (&b"x.HTACCESS"[..], Some(1..10)),
        (b"/etc/ passwd", Some(0..12)),
        (b"comment", None),
        (b" ", None),
        (b"A", None),
        (b"|41|", Some(0..4)),
    ] {
        assert_eq!(phrases.matches(value, b"").map(|found| found.range), expected, "{value:?}");
    }
    let addresses =
        from_file(OperatorName::IpMatchFromFile, b"# office\n192.0.2.0/24\n\n198.51.100.7, 2001:db8::/32\n");
    for (value, expected) in
        [("192.0.2.200", true), ("198.51.100.7", true), ("2001:db8:1::2", true), ("203.0.113.1", false)]
    {
        assert_eq!(addresses.matches(value.as_bytes(), b"").is_some(), expected, "{value}");
    }
}

#[test]
fn candidates_of_an_unbounded_pattern_do_not_make_time_quadratic() {
    let started = std::time::Instant::now();
    let value = b"1".repeat(1 << 20);
    let _ = operator("verifyCC", r"\d+").matches(&value, b"");
    let _ = operator("containsWord", "1").matches(&value, b"");
    let _ = operator("validateUtf8Encoding", "").matches(&b"\xf4\x90\x80\x80".repeat(1 << 18), b"");
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
}

/// `BARTIZAN_TEST_DATA` names the folder; without it, `../shared/data` beside the repository.
fn rules_of_the_core_rule_set() -> Option<PathBuf> {
    let data = env::var_os("BARTIZAN_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let rules = data.join("crs-4.28.0/rules");
    if rules.is_dir() {
        return Some(rules);
    }
    assert!(env::var_os("CI").is_none(), "{} is missing", rules.display());
    None
}

/// The arguments of `@rx` in a rule file: between the operator's quotes, comments aside.
fn patterns(file: &str) -> Vec<String> {
    let mut patterns = Vec::new();
    for line in file.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((_, after)) = line.split_once("\"@rx ").or_else(|| line.split_once("\"!@rx ")) else {
            continue;
        };
        let mut escaped = false;
        let end = after.bytes().position(|byte| {
            let closing = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closing
        });
        patterns.push(after[..end.unwrap_or(after.len())].to_owned());
    }
    patterns
}

#[test]
fn all_patterns_and_phrases_of_the_core_rule_set_compile() {
    let Some(rules) = rules_of_the_core_rule_set() else { return };
    let (mut compiled, mut phrases) = (0, 0);
    for entry in fs::read_dir(rules).unwrap_or_else(|error| unreachable!("{error}")) {
        let path = entry.unwrap_or_else(|error| unreachable!("{error}")).path();
        let content = fs::read(&path).unwrap_or_else(|error| unreachable!("{error}"));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("conf") => {
                for pattern in patterns(&String::from_utf8_lossy(&content)) {
                    operator("rx", &pattern);
                    compiled += 1;
                }
            }
            Some("data") => {
                from_file(OperatorName::PmFromFile, &content);
                phrases += 1;
            }
            _ => {}
        }
    }
    assert_eq!((compiled, phrases), (318, 21));
}
