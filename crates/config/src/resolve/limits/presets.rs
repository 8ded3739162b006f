//! The built-in policies: they exist by name without being written in the document.
//!
//! Where nobody is authenticated, those who count by user and organisation have nobody to count; what counts by
//! address always does.

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::{Algorithm, Line, ModelError, Name, Quota};

use super::rules;
use crate::{
    Amount,
    Dimension::{self, Address, Organization, User},
    Enforcement, LimitPolicy, LimitRule, PathPattern,
};

const MINUTE: Duration = Duration::from_mins(1);
const FIVE_MINUTES: Duration = Duration::from_mins(5);
const QUARTER: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);

/// By whom is counted, how much, and in what time.
type Figures = (Dimension, u32, Duration);

const PRESETS: [(&str, &[Figures]); 13] = [
    ("voice", &[(Address, 100, MINUTE), (User, 1_000, HOUR), (Organization, 10_000, HOUR)]),
    ("analytics", &[(Address, 50, MINUTE), (User, 500, HOUR), (Organization, 5_000, HOUR)]),
    ("public", &[(Address, 10, MINUTE), (User, 100, HOUR)]),
    ("admin", &[(Address, 100, HOUR)]),
    ("qr", &[(Address, 50, HOUR)]),
    ("chat", &[(Address, 20, MINUTE)]),
    ("api", &[(Address, 1_000, HOUR)]),
    ("generic", &[(Address, 1_000, HOUR)]),
    ("default", &[(Address, 100, MINUTE)]),
    // Of the endpoints of accounts. A service that asks about every request, or for many people, is behind one address.
    ("account", &[(Address, 3_000, MINUTE)]),
    ("token", &[(Address, 3_000, MINUTE)]),
    ("introspection", &[(Address, 6_000, MINUTE)]),
    ("metadata", &[(Address, 6_000, MINUTE)]),
];

/// By address and in sliding windows. Where somebody might guess or fill disks a bucket would not do: it admits all of it
/// at once and nearly as much again in its first window. Others hold bursts and sustained use apart, in a minute and in a
/// longer window.
const WINDOWED: [(&str, &[Figures]); 8] = [
    ("auth", &[(Address, 10, FIVE_MINUTES)]),
    ("upload", &[(Address, 5, FIVE_MINUTES)]),
    ("strict", &[(Address, 10, HOUR)]),
    ("login", &[(Address, 5, MINUTE), (Address, 20, QUARTER)]),
    ("refresh", &[(Address, 10, MINUTE), (Address, 60, HOUR)]),
    ("static", &[(Address, 200, MINUTE), (Address, 5_000, HOUR)]),
    ("api-burst", &[(Address, 60, MINUTE), (Address, 1_000, HOUR)]),
    ("admin-burst", &[(Address, 10, MINUTE), (Address, 100, HOUR)]),
];

/// Probes and scrapes, which no policy counts that does not say what it skips.
const SKIPPED: [&str; 2] = ["/health", "/metrics"];

/// The names of the built-in policies.
pub(crate) fn names<'a>() -> impl Iterator<Item = &'a str> + Clone {
    PRESETS.iter().chain(&WINDOWED).map(|(name, _)| *name)
}

/// The built-in policy with this name.
pub(crate) fn policy(name: &Name) -> Option<LimitPolicy> {
    let of = |presets: &[(&str, &'static [Figures])]| {
        presets.iter().find(|(known, _)| *known == name.as_str()).map(|(_, figures)| *figures)
    };
    let bucket = |units, window| Quota::token_bucket(units, window, units);
    let window = |units, window| Quota::window(Algorithm::SlidingWindow, units, window);
    // What could not be made would leave a limit out: then there is no such policy.
    let rules: Option<Vec<_>> = match of(&PRESETS) {
        Some(figures) => figures.iter().map(|figures| rule(figures, bucket)).collect(),
        None => of(&WINDOWED)?.iter().map(|figures| rule(figures, window)).collect(),
    };
    let (rules, allow) = (rules?, Vec::new());
    Some(LimitPolicy { name: name.clone(), line: Line::NONE, skip: skipped(&rules), rules, allow })
}

/// What a policy with these rules skips when it does not say: probes and scrapes, unless a rule is about them.
pub(super) fn skipped(rules: &[LimitRule]) -> Vec<PathPattern> {
    let is_counted = |path: &str| {
        let mut named = rules.iter().flat_map(|rule| &rule.on);
        named.any(|operation| operation.path.as_str() == path)
    };
    let skipped = SKIPPED.into_iter().filter(|path| !is_counted(path));
    skipped.filter_map(|path| path.parse().ok()).collect()
}

fn rule(
    (dimension, units, window): &Figures,
    quota: impl Fn(NonZeroU32, Duration) -> Result<Quota, ModelError>,
) -> Option<LimitRule> {
    let units = NonZeroU32::new(*units)?;
    let (per, amount) = (vec![dimension.clone()], Amount::Rate(quota(units, *window).ok()?));
    Some(LimitRule {
        name: rules::described(&per, amount).parse().ok()?,
        line: Line::NONE,
        per,
        amount,
        enforcement: Enforcement::Enforce,
        enabled: true,
        priority: 0,
        on: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_policy_that_limits_everybody() {
        for (name, figures) in PRESETS.into_iter().chain(WINDOWED) {
            let policy = policy(&name.parse().unwrap()).unwrap();
            assert_eq!(policy.rules.len(), figures.len(), "{name}");
            assert!(policy.rules.iter().any(|rule| !rule.needs_identity()), "{name}");
        }
    }

    #[test]
    fn the_schema_explains_every_preset() {
        let schema = crate::schema();
        let text = schema["properties"]["limits"]["description"].as_str().unwrap();
        for (name, figures) in PRESETS.into_iter().chain(WINDOWED) {
            let (_, explained) = text.split_once(&format!("`{name}` (")).unwrap_or_else(|| panic!("{name}"));
            let (explained, _) = explained.split_once(')').unwrap();
            let units: Vec<u32> = explained
                .split("; ")
                .map(|figure| figure.split_once(' ').map_or(figure, |(units, _)| units).parse().unwrap())
                .collect();
            assert_eq!(units, figures.iter().map(|(_, units, _)| *units).collect::<Vec<_>>(), "{name}");
        }
    }
}
