//! What an exact decision costs: its round trip beside a plain `INCR` on the same server in the same run, and how
//! many there are in a second when 64 tasks ask at once; and what a leased decision costs, with how far four gateways
//! that lease at once are from the limit.
//!
//! The rounds of the contestants alternate, so that a machine that slows down slows them all. Prints a table; starts
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
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_config::SharedTls;
use bartizan_limits::{Charge, Factors, LeasedStore, Limit, RedisSettings, RedisStore};
use bartizan_model::{Algorithm, Quota};
use redis::{Client, aio::MultiplexedConnection};

use self::server::{Server, programs};

const ROUNDS: usize = 20;
const ASKED_PER_ROUND: usize = 500;
const TASKS: usize = 64;
const ASKED_PER_TASK: usize = 1000;
const LEASED: usize = 200_000;
const QUOTA: u32 = 20_000;

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
        println!("{:32} {:>10} {:>10} {:>10}", "4 gateways, leased", "limit", "admitted", "later");
        for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
            difference(&server, algorithm).await;
        }
    }
}

struct Gateway {
    store: RedisStore,
    plain: MultiplexedConnection,
    limits: Vec<Limit>,
}

impl Gateway {
    async fn start(server: &Server) -> Self {
        let store = connect(server).await;
        let plain = Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let most = NonZeroU32::new(Quota::LARGEST).unwrap();
        let quota = Quota::token_bucket(most, Duration::from_hours(1), most).unwrap();
        let limits =
            ["address", "user", "organization", "key"].map(|name| Limit { name: name.into(), quota });
        Self { store, plain, limits: limits.to_vec() }
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
        assert!(self.store.decide(&charges).await.unwrap().is_admitted());
    }

    async fn increment(&self, value: usize) {
        let mut connection = self.plain.clone();
        redis::cmd("INCR").arg(value).query_async::<i64>(&mut connection).await.unwrap();
    }
}

async fn connect(server: &Server) -> RedisStore {
    let settings = RedisSettings {
        nodes: vec![server.url().into()],
        is_cluster: false,
        password: None,
        tls: SharedTls::default(),
        timeout: Duration::from_secs(5),
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
    println!("{TASKS} tasks, {dimensions} dimensions: {per_second:.0} decisions/s");
}

/// One value that is asked for without a pause.
async fn leased(server: &Server, limits: &[Limit]) {
    let store = LeasedStore::new(connect(server).await);
    let mut took = Vec::with_capacity(LEASED);
    let mut asked = 0;
    for _ in 0..LEASED {
        let began = Instant::now();
        asked += usize::from(take(&store, limits).await.1);
        took.push(began.elapsed());
        // The renewals run on the same threads.
        tokio::task::yield_now().await;
    }
    took.sort_unstable();
    let (middle, high) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "leased, {} dimensions: p50 {middle:.1?}, p99 {high:.1?}, {asked} of {LEASED} asked",
        limits.len()
    );
}

/// One unit of each. Whether it was admitted, and whether Redis was asked.
async fn take(store: &LeasedStore, limits: &[Limit]) -> (bool, bool) {
    let cost = NonZeroU32::MIN;
    let charge = |limit| Charge { limit, value: b"busy", cost, factors: Factors::default() };
    let charges: Vec<_> = limits.iter().map(charge).collect();
    let (decision, asked) = store.decide(&charges).await.unwrap();
    (decision.is_admitted(), asked)
}

/// 4 gateways with 16 clients each ask for twice the limit. How many were admitted at once, and with those that were
/// admitted after the leases had been given back.
async fn difference(server: &Server, algorithm: Algorithm) {
    let (units, longest) = (NonZeroU32::new(QUOTA).unwrap(), Quota::LONGEST_WINDOW);
    let quota = match algorithm {
        Algorithm::TokenBucket => Quota::token_bucket(units, longest, units),
        window => Quota::window(window, units, Duration::from_hours(1)),
    };
    let limit = Limit { name: format!("difference-{algorithm:?}").into(), quota: quota.unwrap() };
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(Arc::new(LeasedStore::new(connect(server).await)));
    }
    let mut admitted = [0, 0];
    for admitted in &mut admitted {
        let clients: Vec<_> = (0..64)
            .map(|client| {
                let (store, limit) = (Arc::clone(&stores[client % 4]), limit.clone());
                tokio::spawn(async move {
                    let mut admitted = 0;
                    for _ in 0..2 * QUOTA / 64 {
                        admitted += u32::from(take(&store, std::slice::from_ref(&limit)).await.0);
                    }
                    admitted
                })
            })
            .collect();
        for client in clients {
            *admitted += client.await.unwrap();
        }
        // Leases end after a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let later = admitted[0] + admitted[1];
    println!("{:32} {QUOTA:>10} {:>10} {later:>10}", format!("{algorithm:?}"), admitted[0]);
}
