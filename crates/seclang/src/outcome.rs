//! What came of an exchange: which rules matched, on what, and whether it was refused.

use crate::ast::{Phase, Severity};

/// The end of an exchange by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Which rule; none when a body was above its limit.
    pub rule: Option<u64>,
    /// What the client is answered.
    pub status: u16,
    /// How.
    pub action: Disruption,
}

/// How an exchange ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disruption {
    /// With an answer that refuses.
    Deny,
    /// Without an answer.
    Drop,
    /// Elsewhere.
    Redirect(String),
}

/// A rule that matched and is to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMatch {
    /// Its number.
    pub rule: u64,
    /// When it ran.
    pub phase: Phase,
    /// `msg`, with its macros filled in.
    pub message: String,
    /// `logdata`, with its macros filled in: it may hold what the client sent, secrets too.
    pub log_data: String,
    /// `severity`
    pub severity: Option<Severity>,
    /// `tag`, with macros filled in.
    pub tags: Vec<String>,
    /// What matched the last link, [`Self::MOST_MATCHED`] at most.
    pub matched: Vec<Matched>,
}

impl RuleMatch {
    /// Most values that are kept of one match.
    pub const MOST_MATCHED: usize = 16;

    /// The memory that it takes besides itself.
    pub(crate) fn held_bytes(&self) -> usize {
        let texts =
            |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.capacity()).sum::<usize>();
        let of_match = |one: &Matched| size_of::<Matched>() + one.variable.capacity() + one.value.capacity();
        self.message.capacity()
            + self.log_data.capacity()
            + texts(&self.tags)
            + self.matched.iter().map(of_match).sum::<usize>()
    }
}

/// A value that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Where it stood, as in `ARGS:id`, [`Self::LONGEST`] bytes of its name at most.
    pub variable: String,
    /// After transformations, [`Self::LONGEST`] bytes at most.
    pub value: Vec<u8>,
}

impl Matched {
    /// Most bytes that are kept of a name, and of a value.
    pub const LONGEST: usize = 256;
}
