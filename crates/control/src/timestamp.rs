//! Moments as the API writes them: RFC 3339, UTC, to the microsecond.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use time::{OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc3339};

/// A moment: RFC 3339 in UTC, to the microsecond.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String, format = DateTime, example = "2026-03-01T09:30:00.000125Z")]
pub struct Timestamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl From<SystemTime> for Timestamp {
    /// Moments before 1970 become 1970, those after 9999 the end of 9999: RFC 3339 writes no others.
    fn from(moment: SystemTime) -> Self {
        let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let microseconds = Duration::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX));
        let moment = time::Duration::try_from(microseconds)
            .ok()
            .and_then(|since_epoch| OffsetDateTime::UNIX_EPOCH.checked_add(since_epoch));
        Self(moment.unwrap_or(PrimitiveDateTime::MAX.assume_utc()))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0.into()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // INVARIANT: every constructor keeps the years that RFC 3339 can write.
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339_says() {
        let cases = [
            (UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + Duration::from_nanos(1_772_357_400_000_125_999), "2026-03-01T09:30:00.000125Z"),
            (UNIX_EPOCH + Duration::from_secs(400_000_000_000), "9999-12-31T23:59:59.999999999Z"),
        ];
        for (moment, expected) in cases {
            let written = serde_json::to_value(Timestamp::from(moment)).unwrap();
            assert_eq!(written, expected);
            let read: Timestamp = serde_json::from_value(written).unwrap();
            assert_eq!(read, Timestamp::from(moment));
        }
    }
}
