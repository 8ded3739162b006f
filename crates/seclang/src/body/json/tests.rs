use proptest::prelude::*;

use super::{BodyError, Json, Limits, ParsedJson};

fn parse(text: &[u8]) -> ParsedJson {
    parse_within(text, Limits::default())
}

fn parse_within(text: &[u8], limits: Limits) -> ParsedJson {
    let mut json = Json::new(limits);
    json.feed(text);
    json.finish()
}

/// `name=value` of each argument.
fn shown(parsed: &ParsedJson) -> Vec<String> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    parsed.arguments.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
}

#[test]
fn texts() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("{}", &[]),
        ("[]", &[]),
        (
            r#"{"a":{},"b":[[]],"c":[1,{}],"d":2}"#,
            &["json.a=", "json.b.array_0=", "json.c.array_0=1", "json.c.array_1=", "json.d=2"],
        ),
        (r#""x""#, &["json=x"]),
        ("1.50e3", &["json=1.50e3"]),
        (" -0 ", &["json=-0"]),
        ("null", &["json="]),
        (
            r#"{"a":1,"b":[1,2,{"c":null}],"":true,"d":{"":"x"}}"#,
            &[
                "json.a=1",
                "json.b.array_0=1",
                "json.b.array_1=2",
                "json.b.array_2.c=",
                "json.empty-key=true",
                "json.d.empty-key=x",
            ],
        ),
        (
            r#"[1,[2,3],{"a":[]},false]"#,
            &[
                "json.array_0=1",
                "json.array_1.array_0=2",
                "json.array_1.array_1=3",
                "json.array_2.a=",
                "json.array_3=false",
            ],
        ),
        (r#"{"a":1,"a":2}"#, &["json.a=1", "json.a=2"]),
        (r#"{"a.b":{"c":1},"d":2}"#, &["json.a.b.c=1", "json.d=2"]),
        (r#"{"items":[{"id":1},{"id":2}]}"#, &["json.items.array_0.id=1", "json.items.array_1.id=2"]),
        (
            "[1e5,-0,0.0,12345678901234567890123]",
            &[
                "json.array_0=1e5",
                "json.array_1=-0",
                "json.array_2=0.0",
                "json.array_3=12345678901234567890123",
            ],
        ),
        (r#"{"\u0061\n":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#, &["json.a\n=\"\\/\u{8}\u{c}\n\r\té😀"]),
        (
            r#"["\ud800","\ud800x","\ud800\n","\udc00","\ud800\u0041","\ud800\ud83d\ude00","\u0000"]"#,
            &[
                "json.array_0=?",
                "json.array_1=?x",
                "json.array_2=?\n",
                "json.array_3=?",
                "json.array_4=?A",
                "json.array_5=?😀",
                "json.array_6=\0",
            ],
        ),
        ("\x0b\x0c{ \"a\" :\t[ 1 ,\r\n2 ] } ", &["json.a.array_0=1", "json.a.array_1=2"]),
    ];
    for (text, expected) in cases {
        let parsed = parse(text.as_bytes());
        assert_eq!(parsed.error, None, "{text}");
        assert_eq!(shown(&parsed), *expected, "{text}");
    }
}

#[test]
fn of_a_sequence_all_are_read() {
    let read = |text: &[u8]| {
        let mut json = Json::new(Limits::default());
        json.feed(text);
        let parsed = json.finish();
        (shown(&parsed), parsed.error.is_none())
    };
    let told = |arguments: &[&str]| arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        read(b"{\"a\":1}\n[2]\r\n{}{\"a\":3}"),
        (told(&["json.a=1", "json.array_0=2", "json.a=3"]), true)
    );
    assert_eq!(read(b"{\"a\":1}\nb"), (told(&["json.a=1"]), false));
    assert_eq!(read(b"{\"a\":1}\n{\"b\":\"x"), (told(&["json.a=1"]), false));
    assert_eq!(read(b"1 {}"), (told(&["json=1"]), true));
    assert_eq!(read(b"{} 1"), (told(&[]), false));
}

#[test]
fn what_stands_before_an_error_is_kept() {
    let cases: &[(&[u8], usize, &[&str])] = &[
        (b" ", 1, &[]),
        (b"nul", 3, &[]),
        (b"nulx", 3, &[]),
        (b"{\"a\":1", 6, &["json.a=1"]),
        (b"{\"a\":\"x", 7, &[]),
        (b"{\"a\":1}\"b\"", 7, &["json.a=1"]),
        (b"true x", 5, &["json=true"]),
        (b"{\"a\":\"b\x01c\"}", 7, &[]),
        (b"{\"a\":\"\xff\"}", 6, &[]),
        (b"{\"a\":\"\xc3\"}", 7, &[]),
        (b"{\"a\":01}", 6, &["json.a=0"]),
        (b"{\"a\":-}", 6, &[]),
        (b"{\"a\":1.}", 7, &[]),
        (b"{\"a\":1e+}", 8, &[]),
        (b"{\"a\":[1,]}", 8, &["json.a.array_0=1"]),
        (b"{\"a\":1,}", 7, &["json.a=1"]),
        (b"{\"a\":1]", 6, &["json.a=1"]),
        (b"[1}", 2, &["json.array_0=1"]),
        (b"[\"a\" \"b\"]", 5, &["json.array_0=a"]),
        (b"{\"a\" 1}", 5, &[]),
        (b"{1:2}", 1, &[]),
        (b"[\"\\q\"]", 3, &[]),
        (b"[\"\\u12\"]", 6, &[]),
        (b"/*c*/{}", 0, &[]),
        (b"\xef\xbb\xbf{}", 0, &[]),
        (b"]", 0, &[]),
    ];
    for (text, expected, arguments) in cases {
        let parsed = parse(text);
        let shown_text = text.escape_ascii();
        assert!(
            matches!(&parsed.error, Some(BodyError::Json { offset, .. }) if offset == expected),
            "{shown_text}: {:?}",
            parsed.error
        );
        assert_eq!(shown(&parsed), *arguments, "{shown_text}");
    }
}

#[test]
fn depth_is_limited_to_the_level() {
    let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    let limits = Limits { depth: 100, ..Limits::default() };
    assert_eq!(parse_within(&nested(100), limits).error, None);
    assert_eq!(
        parse_within(&nested(101), limits).error,
        Some(BodyError::TooDeep { format: "JSON", limit: 100 })
    );
    // The name of the innermost one is 8 MB long.
    let endless = Limits { depth: usize::MAX, bytes: 16 << 20, ..limits };
    assert_eq!(parse_within(&nested(1_000_000), endless).error, None, "depth costs no stack");
}

#[test]
fn more_arguments_than_the_limit_are_left_out() {
    let limits = Limits { arguments: 2, ..Limits::default() };
    let parsed = parse_within(b"[1,2,3,4]", limits);
    assert_eq!((shown(&parsed).len(), parsed.arguments.exceeded(), parsed.error), (2, true, None));
}

/// A name of 50 kB above 20,000 values would be a gigabyte of names.
#[test]
fn names_that_repeat_do_not_multiply() {
    let text = format!("{{\"{}\":[{}1]}}", "k".repeat(50_000), "1,".repeat(20_000));
    let limits = Limits { arguments: usize::MAX, bytes: 1 << 20, ..Limits::default() };
    let parsed = parse_within(text.as_bytes(), limits);
    assert_eq!(parsed.error, Some(BodyError::TooLarge { format: "JSON", limit: 1 << 20 }));
    assert_eq!(parsed.arguments.len(), 21);
}

fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let scrap = proptest::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "1",
        "-1.5e+3",
        "0",
        "true",
        "null",
        "\\",
        "\\u00e9",
        "\\ud83d\\ude00",
        "é",
        " ",
        "x",
    ]);
    proptest::collection::vec(scrap, 0..30).prop_map(|scraps| scraps.concat().into_bytes())
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same arguments by another road: a tree, and a walk over it.
fn walk(name: &str, value: &serde_json::Value, arguments: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    use serde_json::Value;
    let is_empty = value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty);
    match value {
        _ if is_empty && name == "json" => {}
        _ if is_empty => arguments.push((name.into(), Vec::new())),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .for_each(|(at, element)| walk(&format!("{name}.array_{at}"), element, arguments)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            let key = if key.is_empty() { "empty-key" } else { key };
            walk(&format!("{name}.{key}"), member, arguments);
        }),
        Value::Null => arguments.push((name.into(), Vec::new())),
        Value::String(text) => arguments.push((name.into(), text.clone().into_bytes())),
        other => arguments.push((name.into(), other.to_string().into_bytes())),
    }
}

/// Whether a text is nothing, or a value with arrays and objects behind it.
fn is_sequence(text: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>();
    let mut count = 0;
    loop {
        let rest = text[values.byte_offset()..].trim_ascii_start();
        if rest.is_empty() {
            return count > 0 || text.is_empty();
        }
        if count > 0 && !rest.starts_with(b"[") && !rest.starts_with(b"{") {
            return false;
        }
        match values.next() {
            Some(Ok(_)) => count += 1,
            _ => return false,
        }
    }
}

proptest! {
    #[test]
    fn pieces_do_not_matter(text in scraps(), cut in 1_usize..9) {
        let mut json = Json::new(Limits::default());
        text.chunks(cut).for_each(|piece| json.feed(piece));
        prop_assert_eq!(json.finish(), parse(&text));
    }

    #[test]
    fn accepts_what_serde_json_accepts(text in scraps()) {
        prop_assert_eq!(parse(&text).error.is_none(), is_sequence(&text), "{}", text.escape_ascii());
    }

    #[test]
    fn arguments_are_the_leaves_of_the_tree(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let parsed = parse(&text.expect("a value is text"));
        let mut expected = Vec::new();
        walk("json", &value, &mut expected);
        let found: Vec<_> = parsed.arguments.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(parsed.error, None);
    }
}
