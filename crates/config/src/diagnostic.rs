//! What is wrong with a document, and where: one [`Diagnostic`] per problem, rendered like a compiler's.
//!
//! A diagnostic never holds a secret: the document's values of `secret:` keys and the credentials of URLs are
//! masked in snippets, and whatever came from the environment is shown as the `${NAME}` that asked for it.

use std::fmt;

/// One problem of a document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// Whether it keeps the document from being used.
    pub severity: Severity,
    /// The document's name as the user gave it (`bartizan.yaml`).
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line of the document with a caret under the place; empty where there is nothing to show.
    pub snippet: String,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is used, but says something that is probably not meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, file, line, column, message, hint, snippet } = self;
        write!(f, "{file}:{line}:{column}: {severity}: {message}")?;
        if !snippet.is_empty() {
            write!(f, "\n{snippet}")?;
        }
        if let Some(hint) = hint {
            write!(f, "\nhelp: {hint}")?;
        }
        Ok(())
    }
}
