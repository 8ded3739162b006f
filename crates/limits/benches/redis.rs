//! What an exact decision costs: its round trip beside a plain `INCR` on the same server in the same run, and how
//! many there are in a second when 64 tasks ask at once.
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

use bartizan_limits::{Charge, Factors, Limit, RedisSettings, RedisStore};
use bartizan_model::Quota;
use redis::{Client, aio::MultiplexedConnection};

use self::server::{Server, programs};

const ROUNDS: usize = 20;
const ASKED_PER_ROUND: usize = 500;
const TASKS: usize = 64;
const ASKED_PER_TASK: usize = 1000;

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
    }
}

struct Gateway {
    store: RedisStore,
    plain: MultiplexedConnection,
    limits: Vec<Limit>,
}

impl Gateway {
    async fn start(server: &Server) -> Self {
        let settings = RedisSettings {
            nodes: vec![server.url().into()],
            password: None,
            timeout: Duration::from_secs(5),
        };
        let store = RedisStore::connect(&settings).unwrap();
        while !store.is_connected() {
            tokio::task::yield_now().await;
        }
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
