//! Moments as they are told: RFC 3339, UTC, to the second.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A moment: RFC 3339 in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = PostureMoment, value_type = String, format = DateTime, example = "2026-03-01T09:30:00Z")]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl Moment {
    /// Its day, as in `2026-03-01`.
    pub fn day(self) -> String {
        let date = self.0.date();
        format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }

    /// Its day and time, without the zone, as in `2026-03-01 09:30`.
    pub fn minute(self) -> String {
        format!("{} {:02}:{:02}", self.day(), self.0.hour(), self.0.minute())
    }
}

impl From<SystemTime> for Moment {
    /// What is before 1970 becomes 1970, what is too late for RFC 3339 becomes 1970, too.
    fn from(moment: SystemTime) -> Self {
        let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(seconds).unwrap_or_default();
        Self(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(moment.0.unix_timestamp()).unwrap_or_default())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0.time();
        write!(f, "{}T{:02}:{:02}:{:02}Z", self.day(), time.hour(), time.minute(), time.second())
    }
}
