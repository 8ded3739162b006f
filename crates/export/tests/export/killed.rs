//! `kill -9` in the middle of a storm, again and again, in one directory.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use bartizan_events::{Decision, Event, EventLog, Kind, QueueBounds, Settings};
use serde_json::Value;

use crate::start;

const ROUNDS: usize = 10;
const DIRECTORY: &str = "BARTIZAN_EXPORT_STORM";
const ACKNOWLEDGED: &str = "acknowledged ";
const TO_FILES: &str = "{ archive: { file: { directory: ./archive, keep: 1000 }, batch: 50 } }";

/// Killed however the test ends.
struct Storm(Child);

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(one_storm(folder.path(), 1 + round * 37 % 200));
    }
    let exports = start(folder.path(), TO_FILES);
    let began = std::time::Instant::now();
    while exports.status()[0].waiting > 0 {
        assert!(began.elapsed() < crate::PATIENCE, "{:?}", exports.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    exports.finish().await;
    let delivered: HashSet<String> = fs::read_dir(folder.path().join("archive"))
        .unwrap()
        .flat_map(|entry| {
            fs::read_to_string(entry.unwrap().path()).unwrap().lines().map(uid).collect::<Vec<_>>()
        })
        .flatten()
        .collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !delivered.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost, the first is {}", lost.len(), acknowledged.len(), lost[0]);
    assert!(acknowledged.len() >= ROUNDS * 10, "{}", acknowledged.len());
}

/// A line that a dying process has not finished holds no event.
fn uid(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    Some(event["metadata"]["uid"].as_str()?.to_owned())
}

/// What a storm has acknowledged until it was killed, after at least so many.
fn one_storm(directory: &Path, at_least: usize) -> Vec<String> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "killed::storm", "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    let mut storm = Storm(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(storm.0.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    // What is in the pipe was written before the end; its last line may be half a one.
    while let Some(Ok(line)) = lines.next() {
        acknowledged
            .extend(line.strip_prefix(ACKNOWLEDGED).filter(|id| id.len() == 36).map(ToOwned::to_owned));
        if acknowledged.len() == at_least {
            storm.0.kill().unwrap();
        }
    }
    assert!(acknowledged.len() >= at_least, "the storm ended by itself");
    acknowledged
}

/// Not a test: what the test above starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "what `nothing_that_was_acknowledged_is_lost` starts and kills"]
async fn storm() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let exports = start(directory, TO_FILES);
    let settings = Settings {
        directory: directory.join("events"),
        retention: Duration::from_hours(24),
        queue: QueueBounds { events: 256, bytes: 1 << 20 },
        spill: 1 << 30,
    };
    let log = EventLog::open_tapped(settings, Some(Arc::new(exports))).unwrap();
    let mut followed = log.follow().unwrap();
    // Bounded, so that nothing goes on for ever if nobody kills it.
    thread::spawn(move || {
        for _ in 0..200_000 {
            log.record(Event::new(Kind::AttackDetected, SystemTime::now(), Decision::Refused, "a test"));
            thread::yield_now();
        }
    });
    let mut stdout = std::io::stdout();
    loop {
        match followed.recv().await {
            // One write for each line: the pipe takes it whole.
            Ok(event) => stdout.write_all(format!("{ACKNOWLEDGED}{}\n", event.id).as_bytes()).unwrap(),
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
