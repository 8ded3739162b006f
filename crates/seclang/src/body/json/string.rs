//! Strings of JSON, decoded in pieces.
//!
//! Bytes above ASCII must look like UTF-8: a lead byte and the continuations it promises. As in the reference, overlong
//! forms pass; rules see the bytes that came.

/// Where in a string, between two pieces.
#[derive(Debug, Default)]
pub(super) struct StringDecoder {
    state: State,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

/// What stands in a string that must not, and where in the piece.
pub(super) struct Unreadable {
    pub(super) what: &'static str,
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// So many continuation bytes are owed.
    Continuation(u8),
    Escape,
    /// So many hexadecimal digits have been read, with this value.
    Unicode(u8, u32),
}

impl StringDecoder {
    /// Decodes up to the closing quote, which it takes. Says how many bytes it has read and whether the string ended.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(usize, bool), Unreadable> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let unreadable = |what| Unreadable { what, at };
            match self.state {
                State::Plain => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let run = rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len());
                    if run > 0 {
                        self.forget_half(&mut sink);
                        sink(rest.get(..run).unwrap_or_default());
                        at += run;
                        continue;
                    }
                    if byte != b'\\' {
                        self.forget_half(&mut sink);
                    }
                    self.state = match byte {
                        b'"' => return Ok((at + 1, true)),
                        b'\\' => State::Escape,
                        0xc0..=0xdf => State::Continuation(1),
                        0xe0..=0xef => State::Continuation(2),
                        0xf0..=0xf7 => State::Continuation(3),
                        0x80.. => return Err(unreadable("a string is not UTF-8")),
                        _ => return Err(unreadable("a control character in a string")),
                    };
                    if byte >= 0x80 {
                        sink(&[byte]);
                    }
                }
                State::Continuation(owed) => {
                    if byte & 0xc0 != 0x80 {
                        return Err(unreadable("a string is not UTF-8"));
                    }
                    sink(&[byte]);
                    self.state = if owed == 1 { State::Plain } else { State::Continuation(owed - 1) };
                }
                State::Escape => self.escape(byte, &mut sink).map_err(unreadable)?,
                State::Unicode(digits, value) => {
                    self.unicode(digits, value, byte, &mut sink).map_err(unreadable)?;
                }
            }
            at += 1;
        }
        Ok((at, false))
    }

    fn escape(&mut self, byte: u8, sink: &mut impl FnMut(&[u8])) -> Result<(), &'static str> {
        let meaning = match byte {
            b'u' => {
                self.state = State::Unicode(0, 0);
                return Ok(());
            }
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return Err("an unknown escape in a string"),
        };
        self.forget_half(sink);
        sink(&[meaning]);
        self.state = State::Plain;
        Ok(())
    }

    fn unicode(
        &mut self,
        digits: u8,
        value: u32,
        byte: u8,
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), &'static str> {
        let digit = char::from(byte).to_digit(16).ok_or("four hexadecimal digits belong behind `\\u`")?;
        let value = value << 4 | digit;
        if digits < 3 {
            self.state = State::Unicode(digits + 1, value);
            return Ok(());
        }
        self.state = State::Plain;
        match (self.high.take(), value) {
            (Some(high), 0xdc00..=0xdfff) => {
                emit(0x1_0000 + ((high - 0xd800) << 10) + (value - 0xdc00), sink);
            }
            (high, _) => {
                if high.is_some() {
                    sink(b"?");
                }
                if (0xd800..=0xdbff).contains(&value) {
                    self.high = Some(value);
                } else {
                    emit(value, sink);
                }
            }
        }
        Ok(())
    }

    /// The second half of a pair did not come.
    fn forget_half(&mut self, sink: &mut impl FnMut(&[u8])) {
        if self.high.take().is_some() {
            sink(b"?");
        }
    }
}

fn emit(code_point: u32, sink: &mut impl FnMut(&[u8])) {
    // Second halves on their own are no characters.
    match char::from_u32(code_point) {
        Some(character) => sink(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => sink(b"?"),
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, ..0x20 | 0x80.. | b'"' | b'\\')
}
