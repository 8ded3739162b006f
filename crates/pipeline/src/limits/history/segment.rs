//! A part of the record: at most a minute and a mebibyte of one shard. Each request is a few bytes: how long after the
//! one before it came, who asked and for what, by numbers that the segment gives to whom and what it has met.
//!
//! An entry is the time since the one before, the number of who asks and the number of what they ask for. A number
//! that has not been given so far is followed by what it stands for.

use std::sync::Arc;

use hashbrown::HashTable;

use super::{
    Layout,
    encoding::{Unread, What, Who, write_number},
};

/// Memory is taken in pieces of so many bytes; an entry is always in one of them.
const CHUNK: usize = 16 * 1024;
/// The longest numbers of an entry: a time, two numbers and two lengths.
const MOST_NUMBERS: usize = 5 * 10;
/// Different things asked for in one segment; any more are known by their route and method only.
const MOST_WHATS: usize = 4096;
/// What a segment takes beside its entries.
const OVERHEAD: usize = 256;

/// A segment that is written no more.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) layout: Arc<Layout>,
    began: u64,
    /// The time of its last request.
    pub(super) ended: u64,
    pub(super) requests: u64,
    chunks: Box<[Vec<u8>]>,
}

/// The segment that a shard writes now.
pub(super) struct Open {
    pub(super) layout: Arc<Layout>,
    pub(super) began: u64,
    last: u64,
    requests: u64,
    chunks: Vec<Vec<u8>>,
}

/// Numbers by the hash of what they stand for: with a key that nobody outside knows, 64 bits of it are as good as the
/// thing itself.
#[derive(Default)]
pub(super) struct Numbers(HashTable<(u64, u32)>);

/// A table for so many is kept for the next segment.
const KEPT: usize = 4096;

/// Something written down, and its hash.
#[derive(Clone, Copy)]
pub(super) struct Written<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) hash: u64,
}

// === impl Open ===

impl Open {
    pub(super) fn new(layout: &Arc<Layout>, now: u64) -> Self {
        Self { layout: Arc::clone(layout), began: now, last: now, requests: 0, chunks: Vec::new() }
    }

    /// Adds an entry, and says whether that took more memory. Time never goes back.
    pub(super) fn add(&mut self, now: u64, who: (u32, Option<&[u8]>), what: (u32, Option<&[u8]>)) -> bool {
        let length = MOST_NUMBERS + [who.1, what.1].iter().flatten().map(|bytes| bytes.len()).sum::<usize>();
        let is_full = self.chunks.last().is_none_or(|chunk| chunk.capacity() - chunk.len() < length);
        if is_full {
            self.chunks.push(Vec::with_capacity(CHUNK.max(length)));
        }
        let Some(chunk) = self.chunks.last_mut() else { return is_full };
        write_number(now.saturating_sub(self.last), |byte| chunk.push(byte));
        for (number, bytes) in [who, what] {
            write_number(number.into(), |byte| chunk.push(byte));
            if let Some(bytes) = bytes {
                write_number(u64::try_from(bytes.len()).unwrap_or(u64::MAX), |byte| chunk.push(byte));
                chunk.extend_from_slice(bytes);
            }
        }
        self.last = self.last.max(now);
        self.requests += 1;
        is_full
    }

    pub(super) fn bytes(&self) -> usize {
        OVERHEAD + self.chunks.len() * CHUNK
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn seal(self) -> Segment {
        let Self { layout, began, last, requests, mut chunks } = self;
        if let Some(chunk) = chunks.last_mut() {
            chunk.shrink_to_fit();
        }
        Segment { layout, began, ended: last, requests, chunks: chunks.into() }
    }
}

// === impl Numbers ===

impl Numbers {
    /// The number of this, and what it stands for where it is new.
    pub(super) fn of<'b>(&mut self, written: Written<'b>) -> (u32, Option<&'b [u8]>) {
        if let Some(number) = self.find(written.hash) {
            return (number, None);
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert_unique(written.hash, (written.hash, number), |(hash, _)| *hash);
        (number, Some(written.bytes))
    }

    /// The number of this, or of what `briefly` writes where there are too many already.
    pub(super) fn of_some<'b>(
        &mut self,
        written: Written<'b>,
        briefly: impl FnOnce() -> Written<'b>,
    ) -> (u32, Option<&'b [u8]>) {
        if self.0.len() >= MOST_WHATS && self.find(written.hash).is_none() {
            self.of(briefly())
        } else {
            self.of(written)
        }
    }

    fn find(&self, hash: u64) -> Option<u32> {
        self.0.find(hash, |(known, _)| *known == hash).map(|(_, number)| *number)
    }

    /// Forgets all. A table that many have made large is given back, or else it would fill every segment from then on.
    pub(super) fn clear(&mut self) {
        if self.0.capacity() > KEPT {
            self.0 = HashTable::new();
        } else {
            self.0.clear();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.allocation_size()
    }
}

// === impl Segment ===

impl Segment {
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD + self.chunks.iter().map(Vec::capacity).sum::<usize>()
    }
}

/// Reads the segments of one shard, one after the other.
pub(crate) struct Reader {
    segments: std::vec::IntoIter<Arc<Segment>>,
    current: Option<Current>,
}

/// The segment that is read now, and what its numbers stand for.
struct Current {
    segment: Arc<Segment>,
    chunk: usize,
    position: usize,
    time: u64,
    whos: Vec<Who>,
    whats: Vec<What>,
}

/// A request as it was recorded.
#[derive(Clone, Copy)]
pub(crate) struct Recorded<'r> {
    pub(crate) time: u64,
    pub(crate) layout: &'r Arc<Layout>,
    pub(crate) who: &'r Who,
    pub(crate) what: &'r What,
}

impl Reader {
    pub(super) fn new(segments: Vec<Arc<Segment>>) -> Self {
        Self { segments: segments.into_iter(), current: None }
    }

    /// Goes to the next request and says when it came.
    pub(crate) fn advance(&mut self) -> Option<(u64, Position)> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(position) = current.advance()
            {
                return Some((current.time, position));
            }
            self.current = Some(Current::new(self.segments.next()?));
        }
    }

    /// The request that it stands at.
    pub(crate) fn at(&self, position: Position) -> Option<Recorded<'_>> {
        let current = self.current.as_ref()?;
        let (who, what) = (current.whos.get(position.who)?, current.whats.get(position.what)?);
        Some(Recorded { time: current.time, layout: &current.segment.layout, who, what })
    }
}

/// The numbers of a request in its segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    who: usize,
    what: usize,
}

impl Current {
    fn new(segment: Arc<Segment>) -> Self {
        let time = segment.began;
        Self { segment, chunk: 0, position: 0, time, whos: Vec::new(), whats: Vec::new() }
    }

    fn advance(&mut self) -> Option<Position> {
        let Self { segment, chunk: number, position, time, whos, whats } = self;
        let mut chunk = segment.chunks.get(*number)?;
        if *position >= chunk.len() {
            (*number, *position) = (*number + 1, 0);
            chunk = segment.chunks.get(*number)?;
        }
        let mut unread = Unread(chunk.get(*position..)?);
        *time += unread.number()?;
        let who = usize::try_from(unread.number()?).ok()?;
        if who == whos.len() {
            whos.push(Unread(unread.prefixed()?).who(&segment.layout)?);
        }
        let what = usize::try_from(unread.number()?).ok()?;
        if what == whats.len() {
            whats.push(Unread(unread.prefixed()?).what()?);
        }
        *position = chunk.len() - unread.0.len();
        Some(Position { who, what })
    }
}
