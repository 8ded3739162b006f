//! What holds for all body processors.

use super::{CookieFormat, Json, Limits, Multipart, Urlencoded, Xml, cookies};
use crate::cpu_time::is_linear;

const MULTIPART: &[u8] = b"multipart/form-data; boundary=B";

/// Reads a body with everything that could be read from it.
fn read(format: &str, body: &[u8]) {
    let limits = Limits { arguments: usize::MAX, bytes: 1 << 24, depth: usize::MAX, files: usize::MAX };
    match format {
        "urlencoded" => {
            let mut form = Urlencoded::new(b'&', limits);
            form.feed(body);
            std::hint::black_box(form.finish());
        }
        "cookies" => {
            std::hint::black_box(cookies(body, CookieFormat::Netscape, limits));
            std::hint::black_box(cookies(body, CookieFormat::Rfc2109, limits));
        }
        "json" => {
            let mut json = Json::new(limits);
            json.feed(body);
            std::hint::black_box(json.finish());
        }
        "xml" => {
            let mut xml = Xml::new(limits);
            xml.feed(body);
            std::hint::black_box(xml.finish());
        }
        _ => {
            let mut multipart = Multipart::new(MULTIPART, limits);
            multipart.feed(body);
            std::hint::black_box(multipart.finish());
        }
    }
}

#[test]
fn time_is_linear_in_hostile_bodies() {
    let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n";
    let cases: &[(&str, &str, &str)] = &[
        ("urlencoded", "", "%"),
        ("urlencoded", "", "&"),
        ("urlencoded", "", "a=%4"),
        ("cookies", "", ";"),
        ("cookies", "", "\""),
        ("cookies", "", " "),
        ("json", "", "["),
        ("json", "", "{\"\":"),
        ("json", "[", "0,"),
        ("json", "\"", "\\ud800"),
        ("json", "", "1"),
        ("xml", "", "<a>"),
        ("xml", "", "<"),
        ("xml", "<a>", "&amp;"),
        ("xml", "<a>", "<!--"),
        ("xml", "<a>", "<![CDATA["),
        ("xml", "<a b='", "&#65;"),
        ("xml", "<!DOCTYPE a [", "<!ENTITY a 'b'>"),
        ("xml", "<!DOCTYPE a [", "["),
        ("multipart", part, "X: y\r\n"),
        ("multipart", part, " folded\r\n"),
        ("multipart", part, "\r\n"),
        ("multipart", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", "--"),
        ("multipart", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", "\r\n--"),
        ("multipart", "", "--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nx\r\n"),
        ("multipart", "", "-- B"),
    ];
    for (format, start, repeated) in cases {
        let body =
            |size: usize| [start.as_bytes(), &repeated.as_bytes().repeat(size / repeated.len())].concat();
        assert!(
            is_linear(&body(1 << 14), &body(1 << 18), |body| read(format, body)),
            "{format}: `{start}` and many `{repeated}`"
        );
    }
}

/// Many different attributes on one element, many different headers in one part: each is compared with those before.
#[test]
fn time_is_linear_in_different_names() {
    let numbered = |count: usize, one: fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().concat();
    let attributes = |count: usize| format!("<a {}/>", numbered(count, |n| format!("a{n}='' ")));
    let headers = |count: usize| {
        let lines = numbered(count, |n| format!("X{n}: y\r\n"));
        format!("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n{lines}\r\nx\r\n--B--\r\n")
    };
    for (format, small, large) in
        [("xml", attributes(1000), attributes(16_000)), ("multipart", headers(1000), headers(16_000))]
    {
        assert!(is_linear(small.as_bytes(), large.as_bytes(), |body| read(format, body)), "{format}");
    }
}
