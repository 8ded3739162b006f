//! A pattern of PCRE in the syntax of the `regex` crate.
//!
//! The two agree on most, and where they do not they often read the same text differently without a word:
//! `\<` is a letter in one and a word's beginning in the other, `[` within a class likewise. So nothing is
//! copied that is not known: literals become letters, digits or `\xHH`, escapes one by one.

use super::{class, escape};

/// Why a pattern cannot be used.
pub(super) type Reason = &'static str;

/// The pattern rewritten.
pub(super) fn from_pcre(pattern: &str) -> Result<String, Reason> {
    let mut rewrite =
        Rewrite { written: String::with_capacity(pattern.len() * 2), quantified: Quantified::No };
    let mut rest = pattern.as_bytes();
    while let [byte, ..] = rest {
        rest = rewrite.one(*byte, rest)?;
    }
    Ok(rewrite.written)
}

/// A literal byte that means itself anywhere.
pub(super) fn push_literal(written: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'/' | b'"' | b'\'' | b'=' | b',' | b':' | b';' | b'%')
    {
        written.push(char::from(byte));
    } else {
        escape::push_hex(written, byte);
    }
}

struct Rewrite {
    written: String,
    quantified: Quantified,
}

/// What the last piece was, since a `+` after a quantifier is not a quantifier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantified {
    No,
    /// A quantifier; `?` makes it lazy and `+` possessive.
    Just,
}

impl Rewrite {
    /// Rewrites the piece at the beginning of `rest`; answers what follows it.
    fn one<'p>(&mut self, byte: u8, rest: &'p [u8]) -> Result<&'p [u8], Reason> {
        let after = rest.get(1..).unwrap_or_default();
        let quantified = std::mem::replace(&mut self.quantified, Quantified::No);
        match byte {
            b'\\' => escape::rewrite(after, &mut self.written),
            b'[' => class::rewrite(after, &mut self.written),
            b'(' => self.group(after),
            b'*' | b'+' | b'?' => {
                if quantified == Quantified::Just {
                    if byte == b'+' {
                        return Err("a possessive quantifier needs backtracking");
                    }
                } else {
                    self.quantified = Quantified::Just;
                }
                self.written.push(char::from(byte));
                Ok(after)
            }
            b'{' => {
                let Some(length) = quantifier(after) else {
                    push_literal(&mut self.written, byte);
                    return Ok(after);
                };
                self.quantified = Quantified::Just;
                let (counts, after) = after.split_at(length);
                self.written.push('{');
                self.written.extend(counts.iter().copied().map(char::from));
                Ok(after)
            }
            b'^' | b'$' | b'.' | b'|' | b')' => {
                self.written.push(char::from(byte));
                Ok(after)
            }
            other => {
                push_literal(&mut self.written, other);
                Ok(after)
            }
        }
    }

    /// What follows an opening parenthesis.
    fn group<'p>(&mut self, after: &'p [u8]) -> Result<&'p [u8], Reason> {
        match after {
            [b'*', ..] => Err("verbs such as `(*UTF)` and `(*ACCEPT)` have no equivalent"),
            [b'?', b'=' | b'!', ..] | [b'?', b'<', b'=' | b'!', ..] => {
                Err("looking ahead or behind needs backtracking; use a chained rule instead")
            }
            [b'?', b'>', ..] => Err("an atomic group needs backtracking"),
            [b'?', b'|' | b'(' | b'R' | b'&' | b'C' | b'0'..=b'9' | b'+', ..]
            | [b'?', b'P', b'=' | b'>', ..] => {
                Err("conditions, recursion, calls and duplicate group numbers have no equivalent")
            }
            [b'?', b'#', comment @ ..] => {
                let end = memchr::memchr(b')', comment).ok_or("a comment is not closed")?;
                Ok(comment.get(end + 1..).unwrap_or_default())
            }
            [b'?', rest @ ..] => self.named_or_flagged(rest),
            _ => {
                self.written.push('(');
                Ok(after)
            }
        }
    }

    /// `(?:`, `(?i)`, `(?i:`, `(?<name>`, `(?P<name>`, `(?'name'`.
    fn named_or_flagged<'p>(&mut self, rest: &'p [u8]) -> Result<&'p [u8], Reason> {
        let (name, close) = match rest {
            [b'P', b'<', name @ ..] | [b'<', name @ ..] => (name, b'>'),
            [b'\'', name @ ..] => (name, b'\''),
            flags => return self.flags(flags),
        };
        // The name is for people: groups are numbered in both.
        let end = memchr::memchr(close, name).ok_or("the name of a group is not closed")?;
        self.written.push('(');
        Ok(name.get(end + 1..).unwrap_or_default())
    }

    fn flags<'p>(&mut self, flags: &'p [u8]) -> Result<&'p [u8], Reason> {
        let length = flags.iter().take_while(|byte| matches!(byte, b'i' | b'm' | b's' | b'-')).count();
        let (flags, after) = flags.split_at(length);
        let [end @ (b':' | b')'), after @ ..] = after else {
            return Err("of the inline options only `i`, `m` and `s` are known");
        };
        self.written.push_str("(?");
        self.written.extend(flags.iter().copied().map(char::from));
        self.written.push(char::from(*end));
        Ok(after)
    }
}

/// The length of `n}`, `n,}` or `n,m}`; anything else behind a brace makes the brace a literal.
fn quantifier(after: &[u8]) -> Option<usize> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let least = digits(after);
    let rest = after.get(least..)?;
    if least == 0 {
        return None;
    }
    match rest {
        [b'}', ..] => Some(least + 1),
        [b',', rest @ ..] => {
            let most = digits(rest);
            rest.get(most..)?.starts_with(b"}").then_some(least + 1 + most + 1)
        }
        _ => None,
    }
}
