//! `kill -9` in the middle of a storm, again and again, in one directory.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use bartizan_events::{Database, EventId, EventLog, Filter, Kind, Order, QueueBounds, Settings};
use secrecy::ExposeSecret;

use crate::{
    log::{WITHIN, event, settings},
    postgres_server::PostgresServer,
    shared::database,
};

const ROUNDS: usize = 50;
const ROUNDS_IN_POSTGRES: usize = 12;
const DIRECTORY: &str = "BARTIZAN_EVENTS_STORM";
const DATABASE: &str = "BARTIZAN_EVENTS_STORM_DATABASE";
const ACKNOWLEDGED: &str = "acknowledged ";

/// Where the events of a storm are.
struct Place<'a> {
    directory: &'a Path,
    database: Option<&'a Database>,
}

impl Place<'_> {
    fn open(&self, settings: Settings) -> EventLog {
        EventLog::open_in(settings, self.database, None).unwrap()
    }
}

/// Killed however the test ends.
struct Storm(Child);

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    survives(&Place { directory: folder.path(), database: None }, ROUNDS);
}

/// The server stays; whoever writes to it is killed, also between what it was told and its answer.
#[test]
fn nothing_that_was_acknowledged_is_lost_or_doubled_in_postgres() {
    let (folder, server) = (tempfile::tempdir().unwrap(), PostgresServer::start());
    let database = database(&server);
    survives(&Place { directory: folder.path(), database: Some(&database) }, ROUNDS_IN_POSTGRES);
}

fn survives(place: &Place<'_>, rounds: usize) {
    let mut acknowledged: Vec<EventId> = Vec::new();
    let mut rounds_with_spill = 0;
    for round in 0..rounds {
        acknowledged.extend(one_storm(place, 1 + round * 37 % 400));
        rounds_with_spill += usize::from(has_spilled(place.directory));
    }
    assert!(rounds_with_spill > 0, "the spill was in the way of no kill");

    let log = place.open(settings(place.directory));
    log.flush();
    let filter = Filter { kinds: vec![Kind::AttackDetected], ..Filter::default() };
    let (mut found, mut cursor, mut count) = (HashSet::new(), None, 0);
    loop {
        let page = log.page(&filter, Order::OldestFirst, cursor, 10_000, WITHIN).unwrap();
        count += page.events.len();
        found.extend(page.events.iter().map(|event| event.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), count, "none is there twice");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !found.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost, the first is {}", lost.len(), acknowledged.len(), lost[0]);
    assert!(acknowledged.len() > rounds * 100, "{}", acknowledged.len());
    let counted = log.counts(&filter, 24 * 60, WITHIN).unwrap().buckets;
    let counted: u64 = counted.iter().map(|bucket| bucket.count).sum();
    assert!(counted >= count as u64, "what is kept is counted: {counted} of {count}");
    log.finish();
    assert!(!has_spilled(place.directory), "everything was replayed");
}

/// What a storm has acknowledged until it was killed, after at least so many.
fn one_storm(place: &Place<'_>, at_least: usize) -> Vec<EventId> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "killed::storm", "--ignored", "--nocapture"]).env(DIRECTORY, place.directory);
    if let Some(database) = place.database {
        command.env(DATABASE, database.url.expose_secret());
    }
    let mut storm = Storm(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(storm.0.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    // What is in the pipe was written before the end; its last line may be half a one.
    while let Some(Ok(line)) = lines.next() {
        acknowledged.extend(line.strip_prefix(ACKNOWLEDGED).and_then(|id| id.parse::<EventId>().ok()));
        if acknowledged.len() == at_least {
            storm.0.kill().unwrap();
        }
    }
    assert!(acknowledged.len() >= at_least, "the storm ended by itself");
    acknowledged
}

fn has_spilled(directory: &Path) -> bool {
    fs::read_dir(directory.join("events/spill")).unwrap().next().is_some()
}

/// Not a test: what the test above starts and kills.
#[test]
#[ignore = "what `nothing_that_was_acknowledged_is_lost_or_doubled` starts and kills"]
fn storm() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let queue = QueueBounds { events: 256, bytes: 1 << 20 };
    let url = env::var(DATABASE).ok();
    let database = url.map(|url| Database { url: url.into(), name: "the storm's".into() });
    let place = Place { directory: Path::new(&directory), database: database.as_ref() };
    let log = place.open(Settings { queue, ..settings(place.directory) });
    let mut followed = log.follow().unwrap();
    for _ in 0..2 {
        let log = log.clone();
        // Bounded, so that nothing goes on for ever if nobody kills it.
        thread::spawn(move || {
            for _ in 0..2_000_000 {
                log.record(event(Kind::AttackDetected));
                log.record(event(Kind::RequestRefused));
                thread::yield_now();
            }
        });
    }
    let mut stdout = std::io::stdout();
    loop {
        match followed.blocking_recv() {
            Ok(event) if event.severity.is_expendable() => {}
            // One write for each line: the pipe takes it whole.
            Ok(event) => stdout.write_all(format!("{ACKNOWLEDGED}{}\n", event.id).as_bytes()).unwrap(),
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
