//! Numbers, and the many ways to write strings.

use memchr::memmem;

use super::{
    token::{Kind, Token},
    tokenizer::{SPACE, Tokenizer},
};
use crate::byte_set::ByteSet;

const DIGITS: ByteSet = ByteSet::EMPTY.with_range(b'0', b'9');

/// To libinjection, the NUL byte is in every one of the sets that it looks up as a C string.
const NUL: ByteSet = ByteSet::of(b"\0");
const BINARY: ByteSet = NUL.with(b'0').with(b'1');
const HEXADECIMAL: ByteSet = NUL.with_range(b'0', b'9').with_range(b'a', b'f').with_range(b'A', b'F');
const AMOUNT: ByteSet = NUL.with_range(b'0', b'9').with(b'.').with(b',');
const LETTERS: ByteSet = NUL.with_range(b'a', b'z').with_range(b'A', b'Z');

/// `42`, `.5`, `1e5`, `0x2a`, `0b1`, and `1f` of Oracle. What looks like one without being one is a word.
pub(super) fn number<'a>(tokenizer: &mut Tokenizer<'a>) -> Token<'a> {
    match tokenizer.rest {
        [b'0', b'x' | b'X', ..] => return in_base(tokenizer, HEXADECIMAL),
        [b'0', b'b' | b'B', ..] => return in_base(tokenizer, BINARY),
        _ => {}
    }
    let rest = tokenizer.rest;
    let mut end = tokenizer.span(0, DIGITS);
    if rest.get(end) == Some(&b'.') {
        end = tokenizer.span(end + 1, DIGITS);
        if end == 1 {
            return tokenizer.take(Kind::Dot, 1);
        }
    }
    let mut kind = Kind::Number;
    if let Some(b'e' | b'E') = rest.get(end) {
        end += if let Some(b'+' | b'-') = rest.get(end + 1) { 2 } else { 1 };
        let exponent = tokenizer.span(end, DIGITS);
        kind = if exponent == end { Kind::Bareword } else { Kind::Number };
        end = exponent;
    }
    if let Some(b'd' | b'D' | b'f' | b'F') = rest.get(end) {
        // The `u` is that of `1fUNION`.
        let is_suffix = match rest.get(end + 1) {
            None | Some(b';' | b'u' | b'U') => true,
            Some(next) => SPACE.contains(*next),
        };
        end += usize::from(is_suffix);
    }
    tokenizer.take(kind, end)
}

fn in_base<'a>(tokenizer: &mut Tokenizer<'a>, digits: ByteSet) -> Token<'a> {
    let end = tokenizer.span(2, digits);
    tokenizer.take(if end == 2 { Kind::Bareword } else { Kind::Number }, end)
}

/// `$1,000.00`, or `$$a string$$` and `$tag$a string$tag$` of PostgreSQL.
pub(super) fn money<'a>(tokenizer: &mut Tokenizer<'a>) -> Token<'a> {
    match tokenizer.span(1, AMOUNT) {
        1 => {}
        2 if tokenizer.rest.get(1) == Some(&b'.') => return tokenizer.word(),
        end => return tokenizer.take(Kind::Number, end),
    }
    let tag_end = tokenizer.span(1, LETTERS);
    match tokenizer.rest.get(..=tag_end) {
        Some(tag) if tag.ends_with(b"$") && tag.len() > 1 => {
            tokenizer.skip(tag.len());
            until(tokenizer, tag, b'$')
        }
        _ => tokenizer.take(Kind::Bareword, 1),
    }
}

/// A string that ends before a text.
fn until<'a>(tokenizer: &mut Tokenizer<'a>, end: &[u8], mark: u8) -> Token<'a> {
    let found = memmem::find(tokenizer.rest, end);
    let token = tokenizer.take(Kind::String, found.unwrap_or(tokenizer.rest.len()));
    tokenizer.skip(end.len());
    Token { opened_by: Some(mark), closed_by: found.map(|_| mark), ..token }
}

/// A word, or a string with a letter before it that says what string it is.
pub(super) fn prefixed<'a>(tokenizer: &mut Tokenizer<'a>, letter: u8) -> Token<'a> {
    match (letter.to_ascii_uppercase(), tokenizer.rest) {
        (b'B', [_, b'\'', _, ..]) => of_digits(tokenizer, BINARY),
        (b'X', [_, b'\'', _, ..]) => of_digits(tokenizer, HEXADECIMAL),
        (b'E' | b'N', [_, b'\'', _, ..]) => tokenizer.string(2, b'\''),
        (b'U', [_, b'&', b'\'', ..]) => {
            let token = tokenizer.string(3, b'\'');
            Token { opened_by: Some(b'u'), closed_by: token.closed_by.map(|_| b'u'), ..token }
        }
        (b'Q', [_, b'\'', open, ..]) => oracle(tokenizer, 3, *open),
        (b'N', [_, b'q' | b'Q', b'\'', open, ..]) => oracle(tokenizer, 4, *open),
        _ => tokenizer.word(),
    }
}

/// `b'0101'` and `x'2a'` are numbers.
fn of_digits<'a>(tokenizer: &mut Tokenizer<'a>, digits: ByteSet) -> Token<'a> {
    let end = tokenizer.span(2, digits);
    match tokenizer.rest.get(end) {
        Some(b'\'') => tokenizer.take(Kind::Number, end + 1),
        _ => tokenizer.word(),
    }
}

/// `q'[a string]'`, with marks of one's choice in ASCII.
fn oracle<'a>(tokenizer: &mut Tokenizer<'a>, start: usize, open: u8) -> Token<'a> {
    if !open.is_ascii_graphic() && open != 0x7f {
        return tokenizer.word();
    }
    let close = match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        mark => mark,
    };
    tokenizer.skip(start);
    until(tokenizer, &[close, b'\''], b'q')
}

/// Where a string ends: at a quotation mark that is neither escaped nor doubled.
pub(super) fn end_of_string(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(quote, text.get(from..)?)?;
        let before = text.get(..at).unwrap_or_default();
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 1 {
            from = at + 1;
        } else if text.get(at + 1) == Some(&quote) {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}
