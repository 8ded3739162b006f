//! What one request asks of one limit.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bartizan_model::{Algorithm, Name, Quota};

use crate::Factors;

/// One limit: a quota that everybody who shares a value has to themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Names it among all limits, also to other gateways that share the store: limits of one name count together.
    pub name: Arc<str>,
    /// How much.
    pub quota: Quota,
}

impl Limit {
    /// The name of the limit that a rule of a policy sets.
    pub fn name_of(policy: &Name, rule: &Name) -> Arc<str> {
        format!("{policy}/{rule}").into()
    }
}

/// What one request asks of one limit: so many units for whoever stands behind `value`.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// Who is counted: an address, a user, the value of a header. Any bytes of any length.
    pub value: &'a [u8],
    /// Units.
    pub cost: NonZeroU32,
    /// What the request's risk makes of the limit.
    pub factors: Factors,
}

impl Charge<'_> {
    /// The units that it takes: its cost after its factors, at most all that the limit holds at once.
    pub fn units(&self) -> u64 {
        Effective::of(self).cost
    }
}

/// A quota as it stands for one request, after its factors: whole units, whole nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effective {
    /// As it is for all requests.
    pub(crate) stated: Quota,
    pub(crate) algorithm: Algorithm,
    /// Units per window, at least 1.
    pub(crate) limit: u64,
    /// Units at once, at least 1.
    pub(crate) burst: u64,
    /// Nanoseconds.
    pub(crate) window: u64,
    /// Units, at least 1 and never more than could be admitted at all, so that no factor locks anybody out.
    pub(crate) cost: u64,
}

impl Effective {
    pub(crate) fn of(charge: &Charge<'_>) -> Self {
        let (quota, factors) = (charge.limit.quota, charge.factors);
        let burst = factors.of_quota(quota.burst());
        let cost =
            (u64::from(charge.cost.get()) * u64::from(factors.cost())).div_ceil(u64::from(Factors::ONE));
        Self {
            stated: quota,
            algorithm: quota.algorithm(),
            limit: factors.of_quota(quota.limit()),
            burst,
            window: factors.of_window(nanoseconds(quota.length())),
            cost: cost.clamp(1, burst),
        }
    }
}

/// At most 31 days of them, by [`Quota::LONGEST_WINDOW`].
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
