//! Answers that make no sense: each is an error, none admits anything.

use std::time::Duration;

use bartizan_limits::{LeasedStore, LimitsError, RedisSettings};
use bartizan_model::Algorithm;

use crate::{
    eventually::eventually,
    fake::{Reply, fake, greeting},
    store::{charge, connected, decide, limit, settings},
};

/// The answer that consists of these numbers.
fn packed(numbers: &[f64]) -> Vec<u8> {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    format!("${}\r\n", 8 * numbers.len()).into_bytes().into_iter().chain(bytes).chain(*b"\r\n").collect()
}

/// What five units of a fixed window are answered when one is taken.
fn sensible() -> Vec<u8> {
    packed(&[0.0, 4.0, 3_600_000_000.0])
}

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
    let others: [&[u8]; 26] = [
        // Of another type.
        b"+OK\r\n",
        b"+000000004000000000000000\r\n",
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
        b"*3\r\n:0\r\n:4\r\n:0\r\n",
        b"*3\r\n$1\r\n0\r\n$1\r\n4\r\n$1\r\n0\r\n",
        b"*1\r\n$24\r\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n",
        // Of another length.
        b"$2\r\nOK\r\n",
        b"*1000000000\r\n:0\r\n",
        b"$9999999999999\r\n",
        b"$24\r\n\0\0\0\0\r\n",
        b"$23\r\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n",
        // Another protocol, and errors.
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\0\0\r\n",
        b"-ERR no\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-NOSCRIPT no\r\n",
        b"\r\n",
    ];
    // Numbers of another number, and such as cannot be.
    let numbers: [&[f64]; 11] = [
        &[],
        &[0.0, 4.0],
        &[0.0, 4.0, 0.0, 0.0],
        &[0.0, 4.0, 0.0, 1.0, 1.0],
        &[0.0, -4.0, 0.0],
        &[-1.0, 4.0, 0.0],
        &[0.0, 4.0, f64::NEG_INFINITY],
        &[0.0, 6.0, 0.0],
        &[0.0, 4.0, 9e15],
        &[0.0, f64::NAN, 0.0],
        &[0.0, 3.5, 0.0],
    ];
    let cases = others.into_iter().map(<[u8]>::to_vec).chain(numbers.map(packed));
    let five = limit("login", Algorithm::FixedWindow, 5);
    for answer in cases {
        let store = connected(&patient(answering(&answer).await)).await;
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
    let store = connected(&settings(&[answering(&sensible()).await])).await;
    let decision = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await.unwrap();
    assert!(decision.is_admitted());
    assert_eq!(decision.standings[0].remaining, 4);
}

#[tokio::test]
async fn who_hangs_up_before_or_within_an_answer_is_an_error() {
    for length in 0..sensible().len() {
        let hang_up = move |command: &[String], address| {
            greeting(command, address).unwrap_or_else(|| Reply::Last(sensible()[..length].to_vec()))
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
            _ => greeting(command, address).unwrap_or_else(|| Reply::Say(sensible())),
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
    let at = 1_790_000_000_000_000.0;
    let cases = [
        (packed(&[0.0, 9990.0, 36e8, 4.0, at]), true),
        (packed(&[0.0, 9990.0, 36e8, 9999.0, at]), false),
        (packed(&[0.0, 9990.0, 36e8, -4.0, at]), false),
        (packed(&[0.0, 10001.0, 36e8, 4.0, at]), false),
        (packed(&[0.0, 9990.0, 36e8]), false),
        (packed(&[0.0, 9990.0, 36e8, 4.0, at, 0.0]), false),
        (b":4\r\n".to_vec(), false),
        (b"-ERR no\r\n".to_vec(), false),
    ];
    for (answer, is_used) in cases {
        let shown = answer.escape_ascii().to_string();
        let node = fake(move |command, address| {
            let purpose = command.get(4).map(String::as_str);
            greeting(command, address).unwrap_or_else(|| match purpose {
                Some("lease") => Reply::Say(answer.clone()),
                _ => Reply::Say(packed(&[0.0, 9994.0, 36e8])),
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
        assert_eq!(asked.1 > 0, is_used, "{shown}: {asked:?}");
    }
}
