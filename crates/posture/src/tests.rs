//! A log, a system that says what it is told, and a monitor of both.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{Config, Source};
use bartizan_events::{Decision, Event, EventLog, Filter, Kind, LogHealth, Order, QueueBounds, Settings};
use parking_lot::Mutex;

use crate::{Facts, Monitor, Part, Pulse, PulseFuture, SurveyFuture, Surveyed, ThreatLevel};

/// What a system says.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) pulse: Pulse,
    pub(crate) facts: Facts,
}

struct Scripted(Arc<Mutex<Told>>);

impl Surveyed for Scripted {
    fn pulse(&self) -> PulseFuture<'_> {
        let pulse = self.0.lock().pulse.clone();
        Box::pin(async { pulse })
    }

    fn survey(&self) -> SurveyFuture<'_> {
        let facts = self.0.lock().facts.clone();
        Box::pin(async { facts })
    }
}

/// A configuration without anything to say against it.
pub(crate) const HEALTHY: &str = "version: 1
listen: { https: \"127.0.0.1:0\" }
tls: dev
waf: starter
accounts:
  password: { blocklist: ./breached.txt }
  second_factor: { key: \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\" }
  mail: { from: gate@shop.test, base_url: \"https://shop.test\", smtp: { url: \"smtps://mail.shop.test\" } }
identity: { people: { session: {} } }
routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: people, limit: default }]
";

pub(crate) fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("breached.txt"), "123456\n").unwrap();
    Config::parse(text, &Source::text(folder.path())).unwrap().config
}

pub(crate) fn facts(config: Config) -> Facts {
    Facts {
        config: Arc::new(config),
        inventory: Some(Ok(bartizan_identity::account::Inventory::default())),
        signing_keys: None,
        parts: vec![Part::new("store", None)],
        log: LogHealth { room: 100, ..LogHealth::default() },
        configuration_failure: None,
        disk: None,
        uptime: Duration::from_hours(1),
    }
}

pub(crate) fn log(folder: &std::path::Path) -> EventLog {
    let settings = Settings {
        directory: folder.join("events"),
        retention: Duration::from_hours(24 * 90),
        queue: QueueBounds::default(),
        spill: 1 << 20,
    };
    EventLog::open(settings).unwrap()
}

pub(crate) fn event(kind: Kind, at: SystemTime, last: u8) -> Event {
    let mut event = Event::new(kind, at, Decision::Refused, "a test");
    event.address = Some([192, 0, 2, last].into());
    event
}

struct Watched {
    monitor: Monitor,
    told: Arc<Mutex<Told>>,
    log: EventLog,
    folder: tempfile::TempDir,
}

fn monitor(log: &EventLog, told: &Arc<Mutex<Told>>, folder: &std::path::Path) -> Monitor {
    Monitor::new(log.clone(), Scripted(Arc::clone(told)), folder.join("weaknesses.json"))
}

fn watched() -> Watched {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let told = Told { pulse: Pulse::default(), facts: facts(config(HEALTHY)) };
    let told = Arc::new(Mutex::new(told));
    let monitor = monitor(&log, &told, folder.path());
    Watched { monitor, told, log, folder }
}

impl Watched {
    /// The kinds of what the monitor has recorded, and why, the oldest first.
    fn recorded(&self) -> Vec<(Kind, String)> {
        self.log.flush();
        let kinds = vec![Kind::ThreatLevelChanged, Kind::WeaknessFound, Kind::WeaknessGone];
        let filter = Filter { kinds, ..Filter::default() };
        let page = self.log.page(&filter, Order::OldestFirst, None, 100, Duration::from_secs(5)).unwrap();
        page.events.into_iter().map(|event| (event.kind, event.details.reason.unwrap_or_default())).collect()
    }
}

#[tokio::test]
async fn an_attack_raises_the_level_for_its_reason_and_calm_lowers_it() {
    let watched = watched();
    let now = SystemTime::now();
    assert_eq!(watched.monitor.look(now).await.unwrap().threat.level, ThreatLevel::Normal);
    let follower = watched.monitor.follow();
    let before = follower.borrow().as_ref().unwrap().0;
    for client in 0..200 {
        watched.log.record(event(Kind::AttackDetected, now, client));
        watched.log.record(event(Kind::CredentialStuffingDetected, now, client));
        watched.log.record(event(Kind::AuthenticationFailed, now, client));
    }
    watched.log.flush();
    let posture = watched.monitor.look(now).await.unwrap();
    assert_eq!(posture.threat.level, ThreatLevel::Critical, "{:?}", posture.threat);
    assert_eq!(posture.threat.reasons[0].cause, crate::Cause::Findings);
    assert_eq!(posture.hour.count(&[Kind::AttackDetected]), 200);
    assert!(
        posture
            .recommendations
            .iter()
            .any(|what| what.what.contains("bartizan events --type attack_detected"))
    );
    assert_eq!(follower.borrow().as_ref().unwrap().0, before + 1, "whoever follows is told");
    let later = now + Duration::from_hours(2);
    watched.monitor.look(later).await.unwrap();
    let calm = watched.monitor.look(later + Duration::from_mins(6)).await.unwrap();
    assert_eq!(calm.threat.level, ThreatLevel::Normal);
    let changes: Vec<_> = watched.recorded().into_iter().map(|(_, level)| level).collect();
    assert_eq!(changes, ["critical", "normal"]);
}

#[tokio::test]
async fn one_client_is_loud_and_not_critical() {
    let watched = watched();
    let now = SystemTime::now();
    for _ in 0..500 {
        watched.log.record(event(Kind::AttackDetected, now, 1));
        watched.log.record(event(Kind::CredentialStuffingDetected, now, 1));
        watched.log.record(event(Kind::AuthenticationFailed, now, 1));
    }
    watched.log.record(event(Kind::AttackDetected, now, 2));
    watched.log.flush();
    let posture = watched.monitor.look(now).await.unwrap();
    assert_eq!((posture.threat.level, posture.threat.score), (ThreatLevel::High, 74), "{:?}", posture.threat);
    assert!(posture.threat.one_client);
}

#[tokio::test]
async fn weaknesses_are_told_when_they_come_and_when_they_go() {
    let watched = watched();
    let healthy = watched.monitor.scan().await.unwrap();
    assert_eq!((healthy.weaknesses.len(), healthy.threat.score), (0, 0), "{:?}", healthy.weaknesses);
    watched.told.lock().facts.configuration_failure = Some("line 3: nonsense".into());
    watched.told.lock().pulse.parts = vec![Part::new("shared store", Some("it does not answer".into()))];
    let found = watched.monitor.scan().await.unwrap();
    let since = found.weaknesses[0].since;
    let again = watched.monitor.scan().await.unwrap();
    assert_eq!((again.weaknesses.len(), again.weaknesses[0].since), (1, since), "told once");
    assert_eq!(again.threat.score, 13, "10 for the part, 3 for the weakness: {:?}", again.threat);
    // Who starts again knows it still, and since when.
    let next = monitor(&watched.log, &watched.told, watched.folder.path());
    assert_eq!(next.scan().await.unwrap().weaknesses[0].since, since);
    watched.told.lock().facts.configuration_failure = None;
    watched.monitor.scan().await.unwrap();
    let refused = "configuration_refused".to_owned();
    assert_eq!(watched.recorded(), [(Kind::WeaknessFound, refused.clone()), (Kind::WeaknessGone, refused)]);
}
