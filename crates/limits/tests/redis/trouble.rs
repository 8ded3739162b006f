//! A server that dies, falls silent, forgets, becomes a replica: an error at once, and recovery by itself.

use std::time::{Duration, Instant};

use bartizan_limits::{LimitsError, RedisSettings, RedisStore};
use bartizan_model::Algorithm;
use futures_util::future::join_all;
use rustix::process::Signal;

use crate::{
    eventually::eventually,
    server::{Server, programs},
    store::{charge, connected, decide, left, limit, settings},
};

#[tokio::test]
async fn without_a_server_a_start_does_not_wait_and_a_decision_fails_at_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // An address from a range kept for documentation: packets to it vanish.
    for node in [format!("redis://{nobody}"), "redis://192.0.2.1:6379".to_owned()] {
        let began = Instant::now();
        let store = RedisStore::connect(&settings(&[node])).unwrap();
        let limit = limit("login", Algorithm::TokenBucket, 5);
        for _ in 0..1000 {
            let outcome = decide(&store, &limit).await;
            assert!(matches!(outcome, Err(LimitsError::NotConnected(_))), "{outcome:?}");
        }
        assert!(!store.is_connected());
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn settings_that_lead_nowhere_are_refused() {
    let cases: [&[&str]; 5] =
        [&[], &["localhost:6379"], &["http://localhost"], &["redis://"], &["redis://a", "x"]];
    for nodes in cases {
        let nodes: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        let outcome = RedisStore::connect(&settings(&nodes));
        assert!(matches!(outcome, Err(LimitsError::Settings(_))), "{nodes:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn tls_is_spoken_and_nothing_else_when_it_is_asked_for() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let node = format!("rediss://127.0.0.1:{}", server.port);
        let store = RedisStore::connect(&settings(&[node])).unwrap();
        let limit = limit("login", Algorithm::TokenBucket, 5);
        eventually("an attempt to fail", async || {
            let error = decide(&store, &limit).await.unwrap_err();
            matches!(error, LimitsError::NotConnected(cause) if &*cause != "still connecting")
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_empty_is_used_again() {
    for program in programs() {
        let mut server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let limit = limit("login", Algorithm::TokenBucket, 5);
        decide(&store, &limit).await.unwrap();
        let port = server.port;
        drop(server);
        assert!(decide(&store, &limit).await.is_err());
        eventually("the loss to be noticed", async || !store.is_connected()).await;
        let mut restarted = None;
        eventually("the port to be free", async || {
            restarted = Server::start_on(&program, port, &[]);
            restarted.is_some()
        })
        .await;
        server = restarted.unwrap();
        eventually("recovery", async || decide(&store, &limit).await.is_ok()).await;
        assert_eq!(left(&store, &limit).await, 4, "counted afresh");
        drop(server);
    }
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_timeout() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let timeout = Duration::from_millis(5);
        let store = connected(&RedisSettings { timeout, ..settings(&[server.url()]) }).await;
        let limit = limit("login", Algorithm::TokenBucket, 1_000_000);
        eventually("a first decision", async || decide(&store, &limit).await.is_ok()).await;
        server.signal(Signal::STOP);
        let began = Instant::now();
        let mut timeouts = 0;
        for _ in 0..100 {
            match decide(&store, &limit).await {
                Err(LimitsError::TimedOut(after)) => {
                    assert_eq!(after, timeout);
                    timeouts += 1;
                }
                Err(LimitsError::NotConnected(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        let took = began.elapsed();
        assert!(timeouts >= 8, "given up after {timeouts}");
        // 100 timeouts one after the other, with room for a busy machine; most do not even wait.
        assert!(took < Duration::from_secs(2), "{took:?}, {timeouts} timeouts");
        assert!(!store.is_connected(), "a server that is silent counts as lost");
        server.signal(Signal::CONT);
        eventually("recovery", async || decide(&store, &limit).await.is_ok()).await;
    }
}

/// On a machine that has no time for the gateway, the question is sent when the time for the answer is over.
#[tokio::test]
async fn a_gateway_that_was_kept_from_running_does_not_hold_it_against_the_server() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let timeout = Duration::from_millis(100);
        let store = connected(&RedisSettings { timeout, ..settings(&[server.url()]) }).await;
        let limit = limit("login", Algorithm::TokenBucket, 5);
        decide(&store, &limit).await.unwrap();
        // The question waits for the task that sends it, and the one thread there is does nothing meanwhile.
        let stall = async { std::thread::sleep(2 * timeout) };
        let (outcome, ()) = tokio::join!(decide(&store, &limit), stall);
        assert_eq!(outcome.unwrap().standings[0].remaining, 3);
        assert!(store.is_connected());
    }
}

#[tokio::test]
async fn decisions_that_go_unanswered_together_do_not_cost_the_connection() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let timeout = Duration::from_millis(5);
        let store = connected(&RedisSettings { timeout, ..settings(&[server.url()]) }).await;
        let limit = limit("login", Algorithm::TokenBucket, 1_000_000);
        eventually("a first decision", async || decide(&store, &limit).await.is_ok()).await;
        server.signal(Signal::STOP);
        let began = Instant::now();
        let outcomes = join_all((0..64).map(|_| decide(&store, &limit))).await;
        let took = began.elapsed();
        server.signal(Signal::CONT);
        for outcome in outcomes {
            assert!(matches!(outcome, Err(LimitsError::TimedOut(_))), "{outcome:?}");
        }
        // Else the machine itself was silent for so long that nobody could tell.
        if took < Duration::from_millis(50) {
            let lost = async || matches!(decide(&store, &limit).await, Err(LimitsError::NotConnected(_)));
            eventually("an answer on the same connection", async || {
                assert!(!lost().await, "given up after {took:?}");
                decide(&store, &limit).await.is_ok()
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_script_learns_it_again() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let limit = limit("login", Algorithm::TokenBucket, 5);
        for remaining in [4, 3] {
            server.command(&["SCRIPT", "FLUSH"]);
            assert_eq!(decide(&store, &limit).await.unwrap().standings[0].remaining, remaining);
        }
        decide(&store, &limit).await.unwrap();
        let statistics = server.command(&["INFO", "commandstats"]);
        let calls = |name: &str| statistics.lines().any(|line| line.starts_with(name));
        assert!(calls("cmdstat_eval:calls=2,") && calls("cmdstat_evalsha:calls=3,"), "{statistics}");
    }
}

#[tokio::test]
async fn a_server_that_is_emptied_counts_afresh() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let limit = limit("login", Algorithm::SlidingWindow, 5);
        for remaining in [4, 3] {
            assert_eq!(decide(&store, &limit).await.unwrap().standings[0].remaining, remaining);
        }
        server.command(&["FLUSHALL"]);
        // What is given back after that is not given twice.
        store.give_back(Duration::from_secs(1), &[charge(&limit, b"somebody")]).await.unwrap();
        assert_eq!(decide(&store, &limit).await.unwrap().standings[0].remaining, 4);
    }
}

#[tokio::test]
async fn a_replica_and_a_full_server_refuse_and_recovery_needs_no_restart() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let limit = limit("login", Algorithm::TokenBucket, 5);
        let states: [[&[&str]; 2]; 2] = [
            [&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]],
            [&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]],
        ];
        for [broken, mended] in states {
            eventually("a connection", async || decide(&store, &limit).await.is_ok()).await;
            server.command(broken);
            let outcome = decide(&store, &limit).await;
            assert!(matches!(outcome, Err(LimitsError::Server(_))), "{broken:?}: {outcome:?}");
            server.command(mended);
            eventually("recovery", async || decide(&store, &limit).await.is_ok()).await;
        }
    }
}

#[tokio::test]
async fn a_refused_request_that_is_given_up_is_still_not_charged() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        let (full, loose) =
            (limit("full", Algorithm::FixedWindow, 1), limit("loose", Algorithm::FixedWindow, 100));
        decide(&store, &full).await.unwrap();
        let charges = [charge(&loose, b"somebody"), charge(&full, b"somebody")];
        for _ in 0..20 {
            let _ = tokio::time::timeout(Duration::from_micros(1), store.decide(&charges)).await;
        }
        // Answers come in the order of the questions, so all of those are over.
        assert_eq!(left(&store, &loose).await, 100);
    }
}
