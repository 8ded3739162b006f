//! Alerts as events, their links, and the notification that only tries a channel.

use std::time::SystemTime;

use bartizan_events::{Decision, Event, EventId, FindingDetails, FoundField, Kind, Outcome, Severity};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::{
    Alert, By, Moment, Notice, Reason, State,
    allowance::HeldBack,
    tally::{Example, Tally},
};

/// What has become of an alert, as an event of the class Incident Finding.
pub(crate) fn event(kind: Kind, alert: &Alert) -> Event {
    let example = &alert.tally.example;
    let what = match kind {
        Kind::AlertEscalated => "is escalated",
        Kind::AlertAcknowledged => "is acknowledged",
        Kind::AlertResolved => "is resolved",
        _ => "is raised",
    };
    let message = format!("an alert {what}: {}", example.title);
    let mut event = Event::new(kind, SystemTime::now(), Decision::Observed, message);
    event.severity = alert.severity();
    let common = |by: &str| {
        let common = alert.group.iter().find(|common| common.by == by);
        common.and_then(|common| common.value.clone())
    };
    event.address = common("address").and_then(|address| address.parse().ok());
    event.organization = common("organization");
    event.route = common("route");
    event.request = alert.tally.requests.last().cloned();
    event.rules = example.rule.iter().cloned().collect();
    event.user = alert.by.as_ref().map(|by| by.who.clone());
    event.details.explanation = alert.by.as_ref().and_then(|by| by.note.clone());
    event.details.outcome = Some(Outcome::Success);
    event.details.reason = Some(format!("alert.{}", kind.as_str().trim_start_matches("alert_")));
    event.details.subject = Some(alert.id.clone());
    let fields = alert
        .group
        .iter()
        .filter_map(|common| Some(FoundField { name: common.by.clone(), value: common.value.clone()? }));
    event.details.finding = Some(Box::new(FindingDetails {
        title: example.title.clone(),
        description: Some(example.message.clone()),
        author: example.author.clone(),
        techniques: Vec::new(),
        count: alert.tally.count,
        first: alert.tally.first.0,
        last: alert.tally.last.0,
        events: alert.tally.events.clone(),
        fields: fields.collect(),
    }));
    event
}

/// The page of a request.
pub(crate) fn link(link: &str, request: &str) -> String {
    link.replace("{request}", &utf8_percent_encode(request, NON_ALPHANUMERIC).to_string())
}

/// What is sent to try a channel.
pub(crate) fn test_notice(who: &str, now: Moment) -> Notice {
    let example = Example {
        title: "A test of this channel".into(),
        message: "somebody tries whether alerts arrive here: nothing has happened".into(),
        kind: Kind::AdministrativeAction,
        rule: None,
        author: None,
        address: None,
        user: None,
        organization: None,
        route: None,
    };
    let tally = Tally {
        count: 1,
        first: now,
        last: now,
        severity: Severity::Informational,
        events: vec![EventId::at(now.into()).to_string()],
        requests: Vec::new(),
        done: std::collections::BTreeMap::new(),
        example,
    };
    let alert = Alert {
        id: Uuid::now_v7().to_string(),
        route: "test".into(),
        group: Vec::new(),
        tally,
        state: State::Open,
        raised: now,
        touched: now,
        by: Some(By { who: who.to_owned(), note: None }),
        notified: None,
        escalates_from: None,
        escalations: 0,
        told: std::collections::BTreeSet::new(),
        held: None,
    };
    let id = Uuid::now_v7().to_string();
    Notice { id, reason: Reason::Test, alert, held: HeldBack::default(), link: None, made: now }
}
