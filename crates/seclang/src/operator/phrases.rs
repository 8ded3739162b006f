//! `pm` and `pmFromFile`: many phrases sought at once, without regard to case (Aho and Corasick, 1975).
//!
//! The bytes and escapes of `pm` are those of the reference manual: libmodsecurity counts only the digits A to F
//! and leaves surplus letters behind an escape.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{error::Problem, transformation::hex_byte};

/// The phrases, compiled.
#[derive(Debug)]
pub(super) struct Phrases {
    automaton: AhoCorasick,
    phrases: Box<[Box<[u8]>]>,
}

impl Phrases {
    /// Phrases between white space, `|41 42|` for bytes, and `\` before `:`, `;`, `"` and itself.
    pub(super) fn of_argument(argument: &str) -> Result<Self, Problem> {
        let argument = argument.trim();
        let argument = argument
            .strip_prefix('"')
            .and_then(|argument| argument.strip_suffix('"'))
            .unwrap_or(argument)
            .as_bytes();
        let interpreted = interpret(argument).unwrap_or_else(|| split(argument));
        Self::new(interpreted)
    }

    /// One phrase per line; lines that are empty or begin with `#` are comments.
    pub(super) fn of_files(files: &[impl AsRef<[u8]>]) -> Result<Self, Problem> {
        Self::new(files.iter().flat_map(|file| lines(file.as_ref())))
    }

    fn new(phrases: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Self, Problem> {
        let phrases: Box<[Box<[u8]>]> = phrases.into_iter().map(|phrase| phrase.as_ref().into()).collect();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&*phrases);
        let automaton = automaton
            .map_err(|_| Problem::TooMuch { what: "phrases of `@pm`", limit: u64::from(u32::MAX) / 2 })?;
        if automaton.patterns_len() == 0 {
            return Err(Problem::Missing { name: "@pm".to_owned(), expected: "at least one phrase" });
        }
        Ok(Self { automaton, phrases })
    }

    pub(super) fn phrases(&self) -> impl Iterator<Item = &[u8]> {
        self.phrases.iter().map(AsRef::as_ref)
    }

    /// The phrase that ends first.
    pub(super) fn find(&self, value: &[u8]) -> Option<Range<usize>> {
        self.automaton.find(value).map(|found| found.range())
    }
}

/// The lines of a data file that say something; what ends a line on Windows is not part of it.
pub(super) fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty() && !line.trim_ascii_start().starts_with(b"#"))
}

fn split(argument: &[u8]) -> Vec<Vec<u8>> {
    let words = argument.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect()
}

/// The phrases with bytes and escapes resolved, or nothing where an escape is none: then the text is taken as
/// it stands.
fn interpret(argument: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut phrases = Vec::new();
    let mut phrase = Vec::new();
    let mut rest = argument;
    loop {
        rest = match rest {
            [] => break,
            [b'|', after @ ..] => {
                let end = memchr::memchr(b'|', after).unwrap_or(after.len());
                let (digits, after) = after.split_at(end);
                let digits: Vec<u8> = digits.iter().copied().filter(u8::is_ascii_hexdigit).collect();
                phrase.extend(digits.chunks_exact(2).filter_map(hex_byte));
                after.get(1..).unwrap_or_default()
            }
            [b'\\', byte @ (b':' | b';' | b'\\' | b'"'), after @ ..] => {
                phrase.push(*byte);
                after
            }
            [b'\\', ..] => return None,
            [byte, after @ ..] if byte.is_ascii_whitespace() => {
                phrases.push(std::mem::take(&mut phrase));
                after
            }
            [byte, after @ ..] => {
                phrase.push(*byte);
                after
            }
        };
    }
    phrases.push(phrase);
    phrases.retain(|phrase| !phrase.is_empty());
    Some(phrases)
}
