//! How a limit and a value are called in Redis.
//!
//! `bartizan:limit:{login:10.0.0.7}:bucket:60000`: what stands in braces decides the slot on a cluster, so every key
//! has its own. Whoever may read the keys reads the values too, as far as they are short and printable; the others
//! are replaced by their SHA-256. The algorithm and the window, in milliseconds, are part of the name since a state
//! makes sense only to those that left it.

use std::{borrow::Cow, fmt::Write};

use bartizan_model::Algorithm;
use sha2::{Digest, Sha256};

use crate::Limit;

/// How every key begins.
pub(super) const PREFIX: &str = "bartizan:limit:";

pub(super) fn key(limit: &Limit, value: &[u8]) -> String {
    let (name, value) = (part(limit.name.as_bytes(), b":"), part(value, b""));
    let (kind, window) = (kind(limit.quota.algorithm()), limit.quota.length().as_millis());
    format!("{PREFIX}{{{name}:{value}}}:{kind}:{window}")
}

fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::TokenBucket => "bucket",
        Algorithm::SlidingWindow => "sliding",
        Algorithm::FixedWindow => "fixed",
    }
}

const LONGEST_PLAIN: usize = 64;

/// `#` and 64 digits are longer than anything plain, so nobody can present a value that looks like the digest of
/// another.
fn part<'a>(bytes: &'a [u8], forbidden: &[u8]) -> Cow<'a, str> {
    let is_plain =
        |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}') && !forbidden.contains(byte);
    match str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= LONGEST_PLAIN && bytes.iter().all(is_plain) => Cow::Borrowed(text),
        _ => Cow::Owned(Sha256::digest(bytes).iter().fold(String::from("#"), |mut text, byte| {
            // INVARIANT: writing to a `String` never fails.
            let _ = write!(text, "{byte:02x}");
            text
        })),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, num::NonZeroU32, time::Duration};

    use bartizan_model::Quota;
    use proptest::prelude::*;

    use super::*;

    fn named(name: &str, value: &[u8]) -> String {
        let window = Duration::from_mins(1);
        let quota = Quota::token_bucket(NonZeroU32::MIN, window, NonZeroU32::MIN).unwrap();
        key(&Limit { name: name.into(), quota }, value)
    }

    #[test]
    fn short_and_printable_is_readable_and_the_rest_is_a_digest() {
        assert_eq!(named("login", b"10.0.0.7"), "bartizan:limit:{login:10.0.0.7}:bucket:60000");
        assert_eq!(named("login", b"2001:db8::1"), "bartizan:limit:{login:2001:db8::1}:bucket:60000");
        assert_eq!(
            named("login", b"a b"),
            "bartizan:limit:{login:#c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65}:bucket:60000"
        );
    }

    #[test]
    fn every_algorithm_and_window_has_its_own_state() {
        let window = |algorithm, milliseconds| {
            Quota::window(algorithm, NonZeroU32::MIN, Duration::from_millis(milliseconds)).unwrap()
        };
        let cases = [
            (window(Algorithm::FixedWindow, 60_000), "fixed:60000"),
            (window(Algorithm::FixedWindow, 100), "fixed:100"),
            (window(Algorithm::SlidingWindow, 60_000), "sliding:60000"),
        ];
        for (quota, expected) in cases {
            let key = key(&Limit { name: "a".into(), quota }, b"b");
            assert_eq!(key, format!("bartizan:limit:{{a:b}}:{expected}"));
        }
    }

    #[test]
    fn no_two_limits_or_values_share_a_key() {
        let digest = named("a", &[b'x'; 65]);
        let digest = digest.split(['{', '}']).nth(1).and_then(|tag| tag.strip_prefix("a:")).unwrap();
        let cases: [(&str, &[u8]); 12] = [
            ("a", b""),
            ("a", b"b:c"),
            ("a:b", b"c"),
            ("a", b"}"),
            ("a", b"{"),
            ("a}", b""),
            ("a", b"\0"),
            ("a", b"\xff\xfe"),
            ("a", b"x y"),
            ("a", &[b'x'; 64]),
            ("a", &[b'x'; 65]),
            ("a", digest.as_bytes()),
        ];
        let keys = cases.map(|(name, value)| named(name, value));
        for key in &keys {
            let tag = key
                .strip_prefix("bartizan:limit:{")
                .and_then(|rest| rest.strip_suffix("}:bucket:60000"))
                .unwrap();
            assert!(!tag.contains(['{', '}', ' ']) && tag.len() <= 130 && tag.is_ascii(), "{key}");
        }
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len(), "{keys:#?}");
    }

    /// Pieces that a careless key would take for its own.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: [&str; 13] = [
            "",
            "a",
            "b",
            ":",
            "#",
            "{",
            "}",
            "{}",
            " ",
            "\n",
            "\0",
            "/",
            "bartizan:limit:{a:b}:bucket:60000",
        ];
        let piece = prop_oneof![
            8 => proptest::sample::select(PIECES.as_slice()).prop_map(|piece| piece.as_bytes().to_vec()),
            2 => any::<Vec<u8>>(),
            1 => (60..70_usize).prop_map(|length| vec![b'x'; length]),
            1 => Just(Sha256::digest(b"a").iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()),
        ];
        proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
    }

    fn name() -> impl Strategy<Value = String> {
        bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    proptest! {
        #[test]
        fn what_differs_has_another_key_and_every_key_is_plain(
            (one, other) in (name(), name()), (first, second) in (bytes(), bytes()),
        ) {
            let key = named(&one, &first);
            let tag = key.strip_prefix("bartizan:limit:{").and_then(|rest| rest.strip_suffix("}:bucket:60000"));
            let is_plain = |tag: &str| tag.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}".contains(&byte));
            prop_assert!(tag.is_some_and(|tag| is_plain(tag) && tag.len() <= 131), "{}", key);
            prop_assert_eq!(key == named(&other, &second), (&one, &first) == (&other, &second));
            prop_assert_eq!(key == named(&one, &second), first == second);
            prop_assert_eq!(key == named(&other, &first), one == other);
        }
    }
}
