//! Whether a folded value is an attack: by its fingerprint, and for the shortest ones by a closer look.

use super::{
    fold::Folded,
    token::{Kind, Token},
    vocabulary,
};

impl Folded<'_> {
    /// The fingerprint, if it is one of attacks and nothing speaks against it.
    pub(super) fn verdict(&self, value: &[u8]) -> Option<String> {
        let letters: Vec<u8> = match self.tokens() {
            tokens if tokens.iter().any(|token| token.kind == Kind::Evil) => vec![Kind::Evil.letter()],
            // PHP takes an open backquote at the end for a comment.
            [start @ .., last] if start.len() > 1 && is_open_backquote(last) => {
                start.iter().map(|token| token.kind).chain([Kind::Comment]).map(Kind::letter).collect()
            }
            tokens => tokens.iter().map(|token| token.kind.letter()).collect(),
        };
        let is_attack = vocabulary::is_fingerprint(&letters) && self.is_no_coincidence(&letters, value);
        is_attack.then(|| letters.iter().map(|letter| char::from(*letter)).collect())
    }

    fn is_no_coincidence(&self, fingerprint: &[u8], value: &[u8]) -> bool {
        match (fingerprint, self.tokens()) {
            // Microsoft's SQL Server keeps what mentions this out of its log.
            ([_, .., b'c'], _) if memchr::memmem::find(value, b"sp_password").is_some() => true,
            ([_, b'U'], _) => self.read > 2,
            ([_, _], [one, other]) => self.is_short_attack(one, other, value),
            (b"sos" | b"s&s", [one, _, other]) => {
                one.opened_by.is_none() && other.closed_by.is_none() && one.closed_by == other.opened_by
            }
            (b"s&n" | b"n&1" | b"1&1" | b"1&v" | b"1&s", _) => self.read != 3,
            // Of keywords there, only `INTO OUTFILE` and `INTO DUMPFILE` do harm.
            ([_, _, _], [_, word, _]) if word.kind == Kind::Keyword => {
                word.text.len() > 4 && word.begins_with(b"INTO")
            }
            _ => true,
        }
    }

    /// Two tokens are mostly something and a comment.
    fn is_short_attack(&self, one: &Token, other: &Token, value: &[u8]) -> bool {
        let mark = other.text.first();
        match (one.kind, other.kind) {
            _ if mark == Some(&b'#') => false,
            (Kind::Bareword, Kind::Comment) => mark == Some(&b'/'),
            // What looks like `1234-ABCDEF--` is no attack, what looks like `1234--` is. Where the number ends is
            // taken from its length, wherever it begins.
            (Kind::Number, Kind::Comment) => {
                mark == Some(&b'/')
                    || self.read > 2
                    || match value.get(one.text.len()..) {
                        Some([b'/', b'*', ..] | [b'-', b'-', ..]) => true,
                        Some([next, ..]) => *next <= b' ' || !next.is_ascii(),
                        _ => true,
                    }
            }
            // Plain text has dashes; attacks end with them.
            _ => mark != Some(&b'-') || other.text.len() <= 2,
        }
    }
}

fn is_open_backquote(token: &Token) -> bool {
    token.kind == Kind::Bareword
        && token.opened_by == Some(b'`')
        && token.closed_by.is_none()
        && token.text.is_empty()
}
