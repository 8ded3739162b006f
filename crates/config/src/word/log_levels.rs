//! What is logged.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level, or levels by module. A filter without any level would read a misspelled one as the name of a module and
/// log nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevels(pub(crate) String);

impl Forms for LogLevels {
    const NAME: &'static str = "LogLevels";
    const EXPECTED: &'static str = "a log level such as `info`, or levels by module";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "`off`, `error`, `warn`, `info`, `debug` or `trace`; also by module (`module=level`), separated by commas.",
            "examples": ["info", "warn,bartizan_gateway=debug"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word.split(',').map(str::trim).find(|directive| !is_directive(directive)) {
            None => Ok(Self(word.into())),
            Some(_) => Err(format!(
                "`{word}` is not a log level: write `off`, `error`, `warn`, `info`, `debug` or `trace`, or \
                 `warn,bartizan_gateway=debug`"
            )),
        }
    }
}

fn is_directive(directive: &str) -> bool {
    let is_module = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
    };
    let (module, level) = directive.split_once('=').unwrap_or(("any", directive));
    is_module(module) && LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_would_silence_everything_is_refused() {
        for good in ["info", "WARN", "off", "warn,bartizan_gateway=debug", "h2::proto=trace, info"] {
            assert_eq!(LogLevels::word(good), Ok(LogLevels(good.into())));
        }
        for bad in
            ["verbose", "", "info,", "info,=,;", "=info", "bartizan=loud", "bartizan_gateway", "info warn"]
        {
            assert!(LogLevels::word(bad).is_err(), "{bad}");
        }
    }
}
