//! The course of alerts: simulated with events and moments of any kind, and shown step by step where a story says more.

use std::sync::Arc;

use bartizan_config::{AlertRoute, Alerts as Config, Source};
use bartizan_events::{Decision, Event, Kind, Severity};
use proptest::prelude::*;

use crate::{
    Alert, By, Gathering, Matcher, Moment, Notice, Reason, Silence, State,
    alert::Step,
    allowance::{Allowance, HeldBack},
    silence::silenced,
};

const START: i64 = 1_795_305_600_000;

fn config(alerts: &str) -> Arc<Config> {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n\
         alerts:\n  channels:\n    team: {{ webhook: {{ url: \"https://hooks.test/\", secret: \"{}\" }} }}\n{alerts}",
        "s".repeat(32)
    );
    let loaded = bartizan_config::Config::parse(&text, &Source::text(".")).unwrap();
    Arc::new(loaded.config.alerts.unwrap())
}

fn routes(routes: &str) -> Arc<Config> {
    config(&format!("  routes:\n{routes}"))
}

fn at(seconds: i64) -> Moment {
    Moment(START + seconds * 1000)
}

fn event(kind: Kind, severity: Severity, address: &str, seconds: i64) -> Event {
    let mut event = Event::new(kind, at(seconds).into(), Decision::Refused, "somebody tries the door");
    event.severity = severity;
    event.address = Some(address.parse().unwrap());
    event.route = Some("/admin/**".into());
    event.rules = vec!["942100".into()];
    event.request = Some(format!("request-{seconds}"));
    event
}

fn attack(address: &str, seconds: i64) -> Event {
    event(Kind::AttackDetected, Severity::High, address, seconds)
}

fn raised(config: &Arc<Config>, events: &[Event]) -> Vec<Alert> {
    let mut gathering = Gathering::new(Arc::clone(config));
    for event in events {
        gathering.observe(event);
    }
    let mut alerts: Vec<_> = gathering.take().iter().map(|gathered| Alert::raise(gathered, at(0))).collect();
    alerts.sort_by(|one, other| one.group[0].value.cmp(&other.group[0].value));
    alerts
}

fn step(alert: &mut Alert, route: &AlertRoute, allowance: &mut Allowance, seconds: i64) -> Option<Step> {
    alert.advance(Some(route), None, allowance, at(seconds))
}

#[test]
fn events_of_one_group_are_one_alert() {
    let config =
        routes("    - { to: team, severity: medium, group_by: [address], kinds: [attack_detected] }\n");
    let mut worse = event(Kind::AttackDetected, Severity::Critical, "192.0.2.1", 5);
    worse.message = "worse".into();
    let events = [
        attack("192.0.2.1", 0),
        worse,
        attack("192.0.2.2", 7),
        event(Kind::AttackDetected, Severity::Low, "192.0.2.1", 8),
        event(Kind::RequestRefused, Severity::High, "192.0.2.1", 9),
    ];
    let alerts = raised(&config, &events);
    let [first, second] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((first.tally.count, first.severity()), (2, Severity::Critical));
    assert_eq!((first.tally.first, first.tally.last), (at(0), at(5)));
    assert_eq!(first.tally.requests, ["request-0", "request-5"]);
    assert_eq!(first.tally.done["refused"], 2);
    assert_eq!(first.tally.example.message, "worse", "the worst event is the example");
    assert_eq!(second.tally.count, 1);
}

#[test]
fn routes_are_asked_in_order_until_one_does_not_continue() {
    let config = routes(
        "    - { name: admin, to: team, paths: [/admin/**], continue: true, group_by: [kind] }\n    \
         - { name: critical, to: team, severity: critical, group_by: [kind] }\n    \
         - { name: rest, to: team, group_by: [kind] }\n",
    );
    let taken = |event: Event| {
        let mut routes: Vec<_> = raised(&config, &[event]).into_iter().map(|alert| alert.route).collect();
        routes.sort();
        routes
    };
    assert_eq!(taken(attack("192.0.2.1", 0)), ["admin", "rest"]);
    assert_eq!(taken(event(Kind::AttackDetected, Severity::Critical, "192.0.2.1", 0)), ["admin", "critical"]);
    let elsewhere = Event { route: Some("/shop".into()), ..attack("192.0.2.1", 0) };
    assert_eq!(taken(elsewhere), ["rest"]);
    assert!(taken(event(Kind::AttackDetected, Severity::Medium, "192.0.2.1", 0)).is_empty());
}

#[test]
fn nothing_is_raised_about_alerts() {
    let config = routes("    - { to: team, severity: informational }\n");
    for kind in [Kind::AlertRaised, Kind::AlertEscalated, Kind::AlertAcknowledged, Kind::AlertResolved] {
        assert!(raised(&config, &[event(kind, Severity::Critical, "192.0.2.1", 0)]).is_empty(), "{kind}");
    }
    let mut acknowledged = event(Kind::AdministrativeAction, Severity::High, "192.0.2.1", 0);
    acknowledged.details.reason = Some("alert.acknowledge".into());
    assert!(raised(&config, &[acknowledged]).is_empty());
}

#[test]
fn an_alert_is_told_again_and_escalated_until_somebody_acknowledges_it() {
    let config = routes(
        "    - { to: team, wait: 10s, repeat: 10min, resolve_after: 1d, escalate: [{ after: 5min, to: team }, { after: 20min, to: team }] }\n",
    );
    let (route, mut allowance) = (&config.routes[0], Allowance::default());
    let mut alert = raised(&config, &[attack("192.0.2.1", 0)]).remove(0);
    assert_eq!(alert.due(Some(route), None), Some(at(10)));
    assert_eq!(step(&mut alert, route, &mut allowance, 9), None);
    assert!(matches!(step(&mut alert, route, &mut allowance, 10), Some(Step::Tell { again: false, .. })));
    assert_eq!(step(&mut alert, route, &mut allowance, 10), None);
    assert_eq!(alert.due(Some(route), None), Some(at(310)));
    assert!(matches!(step(&mut alert, route, &mut allowance, 310), Some(Step::Escalate { .. })));
    assert!(matches!(step(&mut alert, route, &mut allowance, 610), Some(Step::Tell { again: true, .. })));

    let mut acknowledged = alert.clone();
    acknowledged.acknowledge(By { who: "ann".into(), note: None }).unwrap();
    assert!(acknowledged.acknowledge(By { who: "bob".into(), note: None }).is_err());
    assert_eq!(step(&mut acknowledged, route, &mut allowance, 3600), None, "neither told nor escalated");
    assert!(matches!(step(&mut alert, route, &mut allowance, 1210), Some(Step::Tell { .. })));
    assert!(matches!(step(&mut alert, route, &mut allowance, 1210), Some(Step::Escalate { .. })));

    for alert in [&mut acknowledged, &mut alert] {
        assert_eq!(step(alert, route, &mut allowance, 86_400), Some(Step::Resolve));
        assert_eq!((alert.state, alert.due(Some(route), None)), (State::Resolved, None));
    }
}

#[test]
fn what_is_held_back_is_told_in_the_next_notification() {
    let config = routes(
        "    - { to: team, wait: 0s, repeat: 1h, limit: 1/min, resolve_after: 1d, group_by: [address] }\n",
    );
    let (route, mut allowance) = (&config.routes[0], Allowance::default());
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let mut alerts = raised(&config, &addresses.map(|address| attack(address, 0)));
    assert!(matches!(step(&mut alerts[0], route, &mut allowance, 0), Some(Step::Tell { .. })));
    for alert in &mut alerts[1..] {
        assert_eq!(step(alert, route, &mut allowance, 1), None);
        assert_eq!(alert.due(Some(route), None), Some(at(60)), "not before there is room");
    }
    let Some(Step::Tell { held, .. }) = step(&mut alerts[1], route, &mut allowance, 60) else { panic!() };
    assert_eq!((held.count, held.titles.len()), (2, 2));
    // It was told of just now.
    assert_eq!(step(&mut alerts[2], route, &mut allowance, 61), None);
    assert_eq!(alerts[2].due(Some(route), None), Some(at(61 + 3600)));
}

#[test]
fn silences_go_by_what_all_events_have_in_common() {
    let config = routes("    - { to: team, wait: 0s, group_by: [address, rule], resolve_after: 1d }\n");
    let alert = raised(&config, &[attack("192.0.2.1", 0)]).remove(0);
    let silence = |by: &str, value: &str| Silence {
        id: "1".into(),
        matchers: vec![Matcher { by: by.into(), value: value.into() }],
        reason: "our own scan".into(),
        author: "ann".into(),
        made: at(0),
        until: at(60),
    };
    for (by, value, silences) in [
        ("address", "192.0.2.1", true),
        ("address", "192.0.2.0/24", true),
        ("address", "198.51.100.0/24", false),
        ("rule", "942100", true),
        ("rule", "942101", false),
        ("alert_route", "route-1", true),
        // True of the one event that there was, but not of what may come.
        ("kind", "attack_detected", false),
    ] {
        assert!(silence(by, value).check().is_ok(), "{by}={value}");
        assert_eq!(silence(by, value).silences(&alert, at(1)), silences, "{by}={value}");
        assert!(!silence(by, value).silences(&alert, at(60)), "it has ended");
    }
    for (by, value) in [("address", "here"), ("colour", "red"), ("rule", "")] {
        assert!(silence(by, value).check().is_err(), "{by}={value}");
    }
    assert!(Silence { reason: " ".into(), ..silence("rule", "1") }.check().is_err());
    assert!(Silence { until: at(0), ..silence("rule", "1") }.check().is_err());

    let (route, mut allowance, mut alert) = (&config.routes[0], Allowance::default(), alert);
    let until = silenced(&[silence("rule", "942100")], &alert, at(1));
    assert_eq!(until, Some(at(60)));
    assert_eq!(alert.advance(Some(route), until, &mut allowance, at(1)), None);
    assert_eq!(alert.due(Some(route), until), Some(at(60)), "when it ends it is told");
    assert!(matches!(step(&mut alert, route, &mut allowance, 60), Some(Step::Tell { .. })));
}

#[test]
fn a_notification_tells_what_happened_and_nothing_breaks_out_of_its_line() {
    let config = routes("    - { to: team, group_by: [address] }\n");
    let mut evil = attack("192.0.2.1", 0);
    evil.message = "GET /\r\nBcc: eve@shop.test\u{1b}[2J <!channel>".into();
    let alert = raised(&config, &[evil, attack("192.0.2.1", 4)]).remove(0);
    let notice = Notice {
        id: "1".into(),
        reason: Reason::Raised,
        alert,
        held: HeldBack::default(),
        link: None,
        made: at(10),
    };
    assert_eq!(notice.summary(), "HIGH: attack detected, 2 times from 192.0.2.1");
    let text = notice.text();
    assert!(!text.contains(['\r', '\u{1b}']) && !text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    for part in
        ["Severity: high", "How often: 2 times", "Done already: refused 2", "bartizan explain request-4"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_list_of_types_that_routes_may_name_is_complete() {
    for kind in Kind::ALL.iter().filter(|kind| kind.class() != bartizan_events::Class::IncidentFinding) {
        routes(&format!("    - {{ to: team, kinds: [{kind}] }}\n"));
    }
}

/// What happens in a simulation.
#[derive(Debug, Clone)]
enum Happens {
    Event { address: u8 },
    Passes { seconds: i64 },
}

fn happens() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        (0..4_u8).prop_map(|address| Happens::Event { address }),
        (1..400_i64).prop_map(|seconds| Happens::Passes { seconds }),
    ];
    prop::collection::vec(one, 1..200)
}

proptest! {
    /// Whatever happens: of one group there is no second notification within `wait` and `repeat`, none is told before `wait`,
    /// every event is in some alert, and what is due is never overdue for ever.
    #[test]
    fn nobody_is_told_too_often_and_nothing_is_lost(happens in happens()) {
        let config = routes("    - { to: team, wait: 30s, repeat: 5min, resolve_after: 20min, limit: 3/min, group_by: [address] }\n");
        let route = &config.routes[0];
        let mut gathering = Gathering::new(Arc::clone(&config));
        let mut allowance = Allowance::default();
        let mut open: Vec<(String, Alert, Option<Moment>)> = Vec::new();
        let (mut now, mut observed, mut over) = (0, 0_u64, 0_u64);
        for happening in happens {
            match happening {
                Happens::Event { address } => {
                    gathering.observe(&attack(&format!("192.0.2.{address}"), now));
                    observed += 1;
                }
                Happens::Passes { seconds } => now += seconds,
            }
            for gathered in gathering.take() {
                let key = gathered.key.to_string();
                match open.iter_mut().find(|(known, ..)| *known == key) {
                    Some((_, alert, _)) => alert.add(gathered.tally, at(now)),
                    None => open.push((key, Alert::raise(&gathered, at(now)), None)),
                }
            }
            for (_, alert, told) in &mut open {
                while let Some(step) = alert.advance(Some(route), None, &mut allowance, at(now)) {
                    if let Step::Tell { again, .. } = step {
                        prop_assert!(at(now) >= alert.raised.after(route.wait));
                        if let Some(told) = *told {
                            prop_assert!(again && at(now) >= told.after(route.repeat));
                        }
                        *told = Some(at(now));
                    }
                }
                prop_assert!(alert.due(Some(route), None).is_none_or(|due| due > at(now)));
            }
            open.retain(|(_, alert, _)| {
                let is_over = alert.state == State::Resolved;
                over += if is_over { alert.tally.count } else { 0 };
                !is_over
            });
        }
        let counted: u64 = open.iter().map(|(_, alert, _)| alert.tally.count).sum();
        prop_assert_eq!(counted + over, observed);
    }

    /// However many are held back: as soon as there is room somebody is told of all of them.
    #[test]
    fn whatever_is_held_back_is_told(count in 2..40_usize, limit in 1..5_u32) {
        let config = routes(&format!("    - {{ to: team, wait: 0s, repeat: 1d, resolve_after: 7d, limit: {limit}/min, group_by: [address] }}\n"));
        let route = &config.routes[0];
        let events: Vec<_> = (0..count).map(|number| attack(&format!("192.0.2.{number}"), 0)).collect();
        let mut alerts = raised(&config, &events);
        let (mut allowance, mut told) = (Allowance::default(), 0);
        for seconds in [0, 60] {
            for alert in &mut alerts {
                if let Some(Step::Tell { held, .. }) = step(alert, route, &mut allowance, seconds) {
                    // Of those that were held back before, this one is one.
                    told += if held.count > 0 { held.count } else { 1 };
                }
            }
        }
        prop_assert_eq!(told, count as u64);
        prop_assert!(alerts.iter().all(|alert| alert.due(Some(route), None).is_some_and(|due| due > at(60))));
    }
}

#[test]
fn memory_is_bounded_however_many_groups_there_are() {
    let config = routes("    - { to: team, group_by: [user], wait: 0s }\n");
    let mut gathering = Gathering::new(config);
    for number in 0..10_050 {
        let mut event = attack("192.0.2.1", 0);
        event.user = Some(format!("user-{number}"));
        event.message = "x".repeat(10_000);
        gathering.observe(&event);
    }
    let gathered = gathering.take();
    assert_eq!(gathered.len(), 10_001);
    let overflow = gathered.iter().find(|gathered| gathered.is_overflow()).unwrap();
    assert_eq!(overflow.tally.count, 50, "what is beyond is counted together");
    assert!(gathered.iter().all(|gathered| gathered.tally.example.message.len() < 600));
}
