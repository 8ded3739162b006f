//! What is assessed, counted from a log of events.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_events::{Bucket, Dimension, EventError, EventLog, Filter, Kind, Ranked, Span};

use crate::{
    Cause, Counts, EventStatistics, Inputs, Recent,
    threat::{EVENT_CAUSES, REACH, usual_weight},
};

/// How long one question may take.
const WITHIN: Duration = Duration::from_secs(3);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MINUTE: u64 = 60;
/// The most addresses that a ranking is asked for: as many as it tells apart.
const MOST_ADDRESSES: usize = 10_000;

/// What changes slowly: counted every few minutes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usual {
    /// What the 24 hours before the last hour weigh, by cause.
    weights: Vec<(Cause, u64)>,
    /// The last 24 hours.
    pub(crate) day: EventStatistics,
}

impl Usual {
    /// What is usual at a moment.
    pub(crate) fn count(log: &EventLog, now: SystemTime) -> Result<Self, EventError> {
        let hour_ago = now.checked_sub(HOUR);
        let span = Span::new(hour_ago.and_then(|moment| moment.checked_sub(DAY)), hour_ago);
        let before = log.counts(&Filter { span, ..Filter::default() }, 24 * 60, WITHIN)?;
        let span = Span::new(now.checked_sub(DAY), None);
        let day = log.counts(&Filter { span, ..Filter::default() }, 24 * 60, WITHIN)?;
        Ok(Self { weights: weigh(&before.buckets), day: EventStatistics::of(&day.buckets) })
    }
}

/// What counts weigh as something usual, by cause.
pub(crate) fn weigh(buckets: &[Bucket]) -> Vec<(Cause, u64)> {
    let mut weights = EVENT_CAUSES.map(|cause| (cause, 0_u64));
    for bucket in buckets {
        let weight = bucket.count.saturating_mul(usual_weight(bucket.severity));
        for (_, sum) in weights.iter_mut().filter(|(cause, _)| Some(*cause) == Cause::of(bucket.kind)) {
            *sum = sum.saturating_add(weight);
        }
    }
    weights.to_vec()
}

/// The events of the last hour as they are assessed, and in numbers.
pub(crate) fn count(
    log: &EventLog,
    usual: &Usual,
    now: SystemTime,
) -> Result<(Inputs, EventStatistics), EventError> {
    let span = Span::new(now.checked_sub(HOUR), None);
    let hour = log.counts(&Filter { span, ..Filter::default() }, 1, WITHIN)?;
    Ok((inputs(&hour.buckets, &usual.weights, now), EventStatistics::of(&hour.buckets)))
}

/// What is assessed at a moment, of counts by the minute, or of a few minutes.
pub(crate) fn inputs(buckets: &[Bucket], usual: &[(Cause, u64)], now: SystemTime) -> Inputs {
    let mut inputs = Inputs::default();
    for (cause, counts) in inputs.events_mut() {
        let of_cause = buckets.iter().filter(|bucket| Cause::of(bucket.kind) == Some(cause));
        let recent = of_cause.map(|bucket| Recent {
            age: minute(now).saturating_sub(minute(bucket.start)),
            severity: bucket.severity,
            count: bucket.count,
        });
        let recent = recent.filter(|recent| recent.age < REACH).collect();
        let usual = usual.iter().filter(|(of, _)| *of == cause);
        let usual = usual.fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
        *counts = Counts { recent, usual, noisiest: 0 };
    }
    inputs
}

/// Finds the share of the noisiest client of every cause. Where that cannot be found in time, it may be all of it.
pub(crate) fn find_noisiest(log: &EventLog, inputs: &mut Inputs, now: SystemTime) {
    for (cause, counts) in inputs.events_mut().filter(|(_, counts)| !counts.recent.is_empty()) {
        counts.noisiest = noisiest(log, cause.kinds(), now).unwrap_or_else(|error| {
            tracing::warn!(%error, ?cause, "it cannot be told how many clients there are: perhaps one");
            1000
        });
    }
}

/// In thousandths of what was kept. What has no address may be anybody's.
fn noisiest(log: &EventLog, kinds: &[Kind], now: SystemTime) -> Result<u64, EventError> {
    let filter =
        Filter { span: Span::new(now.checked_sub(HOUR), None), kinds: kinds.to_vec(), ..Filter::default() };
    let all = log.top(&filter, Dimension::Kind, Kind::ALL.len(), WITHIN)?.values;
    let by_address = log.top(&filter, Dimension::Address, MOST_ADDRESSES, WITHIN)?.values;
    Ok(share(all.iter().map(|ranked| ranked.count).sum(), &by_address))
}

fn share(total: u64, by_address: &[Ranked]) -> u64 {
    let mut clients: HashMap<&str, u64> = HashMap::new();
    let mut networks: HashMap<u64, u64> = HashMap::new();
    let mut addressed = 0;
    for Ranked { value, count } in by_address {
        addressed += count;
        // One client has a whole /64 of IPv6.
        match value.parse() {
            Ok(IpAddr::V6(address)) => {
                let network = u64::try_from(address.to_bits() >> 64).unwrap_or_default();
                *networks.entry(network).or_default() += count;
            }
            _ => *clients.entry(value).or_default() += count,
        }
    }
    let loudest = clients.into_values().chain(networks.into_values()).max().unwrap_or_default();
    let suspect = loudest + total.saturating_sub(addressed);
    (suspect.saturating_mul(1000)).div_ceil(total.max(1)).min(1000)
}

fn minute(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_client_and_nobody_is_the_noisiest() {
        let ranked = |value: &str, count| Ranked { value: value.into(), count };
        let cases = [
            (100, vec![ranked("192.0.2.1", 100)], 1000),
            (100, vec![ranked("192.0.2.1", 60), ranked("192.0.2.2", 40)], 600),
            (100, vec![ranked("2001:db8::1", 50), ranked("2001:db8::2", 50)], 1000),
            (100, vec![ranked("2001:db8:0:1::1", 50), ranked("2001:db8::2", 50)], 500),
            (100, vec![ranked("192.0.2.1", 30), ranked("192.0.2.2", 30)], 700),
            (100, vec![], 1000),
            (0, vec![], 0),
        ];
        for (total, by_address, expected) in cases {
            assert_eq!(share(total, &by_address), expected, "{by_address:?}");
        }
    }
}
