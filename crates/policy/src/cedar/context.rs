//! The context of a request: what is so about it, whoever asks and whatever for.

use std::{net::IpAddr, time::SystemTime};

use bartizan_model::Zone;
use cedar_policy::{Context, RestrictedExpression};
use http::Method;
use time::OffsetDateTime;

use super::types::Types;

/// What policies learn of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path in the form that routes are matched with.
    pub path: &'a str,
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client speaks TLS.
    pub secure: bool,
    /// Whether the caller has used more than one factor.
    pub multi_factor: bool,
    /// Whether their session is used from elsewhere than where they were proven.
    pub moved: bool,
    /// When it arrived.
    pub arrived: SystemTime,
}

impl RequestFacts<'_> {
    pub(crate) fn context(&self, zone: Zone, types: &Types) -> Result<Context, String> {
        let pairs = [
            ("address", RestrictedExpression::new_ip(self.address.to_string())),
            ("method", RestrictedExpression::new_string(self.method.as_str().into())),
            ("path", RestrictedExpression::new_string(self.path.into())),
            ("time", RestrictedExpression::new_datetime(datetime(self.arrived))),
            ("mfa", RestrictedExpression::new_bool(self.multi_factor)),
            ("moved", RestrictedExpression::new_bool(self.moved)),
            ("secure", RestrictedExpression::new_bool(self.secure)),
            ("zone", RestrictedExpression::new_entity_uid(types.zone(zone))),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// A moment as Cedar's `datetime` reads it.
pub(crate) fn datetime(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn moments_are_written_as_cedar_reads_them() {
        let cases = [
            (Duration::ZERO, "1970-01-01T00:00:00.000Z"),
            (Duration::from_millis(1_763_731_805_042), "2025-11-21T13:30:05.042Z"),
        ];
        for (since, expected) in cases {
            assert_eq!(datetime(UNIX_EPOCH + since), expected);
        }
    }
}
