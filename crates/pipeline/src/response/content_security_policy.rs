//! Content security policies with nonces (Content Security Policy Level 3, sections 2.3.1 and 7.1).
//!
//! A policy is split at `{nonce}` when the configuration is read; an answer only joins the pieces. An answer
//! without a nonce gets the policy without its nonce sources: inline scripts are blocked then, never let through.
//! Nothing here checks what a policy means; tests score the built-in one.

use std::fmt;

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;

/// What stands for the nonce in a configured policy.
const PLACEHOLDER: &str = "{nonce}";

/// A random value that scripts and styles of one answer prove their origin with. It goes to the upstream in
/// `x-csp-nonce` and to the browser in the policy, and is never used twice.
#[derive(Clone)]
pub struct Nonce(HeaderValue);

impl Nonce {
    /// 128 random bits, in the base64 alphabet that needs no escaping in HTML. `None` when the system has no
    /// randomness to give, and the answer then goes without.
    pub fn generate() -> Option<Self> {
        let mut bits = [0; 16];
        rand::fill(&mut bits).ok()?;
        let mut value = HeaderValue::try_from(URL_SAFE_NO_PAD.encode(bits)).ok()?;
        // Kept out of HPACK tables, where a value that never comes again has no place, and out of Debug output.
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The value of `x-csp-nonce` for the upstream.
    pub fn header_value(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce")
    }
}

/// A `content-security-policy` value, ready to be sent.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The text around the nonces; empty when the policy has none.
    around_nonces: Vec<Box<str>>,
    without_nonce: HeaderValue,
}

impl Policy {
    /// Compiles `text`; `None` when it cannot stand in a header.
    pub(crate) fn compile(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok()?;
        let pieces: Vec<Box<str>> = text.split(PLACEHOLDER).map(Into::into).collect();
        if pieces.len() < 2 {
            return Some(Self {
                around_nonces: Vec::new(),
                without_nonce: HeaderValue::from_str(text).ok()?,
            });
        }
        let without_nonce = HeaderValue::try_from(without_nonce_sources(text)).ok()?;
        Some(Self { around_nonces: pieces, without_nonce })
    }

    /// Whether it has a place for a nonce.
    pub(crate) fn takes_nonce(&self) -> bool {
        !self.around_nonces.is_empty()
    }

    /// The header value for one answer.
    pub(crate) fn render(&self, nonce: Option<&Nonce>) -> HeaderValue {
        nonce.and_then(|nonce| self.join(nonce)).unwrap_or_else(|| self.without_nonce.clone())
    }

    fn join(&self, nonce: &Nonce) -> Option<HeaderValue> {
        let (first, rest) = self.around_nonces.split_first()?;
        let nonce = nonce.0.as_bytes();
        let length = rest.iter().fold(first.len(), |length, piece| length + nonce.len() + piece.len());
        let mut value = Vec::with_capacity(length);
        value.extend_from_slice(first.as_bytes());
        for piece in rest {
            value.extend_from_slice(nonce);
            value.extend_from_slice(piece.as_bytes());
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(value)).ok()
    }
}

/// The policy for an answer that has no nonce. Browsers ignore `'unsafe-inline'` beside a nonce, so it goes with
/// the nonce: leaving it would open what the policy means to close.
fn without_nonce_sources(text: &str) -> String {
    let directives = text.split(';').map(str::trim).filter(|directive| !directive.is_empty());
    let closed = directives.map(|directive| {
        if !directive.contains(PLACEHOLDER) {
            return directive.to_owned();
        }
        let stays =
            |word: &&str| !word.contains(PLACEHOLDER) && !word.eq_ignore_ascii_case("'unsafe-inline'");
        let words: Vec<&str> = directive.split_ascii_whitespace().filter(stays).collect();
        match words.as_slice() {
            [name] => format!("{name} 'none'"),
            words => words.join(" "),
        }
    });
    closed.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_are_128_bits_in_the_grammar_and_never_repeat() {
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let nonce = Nonce::generate().unwrap();
            let text = nonce.header_value().to_str().unwrap().to_owned();
            assert_eq!(URL_SAFE_NO_PAD.decode(&text).unwrap().len(), 16);
            assert!(nonce.header_value().is_sensitive());
            assert!(!format!("{nonce:?}").contains(&text));
            assert!(seen.insert(text), "a nonce came twice");
        }
    }

    #[test]
    fn the_nonce_stands_in_every_place() {
        let cases = [
            ("script-src 'nonce-{nonce}'", "script-src 'nonce-N'"),
            (
                "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}' 'self'",
                "script-src 'nonce-N'; style-src 'nonce-N' 'self'",
            ),
            ("default-src 'self'", "default-src 'self'"),
        ];
        for (template, expected) in cases {
            let nonce = Nonce(HeaderValue::from_static("N"));
            let policy = Policy::compile(template).unwrap();
            assert_eq!(policy.render(Some(&nonce)), expected, "{template}");
        }
    }

    #[test]
    fn without_a_nonce_the_policy_only_closes() {
        let cases = [
            ("script-src 'self' 'nonce-{nonce}'", "script-src 'self'"),
            ("script-src 'nonce-{nonce}'", "script-src 'none'"),
            ("script-src 'nonce-{nonce}' 'unsafe-inline' 'strict-dynamic'", "script-src 'strict-dynamic'"),
            ("script-src 'nonce-{nonce}' 'Unsafe-Inline'", "script-src 'none'"),
            ("img-src *; style-src 'nonce-{nonce}';", "img-src *; style-src 'none'"),
            ("default-src 'none' ;", "default-src 'none' ;"),
        ];
        for (template, expected) in cases {
            assert_eq!(Policy::compile(template).unwrap().render(None), expected, "{template}");
        }
    }

    #[test]
    fn text_that_is_no_header_is_no_policy() {
        for text in ["default-src 'none'\r\nx-evil: 1", "default-src\0"] {
            assert!(Policy::compile(text).is_none(), "{text:?}");
        }
    }
}
