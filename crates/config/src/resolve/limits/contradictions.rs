//! What the rules of a policy say that cannot be meant, since nobody would ever see a difference: rules that never apply or
//! never refuse anybody, and bursts that are no part of their rate.

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::{Algorithm, Quota};

use crate::{Amount, Enforcement, LimitRule, OperationPattern, file, located::At, problems::Problems};

/// Refuses what contradicts itself in rules that were written as `files`, without any other mistake. What is switched off
/// contradicts nothing.
pub(super) fn check(rules: &[LimitRule], files: &[At<file::LimitRule>], problems: &mut Problems<'_>) {
    let counting: Vec<_> = rules.iter().zip(files).filter(|(rule, _)| rule.enabled).collect();
    for (index, (rule, file)) in counting.iter().enumerate() {
        let others =
            counting.iter().map(|(other, _)| *other).enumerate().filter(|(other, _)| *other != index);
        large_burst(rule, file, problems);
        superfluous(&file.with(*rule), others.map(|(other, rule)| (rule, other > index)), problems);
    }
}

/// Refuses a bucket that holds more than its window admits, since whoever reads `10/min` takes that for what comes in a
/// minute; the same bucket can be written so that both agree. Where the window is a second at most, a burst is many of them
/// by intention.
fn large_burst(rule: &LimitRule, file: &file::LimitRule, problems: &mut Problems<'_>) {
    let Amount::Rate(quota) = rule.amount else { return };
    let (limit, burst) = (quota.limit(), quota.burst());
    if burst <= limit || quota.length() <= Duration::from_secs(1) {
        return;
    }
    let apart = file.burst.as_ref().map(|burst| burst.position);
    let Some(position) = apart.or_else(|| Some(file.rate.as_ref()?.position)) else { return };
    let message =
        format!("the rule `{}` admits {burst} at once, more than the {limit} of its window", rule.name);
    problems.error(position, message).hint(match same_bucket(quota) {
        Some(rate) => format!("lower `burst`, or write `rate: {rate}`, which is the same bucket"),
        None => "lower `burst`, or write the rate for a longer window".into(),
    });
}

/// A bucket as the rate that is all of its burst, where that is a whole number of seconds.
fn same_bucket(quota: Quota) -> Option<String> {
    let (limit, burst) = (u128::from(quota.limit().get()), u128::from(quota.burst().get()));
    let (all, second) = (quota.length().as_nanos() * burst, limit * 1_000_000_000);
    let seconds = (all % second == 0).then_some(all / second)?;
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let (length, unit) = units.into_iter().find(|(length, _)| seconds % length == 0)?;
    match seconds / length {
        1 => Some(format!("{burst}/{unit}")),
        several => Some(format!("{burst}/{several}{unit}")),
    }
}

/// Refuses a rule that does nothing beside the others of its policy, of which each is said to come later or not.
fn superfluous<'r>(
    rule: &At<&LimitRule>,
    mut others: impl Iterator<Item = (&'r LimitRule, bool)> + Clone,
    problems: &mut Problems<'_>,
) {
    if let Some((above, _)) = others.clone().find(|(other, _)| outranks(other, rule)) {
        let message = format!(
            "the rule `{}` never applies: `{}` ({}) counts the same with a higher priority",
            rule.name, above.name, above.line
        );
        let hint = "give both the same `priority`, or take the rule out";
        problems.error(rule.position, message).help(hint);
    } else if let Some((strict, _)) = others.find(|(other, later)| admits_no_less(rule, other, *later)) {
        let message = format!(
            "the rule `{}` never refuses: `{}` ({}) counts the same and admits no more",
            rule.name, strict.name, strict.line
        );
        let hint = "take one of the two out, or say with `on` what each is for";
        problems.error(rule.position, message).help(hint);
    }
}

/// Whether `above` applies wherever `rule` would, and keeps it from applying.
fn outranks(above: &LimitRule, rule: &LimitRule) -> bool {
    let may = above.enforcement == Enforcement::Enforce || rule.enforcement == Enforcement::Shadow;
    may && above.per == rule.per && above.priority > rule.priority && covers(&above.on, &rule.on)
}

/// Whether operations take in all of others; none mean all.
fn covers(on: &[OperationPattern], others: &[OperationPattern]) -> bool {
    on.is_empty()
        || !others.is_empty() && others.iter().all(|other| on.iter().any(|operation| operation.covers(other)))
}

/// Whether `strict` counts the same requests in the same way and refuses all that `rule` refuses. Of two that are equal,
/// the later one is said to be too much.
fn admits_no_less(rule: &LimitRule, strict: &LimitRule, strict_is_later: bool) -> bool {
    let enforce = |rule: &LimitRule| rule.enforcement == Enforcement::Enforce;
    let counts_the_same = enforce(rule)
        && enforce(strict)
        && (&rule.per, &rule.on, rule.priority) == (&strict.per, &strict.on, strict.priority);
    let (admits_as_much, is_equal) = match (rule.amount, strict.amount) {
        (Amount::Rate(lax), Amount::Rate(strict)) => (admits_all_of(lax, strict), lax == strict),
        (Amount::Concurrent(lax), Amount::Concurrent(strict)) => (lax >= strict, lax == strict),
        _ => (false, false),
    };
    counts_the_same && admits_as_much && !(is_equal && strict_is_later)
}

/// Whether `lax` admits whatever `strict` has admitted of the same requests. Where it says so, that is so; of windows that
/// differ in length it may not say so although it is.
fn admits_all_of(lax: Quota, strict: Quota) -> bool {
    let is_alike = (lax.algorithm(), lax.length()) == (strict.algorithm(), strict.length());
    if is_alike {
        return lax.limit() >= strict.limit() && lax.burst() >= strict.burst();
    }
    match lax.algorithm() {
        // A bucket admits whatever comes at no more than its rate, after no more than its burst.
        Algorithm::TokenBucket => {
            let no_faster = units(strict.limit()) * lax.length().as_nanos()
                <= units(lax.limit()) * strict.length().as_nanos();
            no_faster && most_at_once(strict) <= units(lax.burst())
        }
        Algorithm::FixedWindow => most_within(strict, lax.length()) <= units(lax.limit()),
        // The window before counts, too.
        Algorithm::SlidingWindow => most_within(strict, 2 * lax.length()) <= units(lax.limit()),
    }
}

/// What a quota admits at once at most, beyond what comes evenly: of windows two that meet.
fn most_at_once(quota: Quota) -> u128 {
    match quota.algorithm() {
        Algorithm::TokenBucket => units(quota.burst()),
        Algorithm::SlidingWindow | Algorithm::FixedWindow => 2 * units(quota.limit()),
    }
}

/// What a quota admits at most in any stretch of so long a time.
fn most_within(quota: Quota, time: Duration) -> u128 {
    let (limit, window) = (units(quota.limit()), quota.length().as_nanos());
    match quota.algorithm() {
        Algorithm::TokenBucket => units(quota.burst()) + (time.as_nanos() * limit).div_ceil(window),
        Algorithm::SlidingWindow | Algorithm::FixedWindow => (time.as_nanos().div_ceil(window) + 1) * limit,
    }
}

fn units(units: NonZeroU32) -> u128 {
    units.get().into()
}
