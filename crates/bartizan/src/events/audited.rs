//! An entry of the audit trail, as an event.

use bartizan_events::{ActorKind, Credential, Decision, Event, HttpDetails, Kind, Outcome, Service};
use bartizan_identity::account::{Accounts, AuditEntry};

/// What an entry says. A login tells two things: who it is, and that their session began.
pub(super) fn events(entry: &AuditEntry, organization: Option<&str>) -> Vec<Event> {
    let is_done = entry.outcome == "done";
    // What came of changed files, the configuration tells by itself.
    if entry.actor == Accounts::CONFIGURATION && entry.action == "configuration.reload" {
        return Vec::new();
    }
    let kind = kind(&entry.action, is_done);
    let session = entry.details.get("session").and_then(|session| session.as_str());
    let mut events = vec![event(kind, entry, organization, is_done)];
    if kind == Kind::AuthenticationSucceeded && session.is_some() {
        events.push(event(Kind::SessionStarted, entry, organization, is_done));
    }
    for event in &mut events {
        event.details.session = session.map(str::to_owned);
    }
    events
}

/// What kind of event an action is.
fn kind(action: &str, is_done: bool) -> Kind {
    let (subject, verb) = action.split_once('.').unwrap_or((action, ""));
    match (subject, verb) {
        ("login", "pause") => Kind::AccountPaused,
        ("login", "stuffing") => Kind::CredentialStuffingDetected,
        // The password is right, and nobody is in yet.
        ("login", "password") if is_done => Kind::AuthenticationChallenged,
        ("login", _) | ("session", "step_up") | ("service" | "client", "authenticate") if is_done => {
            Kind::AuthenticationSucceeded
        }
        ("login", _)
        | ("session", "step_up")
        | ("service" | "client", "authenticate")
        | ("operator", "refused") => Kind::AuthenticationFailed,
        ("logout", _) | ("session", "revoke") if is_done => Kind::SessionEnded,
        ("session", "moved") => Kind::SessionMoved,
        ("token", "reuse") => Kind::TokenReused,
        ("token", "issue" | "refresh" | "exchange") if is_done => Kind::TokenIssued,
        ("token", "issue" | "refresh" | "exchange") => Kind::TokenRefused,
        ("token", "revoke") if is_done => Kind::TokenRevoked,
        ("password", "forgotten") => Kind::PasswordResetRequested,
        // Whoever may not, or whose proof was wrong.
        _ if !is_done => Kind::PermissionDenied,
        ("password", _) | ("user", "set_password") => Kind::PasswordChanged,
        ("factor", _) | ("user", "reset_factors") => Kind::FactorChanged,
        ("role", _) => Kind::RoleChanged,
        ("user" | "service", "create") | ("invitation", "accept") => Kind::AccountCreated,
        ("user" | "service", "delete") => Kind::AccountDeleted,
        ("user" | "service" | "member", _) => Kind::AccountChanged,
        ("api_key", "create") => Kind::KeyCreated,
        ("api_key", "rotate") => Kind::KeyRotated,
        ("api_key", "suspend") => Kind::KeySuspended,
        ("api_key", "revoke") => Kind::KeyRevoked,
        ("api_key", _) => Kind::KeyChanged,
        _ => Kind::AdministrativeAction,
    }
}

fn event(kind: Kind, entry: &AuditEntry, organization: Option<&str>, is_done: bool) -> Event {
    let AuditEntry { action, actor, subject, address, client, request_id, .. } = entry;
    let decision = match kind {
        Kind::CredentialStuffingDetected | Kind::SessionMoved => Decision::Observed,
        Kind::AccountPaused | Kind::TokenReused => Decision::Refused,
        Kind::AuthenticationChallenged => Decision::Challenged,
        _ if is_done => Decision::Allowed,
        _ => Decision::Refused,
    };
    let mut event = Event::new(kind, entry.at, decision, message(entry, is_done));
    event.address = address.parse().ok();
    event.organization = organization.map(str::to_owned);
    event.request = some(request_id);
    let is_by_operator = actor.split('/').next() == Some(Accounts::OPERATOR);
    // A login that failed names whom somebody wanted to be: that is whom it is about, not who it was.
    event.user = some(actor);
    let details = &mut event.details;
    let is_by_admin = is_by_operator || actor == Accounts::CONFIGURATION || action == "operator.refused";
    details.service = Some(if is_by_admin { Service::Admin } else { Service::Accounts });
    details.actor = actor_kind(entry, is_by_operator);
    details.outcome = match kind {
        Kind::AuthenticationChallenged => None,
        _ if is_done => Some(Outcome::Success),
        _ => Some(Outcome::Failure),
    };
    details.reason = some(action);
    details.explanation = entry.details.get("reason").and_then(|reason| reason.as_str()).map(str::to_owned);
    // Where an address was given, whose it is: so what was tried with it meets what was done to its account.
    let account = entry.details.get("account").and_then(|account| account.as_str());
    details.subject = some(account.unwrap_or(subject));
    details.key = (action.starts_with("api_key.") && !subject.is_empty()).then(|| subject.clone());
    details.credential = (kind == Kind::AuthenticationFailed).then_some(Credential::None);
    if !client.is_empty() {
        details.http = Some(Box::new(HttpDetails { user_agent: client.clone(), ..HttpDetails::default() }));
    }
    event
}

/// What whoever did it is; `None`: nobody knows who it was.
fn actor_kind(entry: &AuditEntry, is_by_operator: bool) -> Option<ActorKind> {
    match entry.actor.as_str() {
        "" => None,
        _ if is_by_operator => Some(ActorKind::Operator),
        Accounts::CONFIGURATION => Some(ActorKind::System),
        _ if entry.action == "service.authenticate" => Some(ActorKind::Service),
        _ => Some(ActorKind::User),
    }
}

fn message(entry: &AuditEntry, is_done: bool) -> String {
    let AuditEntry { action, actor, subject, .. } = entry;
    let actor = if actor.is_empty() { "somebody" } else { actor };
    let outcome = if is_done { "" } else { " was refused" };
    let about =
        if subject.is_empty() || subject == actor { String::new() } else { format!(" about {subject}") };
    format!("{action} by {actor}{about}{outcome}")
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
