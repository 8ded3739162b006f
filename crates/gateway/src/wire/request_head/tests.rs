use proptest::prelude::*;

use super::*;

const LIMITS: HeadLimits =
    HeadLimits { max_bytes: 1024, max_target: 256, max_fields: 8, refuse_underscores: true };

/// A head around one field line.
fn with(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
}

/// A head around one request line.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

/// How the body is framed, and whether an upgrade is asked for.
type Verdict = Result<(BodyFraming, bool), Violation>;

fn cases() -> Vec<(String, Verdict)> {
    use Violation as V;
    let empty = Ok((BodyFraming::Empty, false));
    let target = |length: usize| format!("GET /{} HTTP/1.1", "x".repeat(length - 1));
    let fields = |count: usize| "x: 1\r\n".repeat(count);
    vec![
        // request lines
        (line("GET / HTTP/1.1"), empty),
        (line("GET / HTTP/1.0"), empty),
        (format!("\r\n{}", line("GET / HTTP/1.1")), empty),
        (format!("\r\n\r\n{}", line("GET / HTTP/1.1")), Err(V::EmptyLines)),
        (format!("\n{}", line("GET / HTTP/1.1")), Err(V::BareLineFeed)),
        (line("get / HTTP/1.1"), empty),
        (line("M-SEARCH * HTTP/1.1"), empty),
        (line("OPTIONS * HTTP/1.1"), empty),
        (line("GET /a?b=c&d=%20[x] HTTP/1.1"), empty),
        (line("GET http://a/b?c HTTP/1.1"), empty),
        (line("GET https://a:8443/ HTTP/1.1"), empty),
        (line("CONNECT a:443 HTTP/1.1"), Ok((BodyFraming::Empty, true))),
        (line("CONNECT / HTTP/1.1"), Err(V::Target)),
        (line("CONNECT http://a/ HTTP/1.1"), Err(V::Target)),
        (line("GET a HTTP/1.1"), Err(V::Target)),
        (line("GET a:443 HTTP/1.1"), Err(V::Target)),
        (line("GET ftp://a/ HTTP/1.1"), Err(V::Target)),
        (line("GET javascript:alert(1) HTTP/1.1"), Err(V::Target)),
        (line("GET ** HTTP/1.1"), Err(V::Target)),
        (line("GET /#x HTTP/1.1"), Err(V::Target)),
        (line("GET /?x#y HTTP/1.1"), Err(V::Target)),
        (line("GET http://a/#x HTTP/1.1"), Err(V::Target)),
        (line("GET /\u{e9} HTTP/1.1"), Err(V::Target)),
        (line("GET /<x> HTTP/1.1"), Err(V::Target)),
        (line("GET /a b HTTP/1.1"), Err(V::RequestLine)),
        (line("GET  / HTTP/1.1"), Err(V::Target)),
        (line("GET /  HTTP/1.1"), Err(V::RequestLine)),
        (line("GET\t/ HTTP/1.1"), Err(V::ControlCharacter)),
        (line("GET /\t HTTP/1.1"), Err(V::ControlCharacter)),
        (line("GET /\0 HTTP/1.1"), Err(V::ControlCharacter)),
        (line("GET /\u{7f} HTTP/1.1"), Err(V::ControlCharacter)),
        (line("GET / HTTP/1.1 "), Err(V::RequestLine)),
        (line(" GET / HTTP/1.1"), Err(V::Method)),
        (line("G(T / HTTP/1.1"), Err(V::Method)),
        (line(&format!("{} / HTTP/1.1", "X".repeat(33))), Err(V::Method)),
        (line("GET"), Err(V::RequestLine)),
        (line("GET /"), Err(V::RequestLine)),
        (line("GET / "), Err(V::RequestLine)),
        (line("GET / HTTP/0.9"), Err(V::Version)),
        (line("GET / HTTP/1.2"), Err(V::Version)),
        (line("GET / HTTP/2"), Err(V::Version)),
        (line("PRI * HTTP/2.0"), Err(V::Version)),
        (line("GET / http/1.1"), Err(V::RequestLine)),
        (line("GET / HTTP/1.1.1"), Err(V::RequestLine)),
        (line("GET / HTTP/11"), Err(V::RequestLine)),
        (line("GET / HTTP/1.1\rX: y"), Err(V::BareCarriageReturn)),
        (line("GET /\rx HTTP/1.1"), Err(V::BareCarriageReturn)),
        (line(&target(256)), empty),
        (line(&target(257)), Err(V::TargetTooLong)),
        (line(&target(2000)), Err(V::TargetTooLong)),
        ("x".repeat(400), Err(V::TargetTooLong)),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".into(), Err(V::BareLineFeed)),
        // fields
        (with("x: y"), empty),
        (with("x:y"), empty),
        (with("x:\t y \t"), empty),
        (with("x:"), empty),
        (with("x: caf\u{e9}"), empty),
        (with("x: a\tb"), empty),
        (with("x: a\nHost: b"), Err(V::BareLineFeed)),
        (with("x: a\rb"), Err(V::BareCarriageReturn)),
        (with("x: a\r\r"), Err(V::BareCarriageReturn)),
        (with("x: a\0b"), Err(V::ControlCharacter)),
        (with("x: a\u{1}b"), Err(V::ControlCharacter)),
        (with("x: a\u{7f}b"), Err(V::ControlCharacter)),
        (with("x\0: a"), Err(V::ControlCharacter)),
        (with("x: a\r\n b"), Err(V::ObsoleteFolding)),
        (with("x: a\r\n\tb"), Err(V::ObsoleteFolding)),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n".into(), Err(V::ObsoleteFolding)),
        (with("x : y"), Err(V::WhitespaceBeforeColon)),
        (with("x\t: y"), Err(V::WhitespaceBeforeColon)),
        (with("Transfer-Encoding : chunked"), Err(V::WhitespaceBeforeColon)),
        (with(": y"), Err(V::FieldName)),
        (with("x"), Err(V::FieldName)),
        (with("x(y): z"), Err(V::FieldName)),
        (with("x\u{e9}: z"), Err(V::FieldName)),
        (with("x_y: z"), Err(V::Underscore)),
        (fields_after_host(&fields(7)), empty),
        (fields_after_host(&fields(8)), Err(V::TooManyFields)),
        (with(&format!("x: {}", "y".repeat(1000))), Err(V::HeadTooLong)),
        (format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(1100)), Err(V::HeadTooLong)),
        // host
        ("GET / HTTP/1.1\r\n\r\n".into(), Err(V::HostMissing)),
        ("GET / HTTP/1.0\r\n\r\n".into(), Err(V::HostMissing)),
        (with("Host: a"), Err(V::HostRepeated)),
        (with("hOST: b"), Err(V::HostRepeated)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n".into(), empty),
        // body framing
        (with("Content-Length: 0"), empty),
        (with("Content-Length: 5"), Ok((BodyFraming::Length(5), false))),
        (with("content-length: 005"), Ok((BodyFraming::Length(5), false))),
        (
            with("Content-Length: 999999999999999999"),
            Ok((BodyFraming::Length(999_999_999_999_999_999), false)),
        ),
        (with("Content-Length: 9999999999999999999"), Err(V::ContentLength)),
        (with("Content-Length:"), Err(V::ContentLength)),
        (with("Content-Length: +5"), Err(V::ContentLength)),
        (with("Content-Length: -1"), Err(V::ContentLength)),
        (with("Content-Length: 5, 5"), Err(V::ContentLength)),
        (with("Content-Length: 0x5"), Err(V::ContentLength)),
        (with("Content-Length: 5 5"), Err(V::ContentLength)),
        (with("Content-Length: 5\r\nContent-Length: 5"), Err(V::ContentLengthRepeated)),
        (with("Content-Length: 0\r\nContent-Length: 5"), Err(V::ContentLengthRepeated)),
        (with("Transfer-Encoding: chunked"), Ok((BodyFraming::Chunked, false))),
        (with("transfer-encoding: Chunked"), Ok((BodyFraming::Chunked, false))),
        (with("Transfer-Encoding: gzip, chunked"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: chunked, chunked"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: chunked;x=y"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: \"chunked\""), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: identity"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding:"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: xchunked"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Err(V::TransferEncoding)),
        (with("Transfer-Encoding:\u{b}chunked"), Err(V::ControlCharacter)),
        (with("Transfer-Encoding: chunked\r\nContent-Length: 5"), Err(V::LengthAndEncoding)),
        (with("Content-Length: 5\r\nTransfer-Encoding: chunked"), Err(V::LengthAndEncoding)),
        (with("Content-Length: 0\r\nTransfer-Encoding: chunked"), Err(V::LengthAndEncoding)),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".into(), Err(V::TransferEncoding)),
        // upgrades
        (with("Upgrade: websocket\r\nConnection: upgrade"), Ok((BodyFraming::Empty, true))),
        (with("Upgrade: h2c\r\nContent-Length: 3"), Ok((BodyFraming::Length(3), true))),
    ]
}

fn fields_after_host(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// What the scanner says of `head`, which it is shown in pieces: all that has come by each of `ends`.
fn scan(head: &[u8], ends: impl IntoIterator<Item = usize>) -> Result<Option<HeadSummary>, Violation> {
    let mut scanner = HeadScanner::default();
    for end in ends {
        if let Some(summary) = scanner.scan(&head[..end], &LIMITS)? {
            return Ok(Some(summary));
        }
    }
    Ok(None)
}

#[test]
fn heads_are_judged() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    for (head, verdict) in cases {
        let found = check(head.as_bytes(), &LIMITS);
        let length = found.ok().flatten().map(|summary| summary.length);
        assert_eq!(
            found.map(|summary| summary.map(|summary| (summary.body, summary.upgrade))),
            verdict.map(Some),
            "{head:?}"
        );
        if verdict.is_ok() {
            assert_eq!(length, Some(head.len()), "{head:?}");
        }
    }
}

#[test]
fn the_verdict_does_not_depend_on_where_a_head_is_split() {
    for (head, _) in cases() {
        let head = head.as_bytes();
        let whole = check(head, &LIMITS);
        assert_eq!(scan(head, 1..=head.len()), whole, "byte by byte: {}", head.escape_ascii());
        for split in 0..head.len() {
            assert_eq!(scan(head, [split, head.len()]), whole, "at {split}: {}", head.escape_ascii());
        }
    }
}

#[test]
fn a_head_ends_where_its_body_begins() {
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    assert_eq!(check(bytes, &LIMITS).unwrap().unwrap().length, 47);
}

#[test]
fn underscores_pass_where_they_may() {
    let limits = HeadLimits { refuse_underscores: false, ..LIMITS };
    assert!(check(with("x_y: z").as_bytes(), &limits).unwrap().is_some());
}

/// How hyper frames the body of the first request in `bytes`: its length if it is known in advance, or that it is
/// chunked.
async fn hyper_framing(bytes: Vec<u8>) -> Option<BodyFraming> {
    use http_body::Body as _;
    let (client, server) = tokio::io::duplex(bytes.len().max(1));
    let (mut reader, mut writer) = tokio::io::split(client);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let framing = match request.body().size_hint().exact() {
            Some(0) => BodyFraming::Empty,
            Some(length) => BodyFraming::Length(length),
            None => BodyFraming::Chunked,
        };
        let _ = sender.send(framing);
        async { Ok::<_, std::convert::Infallible>(http::Response::new(String::new())) }
    });
    let server = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(hyper_util::rt::TokioIo::new(server), service);
    let client = async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes).await.ok();
        tokio::io::AsyncWriteExt::shutdown(&mut writer).await.ok();
        tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.ok();
    };
    let _ = tokio::join!(server, client);
    receiver.recv().await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

#[test]
fn hyper_frames_what_is_accepted_in_the_same_way() {
    let runtime = runtime();
    for (head, verdict) in cases() {
        if let Ok((framing, _)) = verdict {
            assert_eq!(runtime.block_on(hyper_framing(head.clone().into_bytes())), Some(framing), "{head:?}");
        }
    }
}

/// Pieces from which heads are put together that are nearly right.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "GET ",
        "POST ",
        "CONNECT ",
        "/",
        "/a?b",
        "*",
        "http://h/",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/2.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        "\0",
        ":",
        ",",
        "Host: h",
        "Host",
        "Content-Length: 3",
        "Content-Length: 03",
        "content-length:",
        "Transfer-Encoding: chunked",
        "transfer-encoding:",
        "chunked",
        "gzip",
        "Upgrade: x",
        "x-y: z",
        "x_y: z",
        "\u{e9}",
        "3",
        "+3",
        "abc",
        "0\r\n\r\n",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Heads that are right except, perhaps, for one byte.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let heads: Vec<String> =
        cases().into_iter().filter(|(_, verdict)| verdict.is_ok()).map(|(head, _)| head).collect();
    (prop::sample::select(heads), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(head, at, byte)| {
        let mut head = head.into_bytes();
        let at = at.index(head.len());
        head[at] = byte;
        head
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_hyper_reads_alike(bytes in prop_oneof![pieces(), mutated()]) {
        let whole = check(&bytes, &LIMITS);
        prop_assert_eq!(scan(&bytes, 1..=bytes.len()), whole);
        if let Ok(Some(summary)) = whole {
            let head = bytes[..summary.length].to_vec();
            prop_assert_eq!(runtime().block_on(hyper_framing(head)), Some(summary.body));
        }
    }
}
