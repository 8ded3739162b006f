//! Answers that make no sense: each is an error, none admits anything.

use std::time::Duration;

use bartizan_limits::{LeasedStore, LimitsError, RedisSettings};
use bartizan_model::Algorithm;

use crate::{
    eventually::eventually,
    fake::{Reply, fake, greeting},
    store::{charge, connected, decide, limit, settings},
};

/// What five units of a fixed window are answered when one is taken.
const SENSIBLE: &[u8] = b"*3\r\n:0\r\n:4\r\n:3600000000\r\n";

/// A store that gives this answer to everything but greetings.
async fn answering(answer: &[u8]) -> String {
    let answer = answer.to_vec();
    fake(move |command, address| greeting(command, address).unwrap_or_else(|| Reply::Say(answer.clone())))
        .await
}

fn patient(node: String) -> RedisSettings {
    RedisSettings { timeout: Duration::from_millis(200), ..settings(&[node]) }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error() {
    let cases: [&[u8]; 35] = [
        // Of another type.
        b"+OK\r\n",
        b"$2\r\nOK\r\n",
        b":0\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",4.0\r\n",
        b"%1\r\n:0\r\n:4\r\n",
        b"~3\r\n:0\r\n:4\r\n:0\r\n",
        b">3\r\n:0\r\n:4\r\n:0\r\n",
        b"*3\r\n$1\r\n0\r\n$1\r\n4\r\n$1\r\n0\r\n",
        b"*3\r\n:0\r\n:4\r\n$-1\r\n",
        b"*3\r\n:0\r\n,4\r\n:0\r\n",
        b"*1\r\n*3\r\n:0\r\n:4\r\n:0\r\n",
        // Of another length.
        b"*0\r\n",
        b"*2\r\n:0\r\n:4\r\n",
        b"*4\r\n:0\r\n:4\r\n:0\r\n:0\r\n",
        b"*5\r\n:0\r\n:4\r\n:0\r\n:1\r\n:1\r\n",
        b"*1000000000\r\n:0\r\n",
        b"$9999999999999\r\n",
        b"*3\r\n:0\r\n:4\r\n",
        // Numbers that cannot be.
        b"*3\r\n:0\r\n:-4\r\n:0\r\n",
        b"*3\r\n:-1\r\n:4\r\n:0\r\n",
        b"*3\r\n:0\r\n:4\r\n:-9223372036854775808\r\n",
        b"*3\r\n:0\r\n:6\r\n:0\r\n",
        b"*3\r\n:0\r\n:4\r\n:9223372036854775807\r\n",
        b"*3\r\n:0\r\n:99999999999999999999\r\n:0\r\n",
        b"*3\r\n:0\r\n:four\r\n:0\r\n",
        // Another protocol, and errors.
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\0\0\r\n",
        b"-ERR no\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-NOSCRIPT no\r\n",
    ];
    let five = limit("login", Algorithm::FixedWindow, 5);
    for answer in cases {
        let store = connected(&patient(answering(answer).await)).await;
        for _ in 0..3 {
            let outcome = decide(&store, &five).await;
            assert!(outcome.is_err(), "{}: {outcome:?}", answer.escape_ascii());
        }
        let outcome = store.standing(&[charge(&five, b"somebody")]).await;
        assert!(outcome.is_err(), "{}: {outcome:?}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn nesting_without_end_is_an_error() {
    let store = connected(&patient(answering(&b"*1\r\n".repeat(100_000)).await)).await;
    let outcome = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await;
    assert!(outcome.is_err(), "{outcome:?}");
}

#[tokio::test]
async fn a_sensible_answer_is_believed() {
    // Else the tests above would also pass if nothing ever were.
    let store = connected(&settings(&[answering(SENSIBLE).await])).await;
    let decision = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await.unwrap();
    assert!(decision.is_admitted());
    assert_eq!(decision.standings[0].remaining, 4);
}

#[tokio::test]
async fn who_hangs_up_before_or_within_an_answer_is_an_error() {
    for length in 0..SENSIBLE.len() {
        let hang_up = move |command: &[String], address| {
            greeting(command, address).unwrap_or_else(|| Reply::Last(SENSIBLE[..length].to_vec()))
        };
        let store = connected(&settings(&[fake(hang_up).await])).await;
        let outcome = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await;
        let is_told = matches!(outcome, Err(LimitsError::Connection(_) | LimitsError::Nonsense(_)));
        assert!(is_told, "after {length} bytes: {outcome:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_sends_in_circles_is_an_error_in_time() {
    for code in ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"] {
        let circle = move |command: &[String], address| {
            let asking = || (command[0] == "ASKING").then(|| Reply::Say(b"+OK\r\n".to_vec()));
            let away = || Reply::Say(format!("-{code} 1 {address}\r\n").into_bytes());
            greeting(command, address).or_else(asking).unwrap_or_else(away)
        };
        let store = connected(&RedisSettings { is_cluster: true, ..patient(fake(circle).await) }).await;
        let outcome = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await;
        assert!(outcome.is_err(), "{code}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_cluster_whose_slots_make_no_sense_is_none() {
    for slots in [
        "*0\r\n",
        "+OK\r\n",
        "*1\r\n*3\r\n:5\r\n:-7\r\n:0\r\n",
        "$-1\r\n",
        "-ERR cluster support disabled\r\n",
    ] {
        let node = fake(move |command, address| match command[0].as_str() {
            "CLUSTER" => Reply::Say(slots.as_bytes().to_vec()),
            _ => greeting(command, address).unwrap_or_else(|| Reply::Say(SENSIBLE.to_vec())),
        });
        let settings = RedisSettings { is_cluster: true, ..patient(node.await) };
        let store = bartizan_limits::RedisStore::connect(&settings).unwrap();
        let five = limit("login", Algorithm::FixedWindow, 5);
        eventually("an attempt to fail", async || match decide(&store, &five).await {
            Err(LimitsError::NotConnected(cause)) => &*cause != "still connecting",
            Err(_) => true,
            Ok(decision) => panic!("{slots:?}: {decision:?}"),
        })
        .await;
    }
}

#[tokio::test]
async fn a_lease_that_makes_no_sense_is_not_used() {
    let cases: [(&[u8], bool); 8] = [
        (b"*5\r\n:0\r\n:9990\r\n:3600000000\r\n:4\r\n:1790000000000000\r\n", true),
        (b"*5\r\n:0\r\n:9990\r\n:3600000000\r\n:9999\r\n:1790000000000000\r\n", false),
        (b"*5\r\n:0\r\n:9990\r\n:3600000000\r\n:-4\r\n:1790000000000000\r\n", false),
        (b"*5\r\n:0\r\n:10001\r\n:3600000000\r\n:4\r\n:1790000000000000\r\n", false),
        (b"*3\r\n:0\r\n:9990\r\n:3600000000\r\n", false),
        (b"*6\r\n:0\r\n:9990\r\n:3600000000\r\n:4\r\n:1790000000000000\r\n:0\r\n", false),
        (b":4\r\n", false),
        (b"-ERR no\r\n", false),
    ];
    for (answer, is_used) in cases {
        let node = fake(move |command, address| {
            let purpose = command.get(4).map(String::as_str);
            greeting(command, address).unwrap_or_else(|| match purpose {
                Some("lease") => Reply::Say(answer.to_vec()),
                _ => Reply::Say(b"*3\r\n:0\r\n:9994\r\n:3600000000\r\n".to_vec()),
            })
        });
        let store = LeasedStore::new(connected(&patient(node.await)).await);
        let limit = limit("login", Algorithm::FixedWindow, 10_000);
        let mut asked = (0, 0);
        eventually("decisions", async || {
            // While it is connected anew it does not decide.
            if let Ok((decision, was_asked)) = store.decide(&[charge(&limit, b"somebody")]).await {
                assert!(decision.is_admitted());
                asked = if was_asked { (asked.0 + 1, asked.1) } else { (asked.0, asked.1 + 1) };
            }
            if is_used { asked.1 > 0 } else { asked.0 > 20 }
        })
        .await;
        assert_eq!(asked.1 > 0, is_used, "{}: {asked:?}", answer.escape_ascii());
    }
}
