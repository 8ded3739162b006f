//! What the rules of a policy say that is accepted, but probably not meant: rules that never refuse anybody, and headers
//! that say nothing of who asks.

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::{Algorithm, Quota};
use http::{HeaderName, header};

use crate::{
    Amount, Dimension, Enforcement, LimitPolicy, LimitRule, OperationPattern, UnderscoreHeaders, file,
    located::{At, Position},
    problems::Problems,
};

/// What clients say of themselves and proxies of clients, by the begin of the name; what is proven is counted by something
/// else.
const CLAIMED: [(&str, &str); 8] = [
    ("x-user-", "count by `user`"),
    ("x-organization-", "count by `organization`"),
    ("x-bartizan-", "count by what you know of your clients"),
    ("x-forwarded-", ADDRESS),
    ("forwarded", ADDRESS),
    ("x-real-ip", ADDRESS),
    ("x-client-ip", ADDRESS),
    ("true-client-ip", ADDRESS),
];
const ADDRESS: &str = "count by `address`, and list your proxies under `listen.trusted_proxies`";

/// Headers that belong to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Warns of what `policy` says that is probably not meant; it was written as `file`, without any mistake.
pub(crate) fn warn(
    policy: &At<&LimitPolicy>,
    file: &file::LimitPolicy,
    underscores: UnderscoreHeaders,
    problems: &mut Problems<'_>,
) {
    if policy.rules.iter().all(|rule| !rule.enabled) {
        problems
            .warning(
                policy.position,
                format!("every rule of `{}` is switched off: it limits nothing", policy.name),
            )
            .help("take `enabled: false` from one of them, or the policy from its routes");
        return;
    }
    let counting: Vec<_> =
        policy.rules.iter().zip(&file.rules.value).filter(|(rule, _)| rule.enabled).collect();
    for (index, (rule, file)) in counting.iter().enumerate() {
        let others =
            counting.iter().map(|(other, _)| *other).enumerate().filter(|(other, _)| *other != index);
        large_burst(rule, file, problems);
        superfluous(&file.with(*rule), others.map(|(other, rule)| (rule, other > index)), problems);
        for (dimension, position) in rule.per.iter().zip(positions(file)) {
            if let Dimension::Header(name) = dimension {
                header(name, position, underscores, problems);
            }
        }
    }
}

/// Warns of a bucket that holds more than its window admits, since whoever reads `10/min` takes that for what comes in a
/// minute. Where the window is a second at most, a burst is many of them by intention.
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
    problems.warning(position, message).help("lower `burst`, or write the rate for a longer window");
}

/// Warns of a rule that does nothing beside the others of its policy, of which each is said to come later or not.
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
        problems.warning(rule.position, message).help(hint);
    } else if let Some((strict, _)) = others.find(|(other, later)| admits_no_less(rule, other, *later)) {
        let message = format!(
            "the rule `{}` never refuses: `{}` ({}) counts the same and admits no more",
            rule.name, strict.name, strict.line
        );
        let hint = "take one of the two out, or say with `on` what each is for";
        problems.warning(rule.position, message).help(hint);
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

/// Where the dimensions of a rule stand, in their order.
fn positions(file: &file::LimitRule) -> Vec<Position> {
    let words = file.per.value.0.as_ref().map(|per| file.per.with(per.clone()).all()).unwrap_or_default();
    words.iter().map(|word| word.position).collect()
}

fn header(
    name: &HeaderName,
    position: Position,
    underscores: UnderscoreHeaders,
    problems: &mut Problems<'_>,
) {
    let claimed = CLAIMED.iter().find(|(begin, _)| name.as_str().starts_with(begin));
    if let Some((_, instead)) = claimed {
        let message = format!(
            "`header:{name}` is what clients say of themselves: nobody has verified it where limits are decided"
        );
        problems.warning(position, message).help(instead);
    } else if HOP_BY_HOP.contains(name) {
        let message = format!("`header:{name}` is about the connection: it says nothing of who asks");
        problems.warning(position, message).help("count by another header, or by `address`");
    } else if name.as_str().contains('_') && underscores != UnderscoreHeaders::Allow {
        let fate = if underscores == UnderscoreHeaders::Drop { "dropped" } else { "refused" };
        let message =
            format!("`header:{name}` is always empty: headers with an underscore in their name are {fate}");
        problems
            .warning(position, message)
            .help("write it with a hyphen, or set `hardening.underscore_headers: allow`");
    }
}
