//! The script on a real server against the engine in memory, with the clock in the test's hand.

#[path = "../../tests/redis/server.rs"]
mod server;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use bartizan_config::SharedTls;
use bartizan_model::{Algorithm, Quota};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;

use self::server::Server;
pub(crate) use self::server::programs;
use super::*;
use crate::{Factors, MemoryStore, Nanos};

/// A store whose time stands where the test puts it.
pub(crate) struct Frozen {
    pub(crate) store: RedisStore,
    _server: Server,
}

impl Frozen {
    pub(crate) async fn start(program: &PathBuf) -> Self {
        let server = Server::start(program, &[]);
        let mut text = include_str!("decide.lua").to_owned();
        // States lapse by real time: they shall not while the clock stands still and the machine is busy.
        for (real, frozen) in [
            ("clock[1] * 1000000 + clock[2]", "tonumber(redis.call('GET', 'clock'))"),
            ("life / 1000 + 2", "life / 1000 + 600000"),
        ] {
            assert_eq!(text.matches(real).count(), 1, "the script reads `{real}` elsewhere");
            text = text.replace(real, frozen);
        }
        let settings = RedisSettings {
            nodes: vec![server.url().into()],
            is_cluster: false,
            password: None,
            tls: SharedTls::default(),
            timeout: Duration::from_secs(5),
        };
        let store = RedisStore::with_script(&settings, Script::new(&text)).unwrap();
        while !store.is_connected() {
            tokio::task::yield_now().await;
        }
        Self { store, _server: server }
    }

    pub(crate) async fn command(&self, arguments: &[&str]) -> Value {
        let mut command = redis::cmd(arguments[0]);
        arguments[1..].iter().for_each(|argument| {
            command.arg(argument);
        });
        let query = async |mut connection: Connection| connection.query(&command).await;
        self.store.shared.link.ask(Duration::ZERO, query, Ok).await.unwrap()
    }

    pub(crate) async fn set_clock(&self, microseconds: u64) {
        self.command(&["SET", "clock", &microseconds.to_string()]).await;
    }
}

fn units(units: u32) -> NonZeroU32 {
    NonZeroU32::new(units).unwrap()
}

fn limits() -> Vec<Limit> {
    let second = Duration::from_secs(1);
    let window = |algorithm, limit, length| Quota::window(algorithm, units(limit), length).unwrap();
    [
        Quota::token_bucket(units(10), second, units(4)).unwrap(),
        Quota::token_bucket(units(7), Duration::from_mins(1), units(30)).unwrap(),
        window(Algorithm::SlidingWindow, 9, second),
        window(Algorithm::SlidingWindow, 1000, Duration::from_hours(1)),
        window(Algorithm::FixedWindow, 8, second),
    ]
    .into_iter()
    .enumerate()
    .map(|(index, quota)| Limit { name: format!("limit-{index}").into(), quota })
    .collect()
}

/// Of any algorithm, of whole milliseconds, and no larger than doubles tell apart.
fn quota() -> impl Strategy<Value = Quota> {
    let limit = || prop_oneof![1..=20_u32, 1..=100_000_u32];
    let window = prop_oneof![100..=2000_u64, Just(60_000), Just(3_600_000)].prop_map(Duration::from_millis);
    (0..3, limit(), window, limit()).prop_map(|(algorithm, limit, window, burst)| {
        let in_a_day = Duration::from_hours(24).as_nanos() * u128::from(limit) / window.as_nanos();
        let burst = u32::try_from(in_a_day.clamp(1, burst.into())).unwrap();
        match algorithm {
            0 => Quota::token_bucket(units(limit), window, units(burst)),
            1 => Quota::window(Algorithm::SlidingWindow, units(limit), window),
            _ => Quota::window(Algorithm::FixedWindow, units(limit), window),
        }
        .unwrap()
    })
}

/// Some that are tight, and some that are any.
fn some_limits() -> impl Strategy<Value = Vec<Limit>> {
    proptest::collection::vec(quota(), 5).prop_flat_map(|quotas| {
        let any = quotas.into_iter().enumerate();
        let any = any.map(|(index, quota)| Limit { name: format!("any-{index}").into(), quota });
        prop_oneof![Just(limits()), Just(any.collect::<Vec<_>>())]
    })
}

#[derive(Debug, Clone)]
struct Step {
    microseconds: u64,
    gives_back: bool,
    charges: Vec<(usize, u8, u32)>,
    factors: Factors,
}

fn step(stretches: bool) -> impl Strategy<Value = Step> {
    let pause = prop_oneof![Just(0), 0..50_000_u64, 0..3_000_000_u64, Just(3_600_000_000)];
    let factor =
        |least, most| prop_oneof![4 => Just(1.0), 1 => Just(least), 1 => Just(most), 3 => least..most];
    let cost = prop_oneof![4 => 1..6_u32, 1 => 1..50_000_u32];
    let charges = proptest::collection::vec((0..5_usize, 0..2_u8, cost), 1..5);
    let factors = (factor(0.1, 2.0), factor(1.0, 5.0), factor(1.0, 2.0));
    (pause, proptest::bool::weighted(0.1), charges, factors).prop_map(
        move |(microseconds, gives_back, charges, (quota, cost, window))| Step {
            microseconds,
            gives_back,
            charges,
            factors: Factors::new(quota, cost, if stretches { window } else { 1.0 }),
        },
    )
}

/// What memory says in nanoseconds, Redis says in microseconds, rounded up.
fn rounded(mut decision: Decision) -> Decision {
    let up = |time: Duration| Duration::from_micros(u64::try_from(time.as_nanos().div_ceil(1000)).unwrap());
    for standing in &mut decision.standings {
        standing.reset = up(standing.reset);
        standing.retry_after = standing.retry_after.map(up);
    }
    decision
}

#[test]
fn redis_decides_as_memory_does() {
    let runtime = Runtime::new().unwrap();
    for program in programs() {
        let frozen = runtime.block_on(Frozen::start(&program));
        let config = ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() };
        let steps =
            any::<bool>().prop_flat_map(|stretches| proptest::collection::vec(step(stretches), 1..60));
        let outcome = TestRunner::new(config).run(&(some_limits(), steps), |(limits, steps)| {
            runtime.block_on(async {
                frozen.command(&["FLUSHDB"]).await;
                agrees(&frozen, &limits, &steps).await
            })
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    }
}

async fn agrees(frozen: &Frozen, limits: &[Limit], steps: &[Step]) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new(1000);
    let mut now = 1_790_000_000_000_000_u64;
    for step in steps {
        now += step.microseconds;
        frozen.set_clock(now).await;
        let nanos = Nanos::new(now * 1000);
        let charges: Vec<_> = step
            .charges
            .iter()
            .map(|(limit, value, cost)| Charge {
                limit: &limits[*limit],
                value: std::slice::from_ref(value),
                cost: units(*cost),
                factors: step.factors,
            })
            .collect();
        let peeked = frozen.store.standing(&charges[..1]).await.unwrap().standings[0];
        let expected =
            rounded(Decision { standings: [memory.standing(nanos, &charges[0])].into_iter().collect() });
        prop_assert_eq!(peeked, expected.standings[0], "{:?} before {:?}", step.charges[0], step);
        let expected = rounded(memory.decide(nanos, &charges));
        let decided = frozen.store.decide(&charges).await.unwrap();
        prop_assert_eq!(&decided, &expected, "{:?}", step);
        if step.gives_back && decided.is_admitted() {
            // Giving back settles a window here but not in memory, which a request that stretches it can tell.
            let stretches = steps.iter().any(|step| step.factors.window() != Factors::ONE);
            let ago = if stretches { 0 } else { 250_000 };
            now += ago;
            frozen.set_clock(now).await;
            memory.give_back(nanos, &charges);
            frozen.store.give_back(Duration::from_micros(ago), &charges).await.unwrap();
        }
    }
    Ok(())
}

/// How many of 100 single units are admitted.
async fn admitted(store: &RedisStore, limit: &Limit) -> usize {
    let charge = Charge { limit, value: b"one", cost: units(1), factors: Factors::default() };
    let mut admitted = 0;
    for _ in 0..100 {
        admitted += usize::from(store.decide(&[charge]).await.unwrap().is_admitted());
    }
    admitted
}

#[tokio::test]
async fn a_clock_that_jumps_neither_opens_nor_locks() {
    for program in programs() {
        let frozen = Frozen::start(&program).await;
        let window = Duration::from_mins(1);
        let quotas = [
            Quota::token_bucket(units(10), window, units(10)).unwrap(),
            Quota::window(Algorithm::SlidingWindow, units(10), window).unwrap(),
            Quota::window(Algorithm::FixedWindow, units(10), window).unwrap(),
        ];
        for quota in quotas {
            let limit = Limit { name: "jump".into(), quota };
            let noon = 1_790_000_000_000_000_u64;
            let day = 86_400_000_000;
            frozen.set_clock(noon).await;
            assert_eq!(admitted(&frozen.store, &limit).await, 10, "{quota:?}");
            for back in [1, 59_000_000, 61_000_000, day, 400 * day] {
                frozen.set_clock(noon - back).await;
                assert_eq!(admitted(&frozen.store, &limit).await, 0, "opened by {back}: {quota:?}");
            }
            frozen.set_clock(noon - 400 * day + 120_000_000).await;
            assert_eq!(admitted(&frozen.store, &limit).await, 10, "locked: {quota:?}");
            frozen.set_clock(noon + day).await;
            assert_eq!(admitted(&frozen.store, &limit).await, 10, "more than one filling: {quota:?}");
        }
    }
}

#[tokio::test]
async fn a_risky_request_forgives_nothing() {
    for program in programs() {
        let frozen = Frozen::start(&program).await;
        frozen.set_clock(1_790_000_000_000_000).await;
        let minute = Duration::from_mins(1);
        for (limit, burst) in [(100, 100), (19, 1), (9, 50), (1, 1)] {
            let quota = Quota::token_bucket(units(limit), minute, units(burst)).unwrap();
            let limit = Limit { name: format!("{limit}-{burst}").into(), quota };
            let charge = |factors| Charge { limit: &limit, value: b"one", cost: units(100), factors };
            let owed = |decision: Decision| decision.standings[0].reset;
            let most = charge(Factors::new(if burst > 1 { 2.0 } else { 0.1 }, 1.0, 2.0));
            let first = frozen.store.decide(&[most]).await.unwrap();
            assert!(first.is_admitted());
            let first = owed(first);
            let risky = frozen.store.decide(&[charge(Factors::new(0.1, 5.0, 1.0))]).await.unwrap();
            assert!(!risky.is_admitted(), "{limit:?}");
            assert_eq!(owed(risky), first, "{limit:?}");
            let after = frozen.store.standing(&[charge(Factors::default())]).await.unwrap();
            assert_eq!(owed(after), first, "{limit:?}");
        }
    }
}

#[tokio::test]
async fn a_state_that_nobody_here_wrote_is_an_error() {
    for program in programs() {
        let frozen = Frozen::start(&program).await;
        frozen.set_clock(1_790_000_000_000_000).await;
        for limit in limits() {
            let charge = Charge { limit: &limit, value: b"one", cost: units(1), factors: Factors::default() };
            let key = key::key(&limit, b"one");
            for state in ["''", "'x'", "'1 5 0'", "string.rep('x', 23)", "string.rep('x', 25)"]
                .map(str::to_owned)
                .into_iter()
                .chain(
                    ["-1, 5, 0", "1, -5, 0", "1, 5, -1", "1, 0/0, 0", "0/0, 0, 0", "1, 1/0, 0", "1, 1.5, 0"]
                        .map(|numbers| format!("struct.pack('<ddd', {numbers})")),
                )
            {
                let script = format!("return redis.call('SET', KEYS[1], {state})");
                frozen.command(&["EVAL", &script, "1", &key]).await;
                let outcome = frozen.store.decide(&[charge]).await;
                assert!(matches!(outcome, Err(LimitsError::Server(_))), "`{state}`: {outcome:?}");
            }
            frozen.command(&["DEL", &key]).await;
            frozen.command(&["LPUSH", &key, "1"]).await;
            let outcome = frozen.store.decide(&[charge]).await;
            assert!(matches!(outcome, Err(LimitsError::Server(_))), "a list: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn many_values_under_one_key_are_told_once_and_remembered() {
    for program in programs() {
        let Frozen { store, _server } = Frozen::start(&program).await;
        let window = Duration::from_mins(15);
        let gather = async |value: u32| store.gather("network", &value.to_string(), 4, window).await.unwrap();
        for value in [1, 2, 2, 1, 3] {
            assert_eq!(gather(value).await, None, "{value}");
        }
        assert_eq!(store.gathered("network").await.unwrap(), None);
        assert_eq!(gather(4).await, Some(4));
        let left = store.gathered("network").await.unwrap().unwrap();
        assert!(left <= window && left > window / 2, "{left:?}");
        assert_eq!(store.gathered("another").await.unwrap(), None);
        for value in 5..12 {
            assert_eq!(gather(value).await, None, "it is known");
        }
    }
}
