//! The rules of a policy.

use std::collections::{HashMap, HashSet};

use bartizan_model::{Algorithm, Name, Quota};

use crate::{
    Amount, Dimension, LimitRule, OperationPattern,
    file::{self, LimitAlgorithm},
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    word::Priority,
};

/// The most dimensions that one rule combines.
const MOST_DIMENSIONS: usize = 8;
/// The most operations that one rule lists.
pub(crate) const MOST_OPERATIONS: usize = 64;
/// A name that is made leaves room for a number, within the 64 characters of a name.
const LONGEST_DESCRIPTION: usize = 56;

pub(crate) fn resolve(file: &[At<file::LimitRule>], problems: &mut Problems<'_>) -> Vec<LimitRule> {
    let mut names = Names::default();
    let given: Vec<_> = file.iter().map(|rule| names.claim(&rule.name, problems)).collect();
    let rules = file.iter().zip(given);
    rules.filter_map(|(file, name)| rule(file, name, &mut names, problems)).collect()
}

fn rule(
    file: &At<file::LimitRule>,
    name: Option<Name>,
    names: &mut Names,
    problems: &mut Problems<'_>,
) -> Option<LimitRule> {
    let (per, amount) = (dimensions(&file.per, problems), amount(file, problems));
    let on = operations(&file.on, problems);
    let (per, amount) = (per?, amount?);
    let Some(name) = name.or_else(|| names.free(&per, amount)) else {
        problems.error(file.position, "no name can be made for this rule").help("give it a `name`");
        return None;
    };
    Some(LimitRule {
        name,
        line: file.position.line(),
        per,
        amount,
        enforcement: file.mode.get().unwrap_or_default(),
        enabled: problems.read_or(&file.enabled, true),
        priority: problems.read_or(&file.priority, Priority(0)).0,
        on,
    })
}

fn dimensions(
    file: &At<Parsed<OneOrMany<Dimension>>>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Dimension>> {
    let words = file.with(problems.read(file)?).all();
    if words.is_empty() {
        problems.error(file.position, "`per` is an empty list").help("write for example `per: address`");
    }
    if words.len() > MOST_DIMENSIONS {
        problems.error(file.position, format!("a rule counts by at most {MOST_DIMENSIONS} things together"));
        return None;
    }
    let mut dimensions = Vec::new();
    for dimension in problems.read_all(&words) {
        if dimensions.contains(&dimension.value) {
            problems.error(dimension.position, format!("`{}` is listed twice", dimension.value));
        } else {
            dimensions.push(dimension.value);
        }
    }
    (!dimensions.is_empty()).then_some(dimensions)
}

fn operations(
    file: &Optional<Parsed<OneOrMany<OperationPattern>>>,
    problems: &mut Problems<'_>,
) -> Vec<OperationPattern> {
    let Some(listed) = problems.read_optional(file) else { return Vec::new() };
    let words = listed.all();
    if words.is_empty() {
        problems.error(listed.position, "`on` is an empty list").help("leave it out to count every request");
    }
    if words.len() > MOST_OPERATIONS {
        problems.error(listed.position, format!("a rule lists at most {MOST_OPERATIONS} operations"));
        return Vec::new();
    }
    problems.read_all(&words).into_iter().map(|operation| operation.value).collect()
}

fn amount(file: &At<file::LimitRule>, problems: &mut Problems<'_>) -> Option<Amount> {
    let concurrent = problems.read_optional(&file.concurrent);
    match (file.rate.is_some(), file.concurrent.as_ref()) {
        (true, None) => quota(file, problems).map(Amount::Rate),
        (false, Some(_)) => {
            let burst = file.burst.as_ref().map(|burst| ("burst", burst.position));
            let algorithm = file.algorithm.as_ref().map(|algorithm| ("algorithm", algorithm.position));
            for (key, position) in burst.into_iter().chain(algorithm) {
                problems
                    .error(
                        position,
                        format!("`{key}` is about a `rate`, and this rule counts requests in flight"),
                    )
                    .help("leave it out");
            }
            concurrent.map(|concurrent| Amount::Concurrent(concurrent.value))
        }
        (true, Some(concurrent)) => {
            problems
                .error(concurrent.position, "`rate` and `concurrent` are two rules")
                .help("write a rule for each");
            quota(file, problems).map(Amount::Rate)
        }
        (false, None) => {
            problems
                .error(file.position, "this rule says neither `rate` nor `concurrent`")
                .help("add for example `rate: 100/min`");
            None
        }
    }
}

fn quota(file: &file::LimitRule, problems: &mut Problems<'_>) -> Option<Quota> {
    let rate = problems.read_optional(&file.rate);
    let behind = rate.as_ref().and_then(|rate| Some(rate.with(rate.burst?)));
    if let (Some(_), Some(apart)) = (&behind, file.burst.as_ref()) {
        problems.error(apart.position, "`burst` stands behind the rate, too").help("keep one of the two");
    }
    let burst = problems.read_optional(&file.burst).or_else(|| behind.clone());
    let algorithm = file.algorithm.get().unwrap_or(LimitAlgorithm::TokenBucket).into();
    if algorithm != Algorithm::TokenBucket
        && let Some(position) = file.burst.as_ref().map(|at| at.position).or(behind.map(|at| at.position))
    {
        problems
            .error(position, "`burst` has no meaning in a window: all of the rate may come at once")
            .help("leave it out, or use `algorithm: token-bucket`");
    }
    let rate = rate?;
    if let Some(burst) = &burst {
        // INVARIANT of the limiters: no state reaches further into the future than the longest window.
        let refill = rate.window.checked_mul(burst.get()).map(|all| all / rate.limit.get());
        if refill.is_none_or(|refill| refill > Quota::LONGEST_WINDOW) {
            problems
                .error(
                    burst.position,
                    format!("a burst of {} takes more than 31 days to refill", burst.value),
                )
                .help("lower `burst` or raise `rate`");
            return None;
        }
    }
    let quota = match algorithm {
        Algorithm::TokenBucket => {
            Quota::token_bucket(rate.limit, rate.window, burst.map_or(rate.limit, |burst| burst.value))
        }
        window => Quota::window(window, rate.limit, rate.window),
    };
    quota.map_err(|error| problems.error(rate.position, error.to_string()).hint(None)).ok()
}

/// The names of the rules of one policy.
#[derive(Default)]
struct Names {
    given: HashSet<Name>,
    /// How many have asked for a name, by the name they would have had.
    wanted: HashMap<String, usize>,
}

impl Names {
    /// A name that is written; reports one that another rule has.
    fn claim(&mut self, name: &Optional<Parsed<Name>>, problems: &mut Problems<'_>) -> Option<Name> {
        let name = problems.read_optional(name)?;
        if self.given.insert(name.value.clone()) {
            return Some(name.value);
        }
        problems
            .error(name.position, format!("a second rule is called `{}`", name.value))
            .help("give each rule of a policy a name of its own, or none");
        None
    }

    /// A name made of what a rule says, numbered if another rule has it.
    fn free(&mut self, per: &[Dimension], amount: Amount) -> Option<Name> {
        let description = described(per, amount);
        loop {
            let wanted = self.wanted.entry(description.clone()).and_modify(|count| *count += 1).or_insert(1);
            let numbered = if *wanted == 1 { description.clone() } else { format!("{description}-{wanted}") };
            let free: Name = numbered.parse().ok()?;
            if !self.given.contains(&free) {
                return Some(free);
            }
        }
    }
}

/// `address-60s`, `organization-endpoint-3600s`, `user-concurrent`.
pub(crate) fn described(per: &[Dimension], amount: Amount) -> String {
    let by: Vec<String> = per.iter().map(ToString::to_string).collect();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let by = by.join("-").replace(|c: char| !is_of_name(c), "-");
    let unit = match amount {
        Amount::Concurrent(_) => "concurrent".into(),
        Amount::Rate(quota) if quota.length().subsec_millis() == 0 => {
            format!("{}s", quota.length().as_secs())
        }
        Amount::Rate(quota) => format!("{}ms", quota.length().as_millis()),
    };
    let shortened: String = by.chars().take(LONGEST_DESCRIPTION.saturating_sub(unit.len() + 1)).collect();
    format!("{shortened}-{unit}")
}
