//! Requests of the regression tests, and of the starter rules' tests, with changes: what no test thought of.

use bartizan_ftw::Test;

use super::{random::Random, values::Values};
use crate::wire;

/// Media types that choose who reads a body.
const MEDIA_TYPES: [&str; 6] = [
    "application/x-www-form-urlencoded",
    "application/json",
    "application/xml",
    "multipart/form-data; boundary=b",
    "text/plain",
    "application/vnd.api+json",
];

const NAMES: [&str; 6] = ["Cookie", "Referer", "User-Agent", "Accept", "X-Forwarded-For", "X-Any"];

/// A request that can be changed.
#[derive(Clone)]
struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    protocol: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

pub(crate) struct Requests {
    known: Vec<Request>,
}

impl Requests {
    /// What tests send; those that are no requests, on purpose, are left out.
    pub(crate) fn new(tests: &[Test]) -> Self {
        let stages = tests.iter().flat_map(|test| &test.stages);
        let sent = stages.flat_map(|stage| stage.input.requests().unwrap_or_default());
        Self { known: sent.filter_map(|bytes: Vec<u8>| Request::parse(&bytes)).collect() }
    }

    /// What could be an attack by itself: queries and bodies.
    pub(crate) fn values(&self) -> Vec<Vec<u8>> {
        const LONGEST: usize = 200;
        let short = |value: &[u8]| (1..LONGEST).contains(&value.len()).then(|| value.to_vec());
        let values = |request: &Request| {
            let query = request.target.splitn(2, |byte| *byte == b'=').nth(1).and_then(short);
            [query, short(&request.body)].into_iter().flatten().collect::<Vec<_>>()
        };
        self.known.iter().flat_map(values).collect()
    }

    /// The bytes of a request.
    pub(crate) fn one(&self, values: &Values, random: &mut Random) -> Vec<u8> {
        let known = |random: &mut Random| self.known.get(random.below(self.known.len()));
        let Some(mut request) = known(random).cloned() else { return Vec::new() };
        for _ in 0..random.below(4) {
            match random.below(8) {
                0 | 1 => values.change(&mut request.body, random),
                2 => change_target(&mut request.target, values, random),
                3 => encode_one(&mut request.target, random),
                4 => {
                    let at = random.below(request.headers.len());
                    if let Some((_, value)) = request.headers.get_mut(at) {
                        change_header(value, values, random);
                    }
                }
                5 => {
                    let mut value = Vec::new();
                    change_header(&mut value, values, random);
                    request.headers.push((random.one(&NAMES).into(), value));
                }
                6 => request.set_media_type(random.one(&MEDIA_TYPES)),
                _ => {
                    if let Some(other) = known(random) {
                        request.body.clone_from(&other.body);
                    }
                }
            }
        }
        request.bytes()
    }
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let wire::Request { method, target, protocol, headers, body } = wire::parse(bytes).ok()?;
        // The body is framed anew.
        let framing = |name: &[u8]| {
            ["Content-Length", "Transfer-Encoding", "Expect", "Connection"]
                .iter()
                .any(|framing| name.eq_ignore_ascii_case(framing.as_bytes()))
        };
        let headers = headers.into_iter().filter(|(name, _)| !framing(name));
        let headers = headers.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        let [method, target, protocol] = [method, target, protocol].map(<[u8]>::to_vec);
        Some(Self { method, target, protocol, headers, body })
    }

    fn set_media_type(&mut self, media_type: &str) {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"Content-Type"));
        self.headers.push((b"Content-Type".to_vec(), media_type.into()));
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" ", &self.protocol, b"\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        if !self.body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// Puts a piece into it as a client may write it there.
fn change_target(target: &mut Vec<u8>, values: &Values, random: &mut Random) {
    let at = random.below(target.len()) + 1;
    let encoded = values.piece(random).iter().flat_map(|byte| encode(*byte)).collect::<Vec<_>>();
    let at = at.min(target.len());
    target.splice(at..at, encoded);
}

/// Percent-encodes what stands somewhere, or takes away one byte of an encoding.
fn encode_one(target: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(target.len()).max(1);
    if let Some(byte) = target.get(at).copied().filter(|byte| !b"?&=/".contains(byte)) {
        target.splice(at..=at, format!("%{byte:02x}").into_bytes());
    }
}

fn encode(byte: u8) -> Vec<u8> {
    if byte.is_ascii_alphanumeric() || b"-._~/'()*!:;,=&".contains(&byte) {
        vec![byte]
    } else {
        format!("%{byte:02X}").into_bytes()
    }
}

/// A field has no control characters.
fn change_header(value: &mut Vec<u8>, values: &Values, random: &mut Random) {
    values.change(value, random);
    value.retain(|byte| !byte.is_ascii_control());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_framed_anew() {
        let bytes =
            b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nx=1\r\n0\r\n\r\n";
        let request = Request::parse(bytes).unwrap();
        assert_eq!(request.bytes(), b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx=1");
    }
}
