//! The bytes of one exchange: every value that rules look at, and what transformations made of it, each once.
//!
//! A value that a transformation leaves alone shares the storage of the original, so that an ordinary value, which
//! nearly all of them leave alone, is looked at once for all rules.

use std::borrow::Cow;

use crate::{
    Transformation,
    byte_set::ByteSet,
    gate::GateIndex,
    transformation::{Transformations, profile},
};

/// A value, as it came or transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BufferId(u32);

/// A text that is never transformed: a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// Transformations, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    steps: Box<[Transformation]>,
    set: Transformations,
}

impl Chain {
    pub(crate) fn new(steps: Vec<Transformation>) -> Self {
        let set = steps.iter().fold(0, |set, step| set | step.bit());
        Self { steps: steps.into(), set }
    }

    pub(crate) fn steps(&self) -> &[Transformation] {
        &self.steps
    }
}

/// What is known of a value without looking at it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) present: ByteSet,
    touching: Transformations,
    pub(crate) length: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// What came.
    raw: Store,
    /// What transformations made; thrown away when it becomes too much.
    derived: Store,
}

#[derive(Debug, Default)]
struct Store {
    bytes: Vec<u8>,
    buffers: Vec<Buffer>,
    /// The gates that each value opens, for those that were scanned.
    hits: Vec<u64>,
    /// For the values that were transformed.
    steps: Vec<Steps>,
}

#[derive(Clone, Debug)]
struct Buffer {
    span: Span,
    profile: Option<Profile>,
    hits: Option<usize>,
    /// Where [`Store::steps`] has what transformations make of this one.
    steps: Option<u32>,
}

/// The buffer that each transformation makes of another one.
type Steps = [u32; Transformation::NAMES.len()];

/// How much there was at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    bytes: usize,
    buffers: usize,
}

/// How many bytes transformations may make of one.
const DERIVED_PER_RAW: usize = 4;
const DERIVED: u32 = 1 << 31;
const UNKNOWN: u32 = u32::MAX;

impl Buffers {
    /// Adds a value of the exchange.
    pub(crate) fn push(&mut self, value: &[u8]) -> BufferId {
        let id = self.raw.push(value);
        BufferId(id)
    }

    /// Adds a name.
    pub(crate) fn push_name(&mut self, name: &[u8]) -> Span {
        self.raw.append(name)
    }

    /// A value that is a name which stands here already.
    pub(crate) fn push_span(&mut self, span: Span) -> BufferId {
        BufferId(self.raw.add(span))
    }

    pub(crate) fn name(&self, span: Span) -> &[u8] {
        self.raw.bytes(span)
    }

    pub(crate) fn bytes(&self, id: BufferId) -> &[u8] {
        let (store, at) = self.store(id);
        store.bytes(store.buffers[at].span)
    }

    /// The buffer and where its bytes are.
    fn store(&self, id: BufferId) -> (&Store, usize) {
        match id.0 & DERIVED {
            0 => (&self.raw, id.0 as usize),
            _ => (&self.derived, (id.0 ^ DERIVED) as usize),
        }
    }

    fn store_mut(&mut self, id: BufferId) -> (&mut Store, usize) {
        match id.0 & DERIVED {
            0 => (&mut self.raw, id.0 as usize),
            _ => (&mut self.derived, (id.0 ^ DERIVED) as usize),
        }
    }

    pub(crate) fn profile(&mut self, id: BufferId) -> Profile {
        let (store, at) = self.store_mut(id);
        store.profile(at)
    }

    /// What a chain makes of a value.
    pub(crate) fn transformed(&mut self, id: BufferId, chain: &Chain) -> BufferId {
        if self.profile(id).touching & chain.set == 0 {
            return id;
        }
        chain.steps.iter().fold(id, |id, step| self.step(id, *step))
    }

    /// What one transformation makes of a value.
    pub(crate) fn step(&mut self, id: BufferId, step: Transformation) -> BufferId {
        if self.profile(id).touching & step.bit() == 0 {
            return id;
        }
        let (store, at) = self.store(id);
        if let Some(known) = store.step(at, step) {
            return known;
        }
        let made = match step.apply(store.bytes(store.buffers[at].span)) {
            Cow::Borrowed(_) => id,
            Cow::Owned(made) => BufferId(self.derived.push(&made) | DERIVED),
        };
        let (store, at) = self.store_mut(id);
        store.set_step(at, step, made);
        made
    }

    /// The gates that a value opens.
    pub(crate) fn hits(&mut self, id: BufferId, index: &GateIndex) -> &[u64] {
        let (store, at) = self.store_mut(id);
        store.hits(at, index)
    }

    /// The memory that all of it takes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.raw.held_bytes() + self.derived.held_bytes()
    }

    /// About the most memory that looking at all of it takes besides: of each value two are made, and a vector may have
    /// twice the room it needs.
    pub(crate) fn needed_bytes(&self, index: &GateIndex) -> usize {
        let of_each = size_of::<Buffer>() + size_of::<Steps>() + index.words() * size_of::<u64>();
        self.raw.buffers.len() * of_each * 4 + self.raw.bytes.len() * DERIVED_PER_RAW
    }

    /// Whether what transformations made takes more room than it should, with what is remembered of it.
    pub(crate) fn is_crowded(&self) -> bool {
        const ROOM: usize = 4 << 20;
        let Store { bytes, buffers, hits, steps } = &self.derived;
        let taken = bytes.len()
            + buffers.len() * size_of::<Buffer>()
            + size_of_val(hits.as_slice())
            + (steps.len() + self.raw.steps.len()) * size_of::<Steps>();
        let of_each = 2 * (size_of::<Buffer>() + size_of::<Steps>());
        taken > ROOM.max(self.raw.bytes.len() * DERIVED_PER_RAW) + self.raw.buffers.len() * of_each
    }

    /// What is there now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { bytes: self.raw.bytes.len(), buffers: self.raw.buffers.len() }
    }

    /// Forgets the values and names that were added since. None of them may be in use.
    pub(crate) fn release(&mut self, mark: Mark) {
        self.raw.bytes.truncate(mark.bytes);
        self.raw.buffers.truncate(mark.buffers);
    }

    /// Forgets what transformations made. No buffer of theirs may be in use.
    pub(crate) fn forget_derived(&mut self) {
        self.derived = Store::default();
        self.raw.steps.clear();
        self.raw.buffers.iter_mut().for_each(|buffer| buffer.steps = None);
    }
}

impl Store {
    fn held_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.buffers.capacity() * size_of::<Buffer>()
            + self.hits.capacity() * size_of::<u64>()
            + self.steps.capacity() * size_of::<Steps>()
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.end();
        self.bytes.extend_from_slice(bytes);
        Span { start, end: self.end() }
    }

    fn end(&self) -> u32 {
        narrow(self.bytes.len())
    }

    fn push(&mut self, value: &[u8]) -> u32 {
        let span = self.append(value);
        self.add(span)
    }

    fn add(&mut self, span: Span) -> u32 {
        let id = narrow(self.buffers.len());
        self.buffers.push(Buffer { span, profile: None, hits: None, steps: None });
        id
    }

    fn step(&self, at: usize, step: Transformation) -> Option<BufferId> {
        let known = self.steps[self.buffers[at].steps? as usize][step as usize];
        (known != UNKNOWN).then_some(BufferId(known))
    }

    fn set_step(&mut self, at: usize, step: Transformation, made: BufferId) {
        let steps = *self.buffers[at].steps.get_or_insert_with(|| {
            self.steps.push([UNKNOWN; Transformation::NAMES.len()]);
            narrow(self.steps.len() - 1)
        });
        self.steps[steps as usize][step as usize] = made.0;
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn profile(&mut self, at: usize) -> Profile {
        if let Some(known) = self.buffers[at].profile {
            return known;
        }
        let span = self.buffers[at].span;
        let (present, touching) = profile(self.bytes(span));
        *self.buffers[at].profile.insert(Profile { present, touching, length: span.end - span.start })
    }

    fn hits(&mut self, at: usize, index: &GateIndex) -> &[u64] {
        let start = if let Some(start) = self.buffers[at].hits {
            start
        } else {
            let present = self.profile(at).present;
            let start = self.hits.len();
            self.hits.resize(start + index.words(), 0);
            let span = self.buffers[at].span;
            let value = self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
            index.scan(value, &present, &mut self.hits[start..]);
            self.buffers[at].hits = Some(start);
            start
        };
        &self.hits[start..start + index.words()]
    }
}

/// INVARIANT: bodies are limited to a quarter of what 32 bits can count; beyond that values would read as empty.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
