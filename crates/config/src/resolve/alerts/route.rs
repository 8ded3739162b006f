//! Who is told of what.

use std::{collections::HashSet, num::NonZeroU32, time::Duration};

use bartizan_model::Name;

use super::{Names, named, reach};
use crate::{
    AlertGrouping, AlertRoute, AlertSeverity, AlertTimes, Escalation, file,
    forms::{Forms, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    suggestion,
};

const WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_hours(1);
const REPEAT: Duration = Duration::from_hours(4);
const RESOLVE_AFTER: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);
const LIMIT: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
const LIMIT_WINDOW: Duration = Duration::from_hours(1);
const MOST_ESCALATIONS: usize = 16;
/// Of one condition of one route.
const MOST_VALUES: usize = 64;
const GROUP_BY: [AlertGrouping; 3] = [AlertGrouping::Kind, AlertGrouping::Rule, AlertGrouping::Address];
/// The types of events that alerts can be about: those of the room `events`, without its own.
const KINDS: &[&str] = &[
    "request_allowed",
    "request_refused",
    "request_challenged",
    "rate_limit_exceeded",
    "attack_detected",
    "upstream_failed",
    "permission_denied",
    "authentication_succeeded",
    "authentication_failed",
    "authentication_challenged",
    "credential_stuffing_detected",
    "session_started",
    "session_ended",
    "session_moved",
    "token_issued",
    "token_refused",
    "token_reused",
    "token_revoked",
    "key_used_first_from_address",
    "account_paused",
    "password_changed",
    "password_reset_requested",
    "factor_changed",
    "role_changed",
    "account_created",
    "account_changed",
    "account_deleted",
    "key_created",
    "key_rotated",
    "key_suspended",
    "key_changed",
    "key_revoked",
    "administrative_action",
    "configuration_changed",
    "configuration_refused",
    "detection_matched",
    "threat_level_changed",
    "weakness_found",
    "weakness_gone",
];

/// The routes; without any, everything high and critical for every channel.
pub(super) fn routes(
    file: &Optional<Vec<At<file::AlertRoute>>>,
    names: &Names,
    problems: &mut Problems<'_>,
) -> Vec<AlertRoute> {
    let Some(written) = file.as_ref() else {
        return Name::word("everything")
            .map(|name| everything(name, names.channels.clone()))
            .into_iter()
            .collect();
    };
    if written.value.is_empty() {
        problems
            .error(written.position, "`routes` is empty: nobody would be told")
            .help("leave it out, and everything high and critical goes to every channel");
    }
    let mut routes: Vec<(AlertRoute, Position)> = Vec::new();
    for (number, at) in (1..).zip(&written.value) {
        let Some(route) = route(number, at, names, problems) else { continue };
        if routes.iter().any(|(other, _)| other.name == route.name) {
            problems.error(at.position, format!("another route is named `{}`", route.name));
        }
        routes.push((route, at.position));
    }
    reach::check(&routes, problems);
    routes.into_iter().map(|(route, _)| route).collect()
}

fn everything(name: Name, to: Vec<Name>) -> AlertRoute {
    AlertRoute {
        name,
        severity: AlertSeverity::High,
        kinds: Vec::new(),
        rules: Vec::new(),
        paths: Vec::new(),
        organizations: Vec::new(),
        when: None,
        to,
        goes_on: false,
        group_by: GROUP_BY.to_vec(),
        wait: WAIT,
        repeat: REPEAT,
        limit: LIMIT,
        limit_window: LIMIT_WINDOW,
        resolve_after: RESOLVE_AFTER,
        escalate: Vec::new(),
    }
}

fn route(
    number: usize,
    at: &At<file::AlertRoute>,
    names: &Names,
    problems: &mut Problems<'_>,
) -> Option<AlertRoute> {
    let name = match problems.read_optional(&at.name) {
        Some(name) => name.value,
        None => Name::word(&format!("route-{number}")).ok()?,
    };
    let known = [names.channels.as_slice(), names.rotations.as_slice()];
    let kinds = kinds(&at.kinds, problems);
    let mut route = everything(name, named(&at.to, &known, "channel or rotation", problems));
    route.severity = at.severity.get().unwrap_or(AlertSeverity::High);
    route.kinds = kinds;
    route.rules = values("rules", &at.rules, problems);
    route.paths = values("paths", &at.paths, problems);
    route.organizations = values("organizations", &at.organizations, problems);
    route.when = at.when.as_ref().map(|when| times(when, problems));
    route.goes_on = problems.read_or(&at.goes_on, false);
    route.group_by = grouping(&at.group_by, problems);
    // No wait is one, too.
    route.wait = problems.read_or(&at.wait, WAIT);
    if let Some(wait) = at.wait.as_ref().filter(|_| route.wait > LONGEST_WAIT) {
        problems.error(wait.position, "`wait` is at most 1h");
    }
    route.repeat = from_a_minute("repeat", &at.repeat, REPEAT, problems);
    route.resolve_after = from_a_minute("resolve_after", &at.resolve_after, RESOLVE_AFTER, problems);
    if let Some(limit) = problems.read_optional(&at.limit) {
        if limit.value.burst.is_some() {
            problems.error(limit.position, "`limit` has no burst here").help("write for example `60/h`");
        }
        (route.limit, route.limit_window) = (limit.value.limit, limit.value.window);
    }
    route.escalate = escalations(&at.escalate, &known, problems);
    Some(route)
}

fn kinds(file: &Optional<Vec<At<Parsed<String>>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(at) = file.as_ref() else { return Vec::new() };
    for kind in problems.read_all(at) {
        if !KINDS.contains(&kind.as_str()) {
            let hint = suggestion::hint(&kind, KINDS.iter().copied());
            problems
                .error(kind.position, format!("there are no events of the type `{}`", kind.value))
                .hint(hint);
        }
    }
    values("kinds", file, problems)
}

/// The values of one condition. One that is written and empty would never hold.
fn values<T: Clone>(key: &str, file: &Optional<Vec<At<Parsed<T>>>>, problems: &mut Problems<'_>) -> Vec<T> {
    let Some(at) = file.as_ref() else { return Vec::new() };
    if at.is_empty() || at.len() > MOST_VALUES {
        problems
            .error(at.position, format!("`{key}` has 1 to {MOST_VALUES} values"))
            .hint(format!("leave `{key}` out where everything is meant"));
    }
    problems.read_all(at).into_iter().map(|value| value.value).collect()
}

fn grouping(file: &Optional<Vec<At<AlertGrouping>>>, problems: &mut Problems<'_>) -> Vec<AlertGrouping> {
    let Some(at) = file.as_ref() else { return GROUP_BY.to_vec() };
    let mut seen = HashSet::new();
    for by in at.iter().filter(|by| !seen.insert(by.value)) {
        problems.error(by.position, format!("`{}` is listed twice", by.value.as_str()));
    }
    at.iter().map(|by| by.value).collect()
}

fn from_a_minute(
    key: &str,
    file: &Optional<Parsed<Duration>>,
    default: Duration,
    problems: &mut Problems<'_>,
) -> Duration {
    let duration = problems.duration(key, file, default);
    if let Some(at) = file.as_ref().filter(|_| duration < MINUTE) {
        problems.error(at.position, format!("`{key}` is a minute or more"));
    }
    duration
}

fn times(at: &At<file::AlertTimes>, problems: &mut Problems<'_>) -> AlertTimes {
    let minute = |time: &At<crate::word::TimeOfDay>| time.value.0;
    AlertTimes {
        days: at.days.as_ref().map_or_else(Vec::new, |days| days.iter().map(|day| day.value).collect()),
        from: problems.read_optional(&at.from).as_ref().map_or(0, minute),
        until: problems.read_optional(&at.until).as_ref().map_or(24 * 60, minute),
        utc_offset: problems.read_optional(&at.utc_offset).map_or(0, |offset| offset.value.minutes()),
    }
}

fn escalations(
    file: &Optional<Vec<At<file::Escalation>>>,
    known: &[&[Name]],
    problems: &mut Problems<'_>,
) -> Vec<Escalation> {
    let mut steps: Vec<Escalation> = Vec::new();
    for at in file.iter().flat_map(|escalate| &escalate.value) {
        let to = named(&at.to, known, "channel or rotation", problems);
        if to.is_empty() && at.to.is_valid() {
            problems.error(at.to.position, "this step tells nobody");
        }
        let Some(after) = problems.read(&at.after) else { continue };
        if steps.last().is_some_and(|before| before.after >= after) {
            problems
                .error(at.after.position, "this step is not after the one before it")
                .help("`after` counts from the first notification");
        }
        steps.push(Escalation { after, to });
    }
    if let Some(at) = file.as_ref().filter(|_| steps.len() > MOST_ESCALATIONS) {
        problems.error(at.position, format!("there are more than {MOST_ESCALATIONS} steps"));
    }
    steps
}
