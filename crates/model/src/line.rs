use std::fmt;

/// A line of the configuration file, counted from 1. `Line::NONE` stands for a built-in default.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Line(u32);

impl Line {
    /// No line: the value is a default that the file does not mention.
    pub const NONE: Self = Self(0);

    /// The line with this number, counted from 1.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number, or `None` for a built-in default.
    pub const fn number(self) -> Option<u32> {
        if self.0 == 0 { None } else { Some(self.0) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "line {number}"),
            None => f.write_str("built-in default"),
        }
    }
}
