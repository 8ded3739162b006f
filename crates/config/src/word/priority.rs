//! Priorities: which of several rules applies.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

/// `-3`, `10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Priority(pub(crate) i32);

impl Forms for Priority {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a whole number";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "pattern": r"^(-?[0-9]+|\$\{.*\})$",
            "minimum": i32::MIN,
            "maximum": i32::MAX,
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse = |_| format!("a priority is a whole number from {} to {}", i32::MIN, i32::MAX);
        word.parse().map(Self).map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_whole_and_may_be_negative() {
        for (text, number) in [("0", 0), ("-3", -3), ("2147483647", i32::MAX), ("-2147483648", i32::MIN)] {
            assert_eq!(Priority::word(text), Ok(Priority(number)), "{text}");
        }
        for text in ["", "-", "1.5", "2147483648", "high", " 1", "0x10"] {
            assert!(Priority::word(text).is_err(), "{text}");
        }
    }
}
