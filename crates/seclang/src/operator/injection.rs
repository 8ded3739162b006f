//! `detectSQLi` and `detectXSS`: libinjection, which tokenises a value as SQL and as HTML would.
//!
//! The detection is `libinjectionrs`, a port of libinjection to Rust. What it answers differently from the C
//! library is told in `tests/differences.md`.

mod words;

use libinjectionrs::xss::{Html5Flags, Html5State, TokenType};

use super::Match;
use crate::{Transformation, byte_set::ByteSet};

/// A script begins with a tag, or with an attribute that has a value.
pub(super) const SCRIPT_NEEDS: ByteSet = ByteSet::of(b"<=");

/// No single byte is SQL.
pub(super) const SHORTEST_SQL: usize = 2;

/// A value that would be SQL if it were put into a query; its fingerprint says what kind.
pub(super) fn sql(value: &[u8]) -> Option<Match> {
    if words::are_harmless(value) {
        return None;
    }
    let detected = detect_sql(value).or_else(|| detect_sql(&second_look(value)?));
    detected.map(|fingerprint| Match { fingerprint: Some(fingerprint), ..Match::whole(value) })
}

fn detect_sql(value: &[u8]) -> Option<String> {
    let detected = libinjectionrs::detect_sqli(value);
    detected
        .is_injection()
        .then(|| detected.fingerprint.map_or_else(String::new, |fingerprint| fingerprint.as_str().to_owned()))
}

/// The value as the port understands it, where it is known to overlook what the C library sees: `into` in small
/// letters, and `sp_password` among bytes that are not UTF-8.
fn second_look(value: &[u8]) -> Option<Vec<u8>> {
    if value.windows(4).any(|word| word.eq_ignore_ascii_case(b"INTO")) {
        return Some(value.to_ascii_uppercase());
    }
    memchr::memmem::find(value, b"sp_password").filter(|_| std::str::from_utf8(value).is_err())?;
    // What is beyond ASCII belongs to words, but for the one byte that is white space.
    let ascii = |byte: &u8| match byte {
        0xa0 => b' ',
        0x80.. => b'z',
        byte => *byte,
    };
    Some(value.iter().map(ascii).collect())
}

/// A value that would run as a script if it were put into a page.
pub(super) fn cross_site_scripting(value: &[u8]) -> bool {
    libinjectionrs::detect_xss(value).is_injection() || has_handler(value)
}

/// Whether an attribute whose name begins with `on` has a value, wherever in a page the text may stand.
///
/// The port knows the events by name; the C library takes every such attribute for a handler, and what
/// `attributename` names as well. It also ends names at NUL bytes, as at spaces.
fn has_handler(value: &[u8]) -> bool {
    const CONTEXTS: [Html5Flags; 5] = [
        Html5Flags::DataState,
        Html5Flags::ValueNoQuote,
        Html5Flags::ValueSingleQuote,
        Html5Flags::ValueDoubleQuote,
        Html5Flags::ValueBackQuote,
    ];
    let possible = memchr::memchr(b'=', value).is_some() && memchr::memchr2(b'o', b'O', value).is_some();
    if !possible {
        return false;
    }
    let value = Transformation::ReplaceNulls.apply(value);
    CONTEXTS.iter().any(|context| has_handler_in(&value, *context))
}

fn has_handler_in(value: &[u8], context: Html5Flags) -> bool {
    let mut html = Html5State::new(value, context);
    let (mut handler, mut names_attribute) = (false, false);
    while html.next() {
        let token = html.token_start.get(..html.token_len).unwrap_or_default();
        match html.token_type {
            TokenType::AttrValue if handler || (names_attribute && is_handler(token)) => return true,
            TokenType::AttrName => {
                handler = is_handler(token);
                names_attribute = token.eq_ignore_ascii_case(b"attributename");
            }
            _ => (handler, names_attribute) = (false, false),
        }
    }
    false
}

fn is_handler(name: &[u8]) -> bool {
    const SHORTEST: usize = 5;
    name.len() >= SHORTEST && matches!(name, [b'o' | b'O', b'n' | b'N', ..])
}
