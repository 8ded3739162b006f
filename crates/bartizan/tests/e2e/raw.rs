//! A connection that says exactly what it is told, and answers read no further than they go.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::PATIENCE;

/// A connection without an opinion on HTTP.
pub(crate) struct RawConnection {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

/// An HTTP/1.1 answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawAnswer {
    /// 0 where the connection was closed without an answer.
    pub(crate) status: u16,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes after this answer, where it was read to the end of the connection: a second answer, for example.
    pub(crate) rest: Vec<u8>,
}

/// TCP, or TLS on top of it.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl RawConnection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    /// The same over a stream of the story's own.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The gateway may have closed already, which the story sees when it reads.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be sent, as a half-closed connection does.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads one answer; its length must be given by `content-length` or chunks.
    pub(crate) async fn read_answer(&mut self) -> RawAnswer {
        loop {
            if let Some((answer, length)) = RawAnswer::parse(&self.unread) {
                self.unread.drain(..length);
                return answer;
            }
            assert_ne!(self.read_more().await, 0, "closed in the middle of an answer: {:?}", self.text());
        }
    }

    /// Reads whatever comes until the other side closes.
    pub(crate) async fn read_to_end(&mut self) -> RawAnswer {
        while self.read_more().await > 0 {}
        let unread = std::mem::take(&mut self.unread);
        match RawAnswer::parse(&unread) {
            Some((answer, length)) => RawAnswer { rest: unread[length..].to_vec(), ..answer },
            None => RawAnswer { rest: unread, ..RawAnswer::default() },
        }
    }

    /// Whether the other side has closed without saying more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read_more().await == 0
    }

    /// Reads until `text` has come, and returns everything up to its end.
    pub(crate) async fn read_until(&mut self, text: &str) -> Vec<u8> {
        loop {
            if let Some(at) = find(&self.unread, text.as_bytes()) {
                return self.unread.drain(..at + text.len()).collect();
            }
            assert_ne!(self.read_more().await, 0, "closed before `{text}`: {:?}", self.text());
        }
    }

    async fn read_more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        // A reset is an end, too.
        read.expect("nothing came in time").unwrap_or(0)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.unread).into_owned()
    }
}

impl RawAnswer {
    /// The first value of a header, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// The `code` of a refusal.
    pub(crate) fn code(&self) -> Option<String> {
        self.json()["code"].as_str().map(ToOwned::to_owned)
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The first answer in `bytes` and its length, once all of it is there. Interim answers (1xx) but 101 are
    /// skipped.
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let head_length = find(bytes, b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..head_length]).expect("an answer's head is ASCII");
        let mut lines = head.lines();
        let status_line = lines.next()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        if (100..200).contains(&status) && status != 101 {
            return Self::parse(&bytes[head_length..]).map(|(answer, length)| (answer, head_length + length));
        }
        let field =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().into()));
        let headers = lines.filter_map(field).collect();
        let mut answer = Self { status, headers, ..Self::default() };
        let content = &bytes[head_length..];
        let length = if answer.header("transfer-encoding") == "chunked" {
            answer.take_chunks(content)?
        } else {
            let length = answer.header("content-length").parse().unwrap_or(0);
            answer.body = content.get(..length)?.to_vec();
            length
        };
        Some((answer, head_length + length))
    }

    fn take_chunks(&mut self, content: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let line = find(&content[at..], b"\r\n")?;
            let size = std::str::from_utf8(&content[at..at + line]).ok()?.split(';').next()?.trim();
            let size = usize::from_str_radix(size, 16).expect("a chunk size");
            at += line + 2;
            let chunk = content.get(at..at + size + 2)?;
            if size == 0 {
                return Some(at + 2);
            }
            self.body.extend_from_slice(&chunk[..size]);
            at += size + 2;
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
