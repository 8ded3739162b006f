//! How much: limits on what is asked, in several dimensions that are decided together.
//!
//! - A [`Limit`] is a quota with a name; a [`Charge`] is what one request asks of it for one value: an address, a user.
//! - [`MemoryStore::decide`] takes all charges of a request and answers with one [`Decision`]: all of them are charged,
//!   or none. A [`Standing`] says how much is left, and how long to wait after a refusal, to the nanosecond.
//! - [`Factors`] make a limit tighter or wider for one request. They never lock anybody out: a cost above what a limit
//!   holds counts as all of it. [`RiskFactors`] are those on all limits of a request, and a [`Threat`] is what its
//!   standings say about it.
//! - [`Concurrency`] counts requests in flight. A [`Place`] gives back what it took when it is dropped.
//! - A [`Limiter`] puts the stores of a gateway together. [`RuleStatistics`] remember what each rule has seen, and
//!   [`Allowances`] who is not counted for a while.
//! - Time is handed in, as [`Nanos`] that a [`Clock`] has read. A clock that jumps neither opens a limit nor locks it.
//!
//! ```
//! # use std::{num::NonZeroU32, time::Duration};
//! # use bartizan_limits::{Charge, Clock, Factors, Limit, MemoryStore};
//! # use bartizan_model::Quota;
//! # let units = |units| NonZeroU32::new(units).unwrap();
//! let (store, clock) = (MemoryStore::new(1_000_000), Clock::monotonic());
//! let quota = Quota::token_bucket(units(100), Duration::from_mins(1), units(2)).unwrap();
//! let limit = Limit { name: "voice/address".into(), quota };
//! let charge = Charge { limit: &limit, value: b"192.0.2.7", cost: units(1), factors: Factors::default() };
//!
//! assert!(store.decide(clock.now(), &[charge]).is_admitted());
//! assert_eq!(store.decide(clock.now(), &[charge]).standings[0].remaining, 0);
//! let refused = store.decide(clock.now(), &[charge]);
//! assert!(refused.standings[0].retry_after.unwrap() <= Duration::from_millis(600));
//! ```
//!
//! Bounds: windows of 100 ms to 31 days, at most 100 million units ([`Quota`](bartizan_model::Quota)), values of any
//! length (hashed), at most 85 bytes of memory for each key that a store may keep. The memory store counts for one
//! process and forgets with it.

mod afresh;
mod algorithm;
mod allowances;
mod charge;
mod clock;
mod concurrency;
mod decision;
mod dimension;
mod factors;
mod key;
mod lane;
mod lease;
mod limiter;
mod memory;
mod redis;
mod shards;
mod short_value;
mod statistics;
mod threat;

pub use allowances::{Allowance, Allowances, AllowancesFull, Chosen, Whom};
pub use charge::{Charge, Limit};
pub use clock::{Clock, Nanos};
pub use concurrency::{Concurrency, Full, InFlight, Place};
pub use decision::{Decision, Standing};
pub use dimension::DimensionKind;
pub use factors::{Factors, RiskFactors};
pub use lane::own_lane;
pub use lease::LeasedStore;
pub use limiter::{AllowError, Counted, Limiter};
pub use memory::MemoryStore;
pub use redis::{LimitsError, RedisSettings, RedisStore, Tried, Tries};
pub use short_value::{LONGEST_SHOWN, escaped, shortened, shown, unescaped};
pub use statistics::{Outcome, Period, Ranking, RuleStatistics, TopValue, Totals};
pub use threat::{Asker, Recommendation, Threat};
