//! Requests that two servers could read differently, byte by byte: each gets exactly the answer it should, and
//! what reaches the upstream is canonical.

use crate::{harness::Gateway, raw::RawConnection, upstream::Upstream};

/// What must come of a request.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// Refused with this status and code, and the connection closed.
    Refused(u16, &'static str),
    /// Forwarded once, as this method and target, with this body.
    Forwarded(&'static str, &'static str, &'static str),
}

use Expected::{Forwarded, Refused};

const MALFORMED: Expected = Refused(400, "malformed_request");

#[rustfmt::skip]
const TABLE: &[(&str, &str, Expected)] = &[
    // framing: Content-Length and Transfer-Encoding
    ("CL.TE", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", MALFORMED),
    ("TE.CL", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n", MALFORMED),
    ("TE.TE, twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE.TE, one obfuscated", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", MALFORMED),
    ("TE gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE chunked, identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE quoted", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE with a vertical tab", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE with a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE folded", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE empty", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", MALFORMED),
    ("TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("TE in capitals is chunked all the same", "POST /te HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Forwarded("POST", "/te", "abc")),
    ("CL twice, different", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", MALFORMED),
    ("CL twice, equal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", MALFORMED),
    ("CL as a list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab", MALFORMED),
    ("CL with a plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab", MALFORMED),
    ("CL negative", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\nab", MALFORMED),
    ("CL hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2\r\n\r\nab", MALFORMED),
    ("CL beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\na", MALFORMED),
    ("CL empty", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", MALFORMED),
    ("CL with a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\nab", MALFORMED),
    ("CL exact", "POST /cl HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", Forwarded("POST", "/cl", "ab")),
    ("GET with a body", "GET /get HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", Forwarded("GET", "/get", "ab")),
    // line ends and fields
    ("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", MALFORMED),
    ("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", MALFORMED),
    ("bare LF at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", MALFORMED),
    ("bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", MALFORMED),
    ("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", MALFORMED),
    ("NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", MALFORMED),
    ("obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", MALFORMED),
    ("a field that begins with a space", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", MALFORMED),
    ("a field without a colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", MALFORMED),
    ("an empty field name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", MALFORMED),
    ("a space in a field name", "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", MALFORMED),
    ("an underscore in a field name", "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n", MALFORMED),
    // hosts
    ("no Host", "GET / HTTP/1.1\r\n\r\n", MALFORMED),
    ("no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", MALFORMED),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", MALFORMED),
    ("two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", MALFORMED),
    ("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", MALFORMED),
    ("a Host with user information", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", MALFORMED),
    ("absolute form, another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("absolute form, the same host", "GET http://a/abs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Forwarded("GET", "/abs", "")),
    // request lines
    ("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Refused(405, "method_not_allowed")),
    ("TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405, "method_not_allowed")),
    ("a method in lower case", "post / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", MALFORMED),
    ("a method in mixed case", "Trace / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("a method of nobody's in lower case", "purge /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Forwarded("purge", "/p", "")),
    ("HTTP/0.9", "GET /\r\n\r\n", MALFORMED),
    ("HTTP/2.0 in words", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refused(505, "http_version_not_supported")),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refused(505, "http_version_not_supported")),
    ("two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("a fragment in the target", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
    ("an encoded slash", "GET /public%2f..%2fadmin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", MALFORMED),
    ("a target above the root", "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", MALFORMED),
    ("encoded dots", "GET /x/%2e%2e/dots HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Forwarded("GET", "/dots", "")),
    ("an empty line first", "\r\nGET /crlf HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Forwarded("GET", "/crlf", "")),
    // upgrades
    ("h2c", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", Refused(400, "upgrade_refused")),
    ("an unknown upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: smuggle\r\n\r\n", Refused(400, "upgrade_refused")),
    // chunks
    ("chunk extensions are dropped", "POST /ext HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n", Forwarded("POST", "/ext", "abc")),
    ("a chunk size with a bare LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", Refused(400, "body_incomplete")),
    ("a chunk size with 0x", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", Refused(400, "body_incomplete")),
    ("a chunk longer than its size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", Refused(400, "body_incomplete")),
    ("a chunk size beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", Refused(400, "body_incomplete")),
    ("a bare LF in a chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\ny\r\nabc\r\n0\r\n\r\n", Refused(400, "body_incomplete")),
];

#[tokio::test]
async fn every_ambiguous_request_gets_its_exact_answer() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]")).await;
    assert!(TABLE.len() >= 40);
    for &(name, request, expected) in TABLE {
        let mut connection = RawConnection::open(gateway.http()).await;
        connection.send(request).await;
        let answer = connection.read_to_end().await;
        assert!(answer.rest.is_empty(), "{name}: a second answer: {answer:?}");
        match expected {
            Refused(status, code) => {
                assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)), "{name}");
                assert!(!answer.request_id().is_empty(), "{name}: no request id");
                assert!(upstream.has_received_nothing().await, "{name}: reached the upstream");
            }
            Forwarded(method, target, body) => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                let received = upstream.received().await;
                let seen = (received.method.as_str(), received.uri.to_string());
                assert_eq!(seen, (method, target.to_owned()), "{name}");
                assert_eq!(received.body, body, "{name}");
                let framings = ["content-length", "transfer-encoding"]
                    .map(|field| received.headers.get_all(field).iter().count());
                assert!(framings.iter().sum::<usize>() <= 1, "{name}: framed twice: {:?}", received.headers);
                assert!(upstream.has_received_nothing().await, "{name}: reached the upstream twice");
            }
        }
    }
}

#[tokio::test]
async fn what_follows_a_refused_request_is_never_read() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]")).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let answer = gateway.raw(request).await;
    assert_eq!((answer.status, answer.rest.len()), (400, 0));
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_up_to_the_malformed_one() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]")).await;
    let mut connection = RawConnection::open(gateway.http()).await;
    let good = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let bad = "GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    connection.send(format!("{}{}{bad}{}", good("/one"), good("/two"), good("/never"))).await;
    assert_eq!(connection.read_answer().await.status, 200);
    assert_eq!(connection.read_answer().await.status, 200);
    let refused = connection.read_to_end().await;
    assert_eq!((refused.status, refused.rest.len()), (400, 0));
    assert_eq!(upstream.received().await.uri.path(), "/one");
    assert_eq!(upstream.received().await.uri.path(), "/two");
    assert!(upstream.has_received_nothing().await);
}
