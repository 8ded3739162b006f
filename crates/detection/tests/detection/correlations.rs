//! What many events mean together.

use bartizan_detection::{Limits, Matched};
use serde_json::{Value, json};

use super::{findings, findings_within};

fn failure(user: &str, id: usize) -> Value {
    json!({
        "metadata": { "uid": format!("event-{id}") },
        "bartizan": { "event": "authentication_failed", "service": "accounts" },
        "user": { "uid": user },
    })
}

/// Failed logins, counted by person.
const FAILURES: &str = "title: Failures\nid: failures\nauthor: Ann Example, Bob Example\nlevel: high\n\
    tags: [attack.t1110]\n\
    correlation: { type: event_count, rules: [failure], group-by: [user.uid], timespan: 1m, condition: { gte: 3 } }\n\
    ---\n\
    title: A failure\nname: failure\nlogsource: { product: bartizan, service: accounts }\n\
    detection: { failure: { bartizan.event: authentication_failed }, condition: failure }\n";

#[test]
fn a_finding_says_who_when_and_which_events() {
    let events = (0..5).map(|number| (number * 10, failure("ann", usize::try_from(number).unwrap())));
    let found = findings(FAILURES, events);
    assert_eq!(found.len(), 1, "once, when it begins to hold");
    let finding = &found[0];
    assert_eq!((finding.rule.id.as_str(), finding.rule.title.as_str()), ("failures", "Failures"));
    assert_eq!(finding.rule.author.as_deref(), Some("Ann Example, Bob Example"));
    assert_eq!(finding.rule.severity.id(), 4);
    assert_eq!(finding.rule.techniques().collect::<Vec<_>>(), ["T1110"]);
    assert_eq!((finding.count, finding.first.0, finding.last.0), (3, 0, 20_000));
    assert_eq!(finding.group, [Matched { field: "user.uid".into(), value: "ann".into() }]);
    let failed = Matched { field: "bartizan.event".into(), value: "authentication_failed".into() };
    assert_eq!(finding.matched, [failed]);
    assert_eq!(finding.events.iter().map(|id| &**id).collect::<Vec<_>>(), ["event-0", "event-1", "event-2"]);
}

#[test]
fn the_same_events_give_the_same_findings() {
    let events = || {
        (0..400_usize).map(|number| {
            let user = format!("user-{}", number * number % 7);
            (i64::try_from(number).unwrap(), failure(&user, number))
        })
    };
    let limits = || Limits { groups: 3, entries: 12 };
    let told = || serde_json::to_string(&findings_within(FAILURES, limits(), events())).unwrap();
    let first = told();
    assert!(first.contains("user-"), "{first}");
    assert_eq!(first, told());
}

#[test]
fn who_is_forgotten_begins_anew() {
    let flood = (0..20).map(|number| (2, failure(&format!("other-{number}"), 9)));
    let events = || {
        [(0, failure("ann", 0)), (1, failure("ann", 1))]
            .into_iter()
            .chain(flood.clone())
            .chain([(3, failure("ann", 2))])
    };
    assert_eq!(findings(FAILURES, events()).len(), 1);
    assert_eq!(findings_within(FAILURES, Limits { groups: 10, entries: 1000 }, events()).len(), 0);
}

#[test]
fn whoever_has_no_name_is_in_no_group() {
    let nobody = json!({ "bartizan": { "event": "authentication_failed", "service": "accounts" } });
    assert!(findings(FAILURES, (0..10).map(|time| (time, nobody.clone()))).is_empty());
}

#[test]
fn parts_are_told_only_where_a_correlation_says_so() {
    let telling = FAILURES.replace("correlation:", "generate: true\ncorrelation:");
    let count = |rules: &str| findings(rules, (0..3).map(|time| (time, failure("ann", 0)))).len();
    assert_eq!((count(FAILURES), count(&telling)), (1, 4));
}

#[test]
fn a_field_may_have_another_name_in_another_rule() {
    let rules = "title: Denied, then made\nid: a\n\
        correlation:\n  type: temporal_ordered\n  rules: [denied, made]\n  group-by: [who]\n  timespan: 5m\n  \
        aliases: { who: { denied: actor.user.uid, made: user.uid } }\n---\n\
        title: Denied\nname: denied\nlogsource: { product: bartizan }\n\
        detection: { a: { bartizan.event: permission_denied }, condition: a }\n---\n\
        title: Made\nname: made\nlogsource: { product: bartizan }\n\
        detection: { a: { bartizan.event: account_created }, condition: a }\n";
    let denied = |user: &str| json!({ "bartizan": { "event": "permission_denied" }, "actor": { "user": { "uid": user } } });
    let made = |user: &str| json!({ "bartizan": { "event": "account_created" }, "user": { "uid": user } });
    let found = findings(rules, [(0, denied("ann")), (1, made("bob")), (2, made("ann"))]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].group, [Matched { field: "who".into(), value: "ann".into() }]);
    assert!(findings(rules, [(0, made("ann")), (1, denied("ann"))]).is_empty());
}

#[test]
fn an_event_that_meets_two_rules_is_one_event_and_one_step() {
    let parts = "---\ntitle: Any\nname: any\nlogsource: { product: bartizan }\n\
        detection: { a: { bartizan.event|startswith: session }, condition: a }\n---\n\
        title: One\nname: one\nlogsource: { product: bartizan }\n\
        detection: { a: { bartizan.event: session_moved }, condition: a }\n";
    let moved = |time| (time, json!({ "bartizan": { "event": "session_moved" } }));
    let counted = format!(
        "title: Two\nid: a\ncorrelation: {{ type: event_count, rules: [any, one], timespan: 1m, condition: {{ gte: 2 }} }}\n{parts}"
    );
    assert!(findings(&counted, [moved(0)]).is_empty());
    assert_eq!(findings(&counted, [moved(0), moved(1)]).len(), 1);
    let ordered = format!(
        "title: Two\nid: a\ncorrelation: {{ type: temporal_ordered, rules: [any, one], timespan: 1m }}\n{parts}"
    );
    assert!(findings(&ordered, [moved(0)]).is_empty());
    assert_eq!(findings(&ordered, [moved(0), moved(1)]).len(), 1);
}

#[test]
fn sums_and_averages_are_of_whole_numbers() {
    let rules = |kind: &str, number: u64| {
        format!(
            "title: Much\nid: a\ncorrelation:\n  type: {kind}\n  rules: [answer]\n  timespan: 10m\n  \
             condition: {{ field: http_response.latency, gte: {number} }}\n---\n\
             title: Answer\nname: answer\nlogsource: {{ product: bartizan, service: gateway }}\n\
             detection: {{ a: {{ bartizan.event: request_allowed }}, condition: a }}\n"
        )
    };
    let events = || {
        [10, 20, 60].into_iter().enumerate().map(|(time, latency)| {
            let event = json!({
                "bartizan": { "event": "request_allowed", "service": "gateway" },
                "http_response": { "latency": latency },
            });
            (i64::try_from(time).unwrap(), event)
        })
    };
    let counts =
        |rules: &str| findings(rules, events()).iter().map(|finding| finding.count).collect::<Vec<_>>();
    assert_eq!(counts(&rules("value_sum", 90)), [90]);
    assert!(counts(&rules("value_sum", 91)).is_empty());
    assert_eq!(counts(&rules("value_avg", 15)), [15]);
    assert!(counts(&rules("value_avg", 31)).is_empty());
}
