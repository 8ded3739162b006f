//! What an operator has said of values, so that it is not asked twice: of many parameters that were made to cost much,
//! more than one may have the same value.

use crate::buffers::BufferId;

/// The answers to one question, each in the one place that it may have; a later one takes that of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Answers {
    places: Vec<Answer>,
    /// The number of the question that is being asked, if its answers are kept.
    question: Option<u32>,
    asked: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    question: u32,
    value: Option<BufferId>,
    holds: bool,
}

/// Bits of a place's number.
const BITS: u32 = 9;

impl Answers {
    /// Begins to keep answers, and forgets those to other questions.
    pub(super) fn begin(&mut self) {
        self.places.resize(1 << BITS, Answer::default());
        self.asked += 1;
        self.question = Some(self.asked);
    }

    pub(super) fn end(&mut self) {
        self.question = None;
    }

    /// Whether the operator holds for this value, if that is known.
    pub(super) fn of(&self, value: BufferId) -> Option<bool> {
        let question = self.question?;
        let answer = self.places.get(place(value))?;
        (answer.question == question && answer.value == Some(value)).then_some(answer.holds)
    }

    pub(super) fn keep(&mut self, value: BufferId, holds: bool) {
        let Some(question) = self.question else { return };
        if let Some(answer) = self.places.get_mut(place(value)) {
            *answer = Answer { question, value: Some(value), holds };
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Answer>()
    }
}

/// Multiplicative hashing (Knuth, volume 3, section 6.4).
fn place(value: BufferId) -> usize {
    (value.number().wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS)) as usize
}
