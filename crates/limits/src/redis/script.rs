//! The script that decides, what it is asked, and what it may answer.
//!
//! Numbers go to and fro as packed doubles: reading digits is slow on either side. An answer is believed only as far as
//! it fits the question: as many whole numbers as were asked for, none negative, no more units left than there are at
//! all. Everything else is an error, never an admission.

use std::{fmt, time::Duration};

use bartizan_model::Algorithm;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};
use smallvec::SmallVec;

use super::{error::LimitsError, key, link::Connection};
use crate::{Charge, Standing, algorithm::longest_debt, charge::Effective};

/// The text of the script and the SHA-1 by which a server knows it.
pub(super) struct Script {
    text: String,
    digest: String,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Script {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), digest: redis::Script::new(text).get_hash().to_owned() }
    }

    /// One round trip; a second one when the server does not know the script yet, from which on it does.
    pub(super) async fn run(
        &self,
        mut connection: Connection,
        purpose: Purpose,
        questions: &[Question],
    ) -> RedisResult<Value> {
        match connection.query(&command("EVALSHA", &self.digest, purpose, questions)).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                connection.query(&command("EVAL", &self.text, purpose, questions)).await
            }
            answer => answer,
        }
    }
}

fn command(name: &str, script: &str, purpose: Purpose, questions: &[Question]) -> Cmd {
    let mut keys = SmallVec::<[&str; 4]>::new();
    let mut charges = SmallVec::<[u8; 4 * Question::PACKED]>::new();
    for question in questions {
        let known = keys.iter().position(|key| *key == question.key);
        if known.is_none() {
            keys.push(&question.key);
        }
        question.pack(known.map_or(keys.len(), |known| known + 1), &mut charges);
    }
    let mut command = redis::cmd(name);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    match purpose {
        Purpose::Take => command.arg("take").arg(0),
        Purpose::Peek => command.arg("peek").arg(0),
        Purpose::Give { ago } => command.arg("give").arg(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)),
        Purpose::Lease { least } => command.arg("lease").arg(least),
        Purpose::Return { leased_at } => command.arg("return").arg(leased_at),
    };
    command.arg(charges.as_slice());
    command
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Charge all or nothing.
    Take,
    /// Say what taking would give.
    Peek,
    /// Undo what was taken; the answer came so long ago.
    Give { ago: Duration },
    /// Charge up to the cost for later, or nothing when less than the least is to be had; in the script's terms.
    Lease { least: u64 },
    /// Undo what was leased, at this time by the clock of Redis.
    Return { leased_at: u64 },
}

/// One charge in the terms of the script.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    key: String,
    kind: Algorithm,
    /// For a bucket the nanoseconds that a unit takes to come back, for a window its microseconds.
    unit: u64,
    /// In nanoseconds or in units.
    capacity: u64,
    /// As the capacity.
    cost: u64,
    /// For a bucket the nanoseconds that it may owe at most, for a window the longest wait in its microseconds.
    longest: u64,
    /// For the answer.
    quota: u64,
    units: u64,
    window: Duration,
}

impl Question {
    pub(crate) fn of(charge: &Charge<'_>) -> Self {
        let Effective { stated, algorithm, limit, burst, window, cost } = Effective::of(charge);
        let (unit, capacity, scaled, longest) = match algorithm {
            Algorithm::TokenBucket => {
                let interval = window.div_ceil(limit);
                (interval, burst * interval, cost * interval, longest_debt(&stated))
            }
            Algorithm::SlidingWindow | Algorithm::FixedWindow => {
                let microseconds = window.div_ceil(1000);
                (microseconds, burst, cost, 2 * microseconds)
            }
        };
        Self {
            key: key::key(charge.limit, charge.value),
            kind: algorithm,
            unit,
            capacity,
            cost: scaled,
            longest,
            quota: burst,
            units: cost,
            window: Duration::from_nanos(window),
        }
    }

    /// The same for another number of units.
    pub(crate) fn with_units(&self, units: u64) -> Self {
        let cost = self.scaled(units);
        Self { cost, units, ..self.clone() }
    }

    pub(super) fn scaled(&self, units: u64) -> u64 {
        match self.kind {
            Algorithm::TokenBucket => units.saturating_mul(self.unit),
            Algorithm::SlidingWindow | Algorithm::FixedWindow => units,
        }
    }

    /// The bytes of a charge in the last argument of the script.
    const PACKED: usize = 6 * size_of::<f64>();

    /// `slot` says which of the keys it is about, from 1; a script that is asked for one it does not have fails.
    #[expect(clippy::cast_precision_loss, reason = "the script counts in doubles, whole up to 2^53")]
    fn pack(&self, slot: usize, to: &mut SmallVec<[u8; 4 * Self::PACKED]>) {
        let kind = match self.kind {
            Algorithm::TokenBucket => 0,
            Algorithm::SlidingWindow => 1,
            Algorithm::FixedWindow => 2,
        };
        for number in [kind, slot as u64, self.unit, self.capacity, self.cost, self.longest] {
            to.extend_from_slice(&(number as f64).to_le_bytes());
        }
    }

    /// How the charge stands once what it took was given back.
    pub(super) fn given_back(&self, standing: &mut Standing) {
        standing.remaining = (standing.remaining + self.units).min(self.quota);
    }

    fn standing(&self, numbers: [[u8; 8]; 3]) -> Result<Standing, LimitsError> {
        let [wait, remaining, reset] = numbers;
        let (wait, remaining, reset) = (whole(wait)?, whole(remaining)?, whole(reset)?);
        if remaining > self.quota {
            return Err(LimitsError::Nonsense("more units left than there are"));
        }
        let longest =
            if self.kind == Algorithm::TokenBucket { self.longest.div_ceil(1000) } else { self.longest };
        if wait.max(reset) > longest.saturating_add(1) {
            return Err(LimitsError::Nonsense("a longer wait than the limit could demand"));
        }
        Ok(Standing {
            quota: self.quota,
            window: self.window,
            remaining,
            reset: Duration::from_micros(reset),
            retry_after: (wait > 0).then(|| Duration::from_micros(wait)),
        })
    }
}

/// Units that were charged for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// None when little is left.
    pub(crate) units: u64,
    /// When, by the clock of Redis, in microseconds.
    pub(crate) at: u64,
    /// How long they may be used: until the window turns, if that is known. Counted from when they were charged.
    pub(crate) turn: Option<Duration>,
    /// How the limit stands without them.
    pub(crate) standing: Standing,
}

/// Reads the answer to a lease.
pub(super) fn granted(question: &Question, answer: &Value) -> Result<Granted, LimitsError> {
    let &[wait, remaining, reset, units, at] = packed(answer)? else {
        return Err(LimitsError::Nonsense("numbers of another length"));
    };
    let standing = question.standing([wait, remaining, reset])?;
    let (units, at) = (whole(units)?, whole(at)?);
    if units > question.units {
        return Err(LimitsError::Nonsense("more units granted than were asked for"));
    }
    // With units in the window a fixed one is over when it is full again, a sliding one a window later.
    let turn = match question.kind {
        Algorithm::TokenBucket => None,
        Algorithm::FixedWindow => Some(standing.reset),
        Algorithm::SlidingWindow => Some(standing.reset.saturating_sub(Duration::from_micros(question.unit))),
    };
    Ok(Granted { units, at, turn, standing })
}

/// Reads the answer to `questions`.
pub(super) fn standings(
    questions: &[Question],
    answer: &Value,
) -> Result<SmallVec<[Standing; 4]>, LimitsError> {
    let numbers = packed(answer)?;
    if numbers.len() != 3 * questions.len() {
        return Err(LimitsError::Nonsense("numbers of another length"));
    }
    let (numbers, _) = numbers.as_chunks();
    questions.iter().zip(numbers).map(|(question, numbers)| question.standing(*numbers)).collect()
}

/// The doubles of an answer, each in its bytes.
fn packed(answer: &Value) -> Result<&[[u8; 8]], LimitsError> {
    let Value::BulkString(bytes) = answer else { return Err(LimitsError::Nonsense("not packed numbers")) };
    match bytes.as_chunks() {
        (numbers, []) => Ok(numbers),
        _ => Err(LimitsError::Nonsense("numbers of another length")),
    }
}

fn whole(bytes: [u8; 8]) -> Result<u64, LimitsError> {
    /// 2^53.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let number = f64::from_le_bytes(bytes);
    if !(0.0..=LARGEST).contains(&number) || number.fract() != 0.0 {
        return Err(LimitsError::Nonsense("no whole number, or a negative one"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, and within 0 to 2^53"
    )]
    Ok(number as u64)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use bartizan_model::Quota;

    use super::*;
    use crate::{Factors, Limit};

    fn question() -> Question {
        let (limit, burst) = (NonZeroU32::new(60).unwrap(), NonZeroU32::new(20).unwrap());
        let quota = Quota::token_bucket(limit, Duration::from_mins(1), burst).unwrap();
        let limit = Limit { name: "login".into(), quota };
        let (cost, factors) = (NonZeroU32::new(3).unwrap(), Factors::new(1.0, 1.0, 1.0));
        Question::of(&Charge { limit: &limit, value: b"a", cost, factors })
    }

    #[test]
    fn a_bucket_counts_in_nanoseconds() {
        let Question { unit, capacity, cost, quota, units, window, .. } = question();
        assert_eq!((unit, capacity, cost), (1_000_000_000, 20_000_000_000, 3_000_000_000));
        assert_eq!((quota, units, window), (20, 3, Duration::from_mins(1)));
    }

    fn packed_of(numbers: &[f64]) -> Value {
        Value::BulkString(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    #[test]
    fn an_answer_is_believed_only_as_far_as_it_fits_the_question() {
        let none = "no whole number, or a negative one";
        let length = "numbers of another length";
        let cases = [
            (packed_of(&[0.0, 20.0, 0.0]), Ok((20, None))),
            (packed_of(&[1.0, 0.0, 20e6]), Ok((0, Some(Duration::from_micros(1))))),
            (packed_of(&[0.0, 21.0, 0.0]), Err("more units left than there are")),
            (packed_of(&[0.0, -1.0, 0.0]), Err(none)),
            (packed_of(&[-1.0, 0.0, 0.0]), Err(none)),
            (packed_of(&[0.0, 0.5, 0.0]), Err(none)),
            (packed_of(&[0.0, f64::NAN, 0.0]), Err(none)),
            (packed_of(&[0.0, 0.0, f64::INFINITY]), Err(none)),
            (packed_of(&[0.0, 0.0, 2f64.powi(54)]), Err(none)),
            (packed_of(&[0.0, 0.0, 2f64.powi(53)]), Err("a longer wait than the limit could demand")),
            (packed_of(&[2f64.powi(53), 0.0, 0.0]), Err("a longer wait than the limit could demand")),
            (packed_of(&[]), Err(length)),
            (packed_of(&[0.0, 0.0]), Err(length)),
            (packed_of(&[0.0; 6]), Err(length)),
            (Value::BulkString(vec![0; 23]), Err(length)),
            (Value::BulkString(vec![0; 25]), Err(length)),
            (Value::Array(vec![Value::Int(0); 3]), Err("not packed numbers")),
            (Value::Nil, Err("not packed numbers")),
            (Value::Okay, Err("not packed numbers")),
            (Value::Int(0), Err("not packed numbers")),
        ];
        for (answer, expected) in cases {
            let found =
                standings(&[question()], &answer).map(|found| (found[0].remaining, found[0].retry_after));
            assert_eq!(found, expected.map_err(LimitsError::Nonsense), "{answer:?}");
        }
    }

    #[test]
    fn a_lease_is_believed_only_as_far_as_it_was_asked_for() {
        let none = "no whole number, or a negative one";
        let length = "numbers of another length";
        let cases = [
            (packed_of(&[0.0, 17.0, 3e6, 3.0, 9.0]), Ok((3, 9))),
            (packed_of(&[0.0, 20.0, 0.0, 0.0, 9.0]), Ok((0, 9))),
            (packed_of(&[0.0, 16.0, 4e6, 4.0, 9.0]), Err("more units granted than were asked for")),
            (packed_of(&[0.0, 16.0, 4e6, -1.0, 9.0]), Err(none)),
            (packed_of(&[0.0, 16.0, 4e6, 3.0, -9.0]), Err(none)),
            (packed_of(&[0.0, 21.0, 0.0, 3.0, 9.0]), Err("more units left than there are")),
            (packed_of(&[0.0, 17.0, 3e6]), Err(length)),
            (packed_of(&[0.0, 17.0, 3e6, 3.0, 9.0, 9.0]), Err(length)),
            (Value::Nil, Err("not packed numbers")),
        ];
        for (answer, expected) in cases {
            let found = granted(&question(), &answer).map(|granted| (granted.units, granted.at));
            assert_eq!(found, expected.map_err(LimitsError::Nonsense), "{answer:?}");
        }
    }
}
