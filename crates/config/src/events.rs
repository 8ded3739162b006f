//! What the gateway keeps of what happens: events.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use crate::PathPattern;

/// What events are kept in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EventStore {
    /// Daily files of SQLite, of this gateway alone.
    #[default]
    Files,
    /// The database of PostgreSQL that `store.url` names, for all gateways that share it.
    Postgres,
}

/// `events:`: where events are kept, for how long, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// What they are kept in.
    pub store: EventStore,
    /// The directory of their daily files, and of what cannot be stored at the moment; `None`: `events` in the state
    /// directory.
    pub directory: Option<PathBuf>,
    /// How long they are kept.
    pub retention: Duration,
    /// Of the requests that were served, one of so many is kept. All are counted.
    pub sample: NonZeroU32,
    /// Requests of these paths that were served are all kept.
    pub always: Vec<PathPattern>,
    /// How many may wait to be written.
    pub queue: NonZeroU32,
    /// How much memory those may hold, in bytes.
    pub queue_bytes: usize,
    /// How much may be spilled, in bytes.
    pub spill: u64,
}

impl Default for Events {
    fn default() -> Self {
        // Zero is written nowhere here.
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            store: EventStore::Files,
            directory: None,
            retention: Duration::from_hours(24 * 90),
            sample: number(100),
            always: Vec::new(),
            queue: number(65_536),
            queue_bytes: 64 * 1024 * 1024,
            spill: 1024 * 1024 * 1024,
        }
    }
}
