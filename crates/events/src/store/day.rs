//! A day, by UTC, and the name of its file.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Event, id::DAY};

/// A day, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) u64);

const EXTENSION: &str = ".sqlite";

impl Day {
    pub(crate) fn of(moment: SystemTime) -> Self {
        let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_milliseconds(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) const fn of_event(event: &Event) -> Self {
        Self(event.id.day())
    }

    pub(crate) const fn of_milliseconds(milliseconds: u64) -> Self {
        Self(milliseconds / DAY)
    }

    /// Its first millisecond.
    pub(crate) const fn start(self) -> u64 {
        self.0 * DAY
    }

    pub(crate) fn path(self, directory: &Path) -> PathBuf {
        directory.join(format!("{self}{EXTENSION}"))
    }

    /// The day of a file with this name; `None`: it is another file.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        Self::named(name.strip_suffix(EXTENSION)?)
    }

    /// The day that is written so.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(str::parse::<u64>);
        let mut part = || parts.next()?.ok();
        let day = Self::from_date(part()?, part()?, part()?)?;
        // Only what this writes: neither `2026-02-31` nor `2026-2-3`.
        (day.to_string() == text).then_some(day)
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": `days_from_civil`, for years from 1970 on.
    fn from_date(year: u64, month: u64, day: u64) -> Option<Self> {
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let year = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        days.checked_sub(719_468).map(Self)
    }

    /// The same the other way: `civil_from_days`.
    const fn date(self) -> (u64, u64, u64) {
        let days = self.0 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_its_name() {
        for (day, name) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22"), (2_932_896, "9999-12-31")]
        {
            assert_eq!(Day(day).to_string(), name);
        }
        let names: Vec<_> = (0..40_000).map(|day| format!("{}.sqlite", Day(day))).collect();
        for (day, name) in (0..).zip(&names) {
            assert_eq!(Day::of_file(name), Some(Day(day)));
        }
        assert!(names.is_sorted());
    }

    #[test]
    fn other_files_are_none() {
        for name in [
            "",
            "x.sqlite",
            "2026-02-31.sqlite",
            "2026-2-3.sqlite",
            "2026-11-22.sqlite-wal",
            "2026-11-22",
            "+2026-11-22.sqlite",
        ] {
            assert_eq!(Day::of_file(name), None, "{name}");
        }
    }
}
