//! What is counted: exactly, together, for all gateways.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_model::Algorithm;

use crate::{
    eventually::eventually,
    server::{Server, programs},
    store::{ALGORITHMS, charge, connected, decide, left, limit, race, settings},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_on_one_key_are_admitted_exactly_the_limit() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = Arc::new(connected(&settings(&[server.url()])).await);
        for algorithm in ALGORITHMS {
            let tight = limit(&format!("tight-{algorithm:?}"), algorithm, 100);
            assert_eq!(race(&[Arc::clone(&store)], &[tight], 10).await, 100, "{algorithm:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_share_a_limit_exactly() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let settings = settings(&[server.url()]);
        for gateways in [2, 4] {
            let mut stores = Vec::new();
            for _ in 0..gateways {
                stores.push(Arc::new(connected(&settings).await));
            }
            for algorithm in ALGORITHMS {
                let name = format!("{gateways}-{algorithm:?}");
                let limits = [limit(&name, algorithm, 70), limit(&format!("{name}-loose"), algorithm, 5000)];
                assert_eq!(race(&stores, &limits, 5).await, 70, "{name}");
                for store in &stores {
                    assert_eq!(left(store, &limits[0]).await, 0, "{name}");
                    assert_eq!(left(store, &limits[1]).await, 5000 - 70, "{name}: a refusal was charged");
                }
            }
        }
    }
}

#[tokio::test]
async fn long_and_binary_values_are_told_apart() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let once = limit("once", Algorithm::FixedWindow, 1);
        let mut longer = vec![b'x'; 1_000_000];
        longer.push(b'y');
        let values: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\0\0",
            b"\r\n*1\r\n$8\r\nFLUSHALL\r\n",
            b"{a}",
            b"\xff\xfe",
            &longer[..1_000_000],
            &longer,
        ];
        for admitted in [true, false] {
            for value in values {
                let decision = store.decide(&[charge(&once, value)]).await.unwrap();
                let start = String::from_utf8_lossy(&value[..value.len().min(10)]);
                assert_eq!(decision.is_admitted(), admitted, "{start:?}, {} bytes", value.len());
            }
        }
        // What runs together the same way belongs to different limits.
        for (name, value) in
            [("a", "b:c"), ("a:b", "c"), ("a:b:c", ""), ("", "a:b:c"), ("a}", "b"), ("a", "}b")]
        {
            let once = limit(name, Algorithm::FixedWindow, 1);
            for admitted in [true, false] {
                let decision = store.decide(&[charge(&once, value.as_bytes())]).await.unwrap();
                assert_eq!(decision.is_admitted(), admitted, "`{name}`, `{value}`");
            }
        }
    }
}

#[tokio::test]
async fn what_was_taken_can_be_given_back_and_forgotten() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        for algorithm in ALGORITHMS {
            let limit = limit(&format!("{algorithm:?}"), algorithm, 3);
            let remaining = async || left(&store, &limit).await;
            assert!(!store.reset(&limit, b"somebody").await.unwrap(), "{algorithm:?}");
            for expected in [2, 1, 0] {
                assert_eq!(decide(&store, &limit).await.unwrap().standings[0].remaining, expected);
                assert_eq!(remaining().await, expected, "{algorithm:?}: standing differs, or charges");
            }
            // Just now: all of this may take less than a millisecond, and a window knows what was before it.
            store.give_back(Duration::ZERO, &[charge(&limit, b"somebody")]).await.unwrap();
            assert_eq!(remaining().await, 1, "{algorithm:?}");
            for _ in 0..5 {
                store.give_back(Duration::ZERO, &[charge(&limit, b"somebody")]).await.unwrap();
            }
            assert_eq!(remaining().await, 3, "{algorithm:?}: more than the quota");
            assert!(decide(&store, &limit).await.unwrap().is_admitted());
            assert!(store.reset(&limit, b"somebody").await.unwrap(), "{algorithm:?}");
            assert_eq!(remaining().await, 3, "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn what_is_given_back_in_the_background_arrives_although_the_store_is_dropped() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let settings = settings(&[server.url()]);
        let other = connected(&settings).await;
        for algorithm in ALGORITHMS {
            let (store, limit) =
                (connected(&settings).await, limit(&format!("{algorithm:?}"), algorithm, 500));
            for _ in 0..300 {
                assert!(decide(&store, &limit).await.unwrap().is_admitted());
            }
            for _ in 0..200 {
                store.refund(Instant::now(), &[charge(&limit, b"somebody")]);
            }
            store.refund(Instant::now(), &[]);
            drop(store);
            eventually("it to be given back", async || left(&other, &limit).await == 400).await;
        }
    }
}

#[tokio::test]
async fn nothing_asked_is_nothing_refused() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let decision = store.decide(&[]).await.unwrap();
        assert!(decision.is_admitted() && decision.standings.is_empty());
    }
}

#[tokio::test]
async fn states_go_when_they_have_lapsed_and_the_time_is_real() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        for algorithm in ALGORITHMS {
            let mut limit = limit(&format!("{algorithm:?}"), algorithm, 2);
            let (two, window) = (2.try_into().unwrap(), Duration::from_millis(100));
            limit.quota = match algorithm {
                Algorithm::TokenBucket => bartizan_model::Quota::token_bucket(two, window, two),
                other => bartizan_model::Quota::window(other, two, window),
            }
            .unwrap();
            assert!(decide(&store, &limit).await.unwrap().is_admitted());
            let mut refused = decide(&store, &limit).await.unwrap();
            while refused.is_admitted() {
                refused = decide(&store, &limit).await.unwrap();
            }
            tokio::time::sleep(refused.standings[0].retry_after.unwrap()).await;
            assert!(
                decide(&store, &limit).await.unwrap().is_admitted(),
                "{algorithm:?}: locked after the wait"
            );
            let lapsed = async || !store.reset(&limit, b"somebody").await.unwrap();
            // Twice the life it needs, which is two windows at most, and a second.
            tokio::time::sleep(4 * window + Duration::from_millis(1050)).await;
            assert!(lapsed().await, "{algorithm:?}: the key stays");
        }
    }
}

#[tokio::test]
async fn the_first_use_of_a_window_can_be_given_back() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        for algorithm in ALGORITHMS {
            for number in 0..300 {
                let limit = limit(&format!("{algorithm:?}-{number}"), algorithm, 3);
                assert!(decide(&store, &limit).await.unwrap().is_admitted());
                let answered = Instant::now();
                store.give_back(answered.elapsed(), &[charge(&limit, b"somebody")]).await.unwrap();
                assert_eq!(left(&store, &limit).await, 3, "{algorithm:?}");
            }
        }
    }
}
