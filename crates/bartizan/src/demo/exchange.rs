//! One raw HTTP/1.1 exchange, as an attacker would make it: the bytes go out exactly as given.
//!
//! An HTTP client would repair most of what the demonstration sends, so none is used.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// The status; `None` where the gateway closed the connection without one.
    pub(crate) status: Option<u16>,
    /// The `code` of a refusal (RFC 9457).
    pub(crate) code: Option<String>,
    /// `x-request-id`.
    pub(crate) request_id: Option<String>,
}

/// Sends `request` to `gateway` from the local address `source` and reads the answer up to its end.
pub(crate) async fn exchange(gateway: SocketAddr, source: IpAddr, request: &[u8]) -> io::Result<Answer> {
    let conversation = async {
        let mut stream = connect(gateway, source).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        let read = stream.take(MAX_ANSWER).read_to_end(&mut answer).await;
        // A refused connection is closed while the client may still be sending: what came before the reset counts.
        if answer.is_empty() { read.map(|_| answer) } else { Ok(answer) }
    };
    let answer =
        timeout(PATIENCE, conversation).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Answer::parse(&answer))
}

async fn connect(gateway: SocketAddr, source: IpAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(gateway).await
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return Self::default() };
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let header = |name: &str| {
            let mut fields = lines.clone().filter_map(|line| line.split_once(':'));
            fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let problem = header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
        let code = problem.then(|| serde_json::from_str::<Value>(body).ok()).flatten();
        let code = code.and_then(|problem| problem["code"].as_str().map(ToOwned::to_owned));
        Self { status, code, request_id: header("x-request-id") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_far_as_they_go() {
        let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nX-Request-Id: abc\r\n\r\n\
                       {\"code\":\"permission_denied\"}";
        let served = "HTTP/1.1 200 OK\r\nx-request-id: def\r\n\r\n{\"code\":\"not a refusal\"}";
        let cases = [
            (refusal, Some(403), Some("permission_denied"), Some("abc")),
            (served, Some(200), None, Some("def")),
            ("HTTP/1.1 400", None, None, None),
            ("", None, None, None),
        ];
        for (bytes, status, code, id) in cases {
            let answer = Answer::parse(bytes.as_bytes());
            assert_eq!(
                (answer.status, answer.code.as_deref(), answer.request_id.as_deref()),
                (status, code, id)
            );
        }
    }
}
