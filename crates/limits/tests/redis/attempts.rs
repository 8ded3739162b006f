//! Attempts that gateways count together, and the pauses after too many.

use std::time::Duration;

use bartizan_limits::{RedisStore, Tried, Tries};

use crate::{
    server::{Server, programs},
    store::{connected, settings},
};

const MINUTE: Duration = Duration::from_mins(1);

pub(crate) fn tries(most: u32) -> Tries {
    Tries { most, window: MINUTE * 15, pause: MINUTE * 30, longest_pause: MINUTE * 100 }
}

/// How many minutes to wait, begun ones counted whole.
async fn minutes_after(store: &RedisStore, admitted: usize) -> u64 {
    let minutes = |wait: Duration| wait.as_secs().div_ceil(60);
    let mut begun = None;
    for attempt in 1..=admitted {
        let tried = store.attempt("ada", tries(3)).await.unwrap();
        let is_last = matches!(tried, Tried::Last(_));
        assert!(is_last == (attempt == admitted) && !is_too_many(tried), "attempt {attempt}: {tried:?}");
        if let Tried::Last(pause) = tried {
            begun = Some(minutes(pause));
        }
    }
    let tried = store.attempt("ada", tries(3)).await.unwrap();
    let wait = if let Tried::TooMany(wait) = tried { Some(minutes(wait)) } else { None };
    let wait = wait.expect("one too many");
    assert_eq!(begun, (admitted > 0).then_some(wait), "it is told how long the pause is");
    wait
}

fn is_too_many(tried: Tried) -> bool {
    matches!(tried, Tried::TooMany(_))
}

#[tokio::test]
async fn each_pause_is_twice_as_long_until_somebody_succeeds() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let store = connected(&settings(&[server.url()])).await;
        // As if the pause had ended.
        let end = || server.command(&["DEL", "bartizan:together:{ada}"]);
        assert_eq!(minutes_after(&store, 3).await, 30);
        assert_eq!(minutes_after(&store, 0).await, 30, "who waits does not wait longer");
        end();
        assert_eq!(minutes_after(&store, 3).await, 60);
        end();
        assert_eq!(minutes_after(&store, 3).await, 100, "the longest");

        store.forget("ada").await.unwrap();
        for expected in [Tried::Counted, Tried::Counted, Tried::Last(MINUTE * 30)] {
            assert_eq!(store.attempt("ada", tries(3)).await.unwrap(), expected);
        }
        // The third was right.
        store.take_back("ada").await.unwrap();
        assert_eq!(minutes_after(&store, 1).await, 30, "the pause that it began was none");
        end();
        assert_eq!(minutes_after(&store, 3).await, 60);
    }
}
