//! Values that cannot be SQL, told by their words: most values, at a fraction of the cost of tokenising them.
//!
//! libinjection knows an injection by the kinds of its tokens. None of its fingerprints is made of plain words, numbers
//! and simple operators only, so a value without quotation marks, comments and brackets, in which no word means more
//! to SQL than a name, is none. A test asks every fingerprint.

use std::{collections::HashSet, sync::LazyLock};

use libinjectionrs::sqli::sqli_data::SQL_KEYWORDS;

/// What tokens may be without making an injection: bare words, operators, numbers.
const HARMLESS: &[u8] = b"no1";

/// The kind of an entry of the table that is no word but a fingerprint.
const FINGERPRINT: u8 = b'F';

/// Longer values are rarely plain, and need not be told quickly.
const LONGEST: usize = 4096;

/// Words that mean something to SQL, in capital letters.
static WORDS: LazyLock<Words> = LazyLock::new(Words::new);

struct Words {
    words: HashSet<&'static [u8]>,
    /// For each first letter, the lengths of its words, one bit each.
    lengths: [u32; 26],
}

/// Whether a value is surely no SQL injection.
pub(super) fn are_harmless(value: &[u8]) -> bool {
    value.len() <= LONGEST
        && value.iter().all(|byte| is_plain(*byte))
        && !value.windows(2).any(|pair| matches!(pair, b"--" | b"/*" | b"&&"))
        && value.split(|byte| !is_part_of_word(*byte)).all(|word| WORDS.mean_nothing(word))
}

/// Bytes that are part of words, or become operators and separators.
fn is_plain(byte: u8) -> bool {
    is_part_of_word(byte)
        || matches!(byte, b' ' | b'.' | b',' | b':' | b'/' | b'=' | b'?' | b'+' | b'&' | b'-')
}

fn is_part_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Words {
    fn new() -> Self {
        let entries = SQL_KEYWORDS.iter().filter(|entry| entry.token_type != FINGERPRINT);
        let telling = entries.filter(|entry| !HARMLESS.contains(&entry.token_type));
        // Of several words that mean something together, the longest one is enough to be careful.
        let word = |phrase: &'static str| phrase.split(' ').max_by_key(|word| word.len()).unwrap_or(phrase);
        let words: HashSet<&[u8]> = telling.map(|entry| word(entry.word).as_bytes()).collect();
        let mut lengths = [0; 26];
        for word in &words {
            if let [first @ b'A'..=b'Z', ..] = *word {
                lengths[usize::from(first - b'A')] |= length_bit(word);
            }
        }
        Self { words, lengths }
    }

    fn mean_nothing(&self, word: &[u8]) -> bool {
        match word {
            [] => true,
            [b'0'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            [first, ..] if first.is_ascii_alphabetic() => {
                let lengths = self.lengths[usize::from(first.to_ascii_uppercase() - b'A')];
                lengths & length_bit(word) == 0 || !self.words.contains(word.to_ascii_uppercase().as_slice())
            }
            _ => !self.words.contains(word.to_ascii_uppercase().as_slice()),
        }
    }
}

/// Words of 31 bytes and more are taken together.
fn length_bit(word: &[u8]) -> u32 {
    1 << word.len().min(31)
}

#[cfg(test)]
mod tests {
    use libinjectionrs::sqli::blacklist::is_blacklisted;
    use proptest::prelude::*;

    use super::*;
    use crate::operator::injection::detect_sql;

    #[test]
    fn no_fingerprint_is_made_of_harmless_tokens() {
        let tokens = ['n', '1', 'o', '.', ',', ':', '?'];
        let mut all = vec![String::new()];
        for _ in 0..5 {
            all = all.iter().flat_map(|start| tokens.map(|token| format!("{start}{token}"))).collect();
            assert!(all.iter().all(|fingerprint| !is_blacklisted(fingerprint)));
        }
    }

    #[test]
    fn ordinary_values_are_told_at_once_and_attacks_are_not() {
        for value in
            ["", "42", "red shoes", "abcdef0123456789", "https://www.example.com/a?b=c", "2026-11-21"]
        {
            assert!(are_harmless(value.as_bytes()), "{value}");
        }
        for value in ["1 or 1=1", "union select 1", "a'b", "1--", "/*", "1;drop", "a&&b", "sleep(1)", "1or 1"]
        {
            assert!(!are_harmless(value.as_bytes()), "{value}");
        }
    }

    fn words() -> impl Strategy<Value = String> {
        let keywords: Vec<&str> = SQL_KEYWORDS
            .iter()
            .filter(|entry| entry.token_type != FINGERPRINT)
            .map(|entry| entry.word)
            .collect();
        prop_oneof![
            4 => prop::sample::select(vec!["a", "x", "n", "the", "shoes", "foo_bar", "value", "e", "q", "u", "b", "next", "12"]),
            4 => prop::sample::select(keywords.clone()),
            1 => prop::sample::select(vec!["1e5", "0x1f", "1.5", "1a", "0b1", ".5", "1."]),
        ]
        .prop_map(str::to_ascii_lowercase)
    }

    proptest! {
        #[test]
        fn what_is_harmless_is_not_detected(
            parts in prop::collection::vec((words(), prop::sample::select(vec![" ", "", ".", ",", ":", "/", "=", "?", "+", "&", "-", " - ", "="])), 1..9),
        ) {
            let value: String = parts.iter().flat_map(|(word, mark)| [word.as_str(), mark]).collect();
            if are_harmless(value.as_bytes()) {
                prop_assert_eq!(detect_sql(value.as_bytes()), None, "{}", value);
            }
        }
    }
}
