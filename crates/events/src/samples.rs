//! Events for tests: of every kind, with everything that an event can have, and with nothing.

use std::time::{Duration, UNIX_EPOCH};

use crate::{
    ActorKind, Class, Credential, Decision, Details, Event, FindingDetails, FoundField, HttpDetails, Kind,
    Outcome, Service,
};

/// Of every kind a full one and an empty one, on two days. Ids are new every time.
pub(crate) fn samples() -> Vec<Event> {
    let day = Duration::from_hours(24);
    let moment = UNIX_EPOCH + 20_779 * day;
    let mut events = Vec::new();
    for (index, &kind) in (0_u32..).zip(Kind::ALL) {
        let moment = moment + index * Duration::from_millis(1800) * 60;
        events.push(full(kind, Event::new(kind, moment, Decision::Refused, "ada was there")));
        let mut about_nobody = full(kind, Event::new(kind, moment, Decision::Observed, "ada was there"));
        about_nobody.address = Some("2001:db8::7".parse().unwrap());
        about_nobody.details.subject = None;
        about_nobody.details.outcome = Some(Outcome::Success);
        events.push(about_nobody);
        events.push(Event::new(kind, moment - day, Decision::Allowed, "something happened"));
    }
    events
}

fn full(kind: Kind, event: Event) -> Event {
    let details = Details {
        service: Some(Service::Accounts),
        outcome: Some(Outcome::Failure),
        reason: Some("role.add".into()),
        explanation: Some("ada may not".into()),
        stage: Some("authorize".into()),
        score: Some(15),
        paranoia: Some(2),
        policy: Some("office-hours".into()),
        credential: Some(Credential::Session),
        key: Some("key-7".into()),
        tags: vec!["attack.t1110".into()],
        actor: Some(ActorKind::Operator),
        session: Some("session-of-ada".into()),
        // Of an alert it is the alert, of a weakness the weakness.
        subject: Some(if kind.is_told_again() { "alert-7" } else { "ada-2" }.into()),
        http: (kind.class() != Class::ApiActivity || kind == Kind::AdministrativeAction)
            .then(|| Box::new(http())),
        finding: matches!(kind.class(), Class::DetectionFinding | Class::IncidentFinding)
            .then(|| Box::new(finding())),
    };
    Event {
        address: Some([192, 0, 2, 7].into()),
        user: Some("ada-1".into()),
        organization: Some("shop".into()),
        route: Some("/api/**".into()),
        request: Some("request-7".into()),
        rules: vec!["942100".into(), "949110".into()],
        details,
        ..event
    }
}

fn finding() -> FindingDetails {
    FindingDetails {
        title: "Passwords are tried".into(),
        description: Some("Many logins fail.".into()),
        author: Some("Bartizan".into()),
        techniques: vec!["T1110.001".into()],
        count: 20,
        first: 1_795_305_600_000,
        last: 1_795_305_660_000,
        events: vec!["019aa5b5-0000-7000-8000-000000000007".into()],
        fields: vec![FoundField { name: "user.uid".into(), value: "ada-1".into() }],
    }
}

fn http() -> HttpDetails {
    HttpDetails {
        method: "GET".into(),
        path: "/letters/7".into(),
        query: "to=ada".into(),
        host: "shop.test".into(),
        secure: true,
        version: "1.1".into(),
        user_agent: "curl/8".into(),
        referrer: "https://shop.test/letters".into(),
        status: Some(403),
        latency: Some(12),
    }
}
