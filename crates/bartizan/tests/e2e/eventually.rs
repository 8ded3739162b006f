//! For what nobody announces: ask until it is so.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::harness::PATIENCE;

/// Asks again and again until the answer is yes. Only for states that no event tells.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut turns = interval(Duration::from_millis(10));
    let asking = async {
        while !is_so().await {
            turns.tick().await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what}: not in time"));
}
