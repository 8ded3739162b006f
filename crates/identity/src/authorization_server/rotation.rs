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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation {
    pub(crate) algorithm: Algorithm,
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
    Make { signs_at_once: bool },
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

impl Rotation {
    /// What to do now because an operator says so. Keys of another algorithm than the configured one are left to what is
    /// due.
    pub(crate) fn by_hand(&self, change: KeyChange, keys: &[KeyLife]) -> Vec<Step> {
        let (make_active, make_next) =
            (Step::Make { signs_at_once: true }, Step::Make { signs_at_once: false });
        if change == KeyChange::Revoke {
            let drop = keys.iter().map(|key| Step::Remove(key.id.clone()));
            return drop.chain([make_active, make_next]).collect();
        }
        let wanted = algorithm_name(self.algorithm);
        let active = keys.iter().filter(|key| key.activated_at.is_some() && key.retired_at.is_none());
        let is_next = |key: &&KeyLife| key.activated_at.is_none() && key.retired_at.is_none();
        let next = keys.iter().filter(is_next).find(|key| key.algorithm == wanted);
        let successor = next.map_or(make_active, |key| Step::Activate(key.id.clone()));
        active.map(|key| Step::Retire(key.id.clone())).chain([successor, make_next]).collect()
    }

    /// What is due at `now`, in milliseconds.
    pub(crate) fn due(&self, keys: &[KeyLife], now: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        let outlived = |at: i64| at.saturating_add(span(self.longest_token + MARGIN)) <= now;
        let wanted = algorithm_name(self.algorithm);
        let mut active: Option<&KeyLife> = None;
        let mut next: Option<&KeyLife> = None;
        for key in keys {
            match (key.activated_at, key.retired_at) {
                (_, Some(retired)) if outlived(retired) => steps.push(Step::Remove(key.id.clone())),
                (_, Some(_)) => {}
                (Some(at), None) if active.is_none_or(|other| other.activated_at < Some(at)) => {
                    steps.extend(active.map(|other| Step::Retire(other.id.clone())));
                    active = Some(key);
                }
                (Some(_), None) => steps.push(Step::Retire(key.id.clone())),
                (None, None) if key.algorithm == wanted && next.is_none() => next = Some(key),
                (None, None) => steps.push(Step::Remove(key.id.clone())),
            }
        }
        let Some(active) = active else {
            match next {
                Some(next) => steps.push(Step::Activate(next.id.clone())),
                None => steps.push(Step::Make { signs_at_once: true }),
            }
            steps.push(Step::Make { signs_at_once: false });
            return steps;
        };
        let since = active.activated_at.unwrap_or(now);
        let is_due = active.algorithm != wanted || since.saturating_add(span(self.every)) <= now;
        match next {
            None => steps.push(Step::Make { signs_at_once: false }),
            Some(next) if is_due && next.created_at.saturating_add(span(PUBLISHED)) <= now => {
                steps.push(Step::Retire(active.id.clone()));
                steps.push(Step::Activate(next.id.clone()));
                steps.push(Step::Make { signs_at_once: false });
            }
            Some(_) => {}
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    fn rotation(algorithm: Algorithm) -> Rotation {
        let (every, longest_token) = (Duration::from_hours(30 * 24), Duration::from_mins(15));
        Rotation { algorithm, every, longest_token }
    }

    fn key(id: &str, created_at: i64, activated_at: Option<i64>, retired_at: Option<i64>) -> KeyLife {
        KeyLife { id: id.into(), algorithm: "EdDSA".into(), created_at, activated_at, retired_at }
    }

    /// Does what is due, as the store would.
    fn apply(keys: &mut Vec<KeyLife>, rotation: &Rotation, now: i64) -> usize {
        let steps = rotation.due(keys, now);
        for step in &steps {
            match step {
                Step::Make { signs_at_once } => keys.push(KeyLife {
                    id: format!("{now}-{signs_at_once}"),
                    algorithm: algorithm_name(rotation.algorithm).into(),
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
        let (rotation, mut keys) = (rotation(Algorithm::EdDSA), Vec::new());
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
        let make = Step::Make { signs_at_once: false };
        let change = vec![Step::Retire("active".into()), Step::Activate("next".into()), make.clone()];
        let cases = [
            (vec![], 0, vec![Step::Make { signs_at_once: true }, make.clone()]),
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
            assert_eq!(rotation(Algorithm::EdDSA).due(&keys, now), expected, "{keys:?} at {now}");
        }
    }

    #[test]
    fn what_an_operator_wants() {
        let rotation = rotation(Algorithm::EdDSA);
        let (active, next) = (key("active", 0, Some(0), None), key("next", 0, None, None));
        let old = key("old", 0, Some(0), Some(0));
        let (now, later) = (Step::Make { signs_at_once: true }, Step::Make { signs_at_once: false });
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
            (vec![key("a", 0, Some(0), None), key("b", 0, None, None)], rotation(Algorithm::ES256));
        apply(&mut keys, &rotation, DAY);
        assert_eq!(keys[0].retired_at, None, "it signs on");
        assert_eq!((keys.len(), keys[1].algorithm.as_str()), (2, "ES256"));
        assert_eq!(apply(&mut keys, &rotation, DAY + 14 * MINUTE), 0);
        apply(&mut keys, &rotation, DAY + 15 * MINUTE);
        assert_eq!((keys[0].retired_at.is_some(), keys[1].activated_at.is_some()), (true, true));
    }
}
