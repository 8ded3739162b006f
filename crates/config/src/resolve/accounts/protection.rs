//! `accounts.protection:`.

use std::time::Duration;

use crate::{LoginProtection, file, forms::Parsed, located::Optional, problems::Problems};

const FAILURES: u8 = 5;
const MOST_FAILURES: u8 = 100;
const WINDOW: Duration = Duration::from_mins(15);
const PAUSE: Duration = Duration::from_mins(30);
const RESETS: (usize, Duration) = (3, Duration::from_hours(1));
const MOST_RESETS: usize = 100;
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24);

pub(super) fn protection(file: &Optional<file::Protection>, problems: &mut Problems<'_>) -> LoginProtection {
    let default = file::Protection::default();
    let file = file.as_ref().map_or(&default, |at| &at.value);
    let failures = problems.read_optional(&file.failures).map_or(FAILURES, |at| {
        let failures = u8::try_from(at.value.get()).ok().filter(|failures| *failures <= MOST_FAILURES);
        if failures.is_none() {
            problems
                .error(at.position, format!("`failures` is 1 to {MOST_FAILURES}"))
                .help("NIST SP 800-63B-4 (section 3.2.2) allows no more than 100 failures of one account");
        }
        failures.unwrap_or(FAILURES)
    });
    let (resets, resets_window) = problems.read_optional(&file.resets).map_or(RESETS, |at| {
        let resets = usize::try_from(at.value.limit.get()).unwrap_or(usize::MAX);
        if resets > MOST_RESETS || !(SHORTEST..=LONGEST).contains(&at.value.window) {
            problems.error(at.position, format!("`resets` is up to {MOST_RESETS} in 1min to 1d"));
        }
        (resets, at.value.window)
    });
    LoginProtection {
        failures,
        window: bounded("window", &file.window, WINDOW, problems),
        pause: bounded("pause", &file.pause, PAUSE, problems),
        resets,
        resets_window,
    }
}

fn bounded(
    key: &str,
    file: &Optional<Parsed<Duration>>,
    default: Duration,
    problems: &mut Problems<'_>,
) -> Duration {
    let Some(at) = problems.read_optional(file) else { return default };
    if !(SHORTEST..=LONGEST).contains(&at.value) {
        problems.error(at.position, format!("`{key}` is 1min to 1d"));
    }
    at.value
}
