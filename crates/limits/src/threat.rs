//! How much of a threat a request looks like, judged by nothing but its limits: a score from 0 to 100 for people and for
//! rules to come. It refuses nobody, and a request that no limit counts has none.
//!
//! Points and weights are a convention of this gateway, not a measurement: what matters is that they stay the same.

use smallvec::SmallVec;

use crate::{DimensionKind, Standing};

/// How much of a threat a request looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threat {
    /// 0 to 100.
    pub score: u8,
    /// What is used of the limits, in thousandths: of each kind of dimension the limit that is used most, weighted.
    pub weighted_use: u32,
    /// What an operator may do, the most urgent first.
    pub recommendations: SmallVec<[Recommendation; 3]>,
}

/// What is known of whoever asks, besides what they have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asker {
    /// Whether no request from there was counted before this one.
    pub is_unknown_address: bool,
    /// Whether nobody has proven who they are.
    pub is_anonymous: bool,
}

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recommendation {
    /// Block the address for a while.
    BlockAddress,
    /// Let them prove that they are no program.
    Challenge,
    /// Let the route ask for a credential, so that limits know whom they count.
    RequireAuthentication,
    /// Raise the quota, if this caller is meant to ask so much.
    ReviewQuota,
    /// Keep an eye on them.
    Watch,
}

/// For each dimension that is nearly used up.
const NEARLY_USED_POINTS: u32 = 25;
/// More than so much of a quota, in thousandths, is nearly all.
const NEARLY_USED: u32 = 800;
/// For each limit that refuses.
const REFUSAL_POINTS: u32 = 30;
const UNKNOWN_ADDRESS_POINTS: u32 = 10;
const ANONYMOUS_POINTS: u32 = 15;
const HIGHEST_SCORE: u32 = 100;

/// From this score on, somebody is worth a look: one dimension is nearly used up.
const WATCH_FROM: u32 = NEARLY_USED_POINTS;
/// One limit refuses and its dimension is used up.
const CHALLENGE_FROM: u32 = NEARLY_USED_POINTS + REFUSAL_POINTS;
/// Two limits refuse and their dimension is used up.
const BLOCK_FROM: u32 = NEARLY_USED_POINTS + 2 * REFUSAL_POINTS;

impl Threat {
    /// Judges a request by how it stands in each limit that decided about it.
    pub fn of<'s>(standings: impl IntoIterator<Item = (DimensionKind, &'s Standing)>, asker: Asker) -> Self {
        let (mut uses, mut refusals, mut refused_known) = ([None; KINDS.len()], 0, false);
        for (kind, standing) in standings {
            for (used, _) in uses.iter_mut().zip(KINDS).filter(|(_, (other, _))| *other == kind) {
                *used = Some(standing.used()).max(*used);
            }
            if standing.retry_after.is_some() {
                refusals += 1;
                refused_known |= matches!(kind, DimensionKind::User | DimensionKind::Organization);
            }
        }
        let nearly_used = uses.iter().flatten().filter(|used| **used > NEARLY_USED);
        let points = points(nearly_used.count(), NEARLY_USED_POINTS)
            .saturating_add(points(refusals, REFUSAL_POINTS))
            .saturating_add(points(asker.is_unknown_address.into(), UNKNOWN_ADDRESS_POINTS))
            .saturating_add(points(asker.is_anonymous.into(), ANONYMOUS_POINTS));
        let score = points.min(HIGHEST_SCORE);
        Self {
            score: u8::try_from(score).unwrap_or(u8::MAX),
            weighted_use: weighted(&uses),
            recommendations: recommendations(score, refusals > 0, refused_known, asker),
        }
    }
}

/// The kinds and what each weighs, in thousandths: most of all who asks, for users are fewer than addresses are.
const KINDS: [(DimensionKind, u32); 4] = [
    (DimensionKind::Address, 300),
    (DimensionKind::User, 400),
    (DimensionKind::Organization, 200),
    (DimensionKind::Other, 100),
];

impl DimensionKind {
    /// What a limit by a combination counts as: its weightiest part.
    pub fn weightiest(kinds: impl IntoIterator<Item = Self>) -> Option<Self> {
        kinds.into_iter().max_by_key(|kind| kind.weight())
    }

    fn weight(self) -> u32 {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, weight)| *weight)
    }
}

fn points(count: usize, each: u32) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(each)
}

/// Of the kinds that are limited at all.
fn weighted(uses: &[Option<u32>]) -> u32 {
    let limited = uses.iter().zip(KINDS).filter_map(|(used, (_, weight))| Some(((*used)?, weight)));
    let (sum, weights) =
        limited.fold((0, 0), |(sum, weights), (used, weight)| (sum + used * weight, weights + weight));
    sum.checked_div(weights).unwrap_or(0)
}

fn recommendations(
    score: u32,
    is_refused: bool,
    refused_known: bool,
    asker: Asker,
) -> SmallVec<[Recommendation; 3]> {
    let urgent = match score {
        BLOCK_FROM.. if is_refused => Some(Recommendation::BlockAddress),
        CHALLENGE_FROM.. => Some(Recommendation::Challenge),
        WATCH_FROM.. => Some(Recommendation::Watch),
        _ => None,
    };
    let anonymous = (is_refused && asker.is_anonymous).then_some(Recommendation::RequireAuthentication);
    let known = (refused_known && !asker.is_anonymous).then_some(Recommendation::ReviewQuota);
    urgent.into_iter().chain(anonymous).chain(known).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        DimensionKind::{Address, Organization, Other, User},
        Recommendation::{BlockAddress, Challenge, RequireAuthentication, ReviewQuota, Watch},
        *,
    };

    fn standing(used: u64, is_refused: bool) -> Standing {
        Standing {
            quota: 1000,
            window: Duration::from_mins(1),
            remaining: 1000 - used,
            reset: Duration::ZERO,
            retry_after: is_refused.then_some(Duration::from_secs(1)),
        }
    }

    /// Each limit's kind, what is used of it and whether it refused; who asks; score and weighted use; what to do.
    type Case = (&'static [(DimensionKind, u64, bool)], Asker, (u8, u32), &'static [Recommendation]);

    #[test]
    fn points_add_up_to_a_hundred_at_most() {
        let known = Asker::default();
        let anonymous = Asker { is_anonymous: true, ..known };
        let stranger = Asker { is_anonymous: true, is_unknown_address: true };
        let cases: [Case; 11] = [
            (&[], known, (0, 0), &[]),
            (&[(Address, 100, false)], known, (0, 100), &[]),
            (&[(Address, 10, false)], stranger, (25, 10), &[Watch]),
            (&[(Address, 800, false)], known, (0, 800), &[]),
            (&[(Address, 801, false)], known, (25, 801), &[Watch]),
            (&[(Address, 900, false), (Address, 1000, false)], known, (25, 1000), &[Watch]),
            (&[(Address, 1000, true)], anonymous, (70, 1000), &[Challenge, RequireAuthentication]),
            (
                &[(Address, 1000, true), (Address, 990, true)],
                anonymous,
                (100, 1000),
                &[BlockAddress, RequireAuthentication],
            ),
            (&[(Address, 0, false), (User, 1000, true)], known, (55, 571), &[Challenge, ReviewQuota]),
            (
                &[(Address, 900, false), (User, 900, false), (Organization, 900, false), (Other, 900, false)],
                known,
                (100, 900),
                &[Challenge],
            ),
            // A request that costs more than is left need not meet an empty bucket.
            (&[(Organization, 500, true), (Other, 0, false)], known, (30, 333), &[Watch, ReviewQuota]),
        ];
        for (standings, asker, expected, recommendations) in cases {
            let standings: Vec<_> =
                standings.iter().map(|(kind, used, refused)| (*kind, standing(*used, *refused))).collect();
            let threat = Threat::of(standings.iter().map(|(kind, standing)| (*kind, standing)), asker);
            assert_eq!((threat.score, threat.weighted_use), expected, "{standings:?}");
            assert_eq!(threat.recommendations.as_slice(), recommendations, "{standings:?}");
        }
    }

    #[test]
    fn a_combination_counts_as_its_weightiest_part() {
        let cases = [
            (&[][..], None),
            (&[Other], Some(Other)),
            (&[Organization, Other], Some(Organization)),
            (&[Address, Organization], Some(Address)),
            (&[Other, User, Address], Some(User)),
        ];
        for (kinds, expected) in cases {
            assert_eq!(DimensionKind::weightiest(kinds.iter().copied()), expected);
        }
    }

    #[test]
    fn what_is_used_is_a_share_of_whatever_quota() {
        let used = |quota, remaining| Standing { quota, remaining, ..standing(0, false) }.used();
        let cases = [((10, 10), 0), ((3, 1), 666), ((1, 0), 1000), ((0, 0), 0), ((u64::MAX, 0), 1000)];
        for ((quota, remaining), expected) in cases {
            assert_eq!(used(quota, remaining), expected, "{remaining} of {quota}");
        }
    }
}
