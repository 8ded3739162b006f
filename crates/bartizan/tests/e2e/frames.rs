//! HTTP/2 frame by frame (RFC 9113), for clients that no library would let misbehave.
//!
//! Header blocks are written with the plainest of HPACK (RFC 7541): literals, never indexed, never Huffman-coded.
//! Of the gateway's header blocks only `:status` is read, and of its DATA frames the bytes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;

/// What a client says first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEADER: usize = 9;

/// A connection without an opinion on HTTP/2.
pub(crate) struct FrameConnection {
    stream: TcpStream,
    unread: Vec<u8>,
    answers_pings: bool,
}

/// A frame of the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered with this status and body.
    Answered(u16, Vec<u8>),
    /// It was reset with this error code.
    Reset(u32),
    /// The connection ended.
    Ended(Ending),
}

/// What has been seen of a stream.
#[derive(Debug)]
pub(crate) struct Watch {
    stream: u32,
    status: u16,
    body: Vec<u8>,
    ending: Ending,
}

/// How a connection ended, and what the gateway sent until then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ending {
    /// The error code of GOAWAY; none where it was just closed.
    pub(crate) goaway: Option<u32>,
    /// Frames by kind.
    pub(crate) frames: [usize; 10],
}

impl FrameConnection {
    /// Opens a connection with the preface and empty SETTINGS.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::with_settings(address, &[]).await
    }

    /// The same with these settings.
    pub(crate) async fn with_settings(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut connection = Self::connect(address).await;
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        connection.send([PREFACE, &frame(SETTINGS, 0, 0, payload)].concat()).await;
        connection
    }

    /// Opens a connection without a word.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), unread: Vec::new(), answers_pings: true }
    }

    /// Answers no PING, which is how one learns that the other side has heard.
    pub(crate) fn deaf(self) -> Self {
        Self { answers_pings: false, ..self }
    }

    /// Whether all of it was taken; a gateway that has closed takes nothing.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let written = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        written.is_ok_and(|written| written.is_ok())
    }

    /// The next frame; none once the connection is closed.
    pub(crate) async fn read_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take_frame() {
                if self.answers_pings && frame.kind == PING && frame.flags & ACK == 0 {
                    self.send(self::frame(PING, ACK, 0, &frame.payload)).await;
                }
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
            if read.expect("no frame came in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// What becomes of `stream`.
    pub(crate) async fn outcome(&mut self, stream: u32) -> Outcome {
        let mut watch = Watch::of(stream);
        loop {
            let frame = self.read_frame().await;
            if let Some(outcome) = watch.see(frame) {
                return outcome;
            }
        }
    }

    /// Reads until the gateway closes.
    pub(crate) async fn ending(&mut self) -> Ending {
        let mut ending = Ending::default();
        while let Some(frame) = self.read_frame().await {
            ending.count(&frame);
        }
        ending
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let header = self.unread.get(..FRAME_HEADER)?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let (kind, flags) = (header[3], header[4]);
        let stream = u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]);
        let payload = self.unread.get(FRAME_HEADER..FRAME_HEADER + length)?.to_vec();
        self.unread.drain(..FRAME_HEADER + length);
        Some(Frame { kind, flags, stream, payload })
    }
}

impl Watch {
    pub(crate) fn of(stream: u32) -> Self {
        Self { stream, status: 0, body: Vec::new(), ending: Ending::default() }
    }

    /// Takes a frame, or the end of the connection, into account.
    pub(crate) fn see(&mut self, frame: Option<Frame>) -> Option<Outcome> {
        let Some(frame) = frame else { return Some(Outcome::Ended(self.ending.clone())) };
        self.ending.count(&frame);
        if frame.stream != self.stream {
            return None;
        }
        match frame.kind {
            HEADERS if self.status == 0 => self.status = frame.status(),
            DATA => self.body.extend_from_slice(&frame.payload),
            RST_STREAM if self.status == 0 => return Some(Outcome::Reset(frame.number())),
            // Answered in full, and told not to send the rest of the request.
            RST_STREAM => return Some(self.answer()),
            _ => {}
        }
        let is_last = matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0;
        is_last.then(|| self.answer())
    }

    fn answer(&mut self) -> Outcome {
        Outcome::Answered(self.status, std::mem::take(&mut self.body))
    }
}

impl Outcome {
    /// The status and the `code` of a refusal; the status is 0 where there was no answer.
    pub(crate) fn refusal(&self) -> (u16, Option<String>) {
        let Self::Answered(status, body) = self else { return (0, None) };
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        (*status, problem["code"].as_str().map(ToOwned::to_owned))
    }
}

impl Frame {
    /// The error code of `RST_STREAM` and, at the end of its payload, of GOAWAY.
    fn number(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        self.payload[at..at + 4].try_into().map(u32::from_be_bytes).unwrap()
    }

    /// `:status`, which comes first but for changes of the table's size: indexed (RFC 7541, appendix A), or a
    /// literal that names index 8.
    fn status(&self) -> u16 {
        match *after_resizes(&self.payload) {
            [byte @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)],
            [0x48 | 0x08 | 0x18, length, ref rest @ ..] if length & 0x80 == 0 => {
                std::str::from_utf8(&rest[..usize::from(length)]).unwrap().parse().unwrap()
            }
            [0x48 | 0x08 | 0x18, length, ref rest @ ..] => {
                huffman_digits(&rest[..usize::from(length & 0x7f)])
            }
            _ => panic!("no status first: {:?}", self.payload),
        }
    }
}

impl Ending {
    pub(crate) fn count(&mut self, frame: &Frame) {
        if let Some(count) = self.frames.get_mut(usize::from(frame.kind)) {
            *count += 1;
        }
        if frame.kind == GOAWAY {
            self.goaway = Some(frame.number());
        }
    }
}

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A whole request without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, block(&pseudo("GET", path)))
}

/// The head of a request whose body follows.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, block(&pseudo("POST", path)))
}

/// The pseudo-header fields of an ordinary request.
pub(crate) fn pseudo<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)]
}

/// A header block of literals.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| [&[0][..], &text(name), &text(value)].concat()).collect()
}

/// A string literal (RFC 7541, section 5.2) that is not Huffman-coded.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut length = integer(text.len());
    length.extend_from_slice(text.as_bytes());
    length
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1), the bit before it 0.
fn integer(value: usize) -> Vec<u8> {
    let Some(mut rest) = value.checked_sub(0x7f) else { return vec![u8::try_from(value).unwrap()] };
    let mut bytes = vec![0x7f];
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap());
    bytes
}

/// What follows changes of the dynamic table's size (RFC 7541, section 6.3) in a header block.
fn after_resizes(mut block: &[u8]) -> &[u8] {
    while let [first @ 0x20..=0x3f, rest @ ..] = block {
        let is_long = first & 0x1f == 0x1f;
        let more = if is_long { rest.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1 } else { 0 };
        block = &rest[more..];
    }
    block
}

/// Digits in the code of RFC 7541, appendix B: 0 to 2 have five bits, 3 to 9 six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().fold(0u64, |bits, &byte| (bits << 8) | u64::from(byte));
    let (mut left, mut number) = (bytes.len() * 8, 0);
    for _ in 0..3 {
        let five = u16::try_from((bits >> (left - 5)) & 0x1f).unwrap();
        let digit = if five <= 2 {
            left -= 5;
            five
        } else {
            left -= 6;
            u16::try_from((bits >> left) & 0x3f).unwrap() - 0x19 + 3
        };
        number = number * 10 + digit;
    }
    number
}
