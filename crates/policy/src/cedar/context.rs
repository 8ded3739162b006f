//! The context of a request: what is so about it, whoever asks and whatever for.

use std::{
    array,
    cell::RefCell,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::SystemTime,
};

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
    /// When it arrived. Policies learn the second.
    pub arrived: SystemTime,
}

impl RequestFacts<'_> {
    pub(crate) fn context(&self, zone: Zone, types: &Types) -> Result<Context, String> {
        let pairs = [
            ("address", address(self.address)),
            ("method", RestrictedExpression::new_string(self.method.as_str().into())),
            ("path", RestrictedExpression::new_string(self.path.into())),
            ("time", time(self.arrived)),
            ("mfa", RestrictedExpression::new_bool(self.multi_factor)),
            ("moved", RestrictedExpression::new_bool(self.moved)),
            ("secure", RestrictedExpression::new_bool(self.secure)),
            ("zone", RestrictedExpression::new_entity_uid(types.zone(zone))),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// How many addresses each thread remembers the expression of.
const REMEMBERED: usize = 256;

/// Expressions that were made a while ago: Cedar parses the name of its function for each, which takes longer than all
/// else that is said of a request.
struct Made {
    hasher: RandomState,
    /// The second, and its expression.
    time: Option<(i64, RestrictedExpression)>,
    /// By what their hash says.
    addresses: [Option<(IpAddr, RestrictedExpression)>; REMEMBERED],
}

thread_local! {
    static MADE: RefCell<Made> = RefCell::new(Made {
        hasher: RandomState::new(),
        time: None,
        addresses: array::from_fn(|_| None),
    });
}

fn address(address: IpAddr) -> RestrictedExpression {
    MADE.with_borrow_mut(|Made { hasher, addresses, .. }| {
        let place = hasher.hash_one(address) % REMEMBERED as u64;
        let Some(slot) = addresses.get_mut(usize::try_from(place).unwrap_or(0)) else {
            return RestrictedExpression::new_ip(address.to_string());
        };
        match slot {
            Some((known, made)) if *known == address => made.clone(),
            _ => slot.insert((address, RestrictedExpression::new_ip(address.to_string()))).1.clone(),
        }
    })
}

fn time(moment: SystemTime) -> RestrictedExpression {
    let second = OffsetDateTime::from(moment).unix_timestamp();
    MADE.with_borrow_mut(|Made { time, .. }| match time {
        Some((known, made)) if *known == second => made.clone(),
        _ => time.insert((second, RestrictedExpression::new_datetime(datetime(moment)))).1.clone(),
    })
}

/// A moment as Cedar's `datetime` reads it, to the second.
pub(crate) fn datetime(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn what_is_remembered_is_of_the_same_address_and_second() {
        for _ in 0..2 {
            for number in 0..=u8::MAX {
                for part in [1, 2, 3] {
                    let asked = IpAddr::from([192, 0, part, number]);
                    let made = RestrictedExpression::new_ip(asked.to_string());
                    assert_eq!(format!("{:?}", address(asked)), format!("{made:?}"));
                }
            }
            for second in [0, 1, 1, 7] {
                let moment = UNIX_EPOCH + Duration::from_secs(second);
                let made = RestrictedExpression::new_datetime(datetime(moment));
                assert_eq!(format!("{:?}", time(moment + Duration::from_millis(999))), format!("{made:?}"));
            }
        }
    }

    #[test]
    fn moments_are_written_as_cedar_reads_them() {
        let cases = [
            (Duration::ZERO, "1970-01-01T00:00:00Z"),
            (Duration::from_millis(1_763_731_805_042), "2025-11-21T13:30:05Z"),
        ];
        for (since, expected) in cases {
            assert_eq!(datetime(UNIX_EPOCH + since), expected);
        }
    }
}
