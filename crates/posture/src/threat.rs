//! How threatened the gateway is: a number from 0 to 100, and why. Pure: counts go in, nothing else.
//!
//! Events of the last hour are put together by what they are a sign of ([`Cause`]). An event weighs 0 (informational), 1
//! (low), 5 (medium), 25 (high) or 100 (critical), and half as much every ten minutes; after an hour nothing. From the sum
//! is taken twice what the day before would have had in the same time, of low and medium severity alone: what is bad is
//! never usual. What is left, `x`, makes `cap · x / (x + half)` points: it never makes more than its cap, however much comes.
//!
//! | cause | cap | half | what |
//! |---|---|---|---|
//! | `attacks` | 35 | 100 | requests that the firewall objects to |
//! | `findings` | 45 | 50 | what detection rules find, stuffed credentials, tokens that came twice |
//! | `logins` | 35 | 150 | logins and tokens that fail, pauses, sessions that move |
//! | `refusals` | 30 | 500 | requests refused: limits, permissions, missing credentials |
//! | `changes` | 15 | 100 | roles and second factors changed, accounts deleted, configurations refused |
//! | `alerts` | 25 | 100 | alerts that nobody has acknowledged, by their severity |
//! | `failing_parts` | 25 | | 10 points for each part that fails |
//! | `weaknesses` | 15 | | 8 for each critical one, 3 for a high, 1 for a medium one |
//!
//! All of them together are at most 100. **One client alone makes at most 74 points**, so nothing critical: everything is
//! counted a second time without the noisiest client of each cause, without what has no address, and without alerts; only
//! where that makes 50 points or more may the number pass 74. What one client cannot be the author of, parts and
//! weaknesses, makes 40 at most.

use bartizan_events::{Kind, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What events, and other things, are a sign of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ThreatCause)]
pub enum Cause {
    /// Requests that the firewall objects to.
    Attacks,
    /// What detection rules find.
    Findings,
    /// Logins and tokens that fail.
    Logins,
    /// Requests that are refused.
    Refusals,
    /// Changes that give somebody more, or take protection away.
    Changes,
    /// Alerts that nobody has acknowledged.
    Alerts,
    /// Parts of the gateway that fail.
    FailingParts,
    /// Weaknesses that the scan has found.
    Weaknesses,
}

/// Events of a cause that happened in the same minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// How many minutes ago.
    pub age: u64,
    /// How bad.
    pub severity: Severity,
    /// How many.
    pub count: u64,
}

/// The events of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Those of the last hour.
    pub recent: Vec<Recent>,
    /// What those of low and medium severity of the 24 hours before weigh.
    pub usual: u64,
    /// Of those of the last hour that were kept, the share of the noisiest client and of nobody, in thousandths.
    pub noisiest: u64,
}

/// Everything that is assessed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    counted: [Counts; EVENT_CAUSES.len()],
    /// How many alerts nobody has acknowledged, by severity, the least first.
    pub alerts: [u64; 5],
    /// How many parts fail.
    pub failing_parts: u64,
    /// How many weaknesses there are, by severity, the least first.
    pub weaknesses: [u64; 5],
}

/// How threatened the gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assessment {
    /// 0 to 100.
    pub score: u8,
    /// What makes it, the most first.
    pub reasons: Vec<Reason>,
    /// Whether it is held down because one client alone could be the author of it.
    pub is_one_client: bool,
}

/// Something that makes the number what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ThreatReason)]
pub struct Reason {
    /// What it is.
    pub cause: Cause,
    /// How much it contributes.
    #[schema(maximum = 100)]
    pub points: u8,
    /// How much it can contribute at most.
    #[schema(maximum = 100)]
    pub at_most: u8,
    /// How many were counted: events of the last hour, alerts, parts or weaknesses.
    pub counted: u64,
    /// What is counted, in words.
    #[schema(example = "requests that the firewall objected to in the last hour")]
    pub what: String,
}

/// The causes that are counted from events.
pub(crate) const EVENT_CAUSES: [Cause; 5] =
    [Cause::Attacks, Cause::Findings, Cause::Logins, Cause::Refusals, Cause::Changes];
/// How far back events count, in minutes.
pub(crate) const REACH: u64 = 60;
const HALF_LIFE: u64 = 10;
/// What an event weighs that happens now, in thousandths of its weight.
const WHOLE: u64 = 1000;
/// So much of what is usual is not counted.
const TOLERATED: u64 = 2;
const ALERT_HALF: u64 = 100;
const PART_POINTS: u64 = 10;
const HIGHEST: u64 = 100;
/// What one client alone can make, at most.
pub(crate) const ONE_CLIENT: u64 = 74;
/// From so much on without the noisiest clients it is not one alone.
const SEVERAL_CLIENTS: u64 = 50;

impl Cause {
    /// The cause that a kind of event is a sign of, if any.
    pub fn of(kind: Kind) -> Option<Self> {
        EVENT_CAUSES.into_iter().find(|cause| cause.kinds().contains(&kind))
    }

    /// The kinds of events that are a sign of it.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Attacks => &[Kind::AttackDetected],
            Self::Findings => &[Kind::DetectionMatched, Kind::CredentialStuffingDetected, Kind::TokenReused],
            Self::Logins => &[
                Kind::AuthenticationFailed,
                Kind::AccountPaused,
                Kind::TokenRefused,
                Kind::SessionMoved,
                Kind::PasswordResetRequested,
            ],
            Self::Refusals => &[
                Kind::RequestRefused,
                Kind::RequestChallenged,
                Kind::RateLimitExceeded,
                Kind::PermissionDenied,
            ],
            Self::Changes => &[
                Kind::RoleChanged,
                Kind::FactorChanged,
                Kind::AccountDeleted,
                Kind::TokenRevoked,
                Kind::ConfigurationRefused,
            ],
            Self::Alerts | Self::FailingParts | Self::Weaknesses => &[],
        }
    }

    /// The most points, and the excess that makes half of them.
    const fn scale(self) -> (u64, u64) {
        match self {
            Self::Attacks => (35, 100),
            Self::Findings => (45, 50),
            Self::Logins => (35, 150),
            Self::Refusals => (30, 500),
            Self::Changes => (15, 100),
            Self::Alerts => (25, ALERT_HALF),
            Self::FailingParts => (25, 0),
            Self::Weaknesses => (15, 0),
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Attacks => "requests that the firewall objected to in the last hour",
            Self::Findings => "findings of detection rules in the last hour",
            Self::Logins => "logins and tokens that failed in the last hour",
            Self::Refusals => "requests that were refused in the last hour",
            Self::Changes => "changes of roles, second factors and accounts in the last hour",
            Self::Alerts => "alerts that nobody has acknowledged",
            Self::FailingParts => "parts of the gateway that fail",
            Self::Weaknesses => "weaknesses of medium severity and above",
        }
    }

    /// What to do about it.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Attacks => {
                "see who attacks by `bartizan events --type attack_detected`, block with `bartizan block ADDRESS`"
            }
            Self::Findings => "see what was found by `bartizan events --type detection_matched`",
            Self::Logins => {
                "see which accounts are tried by `bartizan events --type authentication_failed,account_paused`; \
                 ask for second factors (`mfa: true` on routes)"
            }
            Self::Refusals => {
                "see who is refused by `bartizan limits top`, tighten `limits`, block with `bartizan block ADDRESS`"
            }
            Self::Changes => "compare the changes with what was planned: `bartizan audit`",
            Self::Alerts => "look after them: `bartizan alerts list --state open`",
            Self::FailingParts => "see which by `bartizan status`, and why in the log",
            Self::Weaknesses => "see them by `bartizan posture`",
        }
    }
}

/// What an event weighs.
pub(crate) const fn weight(severity: Severity) -> u64 {
    match severity {
        Severity::Informational => 0,
        Severity::Low => 1,
        Severity::Medium => 5,
        Severity::High => 25,
        Severity::Critical => 100,
    }
}

/// Of what weighs so much, what is usual.
pub(crate) const fn usual_weight(severity: Severity) -> u64 {
    match severity {
        Severity::Low | Severity::Medium => weight(severity),
        _ => 0,
    }
}

/// What is left of an event's weight, in thousandths: half every ten minutes, straight in between, nothing after an hour.
const fn left(age: u64) -> u64 {
    if age >= REACH {
        return 0;
    }
    (WHOLE >> (age / HALF_LIFE)) * (2 * HALF_LIFE - age % HALF_LIFE) / (2 * HALF_LIFE)
}

/// What one event a minute would weigh, in thousandths.
const EVERY_MINUTE: u64 = {
    let (mut age, mut sum) = (0, 0);
    while age < REACH {
        sum += left(age);
        age += 1;
    }
    sum
};

impl Inputs {
    /// Says what was counted of a cause; what is not counted from events stays as it is.
    pub fn set(&mut self, cause: Cause, counts: Counts) {
        if let Some(index) = EVENT_CAUSES.iter().position(|known| *known == cause) {
            self.counted[index] = counts;
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (Cause, &Counts)> {
        EVENT_CAUSES.into_iter().zip(&self.counted)
    }

    pub(crate) fn events_mut(&mut self) -> impl Iterator<Item = (Cause, &mut Counts)> {
        EVENT_CAUSES.into_iter().zip(&mut self.counted)
    }
}

impl Counts {
    fn total(&self) -> u64 {
        let recent = self.recent.iter().filter(|recent| recent.age < REACH);
        recent.fold(0, |sum, recent| sum.saturating_add(recent.count))
    }

    /// Points of so many thousandths of the events.
    fn points(&self, cause: Cause, share: u64) -> u64 {
        let weighed = self.recent.iter().map(|recent| {
            u128::from(recent.count) * u128::from(weight(recent.severity)) * u128::from(left(recent.age))
        });
        let whole: u128 = weighed.sum();
        // Of a day there are 1440 minutes.
        let usual = u128::from(TOLERATED) * u128::from(self.usual) * u128::from(EVERY_MINUTE) / 1440;
        let counted = whole.saturating_mul(u128::from(share.min(1000))) / 1000;
        saturating(cause, counted.saturating_sub(usual))
    }
}

/// `cap · x / (x + half)`, of an excess in thousandths.
fn saturating(cause: Cause, excess: u128) -> u64 {
    let (cap, half) = cause.scale();
    // Beyond this it makes no difference any more.
    let excess = excess.min(u128::from(u64::MAX));
    let whole = excess + u128::from(half) * u128::from(WHOLE);
    let points = (u128::from(cap) * excess).checked_div(whole).unwrap_or(0);
    u64::try_from(points).unwrap_or(cap)
}

/// How threatened the gateway is.
pub fn assess(inputs: &Inputs) -> Assessment {
    let mut reasons: Vec<(Cause, u64, u64)> = Vec::new();
    let mut without_noisiest = 0;
    for (cause, counts) in inputs.events() {
        reasons.push((cause, counts.points(cause, 1000), counts.total()));
        without_noisiest += counts.points(cause, 1000_u64.saturating_sub(counts.noisiest));
    }
    let alerts = Severity::ALL.into_iter().zip(inputs.alerts);
    let weighed =
        alerts.map(|(severity, count)| u128::from(count) * u128::from(weight(severity) * WHOLE)).sum();
    reasons.push((Cause::Alerts, saturating(Cause::Alerts, weighed), sum(&inputs.alerts)));
    let failing = inputs.failing_parts.saturating_mul(PART_POINTS).min(Cause::FailingParts.scale().0);
    reasons.push((Cause::FailingParts, failing, inputs.failing_parts));
    let [_, _, medium, high, critical] = inputs.weaknesses;
    let weak = critical.saturating_mul(8).saturating_add(high.saturating_mul(3)).saturating_add(medium);
    let weak = weak.min(Cause::Weaknesses.scale().0);
    reasons.push((Cause::Weaknesses, weak, sum(&[medium, high, critical])));
    without_noisiest += failing + weak;

    let total = reasons.iter().map(|(_, points, _)| points).sum::<u64>().min(HIGHEST);
    let is_one_client = total > ONE_CLIENT && without_noisiest < SEVERAL_CLIENTS;
    let score = if is_one_client { ONE_CLIENT } else { total };
    reasons.retain(|(_, points, _)| *points > 0);
    reasons.sort_by_key(|(cause, points, _)| (std::cmp::Reverse(*points), *cause));
    Assessment {
        score: narrow(score),
        reasons: reasons
            .into_iter()
            .map(|(cause, points, counted)| Reason::new(cause, points, counted))
            .collect(),
        is_one_client,
    }
}

impl Reason {
    fn new(cause: Cause, points: u64, counted: u64) -> Self {
        let (at_most, _) = cause.scale();
        Self { cause, points: narrow(points), at_most: narrow(at_most), counted, what: cause.what().into() }
    }
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// Nothing here is more than a hundred.
fn narrow(points: u64) -> u8 {
    u8::try_from(points).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ThreatLevel;

    fn recent() -> impl Strategy<Value = Recent> {
        let severity = prop::sample::select(Severity::ALL.to_vec());
        // Counts that one can meet, and those that one cannot.
        let count = prop_oneof![0..50_u64, 0..1_000_000_u64, Just(u64::MAX)];
        (0..80_u64, severity, count).prop_map(|(age, severity, count)| Recent { age, severity, count })
    }

    fn counts() -> impl Strategy<Value = Counts> {
        (prop::collection::vec(recent(), 0..6), 0..100_000_u64, 0..1001_u64)
            .prop_map(|(recent, usual, noisiest)| Counts { recent, usual, noisiest })
    }

    fn inputs() -> impl Strategy<Value = Inputs> {
        let few = || prop::array::uniform5(0..20_u64);
        (prop::array::uniform5(counts()), few(), 0..10_u64, few()).prop_map(
            |(counted, alerts, failing_parts, weaknesses)| Inputs {
                counted,
                alerts,
                failing_parts,
                weaknesses,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_worse_or_more_never_lowers_the_score(inputs in inputs(), place in 0..5_usize, which in 0..6_usize) {
            let before = assess(&inputs).score;
            let (mut worse, mut more, mut newer) = (inputs.clone(), inputs.clone(), inputs);
            if let Some(recent) = worse.counted[place].recent.get_mut(which) {
                recent.severity = Severity::from_number(recent.severity.number() + 1).unwrap_or(recent.severity);
            }
            if let Some(recent) = more.counted[place].recent.get_mut(which) {
                recent.count = recent.count.saturating_add(7);
            }
            if let Some(recent) = newer.counted[place].recent.get_mut(which) {
                recent.age = recent.age.saturating_sub(3);
            }
            more.alerts[which.min(4)] += 1;
            more.weaknesses[which.min(4)] += 1;
            more.failing_parts += 1;
            for changed in [worse, more, newer] {
                let after = assess(&changed).score;
                prop_assert!(after >= before, "{before} {after} {changed:?}");
            }
        }

        #[test]
        fn an_hour_later_nothing_is_left_of_events(inputs in inputs()) {
            let mut later = Inputs { counted: inputs.counted, ..Inputs::default() };
            let mut last = assess(&later).score;
            for _ in 0..REACH {
                later.counted.iter_mut().flat_map(|counts| &mut counts.recent).for_each(|recent| recent.age += 1);
                let now = assess(&later).score;
                prop_assert!(now <= last);
                last = now;
            }
            prop_assert_eq!(assess(&later), Assessment::default());
        }

        #[test]
        fn one_client_alone_is_never_critical(mut inputs in inputs()) {
            inputs.counted.iter_mut().for_each(|counts| counts.noisiest = 1000);
            let score = assess(&inputs).score;
            prop_assert!(u64::from(score) <= ONE_CLIENT && ThreatLevel::of(score) < ThreatLevel::Critical);
        }
    }

    fn storm(noisiest: u64) -> Inputs {
        let counts =
            |severity| Counts { recent: vec![Recent { age: 1, severity, count: 5000 }], usual: 0, noisiest };
        let mut inputs = Inputs::default();
        inputs.set(Cause::Attacks, counts(Severity::Medium));
        inputs.set(Cause::Findings, counts(Severity::High));
        inputs.set(Cause::Refusals, counts(Severity::Low));
        inputs
    }

    #[test]
    fn the_same_from_many_clients_is_critical() {
        let (alone, together) = (assess(&storm(1000)), assess(&storm(20)));
        assert_eq!((alone.score, alone.is_one_client), (74, true));
        assert!(together.score >= 75 && !together.is_one_client, "{together:?}");
        assert_eq!(ThreatLevel::of(together.score), ThreatLevel::Critical);
    }

    #[test]
    fn what_is_usual_does_not_count_and_what_is_bad_is_never_usual() {
        let every_minute =
            |severity| -> Vec<Recent> { (0..REACH).map(|age| Recent { age, severity, count: 2 }).collect() };
        let mut inputs = Inputs::default();
        let usual = 2 * 1440 * weight(Severity::Medium);
        inputs.set(
            Cause::Logins,
            Counts { recent: every_minute(Severity::Medium), usual, ..Counts::default() },
        );
        assert_eq!(assess(&inputs).score, 0);
        inputs.set(
            Cause::Logins,
            Counts { recent: every_minute(Severity::Medium), usual: usual / 10, ..Counts::default() },
        );
        assert!(assess(&inputs).score >= 10, "ten times as much is not");
        assert_eq!((usual_weight(Severity::High), usual_weight(Severity::Critical)), (0, 0));
    }

    #[test]
    fn reasons_say_what_was_counted_and_add_up() {
        let mut inputs = storm(0);
        inputs.failing_parts = 1;
        inputs.weaknesses = [9, 9, 1, 1, 0];
        let Assessment { score, reasons, .. } = assess(&inputs);
        assert_eq!(
            reasons.iter().map(|reason| u32::from(reason.points)).sum::<u32>().min(100),
            u32::from(score)
        );
        assert!(reasons.is_sorted_by_key(|reason| std::cmp::Reverse(reason.points)));
        let of = |cause| reasons.iter().find(|reason| reason.cause == cause).unwrap();
        assert_eq!((of(Cause::Attacks).counted, of(Cause::Attacks).at_most), (5000, 35));
        assert_eq!((of(Cause::FailingParts).points, of(Cause::Weaknesses).points), (10, 4));
        assert_eq!(of(Cause::Weaknesses).counted, 2, "what is low makes no points");
    }

    #[test]
    fn every_kind_is_a_sign_of_one_cause_at_most() {
        for &kind in Kind::ALL {
            let causes = EVENT_CAUSES.iter().filter(|cause| cause.kinds().contains(&kind)).count();
            assert!(causes <= 1, "{kind}");
        }
    }

    #[test]
    fn weight_halves_every_ten_minutes() {
        assert_eq!([0, 10, 20, 50, 59, 60].map(left), [1000, 500, 250, 31, 17, 0]);
        assert!((0..70).map(left).is_sorted_by(|one, next| one >= next));
    }
}
