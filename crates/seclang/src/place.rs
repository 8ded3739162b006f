//! Where a directive stands: file and line, for messages and for whoever asks why a request was refused.

use std::{fmt, sync::Arc};

/// The first line of a directive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as it was named when it was loaded.
    pub file: Arc<str>,
    /// Counted from 1; 0 means the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.file),
            line => write!(formatter, "{}:{line}", self.file),
        }
    }
}
