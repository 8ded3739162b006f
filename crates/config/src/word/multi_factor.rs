//! Whether more than one factor is required.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{MultiFactor, forms::Forms};

impl Forms for MultiFactor {
    const NAME: &'static str = "MultiFactor";
    const EXPECTED: &'static str = "`off`, `required` or `within 15m`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(off|required|within [0-9]+(ms|s|m|min|h|d)|\$\{.*\})$",
            "description": "`off`: one factor is enough. `required`: more than one. `within 15m`: more than one, and not longer ago than that.",
            "examples": ["required", "within 15m"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "off" => Ok(Self::Off),
            "required" => Ok(Self::Required),
            word => {
                let refuse =
                    || format!("`{word}` is not known here: write `off`, `required` or `within 15m`");
                let duration = word.strip_prefix("within ").ok_or_else(refuse)?;
                let duration = Duration::word(duration.trim()).map_err(|_| refuse())?;
                if duration < Duration::from_secs(1) {
                    return Err("nobody is that quick: write at least `within 1s`".into());
                }
                Ok(Self::Within(duration))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_asked_for_in_three_ways() {
        let quarter = Duration::from_mins(15);
        assert_eq!(MultiFactor::word("off"), Ok(MultiFactor::Off));
        assert_eq!(MultiFactor::word("required"), Ok(MultiFactor::Required));
        assert_eq!(MultiFactor::word("within 15m"), Ok(MultiFactor::Within(quarter)));
        for wrong in ["", "on", "true", "within", "within ", "within 15", "within 0s", "15m"] {
            assert!(MultiFactor::word(wrong).is_err(), "{wrong}");
        }
    }
}
