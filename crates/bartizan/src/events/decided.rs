//! What was decided about a request, as an event.

use std::sync::Arc;

use bartizan_events::{
    ActorKind, Credential, Decision, Event, EventId, Happening, HttpDetails, Kind, Outcome, Severity,
};
use bartizan_identity::Identified;
use bartizan_model::PrincipalKind;
use bartizan_pipeline::{
    Code, Inspected, Judged, Record, Stage,
    firewall::{masked_address, masked_query},
};
use http::Version;

/// A record that will be an event. Made of it off the road.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    kind: Kind,
    /// The same wherever the event is made.
    id: EventId,
    record: Arc<Record>,
}

impl Decided {
    /// It happened when it was decided: so whoever follows sees events in the order of their ids, however long a service
    /// behind took.
    pub(super) fn new(kind: Kind, record: &Arc<Record>) -> Self {
        let decided = record.arrived.checked_add(record.took).unwrap_or(record.arrived);
        Self { kind, id: EventId::at(decided), record: Arc::clone(record) }
    }
}

/// What a record holds beside its texts and what rules have said: what limits and policies have. Roughly.
const RECORD: usize = 2048;

impl Happening for Decided {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn severity(&self) -> Severity {
        severity(self.kind)
    }

    fn weight(&self) -> usize {
        let asked = &self.record.asked;
        let texts = [&self.record.path, &asked.query, &asked.host, &asked.user_agent, &asked.referrer];
        let steps = self.record.trace.steps();
        RECORD
            + texts.into_iter().map(|text| text.len()).sum::<usize>()
            + steps.iter().map(|step| size_of_val(step) + step.reason.as_str().len()).sum::<usize>()
            + self.record.inspected.as_ref().map_or(0, |inspected| inspected.size())
    }

    fn into_event(self: Box<Self>) -> Event {
        event(self.kind, self.id, &self.record)
    }
}

/// What kind of event a record is.
pub(super) fn kind(record: &Record) -> Kind {
    match record.code {
        None if is_objected_to(record) => Kind::AttackDetected,
        None => Kind::RequestAllowed,
        Some(Code::WafRefused | Code::WafResponseRefused) => Kind::AttackDetected,
        Some(Code::RateLimitExceeded) => Kind::RateLimitExceeded,
        Some(Code::InvalidAuthenticationToken) => Kind::AuthenticationFailed,
        Some(Code::PermissionDenied) => Kind::PermissionDenied,
        Some(Code::MfaRequired | Code::InsufficientUserAuthentication) => Kind::RequestChallenged,
        Some(Code::UpstreamUnavailable | Code::UpstreamFailed | Code::UpstreamTimeout) => {
            Kind::UpstreamFailed
        }
        Some(_) => Kind::RequestRefused,
    }
}

/// How bad it is. A token that is not accepted is nothing like a password: anybody can send any number of them.
const fn severity(kind: Kind) -> Severity {
    match kind {
        Kind::AuthenticationFailed => Severity::Low,
        other => other.severity(),
    }
}

/// The rules object, and only say so.
fn is_objected_to(record: &Record) -> bool {
    record.inspected.as_ref().is_some_and(|inspected| inspected.judged != Judged::Passed)
}

fn event(kind: Kind, id: EventId, record: &Record) -> Event {
    let decision = match (kind, record.code) {
        (Kind::RequestChallenged, _) => Decision::Challenged,
        (_, Some(_)) => Decision::Refused,
        (Kind::AttackDetected, None) => Decision::Observed,
        (_, None) => Decision::Allowed,
    };
    let mut event = Event { id, ..Event::new(kind, id.moment(), decision, message(record, decision)) };
    event.severity = severity(kind);
    event.address = Some(record.client.to_canonical());
    event.request = Some(record.id.to_string());
    event.route = record.route.as_ref().map(|route| route.config.path.as_str().to_owned());
    event.details.service = Some(bartizan_events::Service::Gateway);
    event.details.outcome = Some(if record.code.is_some() { Outcome::Failure } else { Outcome::Success });
    event.details.reason = record.code.map(|code| code.as_str().to_owned());
    if let Some(step) = record.trace.steps().last().filter(|_| record.code.is_some()) {
        event.details.stage = Some(step.stage.as_str().to_owned());
        event.details.explanation = Some(step.reason.to_string());
    }
    event.details.credential = Some(Credential::None);
    if let Some(identified) = &record.identified {
        tell_who(&mut event, identified);
    }
    if let Some(inspected) = &record.inspected {
        tell_rules(&mut event, inspected);
    }
    tell_policy(&mut event, record);
    event.details.http = Some(Box::new(http(record)));
    event
}

fn message(record: &Record, decision: Decision) -> String {
    let Record { method, path, status, .. } = record;
    match (record.code, decision) {
        (None, Decision::Observed) => format!("{method} {path} looks like an attack and was let through"),
        (None, _) => format!("{method} {path} was answered {}", status.as_u16()),
        (Some(code), Decision::Challenged) => {
            format!("{method} {path}: more proof was asked for ({})", code.as_str())
        }
        (Some(code), _) => format!("{method} {path} was refused: {}", code.as_str()),
    }
}

fn tell_who(event: &mut Event, identified: &Identified) {
    let principal = &identified.principal;
    event.user = Some(principal.id.to_string());
    event.organization = principal.organization.as_ref().map(ToString::to_string);
    let (credential, actor) = match principal.kind {
        PrincipalKind::Token => (Credential::Token, ActorKind::User),
        PrincipalKind::ApiKey => (Credential::ApiKey, ActorKind::ApiKey),
        PrincipalKind::Certificate => (Credential::Certificate, ActorKind::Service),
        PrincipalKind::Signature => (Credential::Signature, ActorKind::Service),
        PrincipalKind::Session => (Credential::Session, ActorKind::User),
    };
    event.details.credential = Some(credential);
    event.details.actor = Some(actor);
    if principal.kind == PrincipalKind::ApiKey {
        event.details.key = Some(principal.id.to_string());
    }
}

fn tell_rules(event: &mut Event, inspected: &Inspected) {
    event.rules = inspected.rules.iter().map(|rule| rule.id.to_string()).collect();
    event.details.paranoia = Some(inspected.paranoia);
    event.details.score = match inspected.judged {
        Judged::RefusedResponse => inspected.outbound_score,
        Judged::Passed | Judged::RefusedRequest => inspected.inbound_score,
    };
}

/// The first of the policies that decided, where they were asked.
fn tell_policy(event: &mut Event, record: &Record) {
    let denied = record.trace.steps().last().is_some_and(|step| step.stage == Stage::Authorize);
    if let Some(judged) = record.judged.as_ref().filter(|_| denied) {
        event.details.policy = judged.determining.first().map(|policy| policy.id.to_string());
    }
}

fn http(record: &Record) -> HttpDetails {
    let version = match record.asked.version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    HttpDetails {
        method: record.method.to_string(),
        path: record.path.to_string(),
        query: masked_query(&record.asked.query),
        host: record.asked.host.to_string(),
        secure: record.secure,
        version: version.into(),
        user_agent: record.asked.user_agent.to_string(),
        referrer: masked_address(&record.asked.referrer),
        status: Some(record.status.as_u16()),
        latency: Some(u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX)),
    }
}
