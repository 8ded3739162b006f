//! For what no event tells: ask until it is so.

use std::time::{Duration, Instant};

/// Until `is_so`: with the next reading of changes, unless the machine is busy.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
