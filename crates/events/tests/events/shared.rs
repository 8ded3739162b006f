//! A log in a PostgreSQL that is away at times.

use std::{
    collections::HashSet,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use bartizan_events::{Database, EventError, EventLog, Filter, Kind, Order};

use crate::{
    log::{WITHIN, all, counted, event, settings},
    postgres_server::PostgresServer,
};

/// How long something may take that comes by itself.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn database(server: &PostgresServer) -> Database {
    Database { url: server.url().into(), name: "the test's".into() }
}

fn open(directory: &Path, database: &Database) -> EventLog {
    EventLog::open_in(settings(directory), Some(database), None).unwrap()
}

fn spilled(directory: &Path) -> usize {
    std::fs::read_dir(directory.join("events/spill")).unwrap().count()
}

#[test]
fn what_an_absent_database_does_not_take_is_spilled_and_replayed_once() {
    let (folder, mut server) = (tempfile::tempdir().unwrap(), PostgresServer::start());
    let database = database(&server);
    let log = open(folder.path(), &database);
    let mut followed = log.follow().unwrap();
    log.record(event(Kind::RoleChanged));
    log.flush();
    assert_eq!(all(&log).len(), 1);
    server.halt();
    log.record(event(Kind::RequestRefused));
    log.record(event(Kind::RoleChanged));
    log.flush();
    assert_eq!(spilled(folder.path()), 1);
    let gone = log.page(&Filter::default(), Order::OldestFirst, None, 10, WITHIN).unwrap_err();
    assert!(matches!(gone, EventError::Database { .. }), "{gone}");
    server.resume();
    let until = Instant::now() + PATIENCE;
    while spilled(folder.path()) > 0 {
        assert!(Instant::now() < until, "it is replayed while more comes");
        log.record(event(Kind::RoleChanged));
        log.flush();
        thread::sleep(Duration::from_millis(20));
    }
    log.flush();
    let mut acknowledged = HashSet::new();
    while let Ok(event) = followed.try_recv() {
        assert!(acknowledged.insert(event.id), "shown once");
    }
    let stored = all(&log);
    let ids: HashSet<_> = stored.iter().map(|event| event.id).collect();
    assert_eq!((ids.len(), &ids), (stored.len(), &acknowledged));
    assert_eq!(counted(&log, Kind::RoleChanged), stored.len() as u64);
    assert_eq!(counted(&log, Kind::RequestRefused), 1, "although it was dropped");
    log.finish();
}

#[test]
fn a_log_begins_without_its_database() {
    let (folder, mut server) = (tempfile::tempdir().unwrap(), PostgresServer::start());
    let database = database(&server);
    server.halt();
    let log = open(folder.path(), &database);
    let kept = event(Kind::RoleChanged);
    log.record(kept.clone());
    log.finish();
    assert_eq!(spilled(folder.path()), 1);
    server.resume();
    let log = open(folder.path(), &database);
    log.flush();
    assert_eq!(all(&log), [kept]);
    assert_eq!(spilled(folder.path()), 0);
    log.finish();
}

/// Each has a spill of its own, and sees what the other has stored.
#[test]
fn two_logs_share_a_database() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = PostgresServer::start();
    let database = database(&server);
    let logs = [open(one.path(), &database), open(other.path(), &database)];
    for _ in 0..50 {
        for log in &logs {
            log.record(event(Kind::AttackDetected));
            log.count(Kind::RequestAllowed);
        }
    }
    logs.iter().for_each(EventLog::flush);
    for log in &logs {
        assert_eq!((all(log).len(), counted(log, Kind::AttackDetected)), (100, 100));
        assert_eq!(counted(log, Kind::RequestAllowed), 100);
        let own = log.own().page(&Filter::default(), Order::OldestFirst, None, 1000, WITHIN).unwrap();
        assert_eq!(own.events.len(), 50);
    }
    logs.iter().for_each(EventLog::finish);
}
