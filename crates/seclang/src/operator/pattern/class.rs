//! A character class of PCRE: `[^\w-]`, where `[`, `&&`, `--` and `~~` mean themselves.

use super::{
    escape::{self, Escaped},
    rewrite::{Reason, push_literal},
};

/// One member, before it is known whether it begins a range.
enum Member {
    Byte(u8),
    /// Written already.
    Set,
}

/// Rewrites the class whose opening bracket stands before `after`; answers what follows the closing one.
pub(super) fn rewrite<'p>(after: &'p [u8], written: &mut String) -> Result<&'p [u8], Reason> {
    written.push('[');
    let mut rest = after;
    if let [b'^', inside @ ..] = rest {
        written.push('^');
        rest = inside;
    }
    let mut first = true;
    loop {
        rest = match rest {
            [] => return Err("a class is not closed"),
            [b']', after @ ..] if !first => {
                written.push(']');
                return Ok(after);
            }
            _ => member_or_range(rest, written)?,
        };
        first = false;
    }
}

fn member_or_range<'p>(rest: &'p [u8], written: &mut String) -> Result<&'p [u8], Reason> {
    let (member, rest) = member(rest, written)?;
    let Member::Byte(low) = member else { return Ok(rest) };
    push_literal(written, low);
    let [b'-', end @ ..] = rest else { return Ok(rest) };
    if matches!(end, [] | [b']', ..]) {
        return Ok(rest);
    }
    // What follows the hyphen decides whether it makes a range, so it is rewritten aside first.
    let mut aside = String::new();
    let (high, rest) = self::member(end, &mut aside)?;
    match high {
        Member::Byte(high) if high < low => return Err("a range of a class is out of order"),
        Member::Byte(high) => {
            written.push('-');
            push_literal(written, high);
        }
        Member::Set => {
            push_literal(written, b'-');
            written.push_str(&aside);
        }
    }
    Ok(rest)
}

fn member<'p>(rest: &'p [u8], written: &mut String) -> Result<(Member, &'p [u8]), Reason> {
    match rest {
        [b'[', b':', name @ ..] => match memchr::memmem::find(name, b":]") {
            Some(end) if name.iter().take(end).all(|byte| byte.is_ascii_alphabetic() || *byte == b'^') => {
                let (name, rest) = name.split_at(end);
                written.push_str("[:");
                written.extend(name.iter().copied().map(char::from));
                written.push_str(":]");
                Ok((Member::Set, rest.get(2..).unwrap_or_default()))
            }
            _ => Ok((Member::Byte(b'['), rest.get(1..).unwrap_or_default())),
        },
        [b'[', b'.' | b'=', ..] => Err("collating elements have no equivalent"),
        [b'\\', after @ ..] => escaped(after, written),
        [byte, rest @ ..] => Ok((Member::Byte(*byte), rest)),
        [] => Err("a class is not closed"),
    }
}

fn escaped<'p>(after: &'p [u8], written: &mut String) -> Result<(Member, &'p [u8]), Reason> {
    let (escaped, rest) = escape::read(after, true)?;
    match escaped {
        Escaped::Byte(byte) => return Ok((Member::Byte(byte), rest)),
        Escaped::Set(set) => written.push_str(set),
        Escaped::NotSet(set) => {
            written.push_str("[^");
            written.push_str(set);
            written.push(']');
        }
        Escaped::Nothing => {}
        Escaped::Assertion(_) | Escaped::LineEnd | Escaped::Quotation => {
            return Err("a class has an escape that does not belong into one");
        }
    }
    Ok((Member::Set, rest))
}
