//! Moments, times of the day, texts of headers and secrets of any length, as `alerts` writes them.

use std::time::SystemTime;

use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{alerts::is_header_value, forms::Forms};

/// A moment (RFC 3339), not before 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl Forms for Moment {
    const NAME: &'static str = "Moment";
    const EXPECTED: &'static str = "a moment such as `2026-01-05T09:00:00+01:00`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "A moment with its offset to UTC (RFC 3339).",
            "examples": ["2026-01-05T09:00:00+01:00"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let moment = OffsetDateTime::parse(word, &Rfc3339).ok().filter(|moment| moment.unix_timestamp() >= 0);
        let refuse = || format!("`{word}` is no moment: write for example `2026-01-05T09:00:00+01:00`");
        moment.map(|moment| Self(moment.into())).ok_or_else(refuse)
    }
}

/// A time of the day, in minutes: `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOfDay(pub(crate) u16);

impl Forms for TimeOfDay {
    const NAME: &'static str = "TimeOfDay";
    const EXPECTED: &'static str = "a time of the day such as `08:30`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
            "description": "Hours and minutes, in quotes.",
            "examples": ["08:30"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let two = |digits: &str| {
            let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            is_two.then(|| digits.parse::<u16>().ok()).flatten()
        };
        let parts = word.split_once(':').and_then(|(hours, minutes)| Some((two(hours)?, two(minutes)?)));
        let minutes = parts.filter(|(_, minutes)| *minutes < 60).map(|(hours, minutes)| hours * 60 + minutes);
        let refuse = || format!("`{word}` is no time of the day: write for example `08:30`");
        minutes.filter(|minutes| *minutes <= 24 * 60).map(Self).ok_or_else(refuse)
    }
}

/// The value of a header, where placeholders may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderText(pub(crate) String);

impl Forms for HeaderText {
    const NAME: &'static str = "HeaderText";
    const EXPECTED: &'static str = "the value of a header";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "The value of a header.", "examples": ["Bearer {secret}"] })
    }

    fn word(word: &str) -> Result<Self, String> {
        if is_header_value(word) { Ok(Self(word.into())) } else { Err("this is no value of a header".into()) }
    }
}

/// A secret that somebody else has made.
#[derive(Clone)]
pub(crate) struct SecretText(pub(crate) SecretString);

impl Forms for SecretText {
    const NAME: &'static str = "SecretText";
    const EXPECTED: &'static str = "a secret";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 4,
            "description": "A secret. Take it from the environment: `${SLACK_WEBHOOK}`.",
            "examples": ["${SLACK_WEBHOOK}"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word.trim().is_empty() { Err("this secret is empty".into()) } else { Ok(Self(word.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day_are_hours_and_minutes() {
        for (word, minutes) in [("00:00", 0), ("08:30", 510), ("24:00", 1440)] {
            assert_eq!(TimeOfDay::word(word), Ok(TimeOfDay(minutes)), "{word}");
        }
        for word in ["", "8:30", "24:01", "12:60", "1a:00", "12:00:00"] {
            assert!(TimeOfDay::word(word).is_err(), "{word}");
        }
    }

    #[test]
    fn moments_name_their_offset() {
        assert!(Moment::word("2026-01-05T09:00:00+01:00").is_ok());
        for word in ["2026-01-05", "2026-01-05T09:00:00", "1969-12-31T23:59:59Z"] {
            assert!(Moment::word(word).is_err(), "{word}");
        }
    }
}
