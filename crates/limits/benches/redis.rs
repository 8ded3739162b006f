//! What an exact decision costs: its round trip beside a plain `INCR` on the same server in the same run, and how
//! many there are in a second when 64 tasks ask at once; and what a leased decision costs, with how far four gateways
//! that lease at once are from the limit, and by how much they overshoot a bucket that refills meanwhile.
//!
//! The store waits for an answer as long as a gateway does that is told nothing else, 5 ms; how many answers came later is
//! printed beside. The rounds of the contestants alternate, so that a machine that slows down slows them all. Prints a table; starts
//! its own server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot start shall stop, and it is its table"
)]

#[path = "../tests/redis/server.rs"]
mod server;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_config::SharedTls;
use bartizan_limits::{Charge, Factors, LeasedStore, Limit, LimitsError, RedisSettings, RedisStore};
use bartizan_model::{Algorithm, Quota};
use redis::{Client, aio::MultiplexedConnection};

use self::server::{Server, programs};

const ROUNDS: usize = 20;
const ASKED_PER_ROUND: usize = 500;
const TASKS: usize = 64;
const ASKED_PER_TASK: usize = 1000;
const LEASED: usize = 200_000;
const QUOTA: u32 = 20_000;
/// The default of `shared.timeout`.
const TIMEOUT: Duration = Duration::from_millis(5);
/// Of the bucket that refills: units in a second, and at once.
const RATE: u32 = 1000;
/// How long it is asked.
const ASKING: Duration = Duration::from_secs(5);
/// Gateways that lease at once, and their clients together.
const GATEWAYS: usize = 4;
const CLIENTS: usize = 64;

#[tokio::main]
async fn main() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        println!("{}", program.display());
        let gateway = Arc::new(Gateway::start(&server).await);
        round_trips(&gateway).await;
        for dimensions in [1, 4] {
            throughput(&gateway, dimensions).await;
        }
        for dimensions in [1, 4] {
            leased(&server, &gateway.limits[..dimensions]).await;
        }
        let head = ["limit", "admitted", "in the end", "late"];
        println!(
            "{:32} {:>10} {:>10} {:>10} {:>10}",
            "4 gateways, leased", head[0], head[1], head[2], head[3]
        );
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
            difference(&server, algorithm).await;
        }
        refilling(&server).await;
    }
}

struct Gateway {
    store: RedisStore,
    plain: MultiplexedConnection,
    limits: Vec<Limit>,
    /// Decisions whose answer came later than it is waited for.
    late: AtomicUsize,
}

impl Gateway {
    async fn start(server: &Server) -> Self {
        let store = connect(server).await;
        let plain = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let most = NonZeroU32::new(Quota::LARGEST).unwrap();
        let quota = Quota::token_bucket(most, Duration::from_hours(1), most).unwrap();
        let limits =
            ["address", "user", "organization", "key"].map(|name| Limit { name: name.into(), quota });
        Self { store, plain, limits: limits.to_vec(), late: AtomicUsize::new(0) }
    }

    async fn decide(&self, dimensions: usize, value: usize) {
        let value = value.to_string();
        let charges: Vec<_> = self.limits[..dimensions]
            .iter()
            .map(|limit| Charge {
                limit,
                value: value.as_bytes(),
                cost: NonZeroU32::MIN,
                factors: Factors::default(),
            })
            .collect();
        match self.store.decide(&charges).await {
            Ok(decision) => assert!(decision.is_admitted()),
            Err(error) => {
                is_late(&error);
                self.late.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many were late since this was asked last.
    fn late(&self) -> usize {
        self.late.swap(0, Ordering::Relaxed)
    }

    async fn increment(&self, value: usize) {
        let mut connection = self.plain.clone();
        redis::cmd("INCR").arg(value).query_async::<i64>(&mut connection).await.unwrap();
    }
}

/// Anything else than an answer that is late, or a connection that was given up for it, ends the bench.
fn is_late(error: &LimitsError) {
    assert!(matches!(error, LimitsError::TimedOut(_) | LimitsError::NotConnected(_)), "{error}");
}

async fn connect(server: &Server) -> RedisStore {
    let settings = RedisSettings {
        nodes: vec![server.url().into()],
        is_cluster: false,
        password: None,
        tls: SharedTls::default(),
        timeout: TIMEOUT,
    };
    let store = RedisStore::connect(&settings).unwrap();
    while !store.is_connected() {
        tokio::task::yield_now().await;
    }
    store
}

async fn round_trips(gateway: &Gateway) {
    let mut took = [(); 3].map(|()| Vec::with_capacity(ROUNDS * ASKED_PER_ROUND));
    for _ in 0..ROUNDS {
        for value in 0..ASKED_PER_ROUND {
            took[0].push(timed(gateway.increment(value)).await);
        }
        for value in 0..ASKED_PER_ROUND {
            took[1].push(timed(gateway.decide(1, value)).await);
        }
        for value in 0..ASKED_PER_ROUND {
            took[2].push(timed(gateway.decide(4, value)).await);
        }
    }
    for took in &mut took {
        took.sort_unstable();
    }
    let increment = took[0][took[0].len() / 2];
    println!("{:32} {:>10} {:>10} {:>10}", "one after the other", "p50", "p99", "of INCR");
    for (name, took) in ["INCR", "decision, 1 dimension", "decision, 4 dimensions"].iter().zip(&took) {
        let (middle, high) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        let share = middle.as_secs_f64() / increment.as_secs_f64();
        println!("{name:32} {middle:>10.1?} {high:>10.1?} {share:>10.2}");
    }
    println!("late: {}", gateway.late());
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    work.await;
    began.elapsed()
}

async fn throughput(gateway: &Arc<Gateway>, dimensions: usize) {
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let gateway = Arc::clone(gateway);
            tokio::spawn(async move {
                for number in 0..ASKED_PER_TASK {
                    gateway.decide(dimensions, task * ASKED_PER_TASK + number).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let asked = u32::try_from(TASKS * ASKED_PER_TASK).unwrap();
    let per_second = f64::from(asked) / began.elapsed().as_secs_f64();
    println!("{TASKS} tasks, {dimensions} dimensions: {per_second:.0} decisions/s, {} late", gateway.late());
}

/// One value that is asked for without a pause.
async fn leased(server: &Server, limits: &[Limit]) {
    let store = LeasedStore::new(connect(server).await);
    let mut took = Vec::with_capacity(LEASED);
    let (mut asked, mut late) = (0, 0);
    for _ in 0..LEASED {
        let began = Instant::now();
        match take(&store, limits).await {
            Some((_, was_asked)) => asked += usize::from(was_asked),
            None => late += 1,
        }
        took.push(began.elapsed());
        // The renewals run on the same threads.
        tokio::task::yield_now().await;
    }
    took.sort_unstable();
    let (middle, high) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "leased, {} dimensions: p50 {middle:.1?}, p99 {high:.1?}, {asked} of {LEASED} asked, {late} late",
        limits.len()
    );
}

/// One unit of each. Whether it was admitted, and whether Redis was asked; `None` when its answer was late.
async fn take(store: &LeasedStore, limits: &[Limit]) -> Option<(bool, bool)> {
    let cost = NonZeroU32::MIN;
    let charge = |limit| Charge { limit, value: b"busy", cost, factors: Factors::default() };
    let charges: Vec<_> = limits.iter().map(charge).collect();
    let decided = store.decide(&charges).await;
    decided.map(|(decision, asked)| (decision.is_admitted(), asked)).inspect_err(is_late).ok()
}

async fn gateways(server: &Server) -> Vec<Arc<LeasedStore>> {
    let mut stores = Vec::new();
    for _ in 0..GATEWAYS {
        stores.push(Arc::new(LeasedStore::new(connect(server).await)));
    }
    stores
}

/// All clients ask at the same time, each again and again while `goes_on` its number of requests. When those that were
/// admitted were answered, and how many answers of the store were late.
async fn race(
    stores: &[Arc<LeasedStore>],
    limit: &Limit,
    goes_on: impl Fn(u32) -> bool + Clone + Send + 'static,
) -> (Vec<Instant>, usize) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (store, limit) = (Arc::clone(&stores[client % stores.len()]), limit.clone());
            let goes_on = goes_on.clone();
            tokio::spawn(async move {
                let (mut admitted, mut late, mut asked) = (Vec::new(), 0, 0);
                while goes_on(asked) {
                    asked += 1;
                    match take(&store, std::slice::from_ref(&limit)).await {
                        Some((true, _)) => admitted.push(Instant::now()),
                        Some((false, _)) => {}
                        None => late += 1,
                    }
                    // The renewals run on the same threads.
                    tokio::task::yield_now().await;
                }
                (admitted, late)
            })
        })
        .collect();
    let (mut admitted, mut late) = (Vec::new(), 0);
    for client in clients {
        let (more, others) = client.await.unwrap();
        admitted.extend(more);
        late += others;
    }
    (admitted, late)
}

/// Of a limit that does not refill meanwhile twice as much is asked for. How many were admitted at once, and with those
/// that were admitted after the leases had been given back.
async fn difference(server: &Server, algorithm: Algorithm) {
    let (units, longest) = (NonZeroU32::new(QUOTA).unwrap(), Quota::LONGEST_WINDOW);
    let quota = match algorithm {
        Algorithm::TokenBucket => Quota::token_bucket(units, longest, units),
        window => Quota::window(window, units, Duration::from_hours(1)),
    };
    let limit = Limit { name: format!("difference-{algorithm:?}").into(), quota: quota.unwrap() };
    let stores = gateways(server).await;
    let (mut admitted, mut late) = ([0, 0], 0);
    for admitted in &mut admitted {
        let (all, others) = race(&stores, &limit, |asked| asked < 2 * QUOTA / 64).await;
        *admitted = all.len();
        late += others;
        // Leases end after a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let (name, later) = (format!("{algorithm:?}"), admitted[0] + admitted[1]);
    println!("{name:32} {QUOTA:>10} {:>10} {later:>10} {late:>10}", admitted[0]);
}

/// A bucket that refills while parts of it are on lease is the one that may admit more than stated: by how much it did, in
/// the worst of all intervals, beside the bound, a tenth of its burst for each gateway.
async fn refilling(server: &Server) {
    let rate = NonZeroU32::new(RATE).unwrap();
    let quota = Quota::token_bucket(rate, Duration::from_secs(1), rate).unwrap();
    let limit = Limit { name: "refilling".into(), quota };
    let stores = gateways(server).await;
    let until = Instant::now() + ASKING;
    let (mut answered, late) = race(&stores, &limit, move |_| Instant::now() < until).await;
    let (overshoot, bound) = (overshoot(&mut answered), GATEWAYS * RATE as usize / 10);
    let admitted = answered.len();
    println!("a bucket of {RATE}/s, leased: {admitted} admitted in {ASKING:?}");
    println!("overshoot {overshoot:.0}, at most {bound} are stated; {late} late");
}

/// By how much more was admitted than a bucket holds and refills, in the worst of all intervals: the bucket as it would
/// stand if it had to admit all of them when they were answered.
fn overshoot(answered: &mut [Instant]) -> f64 {
    answered.sort_unstable();
    let (mut worst, mut used) = (0.0_f64, 0.0_f64);
    let mut before = None;
    for one in &*answered {
        let passed = before.map_or(Duration::ZERO, |before| one.duration_since(before));
        used = passed.as_secs_f64().mul_add(-f64::from(RATE), used).max(0.0) + 1.0;
        worst = worst.max(used - f64::from(RATE));
        before = Some(*one);
    }
    worst
}
