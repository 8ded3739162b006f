//! Leases of several gateways on a real server whose clock is in the test's hand, against what they promise.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bartizan_model::{Algorithm, Quota};
use proptest::{prelude::*, test_runner::TestRunner};
use redis::Value;
use tokio::runtime::Runtime;

use super::{entry::Unused, table::Table};
use crate::{
    Charge, Factors, Limit, Nanos,
    redis::{
        Question,
        tests::{Frozen, programs},
    },
};

const NOON: u64 = 1_790_000_000_000_000;
const GATEWAYS: usize = 3;

/// Of one request. Times are microseconds.
#[derive(Debug, Clone)]
struct Step {
    pause: u64,
    gateway: usize,
    cost: u32,
    /// How long a lease, and the giving back of one, take to arrive.
    latency: u64,
    /// Whether what has ended is looked for now.
    keeps: bool,
    /// Whether the request is undone right after.
    undoes: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let pause = prop_oneof![
        12 => 0..3_000_u64,
        3 => 0..60_000_u64,
        1 => 0..2_500_000_u64,
    ];
    let latency = prop_oneof![3 => Just(0), 1 => 0..20_000_u64];
    (pause, 0..GATEWAYS, 1..3_u32, latency, any::<bool>(), proptest::bool::weighted(0.05)).prop_map(
        |(pause, gateway, cost, latency, keeps, undoes)| Step {
            pause,
            gateway,
            cost,
            latency,
            keeps,
            undoes,
        },
    )
}

fn units(units: u32) -> NonZeroU32 {
    NonZeroU32::new(units).unwrap()
}

fn limits() -> [Limit; 4] {
    let second = Duration::from_secs(1);
    [
        Quota::token_bucket(units(200), second, units(80)),
        Quota::token_bucket(units(400), second, units(400)),
        Quota::window(Algorithm::FixedWindow, units(90), second),
        Quota::window(Algorithm::SlidingWindow, units(90), second),
    ]
    .map(|quota| {
        let quota = quota.unwrap();
        Limit { name: format!("{:?}-{}", quota.algorithm(), quota.burst()).into(), quota }
    })
}

/// What has happened so far.
struct Story<'a> {
    frozen: &'a Frozen,
    limit: &'a Limit,
    gateways: [Table; GATEWAYS],
    now: u64,
    /// When how many units were admitted, and how many were on lease before.
    admitted: Vec<(u64, u64, u64)>,
    on_lease: u64,
    from_memory: usize,
}

impl<'a> Story<'a> {
    async fn new(frozen: &'a Frozen, limit: &'a Limit) -> Self {
        frozen.command(&["FLUSHDB"]).await;
        let gateways = [(); GATEWAYS].map(|()| Table::new(1000));
        Self { frozen, limit, gateways, now: NOON, admitted: Vec::new(), on_lease: 0, from_memory: 0 }
    }

    async fn pass(&mut self, microseconds: u64) {
        self.now += microseconds;
        self.frozen.set_clock(self.now).await;
    }

    async fn take(&mut self, step: &Step) {
        self.pass(step.pause).await;
        let charge = Charge {
            limit: self.limit,
            value: b"somebody",
            cost: units(step.cost),
            factors: Factors::default(),
        };
        if step.keeps {
            let ended = self.gateways[step.gateway].ended(self.nanos());
            self.give_back(step.latency, ended).await;
        }
        let now = self.nanos();
        let ask = self.gateways[step.gateway].ask(&charge);
        let (held, wanted) = self.gateways[step.gateway].spend(now, &[ask]);
        let before = self.on_lease;
        let is_admitted = if held[0].is_some() {
            self.from_memory += 1;
            self.on_lease -= u64::from(step.cost);
            true
        } else {
            self.frozen.store.decide(&[charge]).await.unwrap().is_admitted()
        };
        if is_admitted {
            self.admitted.push((self.now, step.cost.into(), before));
        }
        if is_admitted && step.undoes && self.gateways[step.gateway].put_back(now, now, &ask) {
            self.on_lease += u64::from(step.cost);
            self.admitted.pop();
        }
        for wanted in wanted {
            let question = Question::of(&charge).with_units(wanted.units);
            self.pass(step.latency).await;
            let granted = self.frozen.store.lease(&question, step.cost.into()).await.unwrap();
            self.on_lease += granted.units;
            let unused = self.gateways[step.gateway].keep(now, &ask, &granted, question);
            assert!(unused.is_none(), "it was just asked for");
        }
    }

    async fn give_back(&mut self, latency: u64, unused: Vec<Unused>) {
        self.pass(latency).await;
        for Unused { question, units, leased_at } in unused {
            self.on_lease -= units;
            let question = question.with_units(units);
            self.frozen.store.return_lease(leased_at, &question).await.unwrap();
        }
    }

    /// What Redis has counted in a window covers all that was admitted in it.
    async fn windows_hold(&self) -> Result<(), TestCaseError> {
        let window = u64::try_from(self.limit.quota.length().as_micros()).unwrap();
        let kind = if self.limit.quota.algorithm() == Algorithm::FixedWindow { "fixed" } else { "sliding" };
        let key = format!("bartizan:limit:{{{}:somebody}}:{kind}:{}", self.limit.name, window / 1000);
        let Value::BulkString(state) = self.frozen.command(&["GET", &key]).await else { return Ok(()) };
        let state: Vec<_> =
            state.chunks(8).map(|number| f64::from_le_bytes(number.try_into().unwrap())).collect();
        let numbers: Vec<u64> = state.iter().map(|number| format!("{number}").parse().unwrap()).collect();
        let &[at, current, previous, _lives] = numbers.as_slice() else { panic!("{state:?}") };
        let between = |from: u64, to: u64| {
            let within = self.admitted.iter().filter(|(when, ..)| (from..to).contains(when));
            within.map(|(_, units, _)| units).sum::<u64>()
        };
        prop_assert!(current <= u64::from(self.limit.quota.burst().get()), "{state:?}");
        prop_assert!(between(at, at + window) <= current, "{state:?}, {:?}", self.admitted);
        if kind == "sliding" {
            prop_assert!(between(at - window, at) <= previous, "{state:?}, {:?}", self.admitted);
        }
        Ok(())
    }

    /// From any time on: at most the burst, what refills, and what was on lease then.
    fn bucket_holds(&self) -> Result<(), TestCaseError> {
        let quota = self.limit.quota;
        let interval = u64::try_from(quota.length().as_micros()).unwrap() / u64::from(quota.limit().get());
        for (index, (from, _, on_lease)) in self.admitted.iter().enumerate() {
            let mut sum = 0;
            for (to, units, _) in &self.admitted[index..] {
                sum += units;
                let most = u64::from(quota.burst().get()) + (to - from) / interval + on_lease;
                prop_assert!(sum <= most, "{sum} of {most} from {from} to {to}");
            }
        }
        Ok(())
    }

    fn nanos(&self) -> u64 {
        Nanos::new(self.now * 1000).get()
    }
}

#[test]
fn leases_keep_what_they_promise() {
    let runtime = Runtime::new().unwrap();
    for program in programs() {
        let frozen = runtime.block_on(Frozen::start(&program));
        for limit in limits() {
            let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
            let from_memory = AtomicUsize::new(0);
            let steps = proptest::collection::vec(step(), 100..400);
            let outcome = TestRunner::new(config).run(&steps, |steps| {
                runtime.block_on(async {
                    let mut story = Story::new(&frozen, &limit).await;
                    for step in &steps {
                        story.take(step).await;
                        if limit.quota.algorithm() != Algorithm::TokenBucket {
                            story.windows_hold().await?;
                        }
                    }
                    if limit.quota.algorithm() == Algorithm::TokenBucket {
                        story.bucket_holds()?;
                    }
                    from_memory.fetch_add(story.from_memory, Ordering::Relaxed);
                    Ok(())
                })
            });
            outcome.unwrap_or_else(|error| panic!("{}: {}: {error}", program.display(), limit.name));
            assert!(from_memory.into_inner() > 100, "{}: nothing was leased", limit.name);
        }
    }
}
