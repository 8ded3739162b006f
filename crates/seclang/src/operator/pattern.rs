//! `rx` and `rxGlobal`: regular expressions, compiled to automata that take linear time.
//!
//! The reference compiles with PCRE's options for dots that match line ends and for `^` and `$` that match at
//! every line, on bytes. So does this, with the pattern rewritten from PCRE's syntax first. What would need
//! backtracking (looking around, back-references, possessive quantifiers) is refused.

mod class;
mod escape;
mod rewrite;

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::{ParserBuilder, hir::Look};

use crate::error::{Problem, shortened};

use super::{Captured, Match};

/// Most bytes of memory that one compiled pattern may take.
const LARGEST: usize = 16 << 20;

/// `TX:0` to `TX:9`.
const CAPTURES: usize = 10;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    /// Whether every match begins with `^`. PCRE does not let that match behind a line end which ends the value.
    begins_lines: bool,
}

impl Pattern {
    /// Compiles a pattern of PCRE.
    pub fn compile(pattern: &str) -> Result<Self, Problem> {
        Self::compile_within(pattern, LARGEST)
    }

    /// The same, within this many bytes of memory.
    pub(super) fn compile_within(pattern: &str, largest: usize) -> Result<Self, Problem> {
        let regex = compile(pattern, false, largest)?;
        let begins_lines = begins_lines(regex.as_str());
        Ok(Self { regex, begins_lines })
    }

    /// The pattern in the syntax of the `regex` crate, to be read with `(?-u)` and the flags `s` and `m`.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// The leftmost match.
    pub fn find(&self, value: &[u8]) -> Option<Range<usize>> {
        self.find_from(value, 0)
    }

    /// The leftmost match that begins at `from` or later, with what stands before still in sight.
    pub(super) fn find_from(&self, value: &[u8], from: usize) -> Option<Range<usize>> {
        if from > value.len() {
            return None;
        }
        self.regex
            .find_at(value, from)
            .map(|found| found.range())
            .filter(|found| self.may_begin(found.start, value))
    }

    /// Whether it matches anywhere: that is known sooner than where.
    ///
    /// The crate's own `is_match` would do, were it not for patterns that it begins to look for in their middle: once that
    /// threatens to take quadratic time, it goes on with its slowest engine, and this with an automaton.
    pub(super) fn is_match(&self, value: &[u8]) -> bool {
        let is_match = self.regex.shortest_match(value).is_some();
        // Where a line end ends the value, `may_begin` has a say.
        if is_match && self.begins_lines && value.ends_with(b"\n") {
            return self.find(value).is_some();
        }
        is_match
    }

    fn may_begin(&self, start: usize, value: &[u8]) -> bool {
        !self.begins_lines || start == 0 || start < value.len()
    }

    pub(super) fn captures(&self, value: &[u8]) -> Option<Match> {
        let mut found = Match::at(self.find(value)?);
        found.captured = if self.regex.captures_len() == 1 {
            vec![Captured::Part(found.range.clone())]
        } else {
            let captures = self.regex.captures(value)?;
            groups(&captures).take(CAPTURES).collect()
        };
        Some(found)
    }

    /// Whether every match has all groups.
    pub(super) fn captures_all_groups(&self) -> bool {
        self.regex.static_captures_len() == Some(self.regex.captures_len())
    }

    /// The first match, with the groups of all of them numbered on.
    pub(super) fn captures_everywhere(&self, value: &[u8]) -> Option<Match> {
        let mut found = Match::at(self.find(value)?);
        let all = self.regex.captures_iter(value).take(CAPTURES);
        found.captured =
            all.flat_map(|captures| groups(&captures).collect::<Vec<_>>()).take(CAPTURES).collect();
        Some(found)
    }
}

/// The pattern of a selector, `ARGS:/^user_/`: it does not regard case.
pub(crate) fn selector_pattern(pattern: &str) -> Result<Regex, Problem> {
    compile(pattern, true, LARGEST)
}

fn compile(pattern: &str, ignores_case: bool, largest: usize) -> Result<Regex, Problem> {
    let rewritten = rewrite::from_pcre(pattern).map_err(|reason| Problem::Unsupported {
        what: "pattern",
        name: shortened(pattern),
        reason,
    })?;
    let regex = RegexBuilder::new(&rewritten)
        .unicode(false)
        .case_insensitive(ignores_case)
        .dot_matches_new_line(true)
        .multi_line(true)
        .size_limit(largest)
        .build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => Problem::TooMuch {
            what: "the bytes of a compiled pattern",
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
        },
        _ => Problem::invalid("rx", pattern, "a regular expression of PCRE"),
    })
}

/// Whether `^` is what every match begins with.
fn begins_lines(pattern: &str) -> bool {
    let parser = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .multi_line(true)
        .dot_matches_new_line(true)
        .build()
        .parse(pattern);
    parser.is_ok_and(|parsed| parsed.properties().look_set_prefix().contains(Look::StartLF))
}

fn groups(captures: &regex::bytes::Captures<'_>) -> impl Iterator<Item = Captured> {
    captures.iter().map(|group| group.map_or(Captured::Nothing, |group| Captured::Part(group.range())))
}
