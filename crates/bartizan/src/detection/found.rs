//! What a rule has found, as an event.

use std::{
    net::IpAddr,
    time::{Duration, UNIX_EPOCH},
};

use bartizan_detection::{Finding, Matched, Moment};
use bartizan_events::{Decision, Details, Event, FindingDetails, FoundField, Kind, Outcome, Severity};

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
    let Finding { rule, group, count, .. } = finding;
    let about = if group.is_empty() && *count <= 1 { About::event(last) } else { About::group(group) };
    let About { address, user, organization, route, key, session } = about;
    let details = Details {
        service: Some(last.service()),
        outcome: Some(Outcome::Success),
        tags: rule.tags.clone(),
        key,
        session,
        finding: Some(Box::new(details(finding))),
        ..Details::default()
    };
    let found =
        Event::new(Kind::DetectionMatched, moment(finding.last), Decision::Observed, message(finding));
    Event {
        severity: Severity::from_number(rule.severity.id()).unwrap_or(Severity::Medium),
        address,
        user,
        organization,
        route,
        // By it a person finds the trace of the last request.
        request: last.request.clone(),
        rules: vec![rule.id.clone()],
        details,
        ..found
    }
}

/// What a finding is about.
struct About {
    address: Option<IpAddr>,
    user: Option<String>,
    organization: Option<String>,
    route: Option<String>,
    key: Option<String>,
    session: Option<String>,
}

impl About {
    fn event(event: &Event) -> Self {
        Self {
            address: event.address,
            user: event.user.clone(),
            organization: event.organization.clone(),
            route: event.route.clone(),
            key: event.details.key.clone(),
            session: event.details.session.clone(),
        }
    }

    fn group(group: &[Matched]) -> Self {
        let held =
            |name: &str| group.iter().find(|field| field.field == name).map(|field| field.value.clone());
        let first_held = |names: &[&str]| names.iter().find_map(|name| held(name));
        Self {
            address: held(ADDRESS).and_then(|address| address.parse().ok()),
            user: first_held(&USERS),
            organization: first_held(&ORGANIZATIONS),
            route: held(ROUTE),
            key: held(KEY),
            session: held(SESSION),
        }
    }
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
