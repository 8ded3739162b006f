use std::time::Duration;

use bartizan_config::Source;
use bartizan_events::{Class, Decision, Event, EventId, Filter, Order, Settings as LogSettings};

use super::*;

fn config(detection: &str) -> Config {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\ndetection: {detection}\n\
         routes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]"
    );
    Config::parse(&text, &Source::text("")).unwrap().config
}

fn log(directory: &std::path::Path) -> EventLog {
    let settings = LogSettings {
        directory: directory.into(),
        retention: Duration::from_hours(24),
        queue: QueueBounds::default(),
        spill: 1 << 20,
    };
    EventLog::open(settings).unwrap()
}

fn failed_login(moment: SystemTime, user: &str) -> Event {
    let mut event = Event::new(Kind::AuthenticationFailed, moment, Decision::Refused, "wrong password");
    event.address = Some([192, 0, 2, 7].into());
    event.details.subject = Some(user.into());
    event
}

fn findings(log: &EventLog) -> Vec<Event> {
    log.flush();
    let filter = Filter { kinds: vec![Kind::DetectionMatched], ..Filter::default() };
    log.page(&filter, Order::OldestFirst, None, 100, Duration::from_secs(5)).unwrap().events
}

#[test]
fn what_rules_find_is_an_event_about_what_its_events_have_in_common() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let detection = Detection::start(Rules::compile(&config("{}")).unwrap(), log.clone()).unwrap();
    let now = SystemTime::now();
    let shown: Vec<EventId> = (0..20)
        .map(|number| {
            let event = failed_login(now + Duration::from_millis(number), "ada");
            let id = event.id;
            detection.show(event);
            id
        })
        .collect();
    detection.flush();
    let found = findings(&log);
    let finding = found.iter().find(|event| event.rules[0] == brute_force()).expect("brute force is found");
    let details = finding.details.finding.as_ref().unwrap();
    assert_eq!(
        (details.title.as_str(), details.techniques.is_empty()),
        (brute_force_title().as_str(), false)
    );
    assert_eq!(details.author.as_deref(), Some("The Bartizan developers"));
    assert_eq!(finding.user.as_deref(), Some("ada"), "the account is what they have in common");
    assert!(details.events.iter().all(|id| shown.contains(&id.parse().unwrap())), "by their own ids");
    let status = detection.status();
    assert_eq!(status.rules.iter().find(|rule| rule.id == brute_force()).unwrap().fired, 1);
    detection.finish();
    log.finish();
}

fn starter(file: &str) -> Arc<Rule> {
    let rules = Rules::compile(&config("{}")).unwrap();
    let rule = rules.set.rules().iter().find(|rule| rule.reports && rule.is_called(file)).unwrap();
    Arc::clone(rule)
}

fn brute_force() -> String {
    starter("brute-force").id.clone()
}

fn brute_force_title() -> String {
    starter("brute-force").title.clone()
}

#[test]
fn rules_that_change_take_the_place_of_others_and_the_same_ones_keep_what_they_remember() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let detection = Detection::start(Rules::compile(&config("{}")).unwrap(), log.clone()).unwrap();
    let now = SystemTime::now();
    let fail = |from: u64, to: u64| {
        for number in from..to {
            detection.show(failed_login(now + Duration::from_millis(number), "ada"));
        }
        detection.flush();
    };
    let has_found = || findings(&log).iter().any(|event| event.rules[0] == brute_force());
    fail(0, 3);
    assert!(!has_found());
    detection.follow(Rules::compile(&config("{ served: 7 }")).unwrap());
    fail(3, 20);
    assert!(has_found(), "the first three count");
    detection.follow(Rules::compile(&config("{ starter: false }")).unwrap());
    assert!(detection.status().rules.is_empty());
    detection.finish();
    log.finish();
}

#[test]
fn rules_are_left_out_by_name_and_who_does_not_exist_is_told_of() {
    let rules = Rules::compile(&config("{ without: [brute-force, brute-forec] }")).unwrap();
    assert!(rules.set.rules().iter().filter(|rule| rule.reports).all(|rule| !rule.is_called("brute-force")));
    let [doubt] = rules.doubts.as_slice() else { panic!("{:?}", rules.doubts) };
    assert!(doubt.message.contains("`brute-forec`"), "{}", doubt.message);
}

#[test]
fn a_rule_that_is_not_understood_keeps_the_configuration_from_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.yml");
    std::fs::write(&path, "title: Mine\nid: a\nlogsource: { product: bartizan }\ndetection: { a: { no.field: 1 }, condition: a }\n")
        .unwrap();
    let problems = Rules::compile(&config(&format!("{{ rules: {path:?} }}"))).err().unwrap();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.line, problem.severity), (1, Severity::Error));
    assert!(problem.file.ends_with("own.yml") && problem.message.contains("no.field"), "{problem}");
}

/// The room of rules has lists of its own of what is written, so that it depends on nobody.
#[test]
fn rules_know_every_field_and_every_event_that_is_written() {
    use bartizan_detection::{EVENTS, FIELDS};

    let only_findings = |path: &str| {
        ["assignee", "finding_info", "evidences.", "bartizan.finding."]
            .iter()
            .any(|object| path.starts_with(object))
            || path == "count"
    };
    let written: Vec<_> = bartizan_events::FIELDS.iter().map(|field| field.path).collect();
    let written: Vec<_> = written.into_iter().filter(|path| !only_findings(path)).collect();
    assert_eq!(FIELDS, written);
    // Nothing writes these two, and rules look neither at what rules have found nor at what was told of it.
    let unwritten = [Kind::TokenRefused, Kind::KeyUsedFirstFromAddress];
    let is_seen = |kind: &&Kind| {
        !unwritten.contains(kind) && !matches!(kind.class(), Class::DetectionFinding | Class::IncidentFinding)
    };
    let mut kinds: Vec<_> = Kind::ALL.iter().filter(is_seen).collect();
    kinds.sort_by_key(|kind| kind.as_str());
    let mut known: Vec<_> = EVENTS.iter().collect();
    known.sort_by_key(|event| event.name);
    let kinds: Vec<_> = kinds.iter().map(|kind| (kind.as_str(), u64::from(kind.class().uid()))).collect();
    let known: Vec<_> = known.iter().map(|event| (event.name, event.class.number())).collect();
    assert_eq!(known, kinds);
}
