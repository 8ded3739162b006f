//! What holds for all body processors.

use std::time::Duration;

use super::{CookieFormat, Json, Limits, Multipart, Urlencoded, Xml, cookies};
use crate::cpu_time::cpu_time;

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

fn fastest(format: &str, body: &[u8]) -> Duration {
    cpu_time(|| read(format, body))
}

/// Sixteen times as much takes sixteen times as long, not 256 times.
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
        let (small, large) = (fastest(format, &body(1 << 14)), fastest(format, &body(1 << 18)));
        let allowed = small.max(Duration::from_micros(50)) * 16 * 5;
        assert!(large < allowed, "{format}: `{start}` and many `{repeated}`: {small:?}, then {large:?}");
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
        let (small, large) = (fastest(format, small.as_bytes()), fastest(format, large.as_bytes()));
        assert!(large < small.max(Duration::from_micros(50)) * 16 * 5, "{format}: {small:?}, then {large:?}");
    }
}
