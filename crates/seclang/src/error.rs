//! Why rules cannot be loaded: what, where, and what to do.
//!
//! Nothing in a rule file is skipped in silence. A firewall that drops the rules that it does not understand looks
//! exactly like one that works.

use std::{io, path::PathBuf};

use crate::Place;

/// The first problem found in the rules.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SeclangError {
    /// The directive's first line.
    pub place: Place,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A word that the language does not have, usually a typing error.
    #[error("unknown {what} `{name}`{}", hint(.nearest.unwrap_or_default()))]
    Unknown {
        /// What it should have been: `action`, `variable`.
        what: &'static str,
        /// The word.
        name: String,
        /// The word of the language that it resembles.
        nearest: Option<&'static str>,
    },
    /// A word that the language has and this engine has not.
    #[error("{what} `{name}` is not supported: {reason}")]
    Unsupported {
        /// `action`, `operator`.
        what: &'static str,
        /// The word.
        name: String,
        /// Why, and what to use instead.
        reason: &'static str,
    },
    /// Something must follow.
    #[error("`{name}` needs {expected}")]
    Missing {
        /// After what.
        name: String,
        /// What must follow.
        expected: &'static str,
    },
    /// Nothing may follow.
    #[error("unexpected `{text}` after {after}")]
    Unexpected {
        /// The surplus, shortened.
        text: String,
        /// What is already complete.
        after: &'static str,
    },
    /// A value that this setting, action or target cannot have.
    #[error("`{value}` is not a value of `{name}`: expected {expected}")]
    Invalid {
        /// Of what.
        name: String,
        /// The value, shortened.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The end of something quoted is missing.
    #[error("{what} is not closed: `{text}`")]
    Unclosed {
        /// A quotation, a macro, a pattern.
        what: &'static str,
        /// Its beginning.
        text: String,
    },
    /// Every rule has a number.
    #[error("a rule needs an `id`")]
    MissingId,
    /// Two rules have the same number, usually since a file is loaded twice.
    #[error("rule {id} exists already, at {first}")]
    DuplicateId {
        /// The number.
        id: u64,
        /// Where it was given first.
        first: Place,
    },
    /// `chain` says that a rule goes on, and the file does not.
    #[error("the chain needs another `SecRule` as the next directive")]
    ChainWithoutFollower,
    /// What only the first rule of a chain may say.
    #[error("`{action}` belongs to the first rule of a chain")]
    FirstLinkOnly {
        /// The action.
        action: &'static str,
    },
    /// `SecDefaultAction` was given twice for one phase.
    #[error("phase {phase} has default actions already, at {first}")]
    DuplicateDefaultAction {
        /// The phase.
        phase: &'static str,
        /// Where they were given first.
        first: Place,
    },
    /// A file that cannot be read.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A rule file with bytes that are not text.
    #[error("`{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// A pattern of `Include` that names no file.
    #[error("`{pattern}` names no file")]
    NoSuchFile {
        /// The pattern.
        pattern: String,
    },
    /// A file that includes itself, or others without end.
    #[error("`{}` is included {depth} levels deep: does a file include itself?", path.display())]
    IncludeDepth {
        /// The file.
        path: PathBuf,
        /// How deep.
        depth: usize,
    },
    /// More rules than any rule set has.
    #[error("{what} exceed their limit of {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
}

/// What the name was probably meant to be.
fn hint(nearest: &str) -> String {
    if nearest.is_empty() { String::new() } else { format!(", did you mean `{nearest}`?") }
}

impl Problem {
    /// This problem, in this place.
    pub(crate) fn at(self, place: &Place) -> SeclangError {
        SeclangError { place: place.clone(), problem: self }
    }

    /// A word that is none of `known`.
    pub(crate) fn unknown(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self::Unknown { what, name: shortened(name), nearest: nearest(name, known) }
    }

    /// A value of `name` that is not `expected`.
    pub(crate) fn invalid(name: &str, value: &str, expected: &'static str) -> Self {
        Self::Invalid { name: name.to_owned(), value: shortened(value), expected }
    }
}

/// The known word that resembles this one, if any does.
fn nearest(name: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &known.to_ascii_lowercase()), known))
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// What of a text goes into a message: not more than its first 80 characters, on one line.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
