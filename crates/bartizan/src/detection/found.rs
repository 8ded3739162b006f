//! What a rule has found, as an event.

use std::time::{Duration, UNIX_EPOCH};

use bartizan_detection::{Finding, Matched, Moment};
use bartizan_events::{Decision, Event, FindingDetails, FoundField, Kind, Outcome, Severity};

/// The fields that say what a finding is about, in groups of correlations and in the last event of the others.
const ADDRESS: &str = "src_endpoint.ip";
const USERS: [&str; 2] = ["user.uid", "actor.user.uid"];
const ORGANIZATIONS: [&str; 3] = ["bartizan.organization", "user.org.uid", "actor.user.org.uid"];
const ROUTE: &str = "bartizan.route";
const KEY: &str = "bartizan.key";
const SESSION: &str = "session.uid";

/// The event of a finding; `last` is the one that made the rule hold.
///
/// A correlation is about what its group has in common, and nothing else: the last of many addresses is not the one that
/// did it.
pub(super) fn event(finding: &Finding, last: &Event) -> Event {
    let Finding { rule, group, .. } = finding;
    let is_single = group.is_empty() && finding.count <= 1;
    let held = |name: &str| group.iter().find(|field| field.field == name).map(|field| field.value.clone());
    let first_held = |names: &[&str]| names.iter().find_map(|name| held(name));
    let mut event =
        Event::new(Kind::DetectionMatched, moment(finding.last), Decision::Observed, message(finding));
    event.severity = Severity::from_number(rule.severity.id()).unwrap_or(Severity::Medium);
    event.address = held(ADDRESS).and_then(|address| address.parse().ok());
    event.user = first_held(&USERS);
    event.organization = first_held(&ORGANIZATIONS);
    event.route = held(ROUTE);
    event.details.key = held(KEY);
    event.details.session = held(SESSION);
    if is_single {
        event.address = last.address;
        event.user = last.user.clone();
        event.organization = last.organization.clone();
        event.route = last.route.clone();
        event.details.key = last.details.key.clone();
        event.details.session = last.details.session.clone();
    }
    // By it a person finds the trace of the last request.
    event.request = last.request.clone();
    event.rules = vec![rule.id.clone()];
    event.details.service = Some(last.service());
    event.details.outcome = Some(Outcome::Success);
    event.details.tags = rule.tags.clone();
    event.details.finding = Some(Box::new(details(finding)));
    event
}

fn details(finding: &Finding) -> FindingDetails {
    let Finding { rule, matched, group, count, first, last, events } = finding;
    let field = |field: &Matched| FoundField { name: field.field.clone(), value: field.value.clone() };
    FindingDetails {
        title: rule.title.clone(),
        description: rule.description.clone(),
        author: rule.author.clone(),
        techniques: rule.techniques().collect(),
        count: *count,
        first: first.0,
        last: last.0,
        events: events.iter().map(ToString::to_string).collect(),
        fields: if group.is_empty() { matched } else { group }.iter().map(field).collect(),
    }
}

/// `Many failed logins (user.uid ada, 20 times)`.
fn message(finding: &Finding) -> String {
    let of = |field: &Matched| format!("{} {}", field.field, field.value);
    let mut about: Vec<_> = finding.group.iter().map(of).collect();
    if finding.count > 1 {
        about.push(format!("{} times", finding.count));
    }
    let title = &finding.rule.title;
    if about.is_empty() { title.clone() } else { format!("{title} ({})", about.join(", ")) }
}

fn moment(moment: Moment) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(moment.0).unwrap_or(0))
}
