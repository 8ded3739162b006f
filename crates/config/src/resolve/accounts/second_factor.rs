//! `accounts.second_factor:`.

use std::time::Duration;

use secrecy::ExposeSecret;

use crate::{SecondFactor, file, located::Optional, problems::Problems, resolve::rotated};

const GRACE: Duration = Duration::from_hours(30 * 24);
/// Whoever may change what others may do.
const ADMINISTRATORS: [&str; 2] = ["super_admin", "org_admin"];
const ISSUER: &str = "Bartizan";
const LONGEST_ISSUER: usize = 64;
/// In bytes: as long as what is derived from it.
const LEAST_KEY: usize = 32;

pub(super) fn second_factor(
    file: &Optional<file::SecondFactor>,
    problems: &mut Problems<'_>,
) -> SecondFactor {
    let default = file::SecondFactor::default();
    let file = file.as_ref().map_or(&default, |at| &at.value);
    let roles = match file.roles.as_ref() {
        Some(at) => problems.read_all(&at.value).into_iter().map(|role| role.value).collect(),
        None => ADMINISTRATORS.iter().filter_map(|role| role.parse().ok()).collect(),
    };
    let issuer = problems.read_optional(&file.issuer);
    if let Some(at) = issuer
        .as_ref()
        .filter(|at| at.contains(':') || at.chars().count() > LONGEST_ISSUER || at.contains(char::is_control))
    {
        problems.error(at.position, "`issuer` is 1 to 64 characters without a colon");
    }
    let keys = file.key.as_ref().map(|at| rotated::secrets(at, problems)).unwrap_or_default();
    for at in keys.iter().filter(|at| at.0.expose_secret().len() < LEAST_KEY) {
        problems
            .error(at.position, "`key` is shorter than 32 bytes")
            .help("make one with `openssl rand -base64 32`, and take it from the environment");
    }
    let mut keys = keys.into_iter().map(|key| key.value.0);
    SecondFactor {
        roles,
        // No grace is a choice, too.
        grace: problems.read_or(&file.grace, GRACE),
        issuer: issuer.map_or_else(|| ISSUER.into(), |at| at.value),
        key: keys.next(),
        earlier_keys: keys.collect(),
    }
}
