//! The rules that look at what happens.

use std::{num::NonZeroU32, path::PathBuf};

use bartizan_model::Line;

/// `detection:`: which rules look at events, and at how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// Whether the rules that come with the gateway do.
    pub starter: bool,
    /// Files of Sigma rules of the operator's own, with what they hold.
    pub files: Vec<DetectionFile>,
    /// Rules that are left out, by id, name or file of the starter pack, with the lines that say so.
    pub without: Vec<(String, Line)>,
    /// The offset of local time to UTC in minutes, for rules about hours and days of the week.
    pub utc_offset: i16,
    /// Of the requests that were served the rules look at most at so many a second.
    pub served: NonZeroU32,
}

/// A file of rules, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            starter: true,
            files: Vec::new(),
            without: Vec::new(),
            utc_offset: 0,
            // Zero is written nowhere here.
            served: NonZeroU32::new(1000).unwrap_or(NonZeroU32::MIN),
        }
    }
}
