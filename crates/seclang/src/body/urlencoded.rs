//! `application/x-www-form-urlencoded`: `name=value` between separators, with `+` and percent encoding.
//!
//! Everything is accepted: a `%` without two hexadecimal digits stays as it is and raises `URLENCODED_ERROR`. Between
//! two separators there is an argument even when there is nothing; after the last separator there is none. Truth: the
//! WHATWG URL standard for what a form is, libmodsecurity for what becomes of one that is wrong.

use super::{Arguments, Limits};

/// Reads a form, or a query string, in pieces.
#[derive(Debug)]
pub struct Urlencoded {
    separator: u8,
    arguments: Arguments,
    /// Whether the current argument is past its first `=`.
    in_value: bool,
    /// Whether anything was read since the last separator.
    pending: bool,
    percent: Percent,
    invalid: bool,
}

/// How much of a percent encoding has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Percent {
    None,
    Sign,
    Digit(u8),
}

/// What a form held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedUrlencoded {
    /// Decoded names and values.
    pub arguments: Arguments,
    /// `URLENCODED_ERROR`: a `%` was not followed by two hexadecimal digits.
    pub invalid_encoding: bool,
}

impl Urlencoded {
    /// `separator` is `SecArgumentSeparator`, ordinarily `&`.
    pub fn new(separator: u8, limits: Limits) -> Self {
        Self {
            separator,
            arguments: Arguments::new(limits),
            in_value: false,
            pending: false,
            percent: Percent::None,
            invalid: false,
        }
    }

    /// The next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let [byte, tail @ ..] = rest {
            if self.percent != Percent::None && self.continue_percent(*byte) {
                rest = tail;
                continue;
            }
            let plain = self.plain_run(rest);
            if plain == 0 {
                self.special(*byte);
                rest = tail;
            } else {
                let (run, after) = rest.split_at(plain);
                self.arguments.append(run);
                self.pending = true;
                rest = after;
            }
        }
    }

    /// The end of the body.
    pub fn finish(mut self) -> ParsedUrlencoded {
        self.end_percent();
        if self.pending {
            self.end_argument();
        }
        ParsedUrlencoded { arguments: self.arguments, invalid_encoding: self.invalid }
    }

    /// How many bytes at the start mean themselves.
    fn plain_run(&self, bytes: &[u8]) -> usize {
        let special = if self.in_value {
            memchr::memchr3(b'%', b'+', self.separator, bytes)
        } else {
            bytes.iter().position(|byte| matches!(byte, b'%' | b'+' | b'=') || *byte == self.separator)
        };
        special.unwrap_or(bytes.len())
    }

    fn special(&mut self, byte: u8) {
        if byte == self.separator {
            self.end_argument();
            return;
        }
        self.pending = true;
        match byte {
            b'%' => self.percent = Percent::Sign,
            b'+' => self.arguments.append(b" "),
            _ => {
                self.arguments.end_name();
                self.in_value = true;
            }
        }
    }

    /// Takes the byte if it belongs to the percent encoding; otherwise that has ended as the literal it is.
    fn continue_percent(&mut self, byte: u8) -> bool {
        let Some(digit) = hexadecimal(byte) else {
            self.end_percent();
            return false;
        };
        match self.percent {
            Percent::Digit(first) => {
                let high = hexadecimal(first).unwrap_or_default();
                self.arguments.append(&[high << 4 | digit]);
                self.percent = Percent::None;
            }
            _ => self.percent = Percent::Digit(byte),
        }
        true
    }

    fn end_percent(&mut self) {
        match std::mem::replace(&mut self.percent, Percent::None) {
            Percent::None => return,
            Percent::Sign => self.arguments.append(b"%"),
            Percent::Digit(first) => self.arguments.append(&[b'%', first]),
        }
        self.invalid = true;
    }

    fn end_argument(&mut self) {
        if !self.in_value {
            self.arguments.end_name();
        }
        self.arguments.commit();
        self.in_value = false;
        self.pending = false;
    }
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Limits, ParsedUrlencoded, Urlencoded};

    fn parse(body: &[u8], separator: u8) -> ParsedUrlencoded {
        let mut form = Urlencoded::new(separator, Limits::default());
        form.feed(body);
        form.finish()
    }

    #[test]
    fn forms() {
        type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])], bool);
        let cases: &[Case] = &[
            (b"", &[], false),
            (b"a=1&b=2", &[(b"a", b"1"), (b"b", b"2")], false),
            (b"a", &[(b"a", b"")], false),
            (b"a=", &[(b"a", b"")], false),
            (b"=b", &[(b"", b"b")], false),
            (b"=", &[(b"", b"")], false),
            (b"&", &[(b"", b"")], false),
            (b"&&a=1&", &[(b"", b""), (b"", b""), (b"a", b"1")], false),
            (b"a=1=2", &[(b"a", b"1=2")], false),
            (b"a=1&a=2", &[(b"a", b"1"), (b"a", b"2")], false),
            (b"a+b=c+d", &[(b"a b", b"c d")], false),
            (b"%61%3D=%26%25", &[(b"a=", b"&%")], false),
            (b"%00a=b%00c", &[(b"\0a", b"b\0c")], false),
            (b"a=%e2%82%AC", &[(b"a", b"\xe2\x82\xac")], false),
            (b"a=%", &[(b"a", b"%")], true),
            (b"a=%4", &[(b"a", b"%4")], true),
            (b"a=%4&b", &[(b"a", b"%4"), (b"b", b"")], true),
            (b"a%=%4=", &[(b"a%", b"%4=")], true),
            (b"a=%zz%41", &[(b"a", b"%zzA")], true),
            (b"a=%%41", &[(b"a", b"%A")], true),
            (b"a=%4%41", &[(b"a", b"%4A")], true),
            (b"a=%2541", &[(b"a", b"%41")], false),
            (b"a=1;b=2", &[(b"a", b"1;b=2")], false),
        ];
        for (body, expected, invalid) in cases {
            let parsed = parse(body, b'&');
            assert_eq!(parsed.arguments.iter().collect::<Vec<_>>(), *expected, "{}", body.escape_ascii());
            assert_eq!(parsed.invalid_encoding, *invalid, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn another_separator_makes_the_usual_one_ordinary() {
        let parsed = parse(b"a=1&x;b=2", b';');
        assert_eq!(parsed.arguments.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"1&x"[..]), (b"b", b"2")]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(body in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'&'), Just(b'='), Just(b'4'), Just(b'+'), any::<u8>()], 0..60), cut in 1_usize..9) {
            let mut form = Urlencoded::new(b'&', Limits::default());
            body.chunks(cut).for_each(|piece| form.feed(piece));
            prop_assert_eq!(form.finish(), parse(&body, b'&'));
        }
    }
}
