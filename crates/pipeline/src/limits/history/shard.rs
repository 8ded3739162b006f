//! What one shard has recorded: segments that are complete, and the one that is written now.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Layout, MINUTE, SPAN,
    segment::{Numbers, Open, Segment, Written},
};

/// A segment with more than this is complete, so that little goes at once when memory ends.
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub(super) struct Shard {
    sealed: VecDeque<Arc<Segment>>,
    sealed_bytes: usize,
    open: Option<Open>,
    /// Of the segment that is written now.
    whos: Numbers,
    whats: Numbers,
    /// What it took when it last said so.
    told: usize,
}

impl Shard {
    /// Adds a request, and says by how much the shard has grown; by less than nothing when it shrank.
    pub(super) fn add<'b>(
        &mut self,
        now: u64,
        layout: &Arc<Layout>,
        who: Written<'b>,
        what: impl FnOnce(&mut Numbers) -> (u32, Option<&'b [u8]>),
    ) -> isize {
        let sealed = self.seal_unless(|open, bytes| {
            // Of a configuration that says the same there is only one layout.
            Arc::ptr_eq(&open.layout, layout) && now.saturating_sub(open.began) < MINUTE && bytes < MOST_BYTES
        });
        if sealed {
            self.forget_before(now.saturating_sub(SPAN));
        }
        let (who, what) = (self.whos.of(who), what(&mut self.whats));
        let is_new = who.1.is_some() || what.1.is_some();
        let open = self.open.get_or_insert_with(|| Open::new(layout, now));
        let has_grown = open.add(now, who, what);
        if sealed || is_new || has_grown { self.growth() } else { 0 }
    }

    /// When the oldest segment that is complete ended.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.sealed.front().map(|segment| segment.ended)
    }

    /// Forgets it, and says by how much the shard has grown.
    pub(super) fn forget_oldest(&mut self) -> (Option<Arc<Segment>>, isize) {
        let oldest = self.sealed.pop_front();
        self.sealed_bytes -= oldest.as_ref().map_or(0, |segment| segment.bytes());
        (oldest, self.growth())
    }

    /// All that ended after `begin`, complete; and by how much the shard has grown.
    pub(super) fn snapshot(&mut self, begin: u64) -> (Vec<Arc<Segment>>, isize) {
        self.seal_unless(|_, _| false);
        self.forget_before(begin);
        (self.sealed.iter().cloned().collect(), self.growth())
    }

    /// Forgets what ended an hour ago, and says by how much the shard has grown. What is written now is complete after a
    /// minute also when nothing comes any more.
    pub(super) fn forget_expired(&mut self, now: u64) -> isize {
        self.seal_unless(|open, _| now.saturating_sub(open.began) < MINUTE);
        self.forget_before(now.saturating_sub(SPAN));
        self.growth()
    }

    /// Completes the segment that is written now, unless it may grow on. Says whether it did.
    fn seal_unless(&mut self, may_grow: impl FnOnce(&Open, usize) -> bool) -> bool {
        let bytes = self.open_bytes();
        let Some(open) = self.open.take_if(|open| !may_grow(open, bytes)) else { return false };
        let segment = open.seal();
        self.sealed_bytes += segment.bytes();
        self.sealed.push_back(Arc::new(segment));
        self.whos.clear();
        self.whats.clear();
        true
    }

    fn forget_before(&mut self, begin: u64) {
        while self.oldest().is_some_and(|ended| ended < begin) {
            let oldest = self.sealed.pop_front();
            self.sealed_bytes -= oldest.map_or(0, |segment| segment.bytes());
        }
    }

    fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, Open::bytes) + self.whos.bytes() + self.whats.bytes()
    }

    #[cfg(test)]
    pub(super) fn told(&self) -> usize {
        self.told
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.sealed.iter().map(|segment| segment.requests).sum::<u64>()
            + self.open.as_ref().map_or(0, Open::requests)
    }

    fn growth(&mut self) -> isize {
        let bytes = self.sealed_bytes + self.open_bytes();
        let growth = bytes.cast_signed() - self.told.cast_signed();
        self.told = bytes;
        growth
    }
}
