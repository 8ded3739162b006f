//! Durations and sizes in bytes: a whole number and its unit. And counts, which have none.

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::Quota;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

/// The longest duration: beyond a year somebody has mistaken the unit.
const LONGEST: u64 = 366 * 24 * 60 * 60 * 1000;

impl Forms for Duration {
    const NAME: &'static str = "Duration";
    const EXPECTED: &'static str = "a duration such as `500ms`, `10s`, `5min`, `1h` or `30d`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([0-9]+(ms|s|m|min|h|d)|\$\{.*\})$",
            "description": "A whole number and a unit: `ms`, `s`, `min` (or `m`), `h`, `d`. At most a year.",
            "examples": ["500ms", "10s", "5min", "1h", "30d"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{word}` is not a duration: write for example `500ms`, `10s`, `5min`, `1h` or `30d`");
        let (number, unit) = split(word).ok_or_else(refuse)?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            _ => return Err(refuse()),
        };
        match number.checked_mul(milliseconds) {
            Some(total) if total <= LONGEST => Ok(Self::from_millis(total)),
            _ => Err(format!("`{word}` is longer than a year")),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl Forms for ByteSize {
    const NAME: &'static str = "ByteSize";
    const EXPECTED: &'static str = "a size such as `512`, `64KiB` or `10MB`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^([0-9]+(B|kB|KB|KiB|MB|MiB|GB|GiB)?|\$\{.*\})$",
            "minimum": 0,
            "description": "Bytes, or a whole number and a unit: `KiB`, `MiB`, `GiB` (powers of 1024), `kB`, `MB`, `GB` (powers of 1000).",
            "examples": [512, "64KiB", "10MB"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse = || format!("`{word}` is not a size: write for example `512`, `64KiB` or `10MB`");
        let (number, unit) = split(word).ok_or_else(refuse)?;
        let bytes: u64 = match unit {
            "" | "B" => 1,
            "kB" | "KB" => 1000,
            "KiB" => 1024,
            "MB" => 1000 * 1000,
            "MiB" => 1024 * 1024,
            "GB" => 1000 * 1000 * 1000,
            "GiB" => 1024 * 1024 * 1024,
            _ => return Err(refuse()),
        };
        number
            .checked_mul(bytes)
            .map(Self)
            .ok_or_else(|| format!("`{word}` is more bytes than can be counted"))
    }
}

/// A number of units or requests.
impl Forms for NonZeroU32 {
    const NAME: &'static str = "Count";
    const EXPECTED: &'static str = "a whole number from 1";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "pattern": r"^([0-9]+|\$\{.*\})$",
            "minimum": 1,
            "maximum": Quota::LARGEST,
            "description": "A whole number from 1 to 100000000.",
            "examples": [20],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse().ok().filter(|number: &Self| digits && number.get() <= Quota::LARGEST);
        number
            .ok_or_else(|| format!("`{word}` is no count: write a whole number from 1 to {}", Quota::LARGEST))
    }
}

/// A number and what follows it.
fn split(word: &str) -> Option<(u64, &str)> {
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(end);
    Some((number.parse().ok()?, unit.trim_start_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let cases = [
            ("500ms", 500),
            ("10s", 10_000),
            ("5min", 300_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("30d", 2_592_000_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(Duration::word(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "10", "s", "-1s", "1.5s", "10 sec", "400d", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(Duration::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_tell_1000_from_1024() {
        let cases = [
            ("512", 512),
            ("64KiB", 65_536),
            ("64 KiB", 65_536),
            ("10MB", 10_000_000),
            ("1GiB", 1 << 30),
            ("0", 0),
        ];
        for (text, bytes) in cases {
            assert_eq!(ByteSize::word(text), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "K", "64K", "64kib", "-1", "1.5MB", "18446744073709551615KiB"] {
            assert!(ByteSize::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_whole_and_greater_than_zero() {
        for (text, count) in [("1", 1), ("007", 7), ("100000000", 100_000_000)] {
            assert_eq!(NonZeroU32::word(text).map(NonZeroU32::get), Ok(count), "{text}");
        }
        for text in ["", "0", "-1", "+1", "1.5", "1k", "100000001", "99999999999999999999", "ten"] {
            assert!(NonZeroU32::word(text).is_err(), "{text}");
        }
    }
}
