//! The record as it stands at one moment, to be replayed.

use std::{cmp::Reverse, sync::Arc};

use super::{Layout, Reader, segment::Segment};

/// What is there to replay.
pub(crate) struct Snapshot {
    /// One for each shard.
    pub(crate) readers: Vec<Reader>,
    /// What their requests refer to.
    pub(crate) layouts: Vec<Arc<Layout>>,
    /// The time from which on nothing is missing.
    pub(crate) from: u64,
    pub(crate) until: u64,
    /// The requests of the last hour that are not there any more. Those in the readers that came before `from` are
    /// not among them.
    pub(crate) gone: u64,
}

impl Snapshot {
    /// Leaves out the oldest where there is more than can be replayed in a reasonable time.
    pub(super) fn new(
        mut shards: Vec<Vec<Arc<Segment>>>,
        most: u64,
        mut from: u64,
        until: u64,
        mut gone: u64,
    ) -> Self {
        let mut newest_first: Vec<_> =
            shards.iter().flatten().map(|segment| (segment.ended, segment.requests)).collect();
        newest_first.sort_unstable_by_key(|(ended, _)| Reverse(*ended));
        let mut requests = 0;
        let first_left_out = newest_first.iter().find(|(_, more)| {
            requests += more;
            requests > most
        });
        if let Some((ended, _)) = first_left_out {
            from = from.max(ended.saturating_add(1));
        }
        let mut layouts = Vec::<Arc<Layout>>::new();
        for segments in &mut shards {
            segments.retain(|segment| {
                let is_replayed = segment.ended >= from;
                gone += if is_replayed { 0 } else { segment.requests };
                is_replayed
            });
            for segment in segments {
                if !layouts.iter().any(|known| Arc::ptr_eq(known, &segment.layout)) {
                    layouts.push(Arc::clone(&segment.layout));
                }
            }
        }
        Self { readers: shards.into_iter().map(Reader::new).collect(), layouts, from, until, gone }
    }
}
