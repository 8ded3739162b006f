//! How much somebody may ask: a quota, as a configuration states it and the limiters keep it.

use std::{num::NonZeroU32, time::Duration};

use crate::ModelError;

/// How the use of a quota is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// A token bucket, kept as the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371): as
    /// many at once as the burst, then evenly spaced.
    #[default]
    TokenBucket,
    /// At most the limit in any window that ends now, where the previous fixed window counts by the share of it
    /// that the window still covers.
    SlidingWindow,
    /// At most the limit in a window that begins with the first request.
    FixedWindow,
}

/// So many units in so long a window, and how many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    algorithm: Algorithm,
    limit: NonZeroU32,
    window: Duration,
    burst: NonZeroU32,
}

impl Quota {
    /// The longest window: a limit over more is a matter for accounts, not for a gateway.
    pub const LONGEST_WINDOW: Duration = Duration::from_hours(31 * 24);
    /// The shortest window.
    pub const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
    /// The largest limit and burst.
    pub const LARGEST: u32 = 100_000_000;

    /// A token bucket that refills `limit` units per `window` and holds `burst` of them.
    pub fn token_bucket(limit: NonZeroU32, window: Duration, burst: NonZeroU32) -> Result<Self, ModelError> {
        Self::checked(Algorithm::TokenBucket, limit, window, burst)
    }

    /// A window, sliding or fixed, of `limit` units.
    pub fn window(algorithm: Algorithm, limit: NonZeroU32, window: Duration) -> Result<Self, ModelError> {
        Self::checked(algorithm, limit, window, limit)
    }

    fn checked(
        algorithm: Algorithm,
        limit: NonZeroU32,
        window: Duration,
        burst: NonZeroU32,
    ) -> Result<Self, ModelError> {
        if limit.get() > Self::LARGEST || burst.get() > Self::LARGEST {
            return Err(ModelError::Quota("at most 100000000 units"));
        }
        if !(Self::SHORTEST_WINDOW..=Self::LONGEST_WINDOW).contains(&window) {
            return Err(ModelError::Quota("a window of 100 ms to 31 days"));
        }
        Ok(Self { algorithm, limit, window, burst })
    }

    /// How its use is counted.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Units per window.
    pub fn limit(&self) -> NonZeroU32 {
        self.limit
    }

    /// How long a window is.
    pub fn length(&self) -> Duration {
        self.window
    }

    /// Units at once; for windows, the limit.
    pub fn burst(&self) -> NonZeroU32 {
        self.burst
    }
}
