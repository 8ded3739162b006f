//! `events:`.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    EventStore, PathPattern,
    forms::Parsed,
    located::{At, Optional},
    word::ByteSize,
};

/// What happens at the gateway, kept to be found again: refusals, logins, changes.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// What they are kept in. Read at the start only.
    #[schemars(extend("default" = "files"))]
    pub(crate) store: Optional<EventStore>,
    /// The directory of their daily files, and of what cannot be stored at the moment. Without it `events` in the state directory. Read at the start only.
    pub(crate) directory: Optional<Parsed<PathBuf>>,
    /// How long they are kept, 1 day to 10 years. Days are removed whole.
    #[schemars(extend("default" = "90d"))]
    pub(crate) retention: Optional<Parsed<Duration>>,
    /// Of the requests that were served, one of so many is kept; 1 keeps every one. All are counted, and what was refused
    /// is always kept.
    #[schemars(extend("default" = 100))]
    pub(crate) sample: Optional<Parsed<NonZeroU32>>,
    /// Paths of requests that are all kept, as routes write them.
    #[schemars(extend("examples" = [["/admin/**"]]))]
    pub(crate) always: Optional<Vec<At<Parsed<PathPattern>>>>,
    /// How many may wait to be written, 1024 to 1000000. Read at the start only.
    #[schemars(extend("default" = 65536))]
    pub(crate) queue: Optional<Parsed<NonZeroU32>>,
    /// How much memory those may hold, at most 1GiB. Read at the start only.
    #[schemars(extend("default" = "64MiB"))]
    pub(crate) queue_bytes: Optional<Parsed<ByteSize>>,
    /// How much disk events of medium severity and above may take that cannot be stored at the moment. Read at the start
    /// only.
    #[schemars(extend("default" = "1GiB"))]
    pub(crate) spill: Optional<Parsed<ByteSize>>,
}
