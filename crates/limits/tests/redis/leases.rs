//! Leases: several gateways that decide from memory what they have charged in Redis before.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_limits::{Charge, Factors, LeasedStore, Limit, LimitsError};
use bartizan_model::{Algorithm, Quota};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::{
    eventually::eventually,
    server::{Server, programs},
    store::{ALGORITHMS, charge, connected, left, limit, settings},
};

async fn leased(server: &Server) -> LeasedStore {
    LeasedStore::new(connected(&settings(&[server.url()])).await)
}

/// One unit each. Whether it was admitted, and whether Redis was asked.
async fn decide(store: &LeasedStore, limits: &[Limit]) -> (bool, bool) {
    let charges: Vec<_> = limits.iter().map(|limit| charge(limit, b"somebody")).collect();
    let (decision, asked) = store.decide(&charges).await.unwrap();
    assert_eq!(decision.standings.len(), limits.len());
    (decision.is_admitted(), asked)
}

/// Asks until decisions come from memory, and says how many were admitted.
async fn busy(store: &LeasedStore, limit: &Limit) -> u64 {
    let mut admitted = 0;
    eventually("a lease", async || {
        let (is_admitted, asked) = decide(store, std::slice::from_ref(limit)).await;
        admitted += u64::from(is_admitted);
        !asked
    })
    .await;
    admitted
}

/// 16 clients of each store. How many were admitted, and how many of them from memory.
async fn race(stores: &[Arc<LeasedStore>], limits: &[Limit], times: usize) -> (u64, u64) {
    let clients: Vec<_> = (0..16 * stores.len())
        .map(|client| {
            let (store, limits) = (Arc::clone(&stores[client % stores.len()]), limits.to_vec());
            tokio::spawn(async move {
                let mut admitted = (0, 0);
                for _ in 0..times {
                    let (is_admitted, asked) = decide(&store, &limits).await;
                    admitted.0 += u64::from(is_admitted);
                    admitted.1 += u64::from(is_admitted && !asked);
                }
                admitted
            })
        })
        .collect();
    let mut sum = (0, 0);
    for client in clients {
        let admitted = client.await.unwrap();
        sum = (sum.0 + admitted.0, sum.1 + admitted.1);
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_admit_no_more_than_the_limit_and_no_less_than_it_without_a_tenth_for_each() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let exact = connected(&settings(&[server.url()])).await;
        let mut stores = Vec::new();
        for _ in 0..4 {
            stores.push(Arc::new(leased(&server).await));
        }
        for algorithm in ALGORITHMS {
            let limits = [
                limit(&format!("tight-{algorithm:?}"), algorithm, 2000),
                limit(&format!("loose-{algorithm:?}"), algorithm, 20_000),
            ];
            let (admitted, from_memory) = race(&stores, &limits, 60).await;
            assert!((1200..=2000).contains(&admitted), "{algorithm:?}: {admitted}");
            assert!(from_memory > 0, "{algorithm:?}: nothing was leased");
            eventually("the leases to be given back", async || {
                left(&exact, &limits[0]).await == 2000 - admitted
                    && left(&exact, &limits[1]).await == 20_000 - admitted
            })
            .await;
            let (rest, _) = race(&stores, &limits[..1], 60).await;
            assert_eq!(admitted + rest, 2000, "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn who_is_refused_by_one_limit_keeps_the_lease_of_another() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let (store, exact) = (leased(&server).await, connected(&settings(&[server.url()])).await);
        for algorithm in ALGORITHMS {
            let loose = limit(&format!("loose-{algorithm:?}"), algorithm, 100_000);
            let full = limit(&format!("full-{algorithm:?}"), algorithm, 1);
            assert!(decide(&store, std::slice::from_ref(&full)).await.0);
            let mut admitted = busy(&store, &loose).await;
            for _ in 0..50 {
                let charges = [charge(&loose, b"somebody"), charge(&full, b"somebody")];
                let (decision, asked) = store.decide(&charges).await.unwrap();
                let waits = decision.standings.iter().map(|standing| standing.retry_after.is_some());
                assert_eq!((waits.collect::<Vec<_>>(), asked), (vec![false, true], true), "{algorithm:?}");
                admitted += u64::from(decide(&store, std::slice::from_ref(&loose)).await.0);
            }
            eventually("the leases to be given back", async || {
                left(&exact, &loose).await == 100_000 - admitted
            })
            .await;
        }
    }
}

#[tokio::test]
async fn who_is_not_busy_is_decided_exactly() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let (store, exact) = (leased(&server).await, connected(&settings(&[server.url()])).await);
        let second = Quota::window(
            Algorithm::FixedWindow,
            NonZeroU32::new(1_000_000).unwrap(),
            Duration::from_millis(999),
        );
        let short = Limit { name: "short".into(), quota: second.unwrap() };
        let few = limit("few", Algorithm::FixedWindow, 19);
        let seldom = limit("seldom", Algorithm::FixedWindow, 1000);
        let factors = Factors::new(0.5, 1.0, 1.0);
        let risky = limit("risky", Algorithm::FixedWindow, 1000);
        for (limit, factors, times) in [
            (&short, Factors::default(), 50),
            (&few, Factors::default(), 19),
            (&seldom, Factors::default(), 3),
            (&risky, factors, 50),
        ] {
            for _ in 0..times {
                let charge = Charge { factors, ..charge(limit, b"somebody") };
                let (decision, asked) = store.decide(&[charge]).await.unwrap();
                assert!(decision.is_admitted() && asked, "{}", limit.name);
            }
        }
        assert_eq!(left(&exact, &seldom).await, 997);
        assert_eq!(left(&exact, &risky).await, 950);
    }
}

#[tokio::test]
async fn who_stays_busy_seldom_waits_for_redis() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = leased(&server).await;
        let limit = limit("busy", Algorithm::TokenBucket, 1_000_000);
        busy(&store, &limit).await;
        let mut asked = 0;
        let began = Instant::now();
        // Longer than a lease lasts.
        while began.elapsed() < Duration::from_millis(2500) {
            asked += usize::from(decide(&store, std::slice::from_ref(&limit)).await.1);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(asked < 100, "{asked} of about 1000 waited");
    }
}

#[tokio::test]
async fn without_redis_a_lease_serves_until_it_is_used_up() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = leased(&server).await;
        let limit = limit("login", Algorithm::FixedWindow, 100_000);
        busy(&store, &limit).await;
        drop(server);
        let mut handed_out = 0;
        let error = loop {
            match store.decide(&[charge(&limit, b"somebody")]).await {
                Ok((decision, asked)) => {
                    assert!(decision.is_admitted() && !asked);
                    handed_out += 1;
                }
                Err(error) => break error,
            }
        };
        assert!(matches!(error, LimitsError::Connection(_) | LimitsError::NotConnected(_)), "{error}");
        assert!((1..10_000).contains(&handed_out), "{handed_out}");
    }
}

#[tokio::test]
async fn many_leases_that_end_together_are_all_given_back() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let (store, exact) = (leased(&server).await, connected(&settings(&[server.url()])).await);
        let limit = limit("many", Algorithm::SlidingWindow, 10_000);
        let values: Vec<_> = (0..300).map(|value| format!("value-{value}")).collect();
        for value in &values {
            for _ in 0..12 {
                assert!(store.decide(&[charge(&limit, value.as_bytes())]).await.unwrap().0.is_admitted());
            }
        }
        for value in &values {
            let remaining = async || {
                let decision = exact.standing(&[charge(&limit, value.as_bytes())]).await.unwrap();
                decision.standings[0].remaining
            };
            eventually("the lease to be given back", async || remaining().await == 10_000 - 12).await;
        }
    }
}

#[tokio::test]
async fn what_is_undone_and_what_is_on_lease_is_all_given_back() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let exact = connected(&settings(&[server.url()])).await;
        for algorithm in ALGORITHMS {
            let store = leased(&server).await;
            let limit = limit(&format!("{algorithm:?}"), algorithm, 100_000);
            let mut admitted = busy(&store, &limit).await;
            for _ in 0..100 {
                let began = Instant::now();
                let charges = [charge(&limit, b"somebody")];
                let (decision, asked) = store.decide(&charges).await.unwrap();
                assert!(decision.is_admitted());
                store.give_back(began, Instant::now(), &charges).await.unwrap();
                if !asked {
                    continue;
                }
                admitted += u64::from(decide(&store, std::slice::from_ref(&limit)).await.0);
            }
            drop(store);
            eventually("everything to be given back", async || {
                left(&exact, &limit).await == 100_000 - admitted
            })
            .await;
            let store = leased(&server).await;
            busy(&store, &limit).await;
            assert!(store.reset(&limit, b"somebody").await.unwrap());
            assert!(decide(&store, std::slice::from_ref(&limit)).await.1, "what was on lease is forgotten");
        }
    }
}

#[tokio::test]
async fn who_goes_away_while_the_store_is_asked_gets_back_what_a_lease_has_paid() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let exact = connected(&settings(&[server.url()])).await;
        let store = leased(&server).await;
        let (leased, asked) =
            (limit("leased", Algorithm::FixedWindow, 100_000), limit("asked", Algorithm::FixedWindow, 5));
        let admitted = busy(&store, &leased).await;
        server.signal(Signal::STOP);
        let charges = [charge(&leased, b"somebody"), charge(&asked, b"somebody")];
        let outcome = timeout(Duration::ZERO, store.decide(&charges)).await;
        assert!(outcome.is_err(), "decided without the store");
        server.signal(Signal::CONT);
        drop(store);
        eventually("everything to be given back", async || left(&exact, &leased).await == 100_000 - admitted)
            .await;
    }
}
