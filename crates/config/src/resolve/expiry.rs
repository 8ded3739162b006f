//! `expires` of exceptions: the day on which they end.

use std::time::{Duration, SystemTime};

use crate::{forms::Parsed, located::Optional, problems::Problems};

/// How long before its end an exception is warned about.
const SOON: Duration = Duration::from_hours(14 * 24);

/// The day on which `what` ends, after which `then` holds. Warns when it has come, or comes soon.
pub(super) fn read(
    file: &Optional<Parsed<SystemTime>>,
    what: &str,
    then: &str,
    today: SystemTime,
    problems: &mut Problems<'_>,
) -> Option<SystemTime> {
    let expires = problems.read_optional(file)?;
    if expires.value <= today {
        problems
            .warning(expires.position, format!("this {what} has expired: {then}"))
            .help("remove it, or give it another day");
    } else if expires.value <= today + SOON {
        problems
            .warning(expires.position, format!("this {what} expires within two weeks"))
            .help("remove what it was for, or give it another day");
    }
    Some(expires.value)
}
