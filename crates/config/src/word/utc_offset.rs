//! The offset of local time to UTC.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

/// The most that any place on earth is away, in minutes.
const MOST: i16 = 14 * 60;

/// `+02:00`, `-03:30`, `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UtcOffset(i16);

impl UtcOffset {
    /// In minutes.
    pub(crate) fn minutes(self) -> i16 {
        self.0
    }

    fn parse(word: &str) -> Option<Self> {
        if word == "Z" {
            return Some(Self(0));
        }
        let (sign, rest) = match word.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let two = |digits: &str| {
            let is_two = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
            is_two.then(|| digits.parse::<i16>().ok()).flatten()
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes) = (two(hours)?, two(minutes).filter(|minutes| *minutes < 60)?);
        let offset = hours * 60 + minutes;
        (offset <= MOST).then_some(Self(sign * offset))
    }
}

impl Forms for UtcOffset {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "an offset to UTC, such as `+02:00`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(Z|[+-][0-9]{2}:[0-5][0-9])$" })
    }

    fn word(word: &str) -> Result<Self, String> {
        Self::parse(word).ok_or_else(|| format!("`{word}` is no offset to UTC: write for example `+02:00`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hours_and_minutes() {
        for (word, minutes) in [("Z", 0), ("+02:00", 120), ("-03:30", -210), ("+14:00", 840), ("-00:00", 0)] {
            assert_eq!(UtcOffset::word(word).map(UtcOffset::minutes), Ok(minutes), "{word}");
        }
        for word in [
            "",
            "+",
            "2",
            "+2:00",
            "+02:60",
            "+14:01",
            "+02",
            "02:00",
            "+0a:00",
            "+02:00:00",
            "Europe/Berlin",
        ] {
            assert!(UtcOffset::word(word).is_err(), "{word}");
        }
    }
}
