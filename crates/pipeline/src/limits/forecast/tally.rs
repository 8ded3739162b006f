//! What a replay has counted: by rule, and by the values of each.

use std::collections::HashMap;

use bartizan_config::LimitRule;
use bartizan_model::Name;
use hashbrown::{HashTable, hash_table::Entry};

use super::{NotForecast, RuleForecast, ValueForecast, When};

/// Values that are told apart; those beyond are counted by their rules alone.
pub(super) const MOST_VALUES: usize = 1_000_000;

pub(super) struct Tally {
    pub(super) rules: Vec<RuleForecast>,
    places: HashMap<(Name, Name), usize>,
    values: HashTable<Counted>,
    /// Values that are told apart at most.
    most: usize,
    /// Requests of values that are not told apart.
    beyond: u64,
}

/// A value of a rule.
struct Counted {
    hash: u64,
    rule: usize,
    requests: u64,
    refused_now: u64,
    refused_then: u64,
    /// Once it would be refused: the others are not told.
    value: Option<Box<[u8]>>,
}

/// One request as one rule counts it.
pub(super) struct Count<'v> {
    pub(super) when: When,
    /// The rule's place in the tally.
    pub(super) rule: usize,
    pub(super) value: &'v [u8],
    /// Of the rule and the value.
    pub(super) hash: u64,
    pub(super) is_refused: bool,
}

impl Tally {
    /// Tells so many values apart.
    pub(super) fn new(most: usize) -> Self {
        Self { rules: Vec::new(), places: HashMap::new(), values: HashTable::new(), most, beyond: 0 }
    }

    /// The place of a rule. Rules with the same name are the same, now and then.
    pub(super) fn place(&mut self, when: When, policy: &Name, rule: &LimitRule) -> usize {
        let next = self.rules.len();
        let place = *self.places.entry((policy.clone(), rule.name.clone())).or_insert(next);
        if place == next {
            self.rules.push(RuleForecast {
                policy: policy.clone(),
                rule: rule.name.clone(),
                now: None,
                then: None,
                requests: 0,
                refused_now: 0,
                refused_then: 0,
                values_refused: 0,
            });
        }
        if let Some(forecast) = self.rules.get_mut(place) {
            let side = match when {
                When::Now => &mut forecast.now,
                When::Then => &mut forecast.then,
            };
            *side = Some(rule.clone());
        }
        place
    }

    pub(super) fn count(&mut self, count: &Count<'_>) {
        let Some(rule) = self.rules.get_mut(count.rule) else { return };
        // A rule that would be gone is told by what it does now.
        let is_told = count.when == When::Then || rule.then.is_none();
        let refused = u64::from(count.is_refused);
        let requests = u64::from(is_told);
        let (now, then) = if count.when == When::Now { (refused, 0) } else { (0, refused) };
        rule.requests += requests;
        rule.refused_now += now;
        rule.refused_then += then;
        let is_this = |known: &Counted| known.hash == count.hash && known.rule == count.rule;
        let is_full = self.values.len() >= self.most;
        let counted = match self.values.entry(count.hash, is_this, |known| known.hash) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => {
                self.beyond += requests;
                return;
            }
            Entry::Vacant(free) => free.insert(Counted::new(count)).into_mut(),
        };
        counted.requests += requests;
        counted.refused_now += now;
        counted.refused_then += then;
        if then > 0 && counted.value.is_none() {
            counted.value = Some(count.value.into());
            rule.values_refused += 1;
        }
    }

    /// The values that would be refused most.
    pub(super) fn most_refused(&self, most: usize, shown: impl Fn(&[u8]) -> String) -> Vec<ValueForecast> {
        let mut refused: Vec<&Counted> =
            self.values.iter().filter(|counted| counted.value.is_some()).collect();
        let rank = |counted: &&Counted| {
            (std::cmp::Reverse((counted.refused_then, counted.requests)), counted.rule, counted.value.clone())
        };
        if refused.len() > most {
            refused.select_nth_unstable_by_key(most, rank);
            refused.truncate(most);
        }
        refused.sort_by_cached_key(rank);
        let named = refused.into_iter().filter_map(|counted| {
            let rule = self.rules.get(counted.rule)?;
            Some(ValueForecast {
                policy: rule.policy.clone(),
                rule: rule.rule.clone(),
                value: shown(counted.value.as_deref()?),
                requests: counted.requests,
                refused_now: counted.refused_now,
                refused_then: counted.refused_then,
            })
        });
        named.collect()
    }

    pub(super) fn not_forecast(&self) -> Option<NotForecast> {
        (self.beyond > 0).then(|| {
            let why =
                format!("their values are beyond the first {}: rules count them, and name nobody", self.most);
            NotForecast::new(format!("who {} requests are from", self.beyond), why)
        })
    }
}

impl Counted {
    fn new(count: &Count<'_>) -> Self {
        let (hash, rule) = (count.hash, count.rule);
        Self { hash, rule, requests: 0, refused_now: 0, refused_then: 0, value: None }
    }
}

#[cfg(test)]
mod tests {
    use bartizan_config::LimitPolicy;

    use super::*;

    #[test]
    fn values_beyond_the_bound_are_counted_but_not_named() {
        let policy = LimitPolicy::built_in(&"default".parse().unwrap()).unwrap();
        let mut tally = Tally::new(2);
        let rule = tally.place(When::Then, &policy.name, &policy.rules[0]);
        assert_eq!(tally.place(When::Now, &policy.name, &policy.rules[0]), rule);
        for hash in [1, 2, 3, 4, 2] {
            tally.count(&Count { when: When::Then, rule, value: b"v", hash, is_refused: true });
            tally.count(&Count { when: When::Now, rule, value: b"v", hash, is_refused: hash == 4 });
        }
        let forecast = &tally.rules[rule];
        assert_eq!((forecast.requests, forecast.refused_now, forecast.refused_then), (5, 1, 5));
        assert_eq!(forecast.values_refused, 2);
        assert_eq!(tally.not_forecast().unwrap().what, "who 2 requests are from");
        let named = tally.most_refused(1, |value| String::from_utf8(value.to_vec()).unwrap());
        let [most] = named.as_slice() else { panic!("{named:?}") };
        assert_eq!((most.value.as_str(), most.requests, most.refused_now, most.refused_then), ("v", 2, 0, 2));
    }
}
