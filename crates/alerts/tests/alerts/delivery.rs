//! Tries, waits, what is kept for a person, and what a restart changes: nothing.

use bartizan_alerts::{By, Matcher, Moment, Silence, State, Wanted};

use crate::{SECRET, at, finding, only, open, recorder::Recorder, sqlite, turn};

fn settings(server: &Recorder, route: &str) -> String {
    let url = &server.url;
    format!(
        "  channels:\n    hook: {{ webhook: {{ url: \"{url}/hook\", secret: \"{SECRET}\" }} }}\n    \
         boss: {{ webhook: {{ url: \"{url}/boss\", secret: \"{SECRET}\" }} }}\n  routes:\n    - {{ to: hook, wait: 0s, {route} }}\n"
    )
}

fn reasons(server: &Recorder) -> Vec<(String, String)> {
    let sent = server.take();
    let reason = |sent: &crate::recorder::Sent| sent.json()["reason"].as_str().unwrap().to_owned();
    sent.iter().map(|sent| (sent.target.clone(), reason(sent))).collect()
}

fn told(target: &str, reason: &str) -> Vec<(String, String)> {
    vec![(target.to_owned(), reason.to_owned())]
}

fn ann() -> By {
    By { who: "ann".into(), note: None }
}

#[tokio::test]
async fn what_fails_is_tried_again_when_the_other_side_wants_it() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let alerts = open(&sqlite(folder.path()), &settings(&server, "repeat: 1d")).await;
    server.answer_next(429, Some("120"));
    alerts.observe(&finding("192.0.2.7", 0));
    turn(&alerts, 0).await;
    assert_eq!(server.take().len(), 1);
    turn(&alerts, 119).await;
    assert!(server.take().is_empty(), "not before");
    turn(&alerts, 120).await;
    assert_eq!(reasons(&server), told("/hook", "raised"));
    turn(&alerts, 240).await;
    assert!(server.take().is_empty(), "it went");
    assert!(alerts.undelivered(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_does_not_go_is_kept_until_a_person_decides() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let alerts = open(&sqlite(folder.path()), &settings(&server, "repeat: 1d")).await;
    for address in ["192.0.2.7", "192.0.2.8"] {
        server.answer_next(400, None);
        alerts.observe(&finding(address, 0));
        turn(&alerts, 0).await;
    }
    let kept = alerts.undelivered(None, 10).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0].channel.as_str(), kept[0].attempts), ("hook", 1));
    assert_eq!(kept[0].failure, "the service answers 400 Bad Request");
    assert_eq!(alerts.undelivered(Some(&kept[0].id), 10).await.unwrap(), kept[1..]);
    server.take();
    alerts.discard(&kept[0].id).await.unwrap();
    assert!(alerts.discard(&kept[0].id).await.is_err());
    assert_eq!(alerts.retry(Some(&kept[1].id), at(10)).await.unwrap(), 1);
    turn(&alerts, 10).await;
    assert_eq!(reasons(&server), told("/hook", "raised"));
    assert!(alerts.undelivered(None, 10).await.unwrap().is_empty());
    assert_eq!(alerts.retry(None, at(10)).await.unwrap(), 0);
}

#[tokio::test]
async fn tries_end_and_a_notification_of_one_alert_never_overtakes_another() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let alerts = open(&sqlite(folder.path()), &settings(&server, "repeat: 1d, resolve_after: 1d")).await;
    for _ in 0..10 {
        server.answer_next(500, None);
    }
    alerts.observe(&finding("192.0.2.7", 0));
    turn(&alerts, 0).await;
    alerts.resolve(&only(&alerts).await.id, ann(), at(1)).await.unwrap();
    // Ten tries, a quarter of an hour apart at most.
    for minute in 0..9 {
        turn(&alerts, 16 * 60 * (minute + 1)).await;
    }
    let sent = reasons(&server);
    assert_eq!(sent[..10], vec![told("/hook", "raised").remove(0); 10], "{sent:?}");
    turn(&alerts, 16 * 60 * 10).await;
    assert_eq!(reasons(&server).last().or(sent.last()).unwrap().1, "resolved");
    assert_eq!(alerts.undelivered(None, 10).await.unwrap()[0].attempts, 10);
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let settings =
        settings(&server, "repeat: 10min, resolve_after: 1h, escalate: [{ after: 5min, to: boss }]");
    let reopened = async || open(&sqlite(folder.path()), &settings).await;
    let alerts = reopened().await;
    alerts.observe(&finding("192.0.2.7", 0));
    alerts.turn(at(0)).await.unwrap();
    drop(alerts);
    let alerts = reopened().await;
    turn(&alerts, 1).await;
    assert_eq!(reasons(&server), told("/hook", "raised"), "what waited goes");
    drop(alerts);
    let alerts = reopened().await;
    turn(&alerts, 299).await;
    assert!(server.take().is_empty());
    turn(&alerts, 300).await;
    assert_eq!(reasons(&server), told("/boss", "escalated"));
    alerts.observe(&finding("192.0.2.7", 310));
    turn(&alerts, 600).await;
    assert_eq!(reasons(&server), told("/hook", "repeated"));
    let alert = only(&alerts).await;
    assert_eq!((alert.tally.count, alert.state), (2, State::Open));

    let alert = alerts.acknowledge(&alert.id, ann(), at(610)).await.unwrap();
    drop(alerts);
    let alerts = reopened().await;
    turn(&alerts, 2000).await;
    let mut sent = reasons(&server);
    sent.sort();
    let expected = [told("/boss", "acknowledged"), told("/hook", "acknowledged")].concat();
    assert_eq!(sent, expected, "and neither told again nor escalated");
    turn(&alerts, 600 + 3600).await;
    let mut sent = reasons(&server);
    sent.sort();
    assert_eq!(sent, [told("/boss", "resolved"), told("/hook", "resolved")].concat());
    let (alert, history) = alerts.show(&alert.id).await.unwrap();
    assert_eq!(alert.state, State::Resolved);
    let history: Vec<_> = history.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(history, ["raised", "told", "escalated", "repeated", "acknowledged", "resolved"]);

    // More of the same is another alert.
    alerts.observe(&finding("192.0.2.7", 5000));
    turn(&alerts, 5000).await;
    assert_eq!(reasons(&server), told("/hook", "raised"));
    let open = Wanted { state: Some(State::Open), limit: 10, ..Wanted::default() };
    assert_eq!(alerts.list(&open).await.unwrap().alerts.len(), 1);
}

#[tokio::test]
async fn nobody_is_told_of_what_is_silenced_until_it_is_not() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let alerts = open(&sqlite(folder.path()), &settings(&server, "repeat: 1d, resolve_after: 1d")).await;
    let silence = Silence {
        id: String::new(),
        matchers: vec![Matcher { by: "address".into(), value: "192.0.2.0/24".into() }],
        reason: "our own scan".into(),
        author: "ann".into(),
        made: Moment::from(at(0)),
        until: Moment::from(at(3600)),
    };
    let silence = alerts.silence(silence).await.unwrap();
    alerts.observe(&finding("192.0.2.7", 0));
    alerts.observe(&finding("198.51.100.7", 0));
    turn(&alerts, 0).await;
    assert_eq!(server.one().json()["alert"]["address"], "198.51.100.7");
    turn(&alerts, 60).await;
    assert!(server.take().is_empty());
    assert_eq!(alerts.silences(at(60)).await.unwrap(), std::slice::from_ref(&silence));
    alerts.unsilence(&silence.id, at(60)).await.unwrap();
    assert!(alerts.unsilence(&silence.id, at(60)).await.is_err());
    turn(&alerts, 60).await;
    assert_eq!(server.one().json()["alert"]["address"], "192.0.2.7");
}

#[tokio::test]
async fn pages_follow_one_another() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let alerts = open(&sqlite(folder.path()), &settings(&server, "repeat: 1d")).await;
    for number in 0..5 {
        alerts.observe(&finding(&format!("192.0.2.{number}"), 0));
        alerts.turn(at(0)).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let wanted =
            Wanted { after: after.take(), limit: 2, rule: Some("spraying".into()), ..Wanted::default() };
        let page = alerts.list(&wanted).await.unwrap();
        seen.extend(page.alerts.iter().map(|alert| alert.group[2].value.clone().unwrap()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["192.0.2.4", "192.0.2.3", "192.0.2.2", "192.0.2.1", "192.0.2.0"]);
    let none = Wanted { rule: Some("other".into()), limit: 2, ..Wanted::default() };
    assert!(alerts.list(&none).await.unwrap().alerts.is_empty());
}
