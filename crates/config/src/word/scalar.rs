//! Numbers and switches. They are words, not YAML's own numbers and booleans, so that `${NAME}` may stand for them.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

macro_rules! whole_numbers {
    ($($number:ident),*) => {$(
        impl Forms for $number {
            const NAME: &'static str = "";
            const EXPECTED: &'static str = "a whole number";

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["integer", "string"],
                    "pattern": r"^([0-9]+|\$\{.*\})$",
                    "minimum": 0,
                    "maximum": $number::MAX,
                })
            }

            fn word(word: &str) -> Result<Self, String> {
                if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("expected a whole number".into());
                }
                word.parse().map_err(|_| format!("`{word}` is more than {}", $number::MAX))
            }
        }
    )*};
}

whole_numbers!(u32, u64);

impl Forms for bool {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`true` or `false`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"], "pattern": r"^(true|false|\$\{.*\})$" })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "true" | "True" | "TRUE" => Ok(true),
            "false" | "False" | "FALSE" => Ok(false),
            _ => Err("expected `true` or `false`".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_switches_are_read_plainly() {
        assert_eq!(u32::word("4294967295"), Ok(u32::MAX));
        assert_eq!(u64::word("007"), Ok(7));
        for bad in ["", "-1", "1.5", "0x10", "1_000", "+1", " 1", "many"] {
            assert!(u32::word(bad).unwrap_err().contains("whole number"), "{bad}");
        }
        assert!(u32::word("4294967296").unwrap_err().contains("more than 4294967295"));
        assert_eq!((bool::word("true"), bool::word("False")), (Ok(true), Ok(false)));
        for bad in ["", "yes", "on", "1", "tRue"] {
            assert!(bool::word(bad).is_err(), "{bad}");
        }
    }
}
