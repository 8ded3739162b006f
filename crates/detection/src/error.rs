//! Why rules cannot be used: what, where, and what to do.

use std::{fmt, io, path::PathBuf};

/// Why rules, or their tests, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectionError {
    /// A file or folder that is not there, is not text, or may not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Rules that are not understood, all of them. Not one rule is used then.
    #[error("{}", Lines(.0))]
    Refused(Vec<Problem>),
    /// A file of test cases that is not understood.
    #[error("`{file}` is no file of cases: {reason}")]
    Cases {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
}

/// One rule that is not understood.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {}{reason}", rule.as_ref().map(|rule| format!("`{rule}`: ")).unwrap_or_default())]
pub struct Problem {
    /// The file's name, as it was given.
    pub file: String,
    /// The first line of the rule, or the line in it where that is known, from 1.
    pub line: usize,
    /// The rule's title, as far as it was read.
    pub rule: Option<String>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a rule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is no Sigma: no YAML, a member is missing or has another type, a condition does not parse.
    #[error("{0}")]
    Malformed(String),
    /// It is more than is read.
    #[error("{what} is more than {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// A member that every rule has here.
    #[error("a rule needs {0}")]
    Missing(&'static str),
    /// Two rules by one id or name. Usually a file that is read twice.
    #[error("`{0}` is the id or name of another rule, too")]
    Twice(String),
    /// Its log source is not one of a gateway: the rule is about something else.
    #[error(
        "its log source is not one of this gateway ({0}): only `product: bartizan` and `category: webserver` are"
    )]
    ForeignLogSource(String),
    /// A field that no event has, usually a typing error.
    #[error("no event has a field `{0}`")]
    UnknownField(String),
    /// A name that no event has.
    #[error("no event is called `{0}`")]
    UnknownEvent(String),
    /// A part of Sigma that is not done here.
    #[error("{what} is not supported: {instead}")]
    Unsupported {
        /// Which part.
        what: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// A correlation of a rule that is not there.
    #[error("`{0}` is no rule among these: name the file that has it, too")]
    UnknownRule(String),
    /// Correlations that wait for each other.
    #[error("it is one of the rules that it correlates, by way of others")]
    Cycle,
}

/// Problems, one a line.
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
