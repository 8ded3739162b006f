//! `events:`.

use std::{num::NonZeroU32, time::Duration};

use super::files::Files;
use crate::{EventStore, Events, StoreLocation, file, located::Optional, problems::Problems};

const DAY: Duration = Duration::from_hours(24);
const MOST_PATTERNS: usize = 64;
const MOST_MEMORY: u32 = 1024 * 1024 * 1024;
const LEAST_QUEUE: u32 = 1024;
const MOST_QUEUE: u32 = 1_000_000;

pub(crate) fn resolve(
    file: &Optional<file::Events>,
    database: Option<&StoreLocation>,
    files: &Files<'_>,
    problems: &mut Problems<'_>,
) -> Events {
    let default = Events::default();
    let Some(file) = file.as_ref() else { return default };
    let store = file.store.get().unwrap_or_default();
    if let Some(written) = file.store.as_ref().filter(|_| store == EventStore::Postgres)
        && !matches!(database, Some(StoreLocation::Postgres(_)))
    {
        problems
            .error(written.position, "there is no PostgreSQL to keep events in")
            .help("name one: `store: { url: \"postgres://bartizan:${POSTGRES_PASSWORD}@host/bartizan\" }`");
    }
    let directory = problems.read_optional(&file.directory).map(|path| files.absolute(&path.value));
    let always = file.always.as_ref().map_or_else(Vec::new, |always| {
        if always.len() > MOST_PATTERNS {
            problems
                .error(always.position, format!("there are more than {MOST_PATTERNS} paths"))
                .help("every request is compared with all of them: write fewer, with `**`");
        }
        problems.read_all(always).into_iter().map(|pattern| pattern.value).collect()
    });
    Events {
        store,
        directory,
        retention: retention(file, default.retention, problems),
        sample: problems.read_or(&file.sample, default.sample),
        always,
        queue: queue(file, default.queue, problems),
        queue_bytes: problems.memory("queue_bytes", &file.queue_bytes, MOST_MEMORY, default.queue_bytes),
        spill: problems.size("spill", &file.spill, default.spill),
    }
}

fn retention(file: &file::Events, default: Duration, problems: &mut Problems<'_>) -> Duration {
    let Some(retention) = problems.read_optional(&file.retention) else { return default };
    if !(DAY..=3653 * DAY).contains(&retention.value) {
        problems.error(retention.position, "`retention` is 1d to 3653d (ten years)");
    }
    retention.value
}

fn queue(file: &file::Events, default: NonZeroU32, problems: &mut Problems<'_>) -> NonZeroU32 {
    let Some(queue) = problems.read_optional(&file.queue) else { return default };
    if !(LEAST_QUEUE..=MOST_QUEUE).contains(&queue.value.get()) {
        problems.error(queue.position, format!("`queue` is {LEAST_QUEUE} to {MOST_QUEUE}"));
    }
    queue.value
}
