//! Exit codes, and errors as a person reads them.
//!
//! 0 is success, 1 a failure, 2 a command or a configuration that is not valid. `clap` ends with 2 by itself.

use std::process::ExitCode;

use bartizan_config::ConfigError;

use crate::{
    document,
    output::{BAD, complain, styled},
};

/// A command that cannot mean anything as it was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

const FAILED: u8 = 1;
const INVALID: u8 = 2;

/// Shows `error` and returns the code to end with.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let prefix = styled(BAD.bold(), "error:");
    if let Some(ConfigError::Invalid(diagnostics)) = error.downcast_ref() {
        complain(document::render(diagnostics));
        complain(format_args!("{prefix} the configuration is not valid: {}", document::count(diagnostics)));
    } else {
        complain(format_args!("{prefix} {}", causes(error)));
    }
    ExitCode::from(code(error))
}

/// The error and its causes; a cause that the error above it quotes already is left out.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn code(error: &anyhow::Error) -> u8 {
    let invalid = match error.downcast_ref() {
        Some(ConfigError::Invalid(_) | ConfigError::Target { .. }) => true,
        Some(ConfigError::Read { .. }) => false,
        None => error.downcast_ref::<Misuse>().is_some(),
    };
    if invalid { INVALID } else { FAILED }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let unreadable = ConfigError::Read { path: "x".into(), error: std::io::ErrorKind::NotFound.into() };
        assert_eq!(causes(&unreadable.into()), "cannot read `x`: entity not found");
        let outer = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::NotFound)).context("outer");
        assert_eq!(causes(&outer), "outer: entity not found");
    }

    #[test]
    fn invalid_input_is_told_from_a_failure() {
        let target = || ConfigError::Target { target: "x".into(), reason: "y".into() };
        let unreadable =
            || ConfigError::Read { path: "x".into(), error: std::io::ErrorKind::NotFound.into() };
        let cases: [(anyhow::Error, u8); 6] = [
            (ConfigError::Invalid(Vec::new()).into(), 2),
            (target().into(), 2),
            (anyhow::Error::from(target()).context("outer"), 2),
            (Misuse("x".into()).into(), 2),
            (unreadable().into(), 1),
            (Err::<(), _>(std::fmt::Error).context("x").unwrap_err(), 1),
        ];
        for (error, expected) in cases {
            assert_eq!(code(&error), expected, "{error:#}");
        }
    }
}
