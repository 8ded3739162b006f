use bartizan_config::Hardening;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{
    ListenerKind,
    harness::{read_all, read_until, settings, start, statuses},
};

const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn hardening() -> Hardening {
    Hardening { max_header_bytes: 2048, max_uri_bytes: 128, max_header_count: 10, ..Hardening::default() }
}

/// What is sent, the statuses that come back, and something the last body says.
type Case = (String, &'static [u16], &'static str);

fn cases() -> Vec<Case> {
    let chunked =
        |body: &str| format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let sized = |length: usize, body: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    vec![
        (format!("{GET}{GET}{LAST}"), &[200, 200, 200], "3 /last"),
        (format!("{}{LAST}", sized(5, "hello")), &[200, 200], "2 /last"),
        (format!("{}{LAST}", sized(smuggled.len(), smuggled)), &[200, 200], "2 /last"),
        (format!("{}{LAST}", chunked("5\r\nhello\r\n0\r\n\r\n")), &[200, 200], "2 /last"),
        (format!("{}{LAST}", chunked("5;a=b\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n")), &[200, 200], "2 /last"),
        // A refused head is answered in its turn and ends the connection.
        ("GET / HTTP/1.1\nHost: a\n\n".into(), &[400], "bare_line_feed"),
        (format!("{GET}GET / HTTP/1.1\r\n\r\n{LAST}"), &[200, 400], "host_missing"),
        (format!("{GET}{GET}nonsense\r\n\r\n{LAST}"), &[200, 200, 400], "malformed_request_line"),
        (
            format!("{}GET / HTTP/1.1\r\nHost : a\r\n\r\n", sized(5, "hello")),
            &[200, 400],
            "whitespace_before_colon",
        ),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(128)), &[414], "target_too_long"),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "x".repeat(3000)),
            &[431],
            "headers_too_large",
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(10)), &[431], "too_many_headers"),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".into(), &[505], "unsupported_http_version"),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{smuggled}"
            ),
            &[400],
            "length_and_transfer_encoding",
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{smuggled}"
            ),
            &[400],
            "length_and_transfer_encoding",
        ),
        // A malformed body breaks the request it belongs to, and what follows is never read.
        (format!("{}{LAST}", chunked("5\nhello\r\n0\r\n\r\n")), &[400], "broken body"),
        (format!("{}{LAST}", chunked("5\r\nhello0\r\n\r\n")), &[400], "broken body"),
        (format!("{}{LAST}", chunked("0\r\nContent-Length: 5\r\n\r\n")), &[400], "broken body"),
        // An answer that does not wait for the body arrives nevertheless.
        (
            format!(
                "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{}",
                "x".repeat(500_000)
            ),
            &[413],
            "too large",
        ),
    ]
}

#[tokio::test]
async fn requests_are_answered_in_turn_and_refused_ones_by_name() {
    let running = start(ListenerKind::Http, settings(hardening()));
    for (sent, expected, says) in cases() {
        let mut stream = running.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the end comes in order, not by a reset");
        let sent = &sent[..sent.len().min(200)];
        assert_eq!(statuses(&answer), expected, "{sent:?}: {answer}");
        assert!(answer.contains(says), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn the_answer_does_not_depend_on_how_the_bytes_arrive() {
    let running = start(ListenerKind::Http, settings(hardening()));
    for (sent, expected, says) in cases().into_iter().filter(|(sent, ..)| sent.len() < 400) {
        let mut stream = running.connect().await;
        for byte in sent.as_bytes() {
            // Refused halfway: nobody listens to the rest.
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answer = read_all(&mut stream).await;
        assert_eq!(statuses(&answer), expected, "{sent:?}: {answer}");
        assert!(answer.contains(says), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_is_refused_while_the_one_before_it_is_in_progress() {
    let running = start(ListenerKind::Http, settings(hardening()));
    let mut stream = running.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n").await.unwrap();
    running.service.waiting.notified().await;
    running.service.go_on.notify_one();
    let answer = read_all(&mut stream).await;
    assert_eq!(statuses(&answer), [200, 400], "{answer}");
    assert!(answer.contains("host_missing"), "{answer}");
}

#[tokio::test]
async fn an_upgraded_connection_passes_bytes_untouched() {
    const UPGRADE: &str = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let running = start(ListenerKind::Http, settings(hardening()));
    for early in ["", "\0early\n\n"] {
        let mut stream = running.connect().await;
        stream.write_all(format!("{UPGRADE}{early}").as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(statuses(&head), [101], "{head}");
        stream.write_all(b"\0\n\r not HTTP \xff").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut echoed = head.split_once("\r\n\r\n").unwrap().1.as_bytes().to_vec();
        stream.read_to_end(&mut echoed).await.unwrap();
        assert_eq!(echoed, [early.as_bytes(), b"\0\n\r not HTTP \xff"].concat());
    }
}

#[tokio::test]
async fn a_refused_upgrade_goes_on_as_http() {
    let running = start(ListenerKind::Http, settings(hardening()));
    let asked = "GET /no HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let answer = running.exchange(format!("{asked}{LAST}").as_bytes()).await;
    assert_eq!(statuses(&answer), [200, 200], "{answer}");
    let answer = running.exchange(format!("{asked}GET / HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert_eq!(statuses(&answer), [200, 400], "{answer}");
}

#[tokio::test]
async fn a_connection_serves_so_many_requests_and_no_more() {
    let limits = Hardening { max_requests_per_connection: 2, ..hardening() };
    let running = start(ListenerKind::Http, settings(limits));
    let answer = running.exchange(format!("{GET}{GET}{GET}").as_bytes()).await;
    assert_eq!(statuses(&answer), [200, 200], "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}
