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
    /// At most the limit in the window that ends now, where the previous fixed window counts by the share of it
    /// that the window still covers: less than twice the limit, however uneven the use.
    SlidingWindow,
    /// At most the limit in a window that begins with the first request.
    FixedWindow,
}

/// So many units in so long a window, and how many of them at once.
///
/// No quota reaches further ahead than [`LONGEST_WINDOW`](Self::LONGEST_WINDOW): neither a window nor the refilling of a
/// burst takes longer. So whoever counts in nanoseconds stays far within 64 bits, whatever a request's risk makes of it.
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

    /// A token bucket that refills `limit` units per `window` and holds `burst` of them, which must come back within
    /// [`LONGEST_WINDOW`](Self::LONGEST_WINDOW).
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
        let refill = window.as_nanos() * u128::from(burst.get()) / u128::from(limit.get());
        if refill > Self::LONGEST_WINDOW.as_nanos() {
            return Err(ModelError::Quota("a burst that refills within 31 days"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(limit: u32, window: Duration, burst: u32) -> Result<Quota, ModelError> {
        let units = |units| NonZeroU32::new(units).unwrap();
        Quota::token_bucket(units(limit), window, units(burst))
    }

    #[test]
    fn no_quota_reaches_further_than_31_days() {
        const LARGEST: u32 = Quota::LARGEST;
        let (nanosecond, hour, longest) =
            (Duration::from_nanos(1), Duration::from_hours(1), Quota::LONGEST_WINDOW);
        let too_short = Duration::from_nanos(99_999_999);
        let cases = [
            (1, longest, 1, None),
            (LARGEST, longest, LARGEST, None),
            (1, hour, 744, None),
            (1, Quota::SHORTEST_WINDOW, 26_784_000, None),
            (1, hour, 745, Some("a burst that refills within 31 days")),
            (1, longest, 2, Some("a burst that refills within 31 days")),
            (1, longest, LARGEST, Some("a burst that refills within 31 days")),
            (LARGEST - 1, longest, LARGEST, Some("a burst that refills within 31 days")),
            (1, longest + nanosecond, 1, Some("a window of 100 ms to 31 days")),
            (1, too_short, 1, Some("a window of 100 ms to 31 days")),
            (1, Duration::MAX, LARGEST, Some("a window of 100 ms to 31 days")),
            (LARGEST + 1, hour, 1, Some("at most 100000000 units")),
            (1, hour, u32::MAX, Some("at most 100000000 units")),
        ];
        for (limit, window, burst, refused) in cases {
            let outcome = bucket(limit, window, burst).err();
            assert_eq!(outcome, refused.map(ModelError::Quota), "{limit} in {window:?}, burst {burst}");
        }
    }
}
