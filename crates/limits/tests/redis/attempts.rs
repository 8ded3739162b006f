//! Attempts that gateways count together, and the pauses after too many.

use std::time::Duration;

use bartizan_limits::{RedisStore, Tries};

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
    for attempt in 0..admitted {
        assert_eq!(store.attempt("ada", tries(3)).await.unwrap(), None, "attempt {attempt}");
    }
    let wait = store.attempt("ada", tries(3)).await.unwrap().expect("one too many");
    wait.as_secs().div_ceil(60)
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
        for _ in 0..3 {
            assert_eq!(store.attempt("ada", tries(3)).await.unwrap(), None);
        }
        // The third was right.
        store.take_back("ada").await.unwrap();
        assert_eq!(minutes_after(&store, 1).await, 30, "the pause that it began was none");
        end();
        assert_eq!(minutes_after(&store, 3).await, 60);
    }
}
