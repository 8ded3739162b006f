//! What follows a backslash in a pattern of PCRE, outside of a class and within one.

use std::fmt::Write as _;

use super::rewrite::{Reason, push_literal};

/// What an escape stands for.
pub(super) enum Escaped {
    Byte(u8),
    /// A set of bytes, as the inside of a class.
    Set(&'static str),
    /// The bytes that are not in this set, as the inside of a negated class.
    NotSet(&'static str),
    /// Holds for both syntaxes and outside of classes only: `\b`, `\A`.
    Assertion(char),
    LineEnd,
    /// `\Q`: everything up to `\E` means itself.
    Quotation,
    /// `\E` without `\Q`.
    Nothing,
}

/// Rewrites the escape whose backslash stands before `after`; answers what follows it.
pub(super) fn rewrite<'p>(after: &'p [u8], written: &mut String) -> Result<&'p [u8], Reason> {
    let (escaped, rest) = read(after, false)?;
    match escaped {
        Escaped::Byte(byte) => push_literal(written, byte),
        Escaped::Set(set) => {
            written.push('[');
            written.push_str(set);
            written.push(']');
        }
        Escaped::NotSet(set) => {
            written.push_str("[^");
            written.push_str(set);
            written.push(']');
        }
        Escaped::Assertion(letter) => {
            written.push('\\');
            written.push(letter);
        }
        Escaped::LineEnd => written.push_str(r"(?:\r\n|[\n-\r\x85])"),
        Escaped::Quotation => return Ok(quotation(rest, written)),
        Escaped::Nothing => {}
    }
    Ok(rest)
}

/// Reads one escape; `\b` is a backspace within a class.
pub(super) fn read(after: &[u8], in_class: bool) -> Result<(Escaped, &[u8]), Reason> {
    let [letter, rest @ ..] = after else { return Err("it ends with a backslash") };
    let escaped = match letter {
        b'd' => Escaped::Set("0-9"),
        b'D' => Escaped::NotSet("0-9"),
        b'w' => Escaped::Set("0-9A-Za-z_"),
        b'W' => Escaped::NotSet("0-9A-Za-z_"),
        b's' => Escaped::Set(r"\t-\r\x20"),
        b'S' => Escaped::NotSet(r"\t-\r\x20"),
        b'h' => Escaped::Set(r"\t\x20\xA0"),
        b'H' => Escaped::NotSet(r"\t\x20\xA0"),
        b'v' => Escaped::Set(r"\n-\r\x85"),
        b'V' => Escaped::NotSet(r"\n-\r\x85"),
        b'N' => Escaped::NotSet(r"\n"),
        b'b' if in_class => Escaped::Byte(0x08),
        b'b' | b'B' | b'A' | b'z' => Escaped::Assertion(char::from(*letter)),
        b'R' => Escaped::LineEnd,
        b'Q' => Escaped::Quotation,
        b'E' => Escaped::Nothing,
        b'a' => Escaped::Byte(0x07),
        b'e' => Escaped::Byte(0x1b),
        b'f' => Escaped::Byte(0x0c),
        b'n' => Escaped::Byte(b'\n'),
        b'r' => Escaped::Byte(b'\r'),
        b't' => Escaped::Byte(b'\t'),
        b'x' => return hexadecimal(rest),
        b'0' => return Ok(octal(after)),
        b'1'..=b'9' if in_class => return Ok(octal(after)),
        b'1'..=b'9' | b'g' | b'k' => return Err("a back-reference needs backtracking"),
        b'Z' | b'G' | b'K' | b'X' | b'C' | b'p' | b'P' => {
            return Err("`\\Z`, `\\G`, `\\K`, `\\X`, `\\C` and `\\p` have no equivalent");
        }
        b'c' => {
            let [letter @ 0x20..=0x7e, rest @ ..] = rest else {
                return Err("`\\c` needs a printable letter");
            };
            return Ok((Escaped::Byte(letter.to_ascii_uppercase() ^ 0x40), rest));
        }
        letter if letter.is_ascii_alphanumeric() => return Err("it has an escape that PCRE does not know"),
        byte => Escaped::Byte(*byte),
    };
    Ok((escaped, rest))
}

pub(super) fn push_hex(written: &mut String, byte: u8) {
    // INVARIANT: writing to a `String` does not fail.
    let _ = write!(written, "\\x{byte:02X}");
}

/// `\xH`, `\xHH`, `\x{H...}`.
fn hexadecimal(rest: &[u8]) -> Result<(Escaped, &[u8]), Reason> {
    let digits =
        |text: &[u8], most: usize| text.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = match rest {
        [b'{', braced @ ..] => {
            let (number, rest) = braced.split_at(digits(braced, braced.len()));
            (number, rest.strip_prefix(b"}").ok_or("the braces of `\\x{...}` are not closed")?)
        }
        plain => plain.split_at(digits(plain, 2)),
    };
    let number = number.iter().try_fold(0_u8, |number, digit| {
        let digit = char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())?;
        number.checked_mul(16)?.checked_add(digit)
    });
    Ok((
        Escaped::Byte(number.ok_or("`\\x{...}` is more than a byte, and patterns are matched with bytes")?),
        rest,
    ))
}

/// Up to three octal digits.
fn octal(after: &[u8]) -> (Escaped, &[u8]) {
    let digits = after.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (number, rest) = after.split_at(digits);
    (
        Escaped::Byte(
            number.iter().fold(0, |number: u8, digit| number.wrapping_mul(8).wrapping_add(digit & 7)),
        ),
        rest,
    )
}

fn quotation<'p>(after: &'p [u8], written: &mut String) -> &'p [u8] {
    let end = memchr::memmem::find(after, b"\\E").unwrap_or(after.len());
    let (quoted, rest) = after.split_at(end);
    for byte in quoted {
        push_literal(written, *byte);
    }
    rest.get(2..).unwrap_or_default()
}
