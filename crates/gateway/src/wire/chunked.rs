//! The chunked transfer coding (RFC 9112 §7.1), strictly: no whitespace around sizes, bounded extensions,
//! trailers under the rules of header fields.
//!
//! It only follows the coding; hyper decodes it.

use super::{Violation, field_line::FieldLine, request_head::HeadLimits};

/// Extension bytes of one chunk.
const MAX_EXTENSION: usize = 256;
/// Extension bytes of all chunks of a body; hyper gives up at 16 KiB.
const MAX_EXTENSIONS: usize = 16_000;
/// Bytes of a trailer section; hyper gives up at 16 KiB.
const MAX_TRAILERS: usize = 16_000;
/// Digits of a chunk size: as many as fit 64 bits.
const MAX_SIZE_DIGITS: u8 = 16;

/// Follows one chunked body through whatever pieces it comes in.
#[derive(Debug, Default)]
pub(super) struct ChunkScanner {
    state: State,
    size: u64,
    extensions: usize,
    trailer_bytes: usize,
    trailer_fields: usize,
    /// The trailer line that is not yet complete.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    SizeStart,
    Size {
        digits: u8,
    },
    Extension {
        length: usize,
    },
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    Trailer,
}

impl ChunkScanner {
    /// Goes on with `bytes`. `Some` is how many of them belong to the body, which ends there; `None`: all of
    /// them, and more is to come.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Violation> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Data => {
                    at += self.skip_data(bytes.len() - at);
                    continue;
                }
                State::Trailer => match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(found) => {
                        let end = at + found + 1;
                        if self.end_trailer_line(&bytes[at..end], limits)? {
                            return Ok(Some(end));
                        }
                        at = end;
                        continue;
                    }
                    None => return self.hold_trailer(&bytes[at..], limits).map(|()| None),
                },
                _ => self.state = self.step(byte)?,
            }
            at += 1;
        }
        Ok(None)
    }

    fn skip_data(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = State::DataCarriageReturn;
        }
        taken
    }

    /// One byte of the lines around the data.
    fn step(&mut self, byte: u8) -> Result<State, Violation> {
        match (self.state, byte) {
            (State::SizeStart, byte) if byte.is_ascii_hexdigit() => {
                self.size = hexadecimal(byte);
                Ok(State::Size { digits: 1 })
            }
            (State::Size { digits }, byte) if byte.is_ascii_hexdigit() && digits < MAX_SIZE_DIGITS => {
                self.size = self.size << 4 | hexadecimal(byte);
                Ok(State::Size { digits: digits + 1 })
            }
            (State::Size { .. }, b';') => Ok(State::Extension { length: 0 }),
            (State::Size { .. } | State::Extension { .. }, b'\r') => Ok(State::SizeLineFeed),
            (State::Extension { length }, b'\t' | b' '..=0x7e) => {
                self.extensions += 1;
                if length >= MAX_EXTENSION || self.extensions > MAX_EXTENSIONS {
                    return Err(Violation::ChunkExtension);
                }
                Ok(State::Extension { length: length + 1 })
            }
            (State::SizeLineFeed, b'\n') if self.size == 0 => Ok(State::Trailer),
            (State::SizeLineFeed, b'\n') => Ok(State::Data),
            (State::DataCarriageReturn, b'\r') => Ok(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Ok(State::SizeStart),
            _ => Err(Violation::Chunk),
        }
    }

    fn hold_trailer(&mut self, piece: &[u8], limits: &HeadLimits) -> Result<(), Violation> {
        self.trailer_bytes += piece.len();
        if self.trailer_bytes > limits.max_bytes.min(MAX_TRAILERS) {
            return Err(Violation::Trailer);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    /// Judges the line that `piece` completes; `true` if it is the empty line that ends the body.
    fn end_trailer_line(&mut self, piece: &[u8], limits: &HeadLimits) -> Result<bool, Violation> {
        self.hold_trailer(piece, limits)?;
        let line = std::mem::take(&mut self.line);
        let field = line.strip_suffix(b"\r\n").ok_or(Violation::Trailer)?;
        if field.is_empty() {
            return Ok(true);
        }
        self.trailer_fields += 1;
        let field = FieldLine::parse(field, limits.refuse_underscores).map_err(|_| Violation::Trailer)?;
        if self.trailer_fields > limits.max_fields || FORBIDDEN_TRAILERS.iter().any(|name| field.is(name)) {
            return Err(Violation::Trailer);
        }
        Ok(false)
    }
}

/// Fields that say how a message is framed, routed or carried: too late in a trailer (RFC 9110 §6.5.1).
const FORBIDDEN_TRAILERS: [&[u8]; 11] = [
    b"connection",
    b"content-encoding",
    b"content-length",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

fn hexadecimal(digit: u8) -> u64 {
    u64::from(match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits =
        HeadLimits { max_bytes: 1024, max_target: 256, max_fields: 3, refuse_underscores: true };

    fn follow(body: &[u8], piece: usize) -> Result<Option<usize>, Violation> {
        let mut scanner = ChunkScanner::default();
        let mut seen = 0;
        for part in body.chunks(piece) {
            if let Some(end) = scanner.advance(part, &LIMITS)? {
                return Ok(Some(seen + end));
            }
            seen += part.len();
        }
        Ok(None)
    }

    #[test]
    fn bodies_are_followed_alike_in_whatever_pieces() {
        let long_extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(257));
        let many_extensions = format!("1;{}\r\nx\r\n", "x".repeat(256)).repeat(63) + "0\r\n\r\n";
        let long_trailer = format!("0\r\nx: {}\r\n\r\n", "x".repeat(1024));
        let cases: &[(&str, Result<bool, Violation>)] = &[
            ("0\r\n\r\n", Ok(true)),
            ("5\r\nhello\r\n0\r\n\r\n", Ok(true)),
            ("005\r\nhello\r\n00\r\n\r\n", Ok(true)),
            ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", Ok(true)),
            ("5;name=\"a b\"\r\nhello\r\n0;last\r\n\r\n", Ok(true)),
            ("5;\r\nhello\r\n0\r\n\r\n", Ok(true)),
            ("2\r\n\r\n\r\n0\r\n\r\n", Ok(true)),
            ("0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n", Ok(true)),
            ("5\r\nhello\r\n0\r\n", Ok(false)),
            ("5\r\nhel", Ok(false)),
            ("ffffffffffffffff\r\nx", Ok(false)),
            ("1ffffffffffffffff\r\nx", Err(Violation::Chunk)),
            ("00000000000000005\r\nhello\r\n0\r\n\r\n", Err(Violation::Chunk)),
            ("\r\nhello", Err(Violation::Chunk)),
            ("-1\r\n", Err(Violation::Chunk)),
            ("+5\r\nhello", Err(Violation::Chunk)),
            ("0x5\r\nhello", Err(Violation::Chunk)),
            ("g\r\n", Err(Violation::Chunk)),
            (" 5\r\nhello", Err(Violation::Chunk)),
            ("5 \r\nhello", Err(Violation::Chunk)),
            ("5 ;x\r\nhello", Err(Violation::Chunk)),
            ("5\nhello", Err(Violation::Chunk)),
            ("5\rhello", Err(Violation::Chunk)),
            ("5\r\r\nhello", Err(Violation::Chunk)),
            ("5;x\nhello", Err(Violation::Chunk)),
            ("5;x\0\r\nhello", Err(Violation::Chunk)),
            ("5;x\rfoo\r\nhello", Err(Violation::Chunk)),
            (&long_extension, Err(Violation::ChunkExtension)),
            (&many_extensions, Err(Violation::ChunkExtension)),
            ("5\r\nhello0\r\n\r\n", Err(Violation::Chunk)),
            ("5\r\nhello\n0\r\n\r\n", Err(Violation::Chunk)),
            ("5\r\nhello\r0\r\n\r\n", Err(Violation::Chunk)),
            ("5\r\nhello world\r\n0\r\n\r\n", Err(Violation::Chunk)),
            ("0\r\nx-sum: 1\n\r\n", Err(Violation::Trailer)),
            ("0\r\nx-sum : 1\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\nx_sum: 1\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\n folded\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\nContent-Length: 5\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\nHost: other\r\n\r\n", Err(Violation::Trailer)),
            ("0\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n", Err(Violation::Trailer)),
            (&long_trailer, Err(Violation::Trailer)),
        ];
        for (body, expected) in cases {
            let expected = expected.map(|complete| complete.then_some(body.len()));
            for piece in [body.len(), 1, 2, 3, 7] {
                assert_eq!(follow(body.as_bytes(), piece), expected, "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_follows_a_body_is_not_part_of_it() {
        assert_eq!(follow(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", 64), Ok(Some(11)));
    }
}
