//! The script that decides, what it is asked, and what it may answer.
//!
//! An answer is believed only as far as it fits the question: as many whole numbers as were asked for, none
//! negative, no more units left than there are at all. Everything else is an error, never an admission.

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
    let mut command = redis::cmd(name);
    command.arg(script).arg(questions.len());
    for question in questions {
        command.arg(&question.key);
    }
    match purpose {
        Purpose::Take => command.arg("take").arg(0),
        Purpose::Peek => command.arg("peek").arg(0),
        Purpose::Give { ago } => command.arg("give").arg(u64::try_from(ago.as_micros()).unwrap_or(u64::MAX)),
        Purpose::Lease { least } => command.arg("lease").arg(least),
        Purpose::Return { leased_at } => command.arg("return").arg(leased_at),
    };
    for Question { kind, unit, capacity, cost, longest, .. } in questions {
        command.arg(kind).arg(unit).arg(capacity).arg(cost).arg(longest);
    }
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
    kind: &'static str,
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
            kind: key::kind(algorithm),
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
            "bucket" => units.saturating_mul(self.unit),
            _ => units,
        }
    }

    /// How the charge stands once what it took was given back.
    pub(super) fn given_back(&self, standing: &mut Standing) {
        standing.remaining = (standing.remaining + self.units).min(self.quota);
    }

    fn standing(&self, wait: u64, remaining: u64, reset: u64) -> Result<Standing, LimitsError> {
        if remaining > self.quota {
            return Err(LimitsError::Nonsense("more units left than there are"));
        }
        let longest = if self.kind == "bucket" { self.longest.div_ceil(1000) } else { self.longest };
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
pub(super) fn granted(question: &Question, answer: Value) -> Result<Granted, LimitsError> {
    let Value::Array(mut numbers) = answer else {
        return Err(LimitsError::Nonsense("not a list"));
    };
    if numbers.len() != 5 {
        return Err(LimitsError::Nonsense("a list of another length"));
    }
    let (units, at) = match numbers.split_off(3).as_slice() {
        [units, at] => (whole(units)?, whole(at)?),
        _ => return Err(LimitsError::Nonsense("a list of another length")),
    };
    if units > question.units {
        return Err(LimitsError::Nonsense("more units granted than were asked for"));
    }
    let standings = standings(std::slice::from_ref(question), Value::Array(numbers))?;
    let standing = standings.first().copied().ok_or(LimitsError::Nonsense("no standing"))?;
    // With units in the window a fixed one is over when it is full again, a sliding one a window later.
    let turn = match question.kind {
        "bucket" => None,
        "fixed" => Some(standing.reset),
        _ => Some(standing.reset.saturating_sub(Duration::from_micros(question.unit))),
    };
    Ok(Granted { units, at, turn, standing })
}

/// Reads the answer to `questions`.
pub(super) fn standings(
    questions: &[Question],
    answer: Value,
) -> Result<SmallVec<[Standing; 4]>, LimitsError> {
    let Value::Array(numbers) = answer else {
        return Err(LimitsError::Nonsense("not a list"));
    };
    if numbers.len() != 3 * questions.len() {
        return Err(LimitsError::Nonsense("a list of another length"));
    }
    let standing = |(question, numbers): (&Question, &[Value])| match numbers {
        [wait, remaining, reset] => question.standing(whole(wait)?, whole(remaining)?, whole(reset)?),
        _ => Err(LimitsError::Nonsense("a list of another length")),
    };
    questions.iter().zip(numbers.chunks(3)).map(standing).collect()
}

fn whole(value: &Value) -> Result<u64, LimitsError> {
    let Value::Int(number) = value else { return Err(LimitsError::Nonsense("not a whole number")) };
    u64::try_from(*number).map_err(|_| LimitsError::Nonsense("a negative number"))
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

    #[test]
    fn an_answer_is_believed_only_as_far_as_it_fits_the_question() {
        let list = |numbers: &[i64]| Value::Array(numbers.iter().copied().map(Value::Int).collect());
        let text = Value::Array(vec![Value::BulkString(b"0".to_vec()), Value::Int(0), Value::Int(0)]);
        let cases = [
            (list(&[0, 20, 0]), Ok((20, None))),
            (list(&[1, 0, 20_000_000]), Ok((0, Some(Duration::from_micros(1))))),
            (list(&[0, 21, 0]), Err("more units left than there are")),
            (list(&[0, -1, 0]), Err("a negative number")),
            (list(&[-1, 0, 0]), Err("a negative number")),
            (list(&[0, 0, i64::MAX]), Err("a longer wait than the limit could demand")),
            (list(&[i64::MAX, 0, 0]), Err("a longer wait than the limit could demand")),
            (list(&[]), Err("a list of another length")),
            (list(&[0, 0]), Err("a list of another length")),
            (list(&[0, 0, 0, 0, 0, 0]), Err("a list of another length")),
            (text, Err("not a whole number")),
            (Value::Nil, Err("not a list")),
            (Value::Okay, Err("not a list")),
            (Value::Int(0), Err("not a list")),
        ];
        for (answer, expected) in cases {
            let shown = format!("{answer:?}");
            let found =
                standings(&[question()], answer).map(|found| (found[0].remaining, found[0].retry_after));
            assert_eq!(found, expected.map_err(LimitsError::Nonsense), "{shown}");
        }
    }

    #[test]
    fn a_lease_is_believed_only_as_far_as_it_was_asked_for() {
        let list = |numbers: &[i64]| Value::Array(numbers.iter().copied().map(Value::Int).collect());
        let cases = [
            (list(&[0, 17, 3_000_000, 3, 9]), Ok((3, 9))),
            (list(&[0, 20, 0, 0, 9]), Ok((0, 9))),
            (list(&[0, 16, 4_000_000, 4, 9]), Err("more units granted than were asked for")),
            (list(&[0, 16, 4_000_000, -1, 9]), Err("a negative number")),
            (list(&[0, 16, 4_000_000, 3, -9]), Err("a negative number")),
            (list(&[0, 21, 0, 3, 9]), Err("more units left than there are")),
            (list(&[0, 17, 3_000_000]), Err("a list of another length")),
            (list(&[0, 17, 3_000_000, 3]), Err("a list of another length")),
            (list(&[0, 17, 3_000_000, 3, 9, 9]), Err("a list of another length")),
            (Value::Nil, Err("not a list")),
        ];
        for (answer, expected) in cases {
            let shown = format!("{answer:?}");
            let found = granted(&question(), answer).map(|granted| (granted.units, granted.at));
            assert_eq!(found, expected.map_err(LimitsError::Nonsense), "{shown}");
        }
    }
}
