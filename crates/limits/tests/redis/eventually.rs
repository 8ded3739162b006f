//! For what nobody announces: ask until it is so.

use std::time::{Duration, Instant};

/// Waits until something is so that no event announces.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(20), "still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
