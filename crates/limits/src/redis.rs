//! Limits that several gateways share through Redis or Valkey, decided exactly.
//!
//! One script ([`decide.lua`](https://redis.io/docs/latest/develop/programmability/eval-intro/)) decides all charges
//! of a request in one round trip, by the clock of Redis, so that the gateways need not agree on the time. It is
//! the twin of the engine in memory. This module is no fallback: when Redis does not answer, the caller gets an
//! error within the timeout and decides what that means.
//!
//! # How exact
//!
//! - The clock has microseconds, so everything that is a time in an answer is rounded up to them. Buckets refill by
//!   the same whole nanoseconds per unit as in memory. Numbers are whole up to 2^53: what is beyond that (a bucket
//!   that takes more than 104 days to fill, a sliding window in which the units of the window before times its
//!   microseconds exceed it) is off by at most the last digit of a double, so by one unit at most.
//! - A single server decides atomically: at most the limit is admitted, whatever the number of gateways.
//! - On a **cluster** the charges of one request lie on different nodes. They are asked at the same time, one round
//!   trip each; when one is refused, what the others took is given back right after. In between, at most for two
//!   timeouts, those units are missing to others, who may be refused although the request that took them was
//!   refused too. When the giving back fails, they are missing until they lapse. Never is more admitted than the
//!   limit, with one exception: units whose window turns in the moment between are given back to the new window.
//! - After an error ([`LimitsError::TimedOut`], [`LimitsError::Connection`]) the charge may have been made. It is
//!   never given back, since giving back what was not taken would admit too much. On a cluster, what a broken
//!   connection left unanswered is asked again, so that it may even have been charged twice.
//! - A state that expired or was lost with its server counts as fresh. A clock of Redis that is set back neither
//!   frees nor locks a limit: what was counted stays counted and lapses as if it had been counted now.
//! - A state lives as long as the window of the request that wrote it last. A later request whose factor stretches
//!   the window does not find what has lapsed by then.

mod afresh;
mod allowances;
mod endpoint;
mod error;
mod key;
mod link;
mod refunds;
mod script;
mod silence;
#[cfg(test)]
pub(crate) mod tests;
mod together;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use redis::Value;
use smallvec::SmallVec;
use tokio::sync::oneshot;

pub(crate) use self::{
    allowances::SharedAllowances,
    script::{Granted, Question},
};
use self::{
    endpoint::Endpoint,
    link::{Connection, Link},
    refunds::{Refund, Refunds},
    script::{Purpose, Script, standings},
};
pub use self::{
    endpoint::RedisSettings,
    error::LimitsError,
    together::{Tried, Tries},
};
use crate::{Charge, Decision, Limit, Standing};

/// Limits in Redis. Dropping it ends its connection, as soon as what is to be given back was.
#[derive(Debug)]
pub struct RedisStore {
    shared: Arc<Shared>,
    refunds: Refunds,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    script: Script,
    is_cluster: bool,
}

type Questions = SmallVec<[Question; 4]>;

impl RedisStore {
    /// Returns at once and connects in the background, again and again, with pauses of 50 ms to 2 s. To be called
    /// inside a tokio runtime. An error means that the settings can never lead anywhere.
    pub fn connect(settings: &RedisSettings) -> Result<Self, LimitsError> {
        Self::with_script(settings, Script::new(include_str!("redis/decide.lua")))
    }

    fn with_script(settings: &RedisSettings, script: Script) -> Result<Self, LimitsError> {
        let endpoint = Endpoint::of(settings)?;
        let is_cluster = endpoint.is_cluster();
        let link = Link::keep(endpoint, settings.timeout);
        let shared = Arc::new(Shared { link, script, is_cluster });
        Ok(Self { refunds: Refunds::keep(Arc::clone(&shared)), shared })
    }

    /// Whether there is a connection at the moment.
    pub fn is_connected(&self) -> bool {
        self.shared.link.is_connected()
    }

    /// Whether there has ever been a connection.
    pub fn was_reached(&self) -> bool {
        self.shared.link.was_reached()
    }

    /// Waits for the first connection, however long that takes.
    pub async fn reached(&self) {
        self.shared.link.reached().await;
    }

    /// Charges all or nothing. Takes no longer than the timeout, and no time at all without a connection.
    pub async fn decide(&self, charges: &[Charge<'_>]) -> Result<Decision, LimitsError> {
        self.decide_after(Duration::ZERO, charges).await
    }

    /// As [`decide`](Self::decide), for a request that has `waited` so long for an earlier decision: both together take no
    /// longer than the timeout.
    pub async fn decide_after(
        &self,
        waited: Duration,
        charges: &[Charge<'_>],
    ) -> Result<Decision, LimitsError> {
        self.ask(Purpose::Take, charges, waited).await
    }

    /// How the charges would be decided now; charges nothing.
    pub async fn standing(&self, charges: &[Charge<'_>]) -> Result<Decision, LimitsError> {
        self.ask(Purpose::Peek, charges, Duration::ZERO).await
    }

    /// Undoes charges that [`decide`](Self::decide) admitted, `ago` being the time since it answered. What no longer
    /// counts by now of a window is not given back; of a bucket see [`Standing::reset`](crate::Standing).
    pub async fn give_back(&self, ago: Duration, charges: &[Charge<'_>]) -> Result<(), LimitsError> {
        self.shared.give_back(ago, &questions(charges)).await
    }

    /// As [`give_back`](Self::give_back) of what was answered then, in the background: nobody waits for it, and nobody
    /// learns when it fails. Then what was taken stays counted until it lapses.
    pub fn refund(&self, answered: Instant, charges: &[Charge<'_>]) {
        if !charges.is_empty() {
            self.refunds.push(Refund { questions: questions(charges), answered });
        }
    }

    /// Forgets what `value` has used of the limit; `false` when there was nothing.
    pub async fn reset(&self, limit: &Limit, value: &[u8]) -> Result<bool, LimitsError> {
        let mut command = redis::cmd("DEL");
        command.arg(key::key(limit, value));
        let delete = async |mut connection: Connection| connection.query(&command).await;
        let read = |answer| match answer {
            Value::Int(deleted @ 0..=1) => Ok(deleted == 1),
            _ => Err(LimitsError::Nonsense("not the number of deleted keys")),
        };
        self.shared.link.ask(Duration::ZERO, delete, read).await
    }

    /// Charges up to the units of the question for later: at most a tenth of what is left, and nothing when that is
    /// less than `least` units.
    pub(crate) async fn lease(&self, question: &Question, least: u64) -> Result<Granted, LimitsError> {
        let questions = std::slice::from_ref(question);
        let purpose = Purpose::Lease { least: question.scaled(least) };
        let run = |connection| self.shared.script.run(connection, purpose, questions);
        self.shared.link.ask(Duration::ZERO, run, |answer| script::granted(question, &answer)).await
    }

    /// Undoes what was leased at `leased_at`, by the clock of Redis. What no longer counts by now is not undone.
    pub(crate) async fn return_lease(&self, leased_at: u64, unused: &Question) -> Result<(), LimitsError> {
        let purpose = Purpose::Return { leased_at };
        self.shared.ask(purpose, std::slice::from_ref(unused), Duration::ZERO).await.map(drop)
    }

    async fn ask(
        &self,
        purpose: Purpose,
        charges: &[Charge<'_>],
        waited: Duration,
    ) -> Result<Decision, LimitsError> {
        let questions = questions(charges);
        let standings = match questions.len() {
            0 => SmallVec::new(),
            2.. if self.shared.is_cluster => self.ask_nodes(purpose, questions, waited).await?,
            _ => self.shared.ask(purpose, &questions, waited).await?,
        };
        Ok(Decision { standings })
    }

    /// In a task of its own, so that what is to be given back is given back even if nobody waits for the decision
    /// any more. It ends after two timeouts at the latest.
    async fn ask_nodes(
        &self,
        purpose: Purpose,
        questions: Questions,
        waited: Duration,
    ) -> Result<SmallVec<[Standing; 4]>, LimitsError> {
        let (told, decided) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let (answer, excess) = shared.ask_each(purpose, questions, waited).await;
            // Nobody may be left to hear it.
            let _ = told.send(answer);
            if let Err(error) = shared.give_back(Duration::ZERO, &excess).await {
                tracing::debug!(%error, "units of a refused request were not given back");
            }
        });
        decided.await.unwrap_or_else(|_| Err(LimitsError::NotConnected("shutting down".into())))
    }
}

impl Shared {
    async fn ask(
        &self,
        purpose: Purpose,
        questions: &[Question],
        waited: Duration,
    ) -> Result<SmallVec<[Standing; 4]>, LimitsError> {
        let run = |connection| self.script.run(connection, purpose, questions);
        self.link.ask(waited, run, |answer| standings(questions, &answer)).await
    }

    /// One call for each question, all at the same time. Also returns what was taken in vain.
    async fn ask_each(
        &self,
        purpose: Purpose,
        questions: Questions,
        waited: Duration,
    ) -> (Result<SmallVec<[Standing; 4]>, LimitsError>, Questions) {
        let calls =
            questions.iter().map(|question| self.ask(purpose, std::slice::from_ref(question), waited));
        let mut answers = join_all(calls).await;
        let mut excess = Questions::new();
        let is_admitted = |answer: &Result<SmallVec<[Standing; 4]>, LimitsError>| {
            answer.as_ref().is_ok_and(|standings| standings.iter().all(|one| one.retry_after.is_none()))
        };
        if purpose == Purpose::Take && !answers.iter().all(is_admitted) {
            for (question, answer) in questions.iter().zip(&mut answers) {
                if is_admitted(answer) {
                    answer.iter_mut().flatten().for_each(|standing| question.given_back(standing));
                    excess.push(question.clone());
                }
            }
        }
        let standings = answers.into_iter().collect::<Result<Vec<_>, _>>();
        (standings.map(|standings| standings.into_iter().flatten().collect()), excess)
    }

    /// All in one call; on a cluster one for each, all at the same time. Fails with the first that fails.
    async fn give_back(&self, ago: Duration, questions: &[Question]) -> Result<(), LimitsError> {
        let at_once = if self.is_cluster { 1 } else { questions.len().max(1) };
        let calls =
            questions.chunks(at_once).map(|some| self.ask(Purpose::Give { ago }, some, Duration::ZERO));
        join_all(calls).await.into_iter().try_for_each(|answer| answer.map(drop))
    }
}

fn questions(charges: &[Charge<'_>]) -> Questions {
    charges.iter().map(Question::of).collect()
}
