//! Rates: so many units in so long a window.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use bartizan_model::{ModelError, Quota};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

/// `100/min`, or with what may come at once `100/min burst 20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At most [`Quota::LARGEST`].
    pub(crate) limit: NonZeroU32,
    /// Between [`Quota::SHORTEST_WINDOW`] and [`Quota::LONGEST_WINDOW`].
    pub(crate) window: Duration,
    /// Where it is written behind the rate; at most [`Quota::LARGEST`].
    pub(crate) burst: Option<NonZeroU32>,
}

impl Forms for Rate {
    const NAME: &'static str = "Rate";
    const EXPECTED: &'static str = "a rate such as `10/s`, `20/15min` or `100/min burst 20`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([1-9][0-9]*/([1-9][0-9]*)?(ms|s|m|min|h|d)( burst [1-9][0-9]*)?|\$\{.*\}.*)$",
            "description": "So many units in so long a window: a whole number, `/`, and a duration, where 1 may be left out. A window is 100ms to 31d long. `burst` and a number behind it say the same as the key `burst`.",
            "examples": ["10/s", "100/min", "20/15min", "1000/h", "100/min burst 20"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let Some((rate, burst)) = word.split_once(" burst ") else { return Self::plain(word) };
        let burst = NonZeroU32::word(burst.trim_start()).map_err(|error| format!("`{word}`: {error}"))?;
        Ok(Self { burst: Some(burst), ..Self::plain(rate.trim_end())? })
    }
}

impl Rate {
    /// As a token bucket, which holds what a window admits where no burst is written.
    pub fn token_bucket(&self) -> Result<Quota, ModelError> {
        Quota::token_bucket(self.limit, self.window, self.burst.unwrap_or(self.limit))
    }

    /// A rate alone.
    fn plain(word: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{word}` is not a rate: write for example `10/s`, `100/min`, `20/15min` or `1000/h`");
        let (number, window) = word.split_once('/').ok_or_else(refuse)?;
        let (number, window) = (number.trim_end(), window.trim_start());
        let (count, unit) = window.split_at(window.find(is_no_digit).unwrap_or(window.len()));
        if number.is_empty() || number.contains(is_no_digit) || Duration::word(&format!("1{unit}")).is_err() {
            return Err(refuse());
        }
        if [number, count].iter().any(|digits| digits.len() > 1 && digits.starts_with('0')) {
            return Err(format!("`{word}`: a number begins with a zero: write it without"));
        }
        let count = if count.is_empty() { "1" } else { count };
        let window = Duration::word(&format!("{count}{unit}"))
            .ok()
            .filter(|window| *window <= Quota::LONGEST_WINDOW)
            .ok_or_else(|| format!("`{word}`: a window is at most 31 days long"))?;
        if window < Quota::SHORTEST_WINDOW {
            return Err(format!("`{word}`: a window is at least 100 ms long"));
        }
        match number.parse::<u32>() {
            Ok(number) if number <= Quota::LARGEST => match NonZeroU32::new(number) {
                Some(limit) => Ok(Self { limit, window, burst: None }),
                None => Err(format!("`{word}` admits nothing: write a number of at least 1")),
            },
            _ => Err(format!("`{word}`: a rate is at most {} in its window", Quota::LARGEST)),
        }
    }
}

/// A text that is no rate, and what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        Self::word(text.trim()).map_err(RateError)
    }
}

impl fmt::Display for Rate {
    /// As a document would write it, in the largest unit without a remainder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.window.as_millis();
        let units = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)];
        let (unit, count) = units
            .into_iter()
            .find(|(_, length)| milliseconds.is_multiple_of(*length))
            .map_or(("ms", milliseconds), |(unit, length)| (unit, milliseconds / length));
        write!(f, "{}/", self.limit)?;
        // `/ms` alone would be shorter than a window may be.
        if count != 1 {
            write!(f, "{count}")?;
        }
        f.write_str(unit)?;
        self.burst.map_or(Ok(()), |burst| write!(f, " burst {burst}"))
    }
}

fn is_no_digit(character: char) -> bool {
    !character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_number_in_a_window() {
        let cases = [
            ("10/s", 10, 1_000),
            ("100/min", 100, 60_000),
            ("100/m", 100, 60_000),
            ("20/15min", 20, 900_000),
            ("1000 / h", 1000, 3_600_000),
            ("1/d", 1, 86_400_000),
            ("1/31d", 1, 2_678_400_000),
            ("5/100ms", 5, 100),
            ("100000000/s", 100_000_000, 1_000),
        ];
        for (text, limit, milliseconds) in cases {
            let rate = Rate::word(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (rate.limit.get(), rate.window, rate.burst),
                (limit, Duration::from_millis(milliseconds), None),
                "{text}"
            );
        }
        for text in ["10/min burst 5", "10 / min  burst  5"] {
            let rate = Rate::word(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let expected = (10, Duration::from_mins(1), NonZeroU32::new(5));
            assert_eq!((rate.limit.get(), rate.window, rate.burst), expected, "{text}");
        }
        for (written, shown) in [
            ("60 / 60s", "60/min"),
            ("20/15min", "20/15min"),
            ("5/90s burst  7", "5/90s burst 7"),
            ("1/24h", "1/d"),
            ("7/1500ms", "7/1500ms"),
        ] {
            let rate: Rate = written.parse().unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse(), Ok(rate));
        }
        let refused = [
            "",
            "/",
            "10",
            "10/",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "10/0s",
            "10/99ms",
            "1/ms",
            "1/32d",
            "10/week",
            "10/-1s",
            "10/s/s",
            "10 per s",
            "100000001/s",
            "99999999999999999999/s",
            "1/99999999999999999999s",
            "ten/s",
            "010/s",
            "10/015min",
            "10/9999999999999999min",
            "10/min burst",
            "10/min burst 0",
            "10/min burst -1",
            "10/min burst five",
            "10/min burst 5 burst 5",
            "10/min, burst 5",
            "burst 5",
            " burst 5",
        ];
        for text in refused {
            assert!(Rate::word(text).is_err(), "{text}");
        }
    }
}
