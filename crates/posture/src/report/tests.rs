//! A day that was written with known numbers.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_events::{Decision, Event, EventLog, FindingDetails, HttpDetails, Kind, Severity};
use bartizan_identity::account::{Inventory, Some20};
use quick_xml::{Reader, events::Event as Markup};

use super::{Period, SecurityReport, System, Wanted, html, make};
use crate::{
    EventStatistics, LimitsSeen, Meter, Part, Posture, PostureError, ThreatLevel, Weakness,
    tests::{event, log},
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const HOSTILE: &str = "<script>alert('1')</script>\u{202e}\"&amp;\u{7}";

/// Noon of a day of the past.
fn noon() -> SystemTime {
    UNIX_EPOCH + 20_000 * DAY + DAY / 2
}

fn written() -> (tempfile::TempDir, EventLog) {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let record = |kind, at, last, count: u32| {
        for index in 0..count {
            let mut event = event(kind, at + Duration::from_secs(u64::from(index % 50)), last);
            event.route = Some("/shop/**".into());
            event.rules = vec!["942100".into()];
            log.record(event);
        }
    };
    record(Kind::RequestAllowed, noon(), 9, 70);
    record(Kind::RequestRefused, noon(), 1, 20);
    record(Kind::AttackDetected, noon(), 2, 300);
    record(Kind::AuthenticationFailed, noon() - HOUR, 1, 7);
    record(Kind::AuthenticationSucceeded, noon() - HOUR, 1, 3);
    record(Kind::RateLimitExceeded, noon() + HOUR, 3, 11);
    record(Kind::ConfigurationChanged, noon() + HOUR, 3, 2);
    // The day before.
    record(Kind::RequestAllowed, noon() - DAY, 9, 50);
    record(Kind::AttackDetected, noon() - DAY, 2, 10);
    // And what belongs to neither.
    record(Kind::AttackDetected, noon() + DAY, 2, 40);
    record(Kind::AttackDetected, noon() - 2 * DAY, 2, 40);
    let mut hostile =
        Event::new(Kind::DetectionMatched, noon(), Decision::Observed, format!("seen: {HOSTILE}"));
    hostile.severity = Severity::High;
    hostile.address = Some("2001:db8:7::1".parse().unwrap());
    let http = HttpDetails { user_agent: HOSTILE.into(), ..HttpDetails::default() };
    hostile.details.http = Some(Box::new(http));
    let finding = FindingDetails { title: "Somebody looks for a way in".into(), ..FindingDetails::default() };
    hostile.details.finding = Some(Box::new(finding));
    log.record(hostile);
    log.flush();
    (folder, log)
}

fn system() -> System {
    let now = noon() + DAY;
    let weakness = Weakness {
        id: "accounts_stale:people".into(),
        check: crate::Check::AccountsStale,
        severity: Severity::Low,
        subject: "people".into(),
        said: "1 accounts were not used for 90 days".into(),
        recommendation: "disable them".into(),
        since: now.into(),
        people: vec!["ada@shop.test".into()],
    };
    let posture = Posture {
        at: now.into(),
        threat: Meter::new(now).threat(crate::Assessment::default()),
        hour: EventStatistics::default(),
        day: EventStatistics::default(),
        limits: LimitsSeen { day_requests: 81, day_refusals: 11, ..LimitsSeen::default() },
        open_alerts: None,
        parts: vec![Part::new("store", None), Part::new("export siem", Some(format!("503 {HOSTILE}")))],
        weaknesses: vec![weakness],
        scanned: None,
        recommendations: Vec::new(),
    };
    let inventory = Inventory {
        people: 8,
        with_strong_factor: 2,
        administrators: 3,
        administrators_without_factor: Some20 { count: 1, examples: vec!["ada@shop.test".into()] },
        ..Inventory::default()
    };
    System {
        posture: Arc::new(posture),
        inventory: Some(inventory),
        version: "0.1.0".into(),
        uptime: HOUR,
        revision: "3f0a9b6c2d41".into(),
    }
}

fn report(log: &EventLog, personal: bool) -> SecurityReport {
    let period = Period::new(noon() - DAY / 2, noon() + DAY / 2).unwrap();
    make(log, Wanted { period, personal, within: Duration::from_mins(1) }, system()).unwrap()
}

#[test]
fn a_report_has_the_numbers_of_its_day() {
    let (_folder, log) = written();
    let report = report(&log, true);
    let statistics = &report.statistics;
    assert_eq!((statistics.period.total, statistics.before.total), (414, 60));
    assert_eq!(statistics.period.medium, 300 + 7 + 2);
    let count = |kind| (statistics.period.count(&[kind]), statistics.before.count(&[kind]));
    assert_eq!(count(Kind::AttackDetected), (300, 10));
    assert_eq!(count(Kind::RequestAllowed), (70, 50));
    let points = &statistics.over_time;
    assert_eq!(points.len(), 96);
    let sum = |of: fn(&super::ReportPoint) -> u64| points.iter().map(of).sum::<u64>();
    assert_eq!((sum(|point| point.served), sum(|point| point.attacks)), (70, 300));
    assert_eq!((sum(|point| point.refused), sum(|point| point.failed_logins)), (31, 7));

    let names = |counts: &[super::ReportedCount]| -> Vec<(String, u64)> {
        counts.iter().map(|of| (of.name.clone(), of.count)).collect()
    };
    assert_eq!(names(&report.threats.kinds)[0], ("attack_detected".into(), 300));
    assert_eq!(names(&report.threats.rules), [("942100".to_owned(), 340)]);
    assert_eq!(names(&report.threats.routes), [("/shop/**".to_owned(), 340)]);
    assert_eq!(
        names(&report.threats.addresses)[..2],
        [("192.0.2.2".to_owned(), 300), ("192.0.2.1".to_owned(), 27)]
    );
    assert_eq!(names(&report.limits.addresses), [("192.0.2.3".to_owned(), 11)]);
    assert_eq!((report.limits.exceeded, report.limits.exceeded_before), (11, 0));
    let people = &report.people;
    assert_eq!((people.logins, people.failures, people.people), (3, 7, Some(8)));
    assert_eq!((people.factor_coverage, people.administrators_without_factor), (Some(25), Some(1)));
    assert_eq!((report.systems.configuration_changes, report.systems.configurations.len()), (2, 2));
    assert!(report.risk.highest >= ThreatLevel::Elevated, "{:?}", report.risk);
    let peak = points.iter().max_by_key(|point| point.score).unwrap();
    assert_eq!(peak.at, noon().into(), "at noon it was worst");
    let attacks = report.changes.iter().find(|change| change.what.starts_with("attacks")).unwrap();
    assert_eq!((attacks.now, attacks.before), (300, 10));
    assert_eq!(report.threats.notable.len(), 1);
    assert_eq!(report.missing, Vec::<String>::new());
}

#[test]
fn nothing_of_people_is_in_a_masked_report() {
    let (_folder, log) = written();
    let report = report(&log, false);
    let written = format!("{}{}", serde_json::to_string(&report).unwrap(), html(&report));
    for secret in ["192.0.2.1", "2001:db8:7", "ada@", "seen:"] {
        assert!(!written.contains(secret), "{secret}");
    }
    assert_eq!(report.threats.notable[0].client.as_deref(), Some("***"));
    assert!(written.contains("192.0.*.*") && written.contains("2001:db8:*"), "networks are told apart");
    assert!(written.contains("Somebody looks for a way in"), "what was found is no secret");
}

/// What a parser that knows nothing of reports finds in one: the elements, and all text.
fn parsed(page: &str) -> (Vec<String>, String) {
    let (_, page) = page.split_once('\n').unwrap();
    let mut reader = Reader::from_str(page);
    let (mut elements, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Markup::Start(start) | Markup::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                for attribute in start.attributes() {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    assert!(
                        !key.starts_with("on") && !["src", "href", "style"].contains(&&*key),
                        "{name} {key}"
                    );
                }
                elements.push(name);
            }
            Markup::Text(part) => text.push_str(&part),
            Markup::GeneralRef(reference) => text.extend(["&", &reference, ";"]),
            Markup::Eof => return (elements, text),
            _ => {}
        }
    }
}

#[test]
fn a_page_is_well_formed_whatever_strangers_write() {
    let (_folder, log) = written();
    let page = html(&report(&log, true));
    let (elements, text) = parsed(&page);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("script"), count("h1"), count("h2"), count("svg")), (0, 1, 9, 2));
    assert!(["link", "img", "iframe", "object", "a", "form"].into_iter().all(|name| count(name) == 0));
    assert_eq!((count("table"), count("caption")), (count("thead"), count("table")));
    assert!(count("th") > 20 && page.matches("<th ").count() == page.matches("<th scope=").count());
    assert!(text.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "shown as it was written");
    assert!(!page.contains('\u{7}') && page.contains("default-src 'none'"));
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing comes from elsewhere");
}

#[test]
fn a_period_has_a_length() {
    let cases = [(noon(), noon()), (noon() + DAY, noon()), (noon(), noon() + 400 * DAY)];
    for (from, to) in cases {
        assert!(matches!(Period::new(from, to), Err(PostureError::Period)), "{from:?} {to:?}");
    }
    Period::new(noon(), noon() + 366 * DAY).unwrap();
}

#[test]
fn what_takes_too_long_is_said() {
    let (_folder, log) = written();
    let period = Period::new(noon() - DAY, noon()).unwrap();
    let late = make(&log, Wanted { period, personal: false, within: Duration::ZERO }, system());
    assert!(matches!(late, Err(PostureError::Events(_))), "{late:?}");
}
