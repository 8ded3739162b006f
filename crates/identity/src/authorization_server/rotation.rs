//! Which key signs when. A key is published before it signs, and stays published until nothing that it has signed counts
//! any longer.
//!
//! Only moments that the store holds are compared with the clock: no timer runs for a month.

use std::time::Duration;

use bartizan_config::Algorithm;

use super::signing_key::algorithm_name;
use crate::session::moment::span;

/// How long a key is published before it signs: those who cache the keys have read it by then.
const PUBLISHED: Duration = Duration::from_mins(15);
/// How long a key stays published after the last token that it signed has ended: clocks differ, and gateways that have
/// not read of the change yet still sign with it.
const MARGIN: Duration = Duration::from_mins(10);

/// What the configuration says of it.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// All that something is signed with: each has keys of its own.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) every: Duration,
    /// The longest that a token lasts.
    pub(crate) longest_token: Duration,
}

/// A key as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyLife {
    pub(crate) id: String,
    pub(crate) algorithm: String,
    pub(crate) created_at: i64,
    pub(crate) activated_at: Option<i64>,
    pub(crate) retired_at: Option<i64>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make a key that signs next, or at once where there is none.
    Make { algorithm: Algorithm, signs_at_once: bool },
    /// This one signs from now on.
    Activate(String),
    /// This one signs no more.
    Retire(String),
    /// Nothing that this one has signed counts any longer.
    Remove(String),
}

/// What an operator wants of the keys, whatever is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// The next one signs from now on. What the one before has signed still counts.
    Rotate,
    /// All are dropped, because somebody else may know them: they lie in one table. Others sign from now on, and what was
    /// signed counts no longer.
    Revoke,
}

impl Step {
    /// Of which algorithm it takes a new key.
    pub(crate) fn made(&self) -> Option<Algorithm> {
        match self {
            Self::Make { algorithm, .. } => Some(*algorithm),
            Self::Activate(_) | Self::Retire(_) | Self::Remove(_) => None,
        }
    }
}

impl KeyLife {
    /// Whether it does now.
    pub(crate) fn signs(&self) -> bool {
        self.activated_at.is_some() && self.retired_at.is_none()
    }

    fn is_next(&self) -> bool {
        self.activated_at.is_none() && self.retired_at.is_none()
    }
}

impl Rotation {
    /// What to do now because an operator says so.
    pub(crate) fn by_hand(&self, change: KeyChange, keys: &[KeyLife]) -> Vec<Step> {
        let mut steps: Vec<Step> = match change {
            KeyChange::Revoke => keys.iter().map(|key| Step::Remove(key.id.clone())).collect(),
            KeyChange::Rotate => {
                keys.iter().filter(|key| key.signs()).map(|key| Step::Retire(key.id.clone())).collect()
            }
        };
        for algorithm in self.algorithms.iter().copied() {
            let next = keys.iter().find(|key| key.is_next() && key.algorithm == algorithm_name(algorithm));
            let next = next.filter(|_| change == KeyChange::Rotate);
            let at_once = Step::Make { algorithm, signs_at_once: true };
            steps.push(next.map_or(at_once, |key| Step::Activate(key.id.clone())));
            steps.push(Step::Make { algorithm, signs_at_once: false });
        }
        steps
    }

    /// What is due at `now`, in milliseconds.
    pub(crate) fn due(&self, keys: &[KeyLife], now: i64) -> Vec<Step> {
        let outlived = |at: i64| at.saturating_add(span(self.longest_token + MARGIN)) <= now;
        let is_over = |key: &&KeyLife| key.retired_at.is_some_and(outlived);
        let mut steps: Vec<Step> =
            keys.iter().filter(is_over).map(|key| Step::Remove(key.id.clone())).collect();
        let is_first = !keys.iter().any(KeyLife::signs);
        for algorithm in self.algorithms.iter().copied() {
            steps.extend(self.due_of(algorithm, keys, (now, is_first)));
        }
        steps.extend(self.unused(keys, &steps, now));
        steps
    }

    /// What is due of the keys of one algorithm. `is_first`: nothing signs yet, so nobody waits for what they have read.
    fn due_of(&self, algorithm: Algorithm, keys: &[KeyLife], (now, is_first): (i64, bool)) -> Vec<Step> {
        let (mut steps, name) = (Vec::new(), algorithm_name(algorithm));
        let (mut active, mut next): (Option<&KeyLife>, Option<&KeyLife>) = (None, None);
        for key in keys.iter().filter(|key| key.retired_at.is_none() && key.algorithm == name) {
            match key.activated_at {
                Some(at) if active.is_none_or(|other| other.activated_at < Some(at)) => {
                    steps.extend(active.map(|other| Step::Retire(other.id.clone())));
                    active = Some(key);
                }
                Some(_) => steps.push(Step::Retire(key.id.clone())),
                None if next.is_none() => next = Some(key),
                None => steps.push(Step::Remove(key.id.clone())),
            }
        }
        let make = |signs_at_once| Step::Make { algorithm, signs_at_once };
        let is_due = |key: &KeyLife| key.activated_at.unwrap_or(now).saturating_add(span(self.every)) <= now;
        match (active, next) {
            (None, None) if is_first => steps.extend([make(true), make(false)]),
            (_, None) => steps.push(make(false)),
            (None, Some(next)) if is_first || was_read(next.created_at, now) => {
                steps.extend([Step::Activate(next.id.clone()), make(false)]);
            }
            (Some(active), Some(next)) if is_due(active) && was_read(next.created_at, now) => {
                let change = [Step::Retire(active.id.clone()), Step::Activate(next.id.clone()), make(false)];
                steps.extend(change);
            }
            (_, Some(_)) => {}
        }
        steps
    }

    /// What becomes of keys of other algorithms: they sign until another one does, and are not taken from a gateway that has
    /// read another configuration a moment ago.
    fn unused(&self, keys: &[KeyLife], steps: &[Step], now: i64) -> Vec<Step> {
        let is_wanted = |key: &KeyLife| {
            self.algorithms.iter().any(|algorithm| key.algorithm == algorithm_name(*algorithm))
        };
        let begins = |step: &Step| matches!(step, Step::Activate(_) | Step::Make { signs_at_once: true, .. });
        let is_replaced = steps.iter().any(begins) || keys.iter().any(|key| key.signs() && is_wanted(key));
        let unused = keys.iter().filter(|key| key.retired_at.is_none() && !is_wanted(key));
        let step = |key: &KeyLife| match key.activated_at {
            Some(at) if is_replaced && was_read(at, now) => Some(Step::Retire(key.id.clone())),
            None if was_read(key.created_at, now) => Some(Step::Remove(key.id.clone())),
            Some(_) | None => None,
        };
        unused.filter_map(step).collect()
    }
}

/// Whether everybody has read by now what was published at `at`.
fn was_read(at: i64, now: i64) -> bool {
    at.saturating_add(span(PUBLISHED)) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    fn rotation(algorithms: &[Algorithm]) -> Rotation {
        let (every, longest_token) = (Duration::from_hours(30 * 24), Duration::from_mins(15));
        Rotation { algorithms: algorithms.to_vec(), every, longest_token }
    }

    const fn make(algorithm: Algorithm, signs_at_once: bool) -> Step {
        Step::Make { algorithm, signs_at_once }
    }

    fn key(id: &str, created_at: i64, activated_at: Option<i64>, retired_at: Option<i64>) -> KeyLife {
        KeyLife { id: id.into(), algorithm: "EdDSA".into(), created_at, activated_at, retired_at }
    }

    /// Does what is due, as the store would.
    fn apply(keys: &mut Vec<KeyLife>, rotation: &Rotation, now: i64) -> usize {
        let steps = rotation.due(keys, now);
        for step in &steps {
            match step {
                Step::Make { algorithm, signs_at_once } => keys.push(KeyLife {
                    id: format!("{now}-{}-{signs_at_once}", algorithm_name(*algorithm)),
                    algorithm: algorithm_name(*algorithm).into(),
                    created_at: now,
                    activated_at: signs_at_once.then_some(now),
                    retired_at: None,
                }),
                Step::Activate(id) => {
                    keys.iter_mut().filter(|key| key.id == *id).for_each(|key| key.activated_at = Some(now));
                }
                Step::Retire(id) => {
                    keys.iter_mut().filter(|key| key.id == *id).for_each(|key| key.retired_at = Some(now));
                }
                Step::Remove(id) => keys.retain(|key| key.id != *id),
            }
        }
        steps.len()
    }

    #[test]
    fn a_year_of_keys() {
        let (rotation, mut keys) = (rotation(&[Algorithm::EdDSA]), Vec::new());
        assert_eq!(apply(&mut keys, &rotation, 0), 2);
        assert_eq!(apply(&mut keys, &rotation, 0), 0, "nothing more is due");
        let mut changes = 0;
        for minute in 1..=365 * 24 * 60 {
            let before = keys.clone();
            changes += usize::from(apply(&mut keys, &rotation, minute * MINUTE) > 2);
            let active: Vec<_> =
                keys.iter().filter(|key| key.activated_at.is_some() && key.retired_at.is_none()).collect();
            assert_eq!(active.len(), 1, "minute {minute}");
            assert!(
                minute < 60
                    || active[0].created_at <= minute * MINUTE - 15 * MINUTE
                    || active[0].created_at == 0
            );
            for gone in before.iter().filter(|key| keys.iter().all(|other| other.id != key.id)) {
                assert!(gone.retired_at.unwrap() + 25 * MINUTE <= minute * MINUTE, "{gone:?}");
            }
            assert!(keys.len() <= 3);
        }
        assert_eq!(changes, 12, "thirty days are not a millisecond");
    }

    #[test]
    fn what_is_due() {
        let active = || key("active", 0, Some(0), None);
        let next = |created| key("next", created, None, None);
        let (at_once, make) = (make(Algorithm::EdDSA, true), make(Algorithm::EdDSA, false));
        let change = vec![Step::Retire("active".into()), Step::Activate("next".into()), make.clone()];
        let cases = [
            (vec![], 0, vec![at_once, make.clone()]),
            (vec![next(0)], 0, vec![Step::Activate("next".into()), make.clone()]),
            (vec![active()], 0, vec![make.clone()]),
            (vec![active(), next(0)], 30 * DAY - 1, vec![]),
            (vec![active(), next(0)], 30 * DAY, change),
            (vec![active(), next(30 * DAY)], 30 * DAY + 14 * MINUTE, vec![]),
            (vec![active(), next(0), next(1)], 0, vec![Step::Remove("next".into())]),
            (vec![active(), next(0), key("newer", 0, Some(1), None)], 2, vec![Step::Retire("active".into())]),
            (vec![active(), next(0), key("old", 0, Some(0), Some(0))], 24 * MINUTE, vec![]),
            (
                vec![active(), next(0), key("old", 0, Some(0), Some(0))],
                25 * MINUTE,
                vec![Step::Remove("old".into())],
            ),
            // A clock that goes back makes nothing due.
            (vec![active(), next(0)], -DAY, vec![]),
        ];
        for (keys, now, expected) in cases {
            assert_eq!(rotation(&[Algorithm::EdDSA]).due(&keys, now), expected, "{keys:?} at {now}");
        }
    }

    #[test]
    fn what_an_operator_wants() {
        let rotation = rotation(&[Algorithm::EdDSA]);
        let (active, next) = (key("active", 0, Some(0), None), key("next", 0, None, None));
        let old = key("old", 0, Some(0), Some(0));
        let (now, later) = (make(Algorithm::EdDSA, true), make(Algorithm::EdDSA, false));
        let cases = [
            (
                KeyChange::Rotate,
                vec![active.clone(), next.clone(), old.clone()],
                vec![Step::Retire("active".into()), Step::Activate("next".into()), later.clone()],
            ),
            (
                KeyChange::Rotate,
                vec![active.clone()],
                vec![Step::Retire("active".into()), now.clone(), later.clone()],
            ),
            (
                KeyChange::Revoke,
                vec![active, next, old],
                vec![
                    Step::Remove("active".into()),
                    Step::Remove("next".into()),
                    Step::Remove("old".into()),
                    now,
                    later,
                ],
            ),
        ];
        for (change, keys, expected) in cases {
            assert_eq!(rotation.by_hand(change, &keys), expected, "{change:?} of {keys:?}");
        }
    }

    #[test]
    fn another_algorithm_is_published_before_it_signs() {
        let (mut keys, rotation) =
            (vec![key("a", 0, Some(0), None), key("b", 0, None, None)], rotation(&[Algorithm::ES256]));
        apply(&mut keys, &rotation, DAY);
        assert_eq!(keys[0].retired_at, None, "it signs on");
        assert_eq!((keys.len(), keys[1].algorithm.as_str()), (2, "ES256"));
        assert_eq!(apply(&mut keys, &rotation, DAY + 14 * MINUTE), 0);
        apply(&mut keys, &rotation, DAY + 15 * MINUTE);
        assert_eq!((keys[0].retired_at.is_some(), keys[1].activated_at.is_some()), (true, true));
    }

    /// The algorithm, and whether it signs.
    fn standing(keys: &[KeyLife]) -> Vec<(&str, bool)> {
        let mut standing: Vec<_> = keys.iter().map(|key| (key.algorithm.as_str(), key.signs())).collect();
        standing.sort_unstable();
        standing
    }

    #[test]
    fn every_algorithm_has_keys_of_its_own() {
        let both = rotation(&[Algorithm::EdDSA, Algorithm::RS256]);
        let mut keys = Vec::new();
        assert_eq!(apply(&mut keys, &both, 0), 4, "at the very first both sign at once");
        let whole = [("EdDSA", false), ("EdDSA", true), ("RS256", false), ("RS256", true)];
        assert_eq!(standing(&keys), whole);
        for minute in 1..=90 * 24 * 60 {
            apply(&mut keys, &both, minute * MINUTE);
            for algorithm in ["EdDSA", "RS256"] {
                let signing = keys.iter().filter(|key| key.signs() && key.algorithm == algorithm);
                assert_eq!(signing.count(), 1, "{algorithm}, minute {minute}");
            }
            assert!(keys.len() <= 6);
        }
        // By hand, each is succeeded by one of its own kind; after a leak, all are made anew.
        let rotated = both.by_hand(KeyChange::Rotate, &keys);
        let count =
            |steps: &[Step], wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
        assert_eq!(count(&rotated, |step| matches!(step, Step::Activate(_))), 2, "{rotated:?}");
        let renewed = both.by_hand(KeyChange::Revoke, &keys);
        assert_eq!(count(&renewed, |step| matches!(step, Step::Make { signs_at_once: true, .. })), 2);
    }

    #[test]
    fn an_algorithm_that_is_added_is_published_first_and_one_that_is_not_used_goes() {
        let one = rotation(&[Algorithm::EdDSA]);
        let both = rotation(&[Algorithm::EdDSA, Algorithm::ES256]);
        let mut keys = Vec::new();
        apply(&mut keys, &one, 0);
        apply(&mut keys, &both, DAY);
        assert_eq!(standing(&keys), [("ES256", false), ("EdDSA", false), ("EdDSA", true)]);
        assert_eq!(apply(&mut keys, &both, DAY + 14 * MINUTE), 0);
        apply(&mut keys, &both, DAY + 15 * MINUTE);
        let whole = [("ES256", false), ("ES256", true), ("EdDSA", false), ("EdDSA", true)];
        assert_eq!(standing(&keys), whole);
        // A gateway that still has the configuration before takes nothing away.
        assert_eq!(apply(&mut keys, &one, DAY + 16 * MINUTE), 0);
        apply(&mut keys, &one, DAY + 30 * MINUTE);
        assert_eq!(
            standing(&keys),
            [("ES256", false), ("EdDSA", false), ("EdDSA", true)],
            "it verifies still"
        );
        apply(&mut keys, &one, DAY + 55 * MINUTE);
        assert_eq!(standing(&keys), [("EdDSA", false), ("EdDSA", true)]);
    }
}
