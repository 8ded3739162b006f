//! The bytes of one exchange: every value that rules look at, and what transformations made of it, each once.
//!
//! A value that a transformation leaves alone shares the storage of the original, so that an ordinary value, which
//! nearly all of them leave alone, is looked at once for all rules.

mod chain;
mod shared;

use std::borrow::Cow;

pub(crate) use chain::{Chain, Profile};
use shared::Shared;

use crate::{Transformation, gate::GateIndex};

/// A value, as it came or transformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BufferId(u32);

impl BufferId {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// A text that is never transformed: a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// What came.
    raw: Store,
    /// What transformations made; thrown away when it becomes too much.
    derived: Store,
    /// The gates that each value opens, for those that were scanned.
    hits: Vec<u64>,
    forgotten: u32,
    shared: Shared,
    has_repeated: bool,
}

#[derive(Debug, Default)]
struct Store {
    bytes: Vec<u8>,
    buffers: Vec<Buffer>,
    /// For the values that were transformed.
    steps: Vec<Steps>,
}

#[derive(Clone, Debug)]
struct Buffer {
    span: Span,
    profile: Option<Profile>,
    /// Where [`Buffers::hits`] has the gates that it opens.
    hits: Option<usize>,
    /// The value of which this is the one in lower case: it opens the same gates.
    lowered: Option<BufferId>,
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

impl Mark {
    /// Whether this value came later. What transformations make is not marked.
    pub(crate) fn is_before(&self, id: BufferId) -> bool {
        id.0 & DERIVED == 0 && id.0 as usize >= self.buffers
    }
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

    /// Adds a value of which the exchange may have many: one that is there already is not added again.
    pub(crate) fn push_one_of_many(&mut self, value: &[u8]) -> BufferId {
        let Self { raw, shared, .. } = self;
        match shared.place(value) {
            None => self.push(value),
            Some(Some(known)) if raw.content(known.0 as usize) == value => {
                let known = *known;
                self.has_repeated = true;
                known
            }
            Some(place) => *place.insert(BufferId(raw.push(value))),
        }
    }

    /// Whether a value was found that was there already.
    pub(crate) fn has_repeated(&self) -> bool {
        self.has_repeated
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
        store.content(at)
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

    pub(crate) fn profile(&mut self, id: BufferId) -> &Profile {
        let (store, at) = self.store_mut(id);
        store.profile(at)
    }

    /// What a chain makes of a value.
    pub(crate) fn transformed(&mut self, id: BufferId, chain: &Chain) -> BufferId {
        if !chain.touches(self.profile(id)) {
            return id;
        }
        chain.steps().iter().fold(id, |id, step| self.step(id, *step))
    }

    /// What one transformation makes of a value.
    pub(crate) fn step(&mut self, id: BufferId, step: Transformation) -> BufferId {
        let (store, at) = self.store_mut(id);
        let profile = store.profile(at);
        if !profile.is_touched_by(step) {
            return id;
        }
        let lowered = (step == Transformation::Lowercase).then(|| profile.in_lower_case());
        if let Some(known) = store.step(at, step) {
            return known;
        }
        let (store, at) = self.store(id);
        let Cow::Owned(made) = step.apply(store.content(at)) else {
            let (store, at) = self.store_mut(id);
            store.is_not_touched(at, step);
            return id;
        };
        let number = self.derived.push(&made);
        if lowered.is_some() {
            let buffer = &mut self.derived.buffers[number as usize];
            (buffer.profile, buffer.lowered) = (lowered, Some(id));
        }
        let made = BufferId(number | DERIVED);
        let (store, at) = self.store_mut(id);
        store.set_step(at, step, made);
        made
    }

    /// The gates that a value opens.
    pub(crate) fn hits(&mut self, id: BufferId, index: &GateIndex) -> &[u64] {
        let start = self.place_of_hits(id, index);
        &self.hits[start..start + index.words()]
    }

    /// Where the gates stand that a value opens, for [`Self::hits_at`].
    pub(crate) fn place_of_hits(&mut self, id: BufferId, index: &GateIndex) -> usize {
        let id = {
            let (store, at) = self.store(id);
            store.buffers[at].lowered.unwrap_or(id)
        };
        let (store, at) = self.store(id);
        store.buffers[at].hits.unwrap_or_else(|| self.scan(id, index))
    }

    /// The gates that a value opens, and behind them those of others.
    pub(crate) fn hits_at(&self, place: usize) -> &[u64] {
        self.hits.get(place..).unwrap_or_default()
    }

    /// How often what transformations made was forgotten.
    pub(crate) fn forgotten(&self) -> u32 {
        self.forgotten
    }

    fn scan(&mut self, id: BufferId, index: &GateIndex) -> usize {
        let place = self.hits.len();
        self.hits.resize(place + index.words(), 0);
        let store = if id.0 & DERIVED == 0 { &mut self.raw } else { &mut self.derived };
        let at = (id.0 & !DERIVED) as usize;
        let present = store.profile(at).present;
        store.buffers[at].hits = Some(place);
        index.scan(store.content(at), &present, &mut self.hits[place..]);
        place
    }

    /// The bytes of all that came.
    pub(crate) fn length(&self) -> usize {
        self.raw.bytes.len()
    }

    /// The memory that all of it takes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.raw.held_bytes()
            + self.derived.held_bytes()
            + self.hits.capacity() * size_of::<u64>()
            + self.shared.held_bytes()
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
        let Store { bytes, buffers, steps } = &self.derived;
        let taken = bytes.len()
            + buffers.len() * size_of::<Buffer>()
            + size_of_val(self.hits.as_slice())
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

    /// Forgets everything, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let Self { raw, derived, hits, forgotten, shared, has_repeated } = self;
        raw.clear();
        derived.clear();
        hits.clear();
        (*forgotten, *shared, *has_repeated) = (0, Shared::default(), false);
    }

    /// Forgets what transformations made. No buffer of theirs may be in use.
    pub(crate) fn forget_derived(&mut self) {
        self.forgotten = self.forgotten.wrapping_add(1);
        self.derived = Store::default();
        self.raw.steps.clear();
        self.hits.clear();
        self.raw.buffers.iter_mut().for_each(|buffer| (buffer.steps, buffer.hits) = (None, None));
    }
}

impl Store {
    fn held_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.buffers.capacity() * size_of::<Buffer>()
            + self.steps.capacity() * size_of::<Steps>()
    }

    fn clear(&mut self) {
        let Self { bytes, buffers, steps } = self;
        bytes.clear();
        buffers.clear();
        steps.clear();
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
        self.buffers.push(Buffer { span, profile: None, hits: None, lowered: None, steps: None });
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

    /// The bytes of a value.
    fn content(&self, at: usize) -> &[u8] {
        self.bytes(self.buffers[at].span)
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn profile(&mut self, at: usize) -> &mut Profile {
        let Self { bytes, buffers, .. } = self;
        let Buffer { span, profile, .. } = &mut buffers[at];
        profile.get_or_insert_with(|| {
            let value = bytes.get(span.start as usize..span.end as usize).unwrap_or_default();
            Profile::of(value, span.end - span.start)
        })
    }

    /// A transformation was tried in vain.
    fn is_not_touched(&mut self, at: usize, step: Transformation) {
        self.profile(at).is_not_touched_by(step);
    }
}

/// INVARIANT: bodies are limited to a quarter of what 32 bits can count; beyond that values would read as empty.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
