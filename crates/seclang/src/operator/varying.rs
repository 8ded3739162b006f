//! Patterns with macros: what they say is known when a rule asks, and is mostly what it said the last time.
//!
//! The text of a macro is part of the pattern as it stands, marks included, as in the reference: `%{tx.allowed}` may be
//! `^(?:a|b)$`. Where a client chooses it, the client chooses the pattern, so it is kept small.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use super::Pattern;

/// A pattern, and the last text that it was.
#[derive(Debug, Default)]
pub(super) struct Varying(Mutex<Option<Arc<Known>>>);

/// What a text says as a pattern.
#[derive(Debug)]
pub(super) struct Known {
    text: Box<[u8]>,
    /// Nothing where it is none, or is too much.
    pub(super) pattern: Option<Pattern>,
}

impl Varying {
    /// Longer texts are no patterns.
    const LONGEST: usize = 4096;
    /// Most bytes of memory that one may take: it is compiled while an exchange waits.
    const LARGEST: usize = 1 << 18;

    /// What this text says.
    pub(super) fn known(&self, text: &[u8]) -> Arc<Known> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = last.filter(|known| *known.text == *text) {
            return known;
        }
        let pattern = (text.len() <= Self::LONGEST)
            .then(|| Pattern::compile_within(&written(text), Self::LARGEST).ok())
            .flatten();
        let known = Arc::new(Known { text: text.into(), pattern });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
        known
    }
}

/// The text, with bytes that are not UTF-8 written as patterns write them.
fn written(text: &[u8]) -> String {
    let mut written = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        written.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing into a `String` cannot fail.
            let _ = write!(written, "\\x{byte:02x}");
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::Varying;

    #[test]
    fn a_text_is_the_pattern_that_it_says() {
        let varying = Varying::default();
        let cases: [(&[u8], &[u8], bool); 7] = [
            (b"^a+$", b"aaa", true),
            (b"^a+$", b"b", false),
            (b"^b$", b"b", true),
            (b"caf\xe9", b"caf\xe9", true),
            ("caf\u{e9}".as_bytes(), b"caf\xe9", false),
            (b"(", b"(", false),
            (b"(?:a{1000}){1000}", b"a", false),
        ];
        for (text, value, expected) in cases {
            let known = varying.known(text);
            let matches = known.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
            assert_eq!(matches, expected, "{}", text.escape_ascii());
        }
        let long = vec![b'a'; Varying::LONGEST + 1];
        assert!(varying.known(&long).pattern.is_none());
        assert!(varying.known(&long[1..]).pattern.is_some());
    }

    #[test]
    fn what_is_the_same_again_is_not_compiled_again() {
        let varying = Varying::default();
        let (first, second) = (varying.known(b"a"), varying.known(b"a"));
        assert!(std::sync::Arc::ptr_eq(&first, &second));
    }
}
