//! Requests over HTTP/2 that would mean something else once they are written as HTTP/1.1: none reaches the
//! upstream, and what does is canonical (RFC 9113, sections 8.1 to 8.3).

use crate::{
    frames::{DATA, END_HEADERS, END_STREAM, FrameConnection, HEADERS, Outcome, block, frame, pseudo},
    harness::Gateway,
    phrases::public,
    siege::Honest,
    upstream::Upstream,
};

type Fields = &'static [(&'static str, &'static str)];

/// What must come of a request.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// HTTP/2 itself does not allow it: the stream is reset with `PROTOCOL_ERROR`, or answered 400.
    Malformed,
    /// Refused by the gateway with this status and code.
    Refused(u16, &'static str),
    /// Forwarded with this body.
    Forwarded(&'static str),
}

use Expected::{Forwarded, Malformed, Refused};

const AMBIGUOUS: Expected = Refused(400, "malformed_request");
const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Name, fields after `:method: POST`, `:scheme`, `:authority: a` and `:path: /`, body.
#[rustfmt::skip]
const FIELDS: &[(&str, Fields, &str, Expected)] = &[
    ("nothing special", &[("x", "y")], "ab", Forwarded("ab")),
    // framing
    ("H2.TE", &[("transfer-encoding", "chunked")], SMUGGLED, Malformed),
    ("H2.TE in disguise", &[("transfer-encoding", "xchunked")], SMUGGLED, Malformed),
    ("H2.CL, longer than the body", &[("content-length", "10")], "ab", Malformed),
    ("H2.CL, shorter than the body", &[("content-length", "1")], "ab", Malformed),
    ("H2.CL exact", &[("content-length", "2")], "ab", Forwarded("ab")),
    ("CL twice, different", &[("content-length", "2"), ("content-length", "3")], "ab", Malformed),
    ("CL twice, equal", &[("content-length", "2"), ("content-length", "2")], "ab", Malformed),
    ("CL with a plus", &[("content-length", "+2")], "ab", Malformed),
    ("CL as a list", &[("content-length", "2, 2")], "ab", Malformed),
    ("CL negative", &[("content-length", "-2")], "ab", Malformed),
    ("CL beyond 64 bits", &[("content-length", "18446744073709551618")], "ab", Malformed),
    // what belongs to a connection (section 8.2.2)
    ("connection", &[("connection", "close")], "", Malformed),
    ("connection that names a field", &[("connection", "authorization")], "", Malformed),
    ("keep-alive", &[("keep-alive", "timeout=5")], "", Malformed),
    ("proxy-connection", &[("proxy-connection", "close")], "", Malformed),
    ("upgrade", &[("upgrade", "websocket")], "", Malformed),
    ("te other than trailers", &[("te", "gzip")], "", Malformed),
    ("te: trailers", &[("te", "trailers")], "", Forwarded("")),
    // names and values (section 8.2.1)
    ("a line break in a value", &[("x", "y\r\ntransfer-encoding: chunked")], "", Malformed),
    ("a line feed in a value", &[("x", "y\nz: 1")], "", Malformed),
    ("a carriage return in a value", &[("x", "y\rz")], "", Malformed),
    ("NUL in a value", &[("x", "y\0")], "", Malformed),
    ("a line break in a name", &[("x: y\r\nz", "1")], "", Malformed),
    ("a colon in a name", &[("x: y", "1")], "", Malformed),
    ("a space in a name", &[("x y", "1")], "", Malformed),
    ("a space at the end of a name", &[("transfer-encoding ", "chunked")], "", Malformed),
    ("capitals in a name", &[("X", "1")], "", Malformed),
    ("an empty name", &[("", "1")], "", Malformed),
    ("an underscore in a name", &[("content_length", "1")], "", AMBIGUOUS),
    // pseudo-header fields (section 8.3)
    ("a pseudo-header field after others", &[("x", "y"), (":path", "/admin")], "", Malformed),
    (":path twice", &[(":path", "/admin")], "", Malformed),
    (":method twice", &[(":method", "GET")], "", Malformed),
    (":authority twice", &[(":authority", "b")], "", Malformed),
    ("an unknown pseudo-header field", &[(":forwarded", "b")], "", Malformed),
    (":status in a request", &[(":status", "200")], "", Malformed),
    (":protocol nobody asked for", &[(":protocol", "websocket")], "", Malformed),
    // hosts
    ("the same host again", &[("host", "a")], "", Forwarded("")),
    ("another host", &[("host", "b")], "", AMBIGUOUS),
    ("two hosts", &[("host", "a"), ("host", "a")], "", AMBIGUOUS),
    ("another host and the same", &[("host", "a"), ("host", "b")], "", AMBIGUOUS),
];

/// Name and all pseudo-header fields.
#[rustfmt::skip]
const PSEUDO: &[(&str, Fields, Expected)] = &[
    ("no :method", &[(":scheme", "http"), (":authority", "a"), (":path", "/")], Malformed),
    ("no :scheme", &[(":method", "GET"), (":authority", "a"), (":path", "/")], Malformed),
    ("no :path", &[(":method", "GET"), (":scheme", "http"), (":authority", "a")], Malformed),
    ("an empty :path", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")], Malformed),
    (":path without a slash", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "admin")], Malformed),
    (":path in absolute form", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "http://b/")], Malformed),
    (":path with a space", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/ HTTP/1.1\r\nx: y")], Malformed),
    (":path with a space alone", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/a b")], Malformed),
    (":path with a fragment", &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/#b")], Forwarded("")),
    (":method with a space", &[(":method", "GET /admin HTTP/1.1\r\nx:"), (":scheme", "http"), (":authority", "a"), (":path", "/")], Malformed),
    (":scheme with a path", &[(":method", "GET"), (":scheme", "http://b/?"), (":authority", "a"), (":path", "/")], Malformed),
    ("no :authority and no host", &[(":method", "GET"), (":scheme", "http"), (":path", "/")], AMBIGUOUS),
    ("an empty :authority", &[(":method", "GET"), (":scheme", "http"), (":authority", ""), (":path", "/")], Malformed),
    (":authority with user information", &[(":method", "GET"), (":scheme", "http"), (":authority", "b@a"), (":path", "/")], AMBIGUOUS),
    (":authority with a path", &[(":method", "GET"), (":scheme", "http"), (":authority", "a/b"), (":path", "/")], Malformed),
    (":authority with a line break", &[(":method", "GET"), (":scheme", "http"), (":authority", "a\r\nx: y"), (":path", "/")], Malformed),
    ("host alone", &[(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "a")], Forwarded("")),
    ("CONNECT", &[(":method", "CONNECT"), (":authority", "a:443")], Refused(405, "method_not_allowed")),
    ("TRACE", &[(":method", "TRACE"), (":scheme", "http"), (":authority", "a"), (":path", "/")], Refused(405, "method_not_allowed")),
    (":method in lower case", &[(":method", "post"), (":scheme", "http"), (":authority", "a"), (":path", "/")], AMBIGUOUS),
];

/// Sends one request on a connection of its own and checks what comes of it.
async fn expect(gateway: &Gateway, upstream: &Upstream, name: &str, bytes: Vec<u8>, expected: Expected) {
    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send(bytes).await;
    let outcome = connection.outcome(1).await;
    match expected {
        Malformed => {
            let is_refused = match &outcome {
                Outcome::Reset(code) => *code == 1,
                Outcome::Answered(status, _) => *status == 400,
                Outcome::Ended(ending) => ending.goaway.is_some_and(|code| code != 0),
            };
            assert!(is_refused, "{name}: {outcome:?}");
        }
        Refused(status, code) => {
            assert_eq!(outcome.refusal(), (status, Some(code.into())), "{name}: {outcome:?}");
        }
        Forwarded(body) => {
            assert!(matches!(outcome, Outcome::Answered(200, _)), "{name}: {outcome:?}");
            let received = upstream.received().await;
            assert_eq!(received.body, body, "{name}");
            assert_eq!(received.headers.get_all("host").iter().collect::<Vec<_>>(), ["a"], "{name}");
        }
    }
    assert_eq!(gateway.get("/fence").await.status(), 200);
    assert_eq!(upstream.received().await.uri.path(), "/fence", "{name}: reached the upstream");
}

#[tokio::test]
async fn fields_that_would_become_framing_are_refused() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    for &(name, fields, body, expected) in FIELDS {
        let head = block(&[&pseudo("POST", "/")[..], fields].concat());
        let request = if body.is_empty() {
            frame(HEADERS, END_HEADERS | END_STREAM, 1, head)
        } else {
            [frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, body)].concat()
        };
        expect(&gateway, &upstream, name, request, expected).await;
    }
    Honest::of(&gateway).is_served().await;
}

#[tokio::test]
async fn a_request_has_each_pseudo_header_field_once_and_well_formed() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    for &(name, fields, expected) in PSEUDO {
        let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields));
        expect(&gateway, &upstream, name, request, expected).await;
    }
    Honest::of(&gateway).is_served().await;
}

/// A request that is over when its head is may have been forwarded before more of it comes. That is lost.
#[tokio::test]
async fn what_follows_the_end_of_a_request_is_lost() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let empty = block(&[&pseudo("POST", "/")[..], &[("content-length", "0")]].concat());
    for head in [
        frame(HEADERS, END_HEADERS, 1, &empty),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &empty),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, block(&pseudo("GET", "/"))),
    ] {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send([head, frame(DATA, END_STREAM, 1, SMUGGLED)].concat()).await;
        connection.outcome(1).await;
    }
    gateway.get("/fence").await;
    loop {
        let received = upstream.received().await;
        match received.uri.path() {
            "/fence" => break,
            path => assert_eq!((path, received.body.len()), ("/", 0)),
        }
    }
}

/// Whether h2 takes them for an error or for nothing: trailers never become header fields.
#[tokio::test]
async fn trailers_change_nothing() {
    let upstream = Upstream::start().await;
    for policy in ["hold", "stream"] {
        let gateway = public(&upstream, &format!(", body: {policy}")).await;
        for (name, value) in [
            (":path", "/admin"),
            ("host", "b"),
            ("transfer-encoding", "chunked"),
            ("content-length", "99"),
            ("connection", "close"),
            ("authorization", "Bearer trailing"),
            ("x-user-id", "1"),
            ("x", "y\r\nz: 1"),
        ] {
            let head = frame(HEADERS, END_HEADERS, 1, block(&pseudo("POST", "/")));
            let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(&[(name, value)]));
            let mut connection = FrameConnection::open(gateway.http()).await;
            connection.send([head, frame(DATA, 0, 1, "ab"), trailers].concat()).await;
            if let Outcome::Answered(status, _) = connection.outcome(1).await {
                assert!(matches!(status, 200 | 400), "{policy}, {name}: {status}");
            }
        }
        gateway.get("/fence").await;
        loop {
            let received = upstream.received().await;
            if received.uri.path() == "/fence" {
                break;
            }
            // One that broke off has no body.
            assert!(
                received.uri.path() == "/" && [&b"ab"[..], b""].contains(&&received.body[..]),
                "{received:?}"
            );
            assert_eq!(received.headers["host"], "a");
            for name in ["authorization", "x-user-id", "x"] {
                assert!(!received.headers.contains_key(name), "{policy}, {name}: {received:?}");
            }
        }
    }
}

/// RFC 9113, section 8.2.3: a cookie may come in crumbs, and is put together again with `; `.
#[tokio::test]
async fn cookies_in_crumbs_become_one_field() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let mut connection = FrameConnection::open(gateway.http()).await;
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    let head = block(&[&pseudo("GET", "/")[..], &crumbs].concat());
    connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head)).await;
    assert!(matches!(connection.outcome(1).await, Outcome::Answered(200, _)));
    let received = upstream.received().await;
    assert_eq!(received.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
}
