//! The words and phrases that mean something to SQL, and the fingerprints of attacks.
//!
//! The table is that of `libinjectionrs`; it is arranged once so that looking up a word needs no copy of it.

use std::{ops::Range, sync::LazyLock};

use libinjectionrs::sqli::sqli_data::SQL_KEYWORDS;

use super::token::{Kind, LONGEST};

/// The kind of an entry of the table that is no word but a fingerprint.
const FINGERPRINT: u8 = b'F';

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);

struct Vocabulary {
    words: Words,
    /// Phrases of several words.
    phrases: Words,
    /// In order.
    fingerprints: Vec<u64>,
}

/// What a word, an operator or a phrase means.
pub(super) fn meaning(word: &[u8]) -> Option<Kind> {
    let vocabulary = &*VOCABULARY;
    let is_known = |entry: &&Entry| entry.word.eq_ignore_ascii_case(word);
    let known = |words: &Words| words.like(word, word.len()).iter().find(is_known).map(|entry| entry.kind);
    known(&vocabulary.words).or_else(|| known(&vocabulary.phrases))
}

/// The phrase that two words are together, and what it means.
pub(super) fn phrase(one: &[u8], other: &[u8]) -> Option<(&'static [u8], Kind)> {
    let candidates = VOCABULARY.phrases.like(one, one.len() + 1 + other.len());
    let is_phrase = |entry: &&Entry| {
        entry.word.split_at_checked(one.len()).is_some_and(|(start, end)| {
            start.eq_ignore_ascii_case(one)
                && end
                    .split_first()
                    .is_some_and(|(space, end)| *space == b' ' && end.eq_ignore_ascii_case(other))
        })
    };
    candidates.iter().find(is_phrase).map(|entry| (entry.word, entry.kind))
}

/// Whether attacks are known that have this fingerprint.
pub(super) fn is_fingerprint(kinds: &[u8]) -> bool {
    VOCABULARY.fingerprints.binary_search(&number(kinds)).is_ok()
}

/// The table has fingerprints in capital letters.
fn number(fingerprint: &[u8]) -> u64 {
    fingerprint.iter().fold(0, |number, kind| number << 8 | u64::from(kind.to_ascii_uppercase()))
}

impl Vocabulary {
    fn new() -> Self {
        let (fingerprints, words): (Vec<_>, Vec<_>) =
            SQL_KEYWORDS.iter().partition(|entry| entry.token_type == FINGERPRINT);
        let words = words.into_iter().filter_map(|known| {
            Kind::of_letter(known.token_type).map(|kind| Entry { word: known.word.as_bytes(), kind })
        });
        let (phrases, words) = words.partition(|entry| entry.word.contains(&b' '));
        // Each begins with a digit, which is the version of the notation.
        let mut fingerprints: Vec<_> =
            fingerprints.iter().filter_map(|known| known.word.as_bytes().get(1..)).map(number).collect();
        fingerprints.sort_unstable();
        Self { words: Words::new(words), phrases: Words::new(phrases), fingerprints }
    }
}

#[derive(Clone, Copy)]
struct Entry {
    /// In capital letters.
    word: &'static [u8],
    kind: Kind,
}

/// Words by their length and first byte.
struct Words {
    entries: Vec<Entry>,
    /// Where in `entries` the words of a length begin that begin with a byte.
    places: Vec<Range<u16>>,
}

impl Words {
    fn new(mut entries: Vec<Entry>) -> Self {
        let place_of = |entry: &Entry| place(entry.word, entry.word.len()).unwrap_or(0);
        entries.sort_unstable_by_key(place_of);
        let mut places = vec![0..0; (LONGEST + 1) * FIRST_BYTES];
        for (at, entry) in (0..).zip(&entries) {
            let range = &mut places[place_of(entry)];
            let start = if range.start == range.end { at } else { range.start };
            *range = start..at + 1;
        }
        Self { entries, places }
    }

    /// The words of a length that begin as a text does.
    #[inline]
    fn like(&self, text: &[u8], length: usize) -> &[Entry] {
        let range = place(text, length).and_then(|place| self.places.get(place)).cloned().unwrap_or_default();
        self.entries.get(usize::from(range.start)..usize::from(range.end)).unwrap_or_default()
    }
}

/// First bytes that are told apart: words begin with ASCII.
const FIRST_BYTES: usize = 128;

#[inline]
fn place(text: &[u8], length: usize) -> Option<usize> {
    let first = usize::from(text.first()?.to_ascii_uppercase());
    (first < FIRST_BYTES && length <= LONGEST).then_some(length * FIRST_BYTES + first)
}
