//! How bad it is, in the numbers of OCSF (`severity_id`).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to worry about.
    Informational = 1,
    /// Of interest when there is more of it.
    Low = 2,
    /// Somebody should know. From here on nothing is dropped while there is any place for it.
    Medium = 3,
    /// Somebody should look soon.
    High = 4,
    /// Somebody should look now.
    Critical = 5,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Its number in OCSF.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The severity with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.number() == number)
    }

    /// Whether it may be dropped under pressure.
    pub const fn is_expendable(self) -> bool {
        self.number() <= Self::Low.number()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join("`, `");
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no severity: write one of `{}`", known()))
    }
}
