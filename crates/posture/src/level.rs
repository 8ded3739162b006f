//! Levels of the threat, made of numbers without going to and fro between two.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use bartizan_events::Severity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Assessment, Moment, Reason};

/// How threatened the gateway is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ThreatLevel {
    /// 0 to 24: nothing that is not there every day.
    #[default]
    Normal,
    /// 25 to 49: somebody should know.
    Elevated,
    /// 50 to 74: somebody should look.
    High,
    /// 75 to 100: somebody should act now.
    Critical,
}

/// How threatened the gateway is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Threat {
    /// In a word. It rises at once, and falls when the number was five points below it for five minutes.
    pub level: ThreatLevel,
    /// As a number.
    #[schema(maximum = 100)]
    pub score: u8,
    /// Since when it has this level.
    pub since: Moment,
    /// What makes it, the most first.
    pub reasons: Vec<Reason>,
    /// Whether the number is held at 74 because one client alone could be the author of all that is counted.
    pub one_client: bool,
}

/// Makes levels of numbers.
#[derive(Debug, Clone)]
pub struct Meter {
    level: ThreatLevel,
    since: SystemTime,
    /// Since when the number is low enough to fall.
    low_since: Option<SystemTime>,
}

/// So far below a level the number must be for it to fall.
const GAP: u8 = 5;
/// For so long.
const CALM: Duration = Duration::from_mins(5);

impl ThreatLevel {
    /// The level that a number has by itself.
    pub const fn of(score: u8) -> Self {
        match score {
            0..25 => Self::Normal,
            25..50 => Self::Elevated,
            50..75 => Self::High,
            _ => Self::Critical,
        }
    }

    const fn floor(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Elevated => 25,
            Self::High => 50,
            Self::Critical => 75,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// How bad it is to be there.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Normal => Severity::Informational,
            Self::Elevated => Severity::Medium,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

impl fmt::Display for ThreatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Meter {
    /// Normal, since now.
    pub fn new(now: SystemTime) -> Self {
        Self { level: ThreatLevel::Normal, since: now, low_since: None }
    }

    /// Takes a number, and answers with the level before where it has changed.
    pub fn read(&mut self, score: u8, now: SystemTime) -> Option<ThreatLevel> {
        let own = ThreatLevel::of(score);
        if own < self.level && score.saturating_add(GAP) <= self.level.floor() {
            let low_since = *self.low_since.get_or_insert(now);
            if now.duration_since(low_since).unwrap_or_default() < CALM {
                return None;
            }
        } else {
            self.low_since = None;
            if own <= self.level {
                return None;
            }
        }
        self.low_since = None;
        self.since = now;
        Some(std::mem::replace(&mut self.level, own))
    }

    /// The threat that an assessment makes at this level.
    pub fn threat(&self, assessment: Assessment) -> Threat {
        let Assessment { score, reasons, is_one_client } = assessment;
        Threat { level: self.level, score, since: self.since.into(), reasons, one_client: is_one_client }
    }

    /// The level now.
    pub fn level(&self) -> ThreatLevel {
        self.level
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TURN: Duration = Duration::from_secs(5);

    #[test]
    fn it_rises_at_once_and_falls_when_it_is_calm() {
        let start = SystemTime::UNIX_EPOCH;
        let mut meter = Meter::new(start);
        assert_eq!(meter.read(24, start), None);
        assert_eq!(meter.read(60, start), Some(ThreatLevel::Normal));
        assert_eq!(meter.level(), ThreatLevel::High);
        assert_eq!(meter.read(46, start + CALM * 9), None, "not far enough below");
        assert_eq!(meter.read(45, start + CALM * 10), None, "not long enough");
        assert_eq!(meter.read(46, start + CALM * 10 + TURN), None, "it begins again");
        assert_eq!(meter.read(3, start + CALM * 11), None);
        assert_eq!(meter.read(0, start + CALM * 12), Some(ThreatLevel::High));
        assert_eq!(meter.level(), ThreatLevel::Normal);
        assert_eq!(
            meter.read(100, start),
            Some(ThreatLevel::Normal),
            "a clock that jumps back holds nothing up"
        );
    }

    proptest! {
        #[test]
        fn a_number_that_trembles_does_not_make_the_level_flap(
            around in prop::sample::select(vec![25_u8, 50, 75]),
            noise in prop::collection::vec(0..8_u8, 1..500),
        ) {
            let mut meter = Meter::new(SystemTime::UNIX_EPOCH);
            meter.read(around - 4, SystemTime::UNIX_EPOCH);
            let mut changes = 0;
            for (turn, tremble) in (1_u32..).zip(noise) {
                let score = around - 4 + tremble;
                changes += u32::from(meter.read(score, SystemTime::UNIX_EPOCH + TURN * turn).is_some());
            }
            prop_assert!(changes <= 1, "{changes}");
        }
    }
}
