use std::{collections::BTreeMap, time::SystemTime};

use bartizan_identity::account::AuditEntry;
use bartizan_model::TraceContext;
use bartizan_pipeline::{Asked, Code, Judged, LimitAccount, Trace};
use http::{Method, StatusCode};
use serde_json::json;

use super::*;

fn record(path: &str, code: Option<Code>) -> Record {
    Record {
        id: "a-request".parse().unwrap(),
        trace_context: TraceContext::start(),
        arrived: SystemTime::now(),
        took: std::time::Duration::from_millis(2),
        client: [192, 0, 2, 1].into(),
        secure: false,
        method: Method::GET,
        path: path.into(),
        asked: Asked {
            query: "token=hunter2&page=2".into(),
            referrer: "https://shop.test/reset?token=hunter2".into(),
            ..Asked::default()
        },
        route: None,
        identified: None,
        moved: false,
        status: code.map_or(StatusCode::OK, Code::status),
        code,
        trace: Trace::default(),
        judged: None,
        limits: LimitAccount::default(),
        inspected: None,
    }
}

fn entry(action: &str, outcome: &str) -> AuditEntry {
    AuditEntry {
        id: "01".into(),
        at: SystemTime::now(),
        action: action.into(),
        outcome: outcome.into(),
        actor: "ada".into(),
        subject: "grace".into(),
        address: "192.0.2.1".into(),
        client: "curl".into(),
        request_id: "a-request".into(),
        details: json!({}),
    }
}

#[test]
fn of_served_requests_one_of_so_many_is_kept_and_some_paths_always() {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nevents: { sample: 4, always: [/admin/**] }\n\
                routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]";
    let source = bartizan_config::Source::text("");
    let config = Config::parse(text, &source).unwrap().config;
    let sample = Sample::of(&config.events);
    let taken: Vec<_> = (0..9).map(|_| sample.takes(&record("/shop", None))).collect();
    assert_eq!(taken, [true, false, false, false, true, false, false, false, true]);
    assert!(sample.takes(&record("/admin/users", None)));
}

#[test]
fn every_refusal_is_an_event_of_a_kind() {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for &code in Code::ALL {
        *kinds.entry(decided::kind(&record("/", Some(code)))).or_default() += 1;
    }
    let expected = [
        Kind::RequestChallenged,
        Kind::RateLimitExceeded,
        Kind::AttackDetected,
        Kind::UpstreamFailed,
        Kind::PermissionDenied,
        Kind::AuthenticationFailed,
    ];
    assert!(expected.iter().all(|kind| kinds.contains_key(kind)), "{kinds:?}");
    assert!(!kinds.contains_key(&Kind::RequestAllowed));
    assert_eq!(decided::kind(&record("/", None)), Kind::RequestAllowed);
}

#[test]
fn secrets_of_a_query_stay_out() {
    let record = Arc::new(record("/a", Some(Code::RouteNotFound)));
    let decided = Box::new(Decided::new(Kind::RequestRefused, &record));
    let event = bartizan_events::Happening::into_event(decided);
    let http = event.details.http.unwrap();
    assert_eq!(http.query, "token=<hidden>&page=2");
    assert_eq!(http.referrer, "https://shop.test/reset?token=<hidden>");
    assert_eq!((event.decision, http.status), (Decision::Refused, Some(404)));
}

#[test]
fn entries_of_the_audit_trail_are_events() {
    let cases = [
        ("login", "done", Kind::AuthenticationSucceeded),
        ("login.password", "done", Kind::AuthenticationChallenged),
        ("login.external", "refused", Kind::AuthenticationFailed),
        ("user.sign_up", "refused", Kind::PermissionDenied),
        ("login.pause", "done", Kind::AccountPaused),
        ("login.stuffing", "done", Kind::CredentialStuffingDetected),
        ("logout", "done", Kind::SessionEnded),
        ("session.revoke", "done", Kind::SessionEnded),
        ("session.revoke", "refused", Kind::PermissionDenied),
        ("session.moved", "done", Kind::SessionMoved),
        ("token.issue", "done", Kind::TokenIssued),
        ("token.exchange", "refused", Kind::TokenRefused),
        ("token.reuse", "refused", Kind::TokenReused),
        ("token.revoke", "done", Kind::TokenRevoked),
        ("password.change", "done", Kind::PasswordChanged),
        ("password.forgotten", "done", Kind::PasswordResetRequested),
        ("factor.add", "done", Kind::FactorChanged),
        ("role.bind", "done", Kind::RoleChanged),
        ("role.bind", "refused", Kind::PermissionDenied),
        ("user.create", "done", Kind::AccountCreated),
        ("user.disable", "done", Kind::AccountChanged),
        ("user.delete", "done", Kind::AccountDeleted),
        ("api_key.create", "done", Kind::KeyCreated),
        ("api_key.suspend", "done", Kind::KeySuspended),
        ("api_key.revoke", "done", Kind::KeyRevoked),
        ("addresses.set", "done", Kind::AdministrativeAction),
        ("configuration.reload", "done", Kind::AdministrativeAction),
    ];
    for (action, outcome, expected) in cases {
        let events = audited::events(&entry(action, outcome), Some("shop"));
        let [event] = events.as_slice() else { panic!("{action}: {events:?}") };
        assert_eq!(event.kind, expected, "{action} {outcome}");
        assert_eq!(event.organization.as_deref(), Some("shop"));
        let written = event.ocsf();
        assert_eq!(written["actor"]["user"]["uid"], "ada", "{action}");
        assert_eq!(written["src_endpoint"]["ip"], "192.0.2.1", "{action}");
        assert_eq!(written["bartizan"]["service"], "accounts", "{action}");
    }
}

#[test]
fn a_password_without_the_second_factor_is_no_success() {
    let events = audited::events(&entry("login.password", "done"), None);
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let written = event.ocsf();
    assert_eq!(written["bartizan"]["decision"], "challenged");
    assert_eq!((written.get("status_id"), &written["action_id"]), (None, &json!(2)));
}

#[test]
fn what_was_tried_with_an_address_meets_its_account() {
    let tried = |action: &str, outcome: &str| AuditEntry {
        actor: String::new(),
        subject: "grace@shop.test".into(),
        details: json!({ "account": "grace" }),
        ..entry(action, outcome)
    };
    let entries = [
        tried("login", "refused"),
        tried("login.pause", "done"),
        entry("login", "done"),
        entry("password.change", "done"),
        entry("factor.add", "done"),
    ];
    for entry in &entries {
        for event in audited::events(entry, None) {
            assert_eq!(event.ocsf()["user"]["uid"], "grace", "{entry:?}");
        }
    }
}

#[test]
fn an_event_says_which_part_of_the_gateway_it_is_from() {
    for (actor, service) in [
        ("operator", "admin"),
        ("operator/ada", "admin"),
        ("configuration", "admin"),
        ("ada", "accounts"),
        ("", "accounts"),
    ] {
        for action in ["role.bind", "user.create", "login"] {
            let entry = AuditEntry { actor: actor.into(), ..entry(action, "done") };
            for event in audited::events(&entry, None) {
                assert_eq!(event.ocsf()["bartizan"]["service"], service, "{action} by `{actor}`");
            }
        }
    }
    let record = Arc::new(record("/a", Some(Code::InvalidAuthenticationToken)));
    let decided = Box::new(Decided::new(Kind::AuthenticationFailed, &record));
    let event = bartizan_events::Happening::into_event(decided);
    assert_eq!(event.ocsf()["bartizan"]["service"], "gateway");
}

#[test]
fn a_record_weighs_what_rules_have_found() {
    let light = record("/a", Some(Code::WafRefused));
    let matched = bartizan_pipeline::MatchedRule {
        id: 942_100,
        message: "an attack".into(),
        severity: None,
        paranoia: None,
        refuses: false,
        variables: vec![
            bartizan_pipeline::MatchedVariable { name: "n".repeat(100), value: "v".repeat(80) };
            4
        ],
        variables_left_out: 0,
    };
    let inspected = bartizan_pipeline::Inspected {
        mode: bartizan_config::WafMode::Block,
        judged: Judged::RefusedRequest,
        paranoia: 1,
        inbound_score: None,
        inbound_threshold: 5,
        outbound_score: None,
        outbound_threshold: 4,
        rules: vec![matched; 20],
        rules_left_out: 0,
        numbers: Vec::new(),
        proposal: bartizan_pipeline::Proposal::default(),
    };
    let heavy = Record { inspected: Some(Arc::new(inspected)), ..light.clone() };
    let weight = |record: Record| {
        let decided = Decided::new(Kind::AttackDetected, &Arc::new(record));
        bartizan_events::Happening::weight(&decided)
    };
    assert!(weight(heavy) - weight(light) >= 20 * 4 * 180);
}

#[test]
fn a_login_also_begins_a_session() {
    let login = AuditEntry { details: json!({ "session": "s-1" }), ..entry("login", "done") };
    let kinds: Vec<_> = audited::events(&login, None)
        .iter()
        .map(|event| (event.kind, event.details.session.clone().unwrap_or_default()))
        .collect();
    let session = || "s-1".to_owned();
    assert_eq!(kinds, [(Kind::AuthenticationSucceeded, session()), (Kind::SessionStarted, session())]);
}
