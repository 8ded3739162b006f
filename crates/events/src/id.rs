//! What names an event: a UUID of version 7 (RFC 9562) that is also its place in the store.
//!
//! ```text
//! 48 bits milliseconds since 1970 │ version │ 12 bits counter │ variant │ 24 bits counter │ 38 bits random
//! ```
//!
//! The counter begins anywhere and goes up by one for each event of the process, so two events of one process share none
//! within a millisecond. Day, time of day and counter are the event's place ([`EventId::day`], [`EventId::key`]): what is
//! written twice meets itself, and the order of ids is the order of time.

use std::{
    fmt,
    str::FromStr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

pub(crate) const COUNTER_BITS: u32 = 36;
const COUNTER: u64 = (1 << COUNTER_BITS) - 1;
const LOW_COUNTER_BITS: u32 = 24;
const TAIL_BITS: u32 = 38;
const TAIL: u64 = (1 << TAIL_BITS) - 1;
const MILLISECONDS: u64 = (1 << 48) - 1;
const VERSION: u128 = 7 << 76;
const VARIANT: u128 = 0b10 << 62;

/// Milliseconds of a day.
pub(crate) const DAY: u64 = 24 * 60 * 60 * 1000;

/// What names an event. Later events have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(random()));

fn random() -> u64 {
    Uuid::new_v4().as_u64_pair().1
}

impl EventId {
    /// The id of an event that happened at this moment.
    pub fn at(moment: SystemTime) -> Self {
        let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since_epoch.as_millis()).unwrap_or(MILLISECONDS).min(MILLISECONDS);
        Self::of(milliseconds, NEXT.fetch_add(1, Ordering::Relaxed) & COUNTER, random() & TAIL)
    }

    fn of(milliseconds: u64, counter: u64, tail: u64) -> Self {
        let (high, low) = (counter >> LOW_COUNTER_BITS, counter & ((1 << LOW_COUNTER_BITS) - 1));
        Self(
            u128::from(milliseconds) << 80
                | VERSION
                | u128::from(high) << 64
                | VARIANT
                | u128::from(low) << TAIL_BITS
                | u128::from(tail),
        )
    }

    /// The id at this place of the store.
    pub(crate) fn at_place(day: u64, key: u64, tail: u64) -> Self {
        Self::of(day * DAY + (key >> COUNTER_BITS), key & COUNTER, tail & TAIL)
    }

    /// Before every id of this moment and behind those of earlier ones. It is nobody's.
    pub(crate) fn before(milliseconds: u64) -> Self {
        Self(u128::from(milliseconds) << 80)
    }

    /// When it happened, in milliseconds since 1970.
    pub const fn milliseconds(self) -> u64 {
        (self.0 >> 80) as u64
    }

    /// When it happened.
    pub fn moment(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.milliseconds())
    }

    /// On which day, counted from 1970.
    pub(crate) const fn day(self) -> u64 {
        self.milliseconds() / DAY
    }

    /// Its place within the day: 27 bits of milliseconds, 36 of the counter.
    #[expect(clippy::cast_possible_truncation, reason = "36 bits remain")]
    pub(crate) const fn key(self) -> u64 {
        let high = (self.0 >> 64) as u64 & 0xfff;
        let low = (self.0 >> TAIL_BITS) as u64 & ((1 << LOW_COUNTER_BITS) - 1);
        (self.milliseconds() % DAY) << COUNTER_BITS | high << LOW_COUNTER_BITS | low
    }

    /// What the place does not say.
    #[expect(clippy::cast_possible_truncation, reason = "38 bits remain")]
    pub(crate) const fn tail(self) -> u64 {
        self.0 as u64 & TAIL
    }
}

/// The first place of a moment within its day.
pub(crate) const fn first_key(milliseconds: u64) -> u64 {
    (milliseconds % DAY) << COUNTER_BITS
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_u128(self.0).fmt(f)
    }
}

impl FromStr for EventId {
    type Err = String;

    /// Only what [`EventId::at`] makes.
    fn from_str(text: &str) -> Result<Self, String> {
        let id = Uuid::try_parse(text).map(|uuid| Self(uuid.as_u128())).ok();
        id.filter(|id| Self::of(id.milliseconds(), id.key() & COUNTER, id.tail()) == *id)
            .ok_or_else(|| format!("`{text}` is not the id of an event"))
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_is_its_place_and_its_text(
            milliseconds in 0..=MILLISECONDS, counter in 0..=COUNTER, tail in 0..=TAIL,
        ) {
            let id = EventId::of(milliseconds, counter, tail);
            prop_assert_eq!(EventId::at_place(id.day(), id.key(), id.tail()), id);
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
            prop_assert_eq!(id.milliseconds(), milliseconds);
            prop_assert!(id.key() < 1 << 63, "it fits a signed number");
            let uuid = Uuid::parse_str(&id.to_string()).unwrap();
            prop_assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
        }
    }

    #[test]
    fn events_of_one_moment_have_places_of_their_own() {
        let moment = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let ids: Vec<_> = (0..10_000).map(|_| EventId::at(moment)).collect();
        let places: HashSet<_> = ids.iter().map(|id| (id.day(), id.key())).collect();
        assert_eq!(places.len(), ids.len());
        assert!(EventId::at(moment + Duration::from_millis(1)) > ids[0]);
        assert_eq!(ids[0].moment(), moment);
    }

    #[test]
    fn other_uuids_are_no_ids() {
        for text in ["", "x", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "00000000-0000-0000-0000-000000000000"]
        {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
