use proptest::prelude::*;

use super::{BodyError, Limits, ParsedXml, Xml};

fn parse(document: &[u8]) -> ParsedXml {
    parse_within(document, Limits::default())
}

fn parse_within(document: &[u8], limits: Limits) -> ParsedXml {
    ParsedXml::of(document, limits)
}

fn text(parsed: &ParsedXml) -> Option<String> {
    parsed.text.as_ref().map(|text| String::from_utf8_lossy(text).into_owned())
}

fn values(parsed: &ParsedXml) -> Vec<String> {
    parsed.attributes.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn documents() {
    let utf16: Vec<u8> = "\u{feff}<a b='é'>x😀</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_big: Vec<u8> = "<a>x</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let cases: &[(&[u8], &str, &[&str])] = &[
        (
            b"<a x=\"1\" y='2'>t<b z=\"&lt;3&#65;\">u</b> v<!-- c --><![CDATA[<d>]]><?pi d?></a>",
            "tu v<d>",
            &["1", "2", "<3A"],
        ),
        (b"<a/>", "", &[]),
        (b"  <a/>\n<!-- c -->\n", "", &[]),
        (b"<a>1&amp;&#x32;&#51;</a>", "1&23", &[]),
        (b"<a>  \n <b/>\r\n</a>", "  \n \n", &[]),
        (b"<a>\r\r\n\n</a>", "\n\n\n", &[]),
        (b"<a x=\"a\n\t\r\nb&#10;\"/>", "", &["a   b\n"]),
        (b"<a xmlns=\"u\" xmlns:p=\"v\" p:q=\"w\" p:z=\"1\"/>", "", &["w", "1"]),
        (b"<p:a>x</p:a>", "x", &[]),
        (b"<a x='\"&quot;&apos;>'/>", "", &["\"\"'>"]),
        (b"\xef\xbb\xbf<?xml version=\"1.0\"?><a>x</a>", "x", &[]),
        (b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", "é", &[]),
        (b"<?xml version='1.0' encoding = 'utf-8'?><a>\xc3\xa9</a>", "é", &[]),
        (b"<!DOCTYPE a SYSTEM \"http://example.com/a.dtd\"><a>1</a>", "1", &[]),
        (&utf16, "x😀", &["é"]),
        (&utf16_big, "x", &[]),
    ];
    for (document, expected, attributes) in cases {
        let parsed = parse(document);
        let shown = document.escape_ascii();
        assert_eq!(parsed.error, None, "{shown}");
        assert_eq!(text(&parsed).as_deref(), Some(*expected), "{shown}");
        assert_eq!(values(&parsed), *attributes, "{shown}");
    }
}

#[test]
fn what_is_not_well_formed_is_an_error_and_the_text_before_it_stays() {
    let cases: &[(&[u8], Option<&str>)] = &[
        (b"", None),
        (b"hello", None),
        (b"<a>x", Some("x")),
        (b"<a>x</b>", Some("x")),
        (b"<a>1<b>2</c>3</a>", Some("12")),
        (b"<a>x</a> trailing", Some("x")),
        (b"<a/><b/>", Some("")),
        (b"<a>a&b</a>", Some("a")),
        (b"<a>x&foo;</a>", Some("x")),
        (b"<a>]]></a>", Some("")),
        (b"<a>\x01</a>", Some("")),
        (b"<a>x\xff</a>", Some("x")),
        (b"<a>&#0;</a>", Some("")),
        (b"<a>&#x110000;</a>", Some("")),
        (b"<a>&#+65;</a>", Some("")),
        (b"<a b=\"<\">t</a>", Some("")),
        (b"<a b=\"&\">t</a>", Some("")),
        (b"<a x=\"1\" x=\"2\"/>", Some("")),
        (b"<a x=1>t</a>", Some("")),
        (b"<a x>t</a>", Some("")),
        (b"<1>t</1>", None),
        (b"<a><!-- -- --></a>", Some("")),
        (b"<a><?1?></a>", Some("")),
        (b"<?XML version='1.0'?><a/>", None),
        (b"<a>x<?xMl?></a>", Some("x")),
        (b"<?xml encoding='utf-8'?><a/>", None),
        (b"<?xml version='1.0' x='y'?><a/>", None),
        (b"<?xml version='1.'?><a/>", None),
        (b"<a><?xml version='1.0'?></a>", Some("")),
        (b"<a><!-- \x01 --></a>", Some("")),
        (b"</a>", None),
        (b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>x</a>", None),
        (b"<?xml version=\"1.0\" encoding=\"utf-7\"?><a>x</a>", None),
        (b"<\0a\0>\0\0", Some("")),
    ];
    for (document, expected) in cases {
        let parsed = parse(document);
        let shown = document.escape_ascii();
        assert!(matches!(parsed.error, Some(BodyError::Xml { .. })), "{shown}: {:?}", parsed.error);
        assert_eq!(text(&parsed).as_deref(), *expected, "{shown}");
    }
}

#[test]
fn entities_are_shown_and_never_expanded() {
    let cases = [
        ("<!ENTITY e SYSTEM \"file:///etc/passwd\">", "<a>1&e;2</a>"),
        ("<!ENTITY e \"<script>\">", "<a>1&e;2</a>"),
        ("<!ENTITY a \"aaaa\"><!ENTITY e \"&a;&a;&a;&a;\">", "<a>1&e;2</a>"),
        ("<!ENTITY % e SYSTEM \"http://192.0.2.1/x\"> %e;", "<a>1</a>"),
    ];
    for (subset, root) in cases {
        let document = format!("<!DOCTYPE a [{subset}]>{root}");
        let parsed = parse(document.as_bytes());
        let seen = text(&parsed).unwrap_or_default();
        assert!(seen.starts_with(subset) && seen.ends_with('1'), "{document}: {seen}");
        assert_eq!(parsed.error.is_some(), root.contains('&'), "{document}");
    }
    let in_attribute = parse(b"<!DOCTYPE a [<!ENTITY e \"x\">]><a b='&e;'/>");
    assert_eq!(in_attribute.error, Some(BodyError::Xml { what: "a reference to an entity" }));
}

#[test]
fn limits() {
    let nested = |levels: usize| ["<a>".repeat(levels), "</a>".repeat(levels)].concat().into_bytes();
    let shallow = Limits { depth: 100, ..Limits::default() };
    assert_eq!(parse_within(&nested(100), shallow).error, None);
    assert_eq!(
        parse_within(&nested(101), shallow).error,
        Some(BodyError::TooDeep { format: "XML", limit: 100 })
    );

    let small = Limits { bytes: 8, ..Limits::default() };
    assert_eq!(parse_within(b"<a>1</a>", small).error, None);
    assert_eq!(
        parse_within(b"<a>12</a>", small).error,
        Some(BodyError::TooLarge { format: "XML", limit: 8 })
    );

    let few = Limits { arguments: 1, ..Limits::default() };
    let parsed = parse_within(b"<a b='1' c='2'/>", few);
    assert_eq!((values(&parsed).len(), parsed.attributes.exceeded(), parsed.error), (1, true, None));
}

proptest! {
    #[test]
    fn pieces_do_not_matter_and_nothing_panics(
        scraps in proptest::collection::vec(proptest::sample::select(vec![
            "<a>", "</a>", "<b x='1'", " y=\"&lt;\"", "/>", ">", "<!--", "-->", "<![CDATA[", "]]>", "&amp;", "&#65;", "&e;", "<?p", "?>",
            "<!DOCTYPE a [", "<!ENTITY e 'x'>", "]>", "text", "é", "\r\n", "\0", "<?xml version='1.0' encoding='latin1'?>",
        ]), 0..20),
        cut in 1_usize..9,
    ) {
        let document = scraps.concat().into_bytes();
        let mut xml = Xml::new(Limits::default());
        document.chunks(cut).for_each(|piece| xml.feed(piece));
        prop_assert_eq!(xml.finish(), parse(&document));
    }
}
