//! Recording, finding, following.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bartizan_events::{Decision, Event, EventLog, Filter, Kind, Order, QueueBounds, Settings};
use tokio::sync::broadcast::error::TryRecvError;

pub(crate) const WITHIN: Duration = Duration::from_mins(1);

pub(crate) fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.join("events"),
        retention: Duration::from_hours(24 * 90),
        queue: QueueBounds::default(),
        spill: 1 << 30,
    }
}

pub(crate) fn event(kind: Kind) -> Event {
    Event::new(kind, SystemTime::now(), Decision::Refused, "a test")
}

pub(crate) fn all(log: &EventLog) -> Vec<Event> {
    log.page(&Filter::default(), Order::OldestFirst, None, 100_000, WITHIN).unwrap().events
}

pub(crate) fn counted(log: &EventLog, kind: Kind) -> u64 {
    let filter = Filter { kinds: vec![kind], ..Filter::default() };
    log.counts(&filter, 60, WITHIN).unwrap().buckets.iter().map(|bucket| bucket.count).sum()
}

#[test]
fn what_is_recorded_is_found_and_shown_and_outlives_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(settings(folder.path())).unwrap();
    let mut followed = log.follow().unwrap();
    let events: Vec<_> = [Kind::RequestRefused, Kind::RoleChanged, Kind::AttackDetected].map(event).into();
    events.iter().cloned().for_each(|event| log.record(event));
    for _ in 0..7 {
        log.count(Kind::RequestAllowed);
    }
    log.flush();
    assert_eq!(all(&log), events);
    for event in &events {
        assert_eq!(*followed.try_recv().unwrap(), *event);
    }
    assert_eq!(counted(&log, Kind::RequestAllowed), 7, "although none was kept");
    log.finish();
    assert_eq!(followed.try_recv().unwrap_err(), TryRecvError::Closed);
    assert!(log.follow().is_none());
    log.record(event(Kind::RoleChanged));
    let log = EventLog::open(settings(folder.path())).unwrap();
    assert_eq!(all(&log), events);
}

#[test]
fn texts_of_strangers_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(settings(folder.path())).unwrap();
    log.record(Event { user: Some("ä".repeat(10_000)), ..event(Kind::RequestRefused) });
    log.flush();
    assert_eq!(all(&log)[0].user.as_deref(), Some("ä".repeat(64).as_str()));
}

/// More than a tiny queue holds, at once: what is low gives way, what is not is there, by way of the spill.
#[test]
fn under_pressure_what_matters_is_kept_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = QueueBounds { events: 64, bytes: 1 << 20 };
    let log = EventLog::open(Settings { queue: bounds, ..settings(folder.path()) }).unwrap();
    let mut followed = log.follow().unwrap();
    for _ in 0..2000 {
        log.record(event(Kind::RequestRefused));
    }
    for _ in 0..10 {
        log.record(event(Kind::AttackDetected));
        log.flush();
    }
    let kept = all(&log);
    let of = |kind| kept.iter().filter(|event| event.kind == kind).count();
    assert_eq!(of(Kind::AttackDetected), 10);
    assert!(of(Kind::RequestRefused) < 2000, "some were dropped");
    log.flush();
    assert_eq!(counted(&log, Kind::RequestRefused), 2000, "all are counted");
    let health = log.health();
    let dropped = 2000 - u64::try_from(of(Kind::RequestRefused)).unwrap();
    assert_eq!((health.waiting, health.room, health.dropped, health.lost), (0, 64, dropped, 0));
    let mut shown = Vec::new();
    while let Ok(event) = followed.try_recv() {
        shown.push(event.id);
    }
    let mut ids: Vec<_> = kept.iter().map(|event| event.id).collect();
    shown.sort_unstable();
    ids.sort_unstable();
    assert_eq!(shown, ids, "what is kept is shown, once");
}

/// A table of today's file is away while events come.
#[test]
fn what_the_store_does_not_take_is_spilled_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let log = EventLog::open(settings(folder.path())).unwrap();
    rename(folder.path(), "events", "elsewhere");
    log.record(event(Kind::RequestRefused));
    log.record(event(Kind::RoleChanged));
    log.flush();
    let spilled = || std::fs::read_dir(folder.path().join("events/spill")).unwrap().count();
    assert_eq!(spilled(), 1);
    assert_eq!((log.health().spilled, log.health().has_spill), (1, true));
    rename(folder.path(), "elsewhere", "events");
    log.finish();
    let log = EventLog::open(settings(folder.path())).unwrap();
    log.flush();
    assert_eq!(all(&log).iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::RoleChanged]);
    assert_eq!(spilled(), 0);
    assert_eq!(counted(&log, Kind::RoleChanged), 1);
}

/// By another program.
fn rename(directory: &Path, table: &str, to: &str) {
    let path = std::fs::read_dir(directory.join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
        .unwrap();
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(&format!("ALTER TABLE {table} RENAME TO {to}")).unwrap();
}

/// A file of today that another release has written.
#[test]
fn a_day_that_cannot_be_written_is_spilled_and_keeps_nobody_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let before = event(Kind::RoleChanged);
    let log = EventLog::open(settings.clone()).unwrap();
    log.record(before);
    log.flush();
    log.finish();
    let days = || {
        let entries = std::fs::read_dir(&settings.directory).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
            .collect::<Vec<_>>()
    };
    let written = days();
    for path in &written {
        rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    }
    let log = EventLog::open(settings.clone()).unwrap();
    let mut followed = log.follow().unwrap();
    let kept = Event::new(Kind::RoleChanged, SystemTime::now(), Decision::Allowed, "kept");
    log.record(event(Kind::RequestRefused));
    log.record(kept.clone());
    log.flush();
    if days() == written {
        let shown = followed.try_recv().unwrap();
        assert_eq!(*shown, kept, "acknowledged by the spill; what is low is dropped");
        assert!(followed.try_recv().is_err());
        let page = log.page(&Filter::default(), Order::OldestFirst, None, 10, WITHIN).unwrap();
        assert_eq!((page.events, page.unreadable.days.len()), (vec![], 1));
    }
    log.finish();
    for path in &written {
        rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    }
    let log = EventLog::open(settings.clone()).unwrap();
    log.flush();
    assert!(all(&log).contains(&kept), "it is replayed when the file can be written again");
}
