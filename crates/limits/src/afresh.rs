//! Limits that an operator has begun afresh for everybody. Nobody's use is looked for: from then on a limit counts under
//! another name, in memory and in the shared store, and what was counted under the one before lapses by itself.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::RwLock;
use smallvec::SmallVec;

use crate::{Charge, Limit};

/// How often each limit was begun afresh. Where none ever was, asking costs one read of a flag.
#[derive(Debug, Default)]
pub(crate) struct Afresh {
    current: RwLock<CurrentTurns>,
    any: AtomicBool,
}

/// The turns, and the names by which limits count since then: made once, not for each decision.
#[derive(Debug, Default)]
struct CurrentTurns {
    turns: Turns,
    names: BTreeMap<String, Arc<str>>,
}

/// By the names of limits.
pub(crate) type Turns = BTreeMap<String, u64>;

/// The limits of some charges, as they count by now.
pub(crate) type Current<'c> = SmallVec<[Cow<'c, Limit>; 4]>;

impl Afresh {
    /// Begins these limits afresh at this gateway.
    pub(crate) fn begin(&self, limits: &[Arc<str>]) {
        let mut current = self.current.write();
        begin(&mut current.turns, limits);
        let turns = mem::take(&mut current.turns);
        self.any.store(!turns.is_empty(), Ordering::Release);
        *current = CurrentTurns::of(turns);
    }

    /// So the shared store has it.
    pub(crate) fn share(&self, shared: Turns) {
        let is_known = self.current.read().turns == shared;
        if !is_known {
            self.any.store(!shared.is_empty(), Ordering::Release);
            *self.current.write() = CurrentTurns::of(shared);
        }
    }

    /// The limit under the name by which it counts.
    pub(crate) fn limit<'c>(&self, limit: &'c Limit) -> Cow<'c, Limit> {
        if !self.any.load(Ordering::Acquire) {
            return Cow::Borrowed(limit);
        }
        match self.current.read().names.get(&*limit.name) {
            None => Cow::Borrowed(limit),
            Some(name) => Cow::Owned(Limit { name: Arc::clone(name), ..*limit }),
        }
    }

    /// The limits of these charges; `None` where each counts under its own name, as nearly always.
    pub(crate) fn limits<'c>(&self, charges: &[Charge<'c>]) -> Option<Current<'c>> {
        self.any
            .load(Ordering::Acquire)
            .then(|| charges.iter().map(|charge| self.limit(charge.limit)).collect())
    }
}

impl CurrentTurns {
    fn of(turns: Turns) -> Self {
        let named = |(limit, turn): (&String, &u64)| (limit.clone(), format!("{limit}#{turn}").into());
        Self { names: turns.iter().map(named).collect(), turns }
    }
}

/// Another turn for each of these limits.
pub(crate) fn begin(turns: &mut Turns, limits: &[Arc<str>]) {
    for limit in limits {
        *turns.entry(limit.to_string()).or_default() += 1;
    }
}

/// The charges, on the limits as they count by now.
pub(crate) fn on_current<'l, 'c: 'l>(
    limits: Option<&'l Current<'c>>,
    charges: &'l [Charge<'c>],
) -> Cow<'l, [Charge<'l>]> {
    let Some(limits) = limits else { return Cow::Borrowed(charges) };
    let charges = charges.iter().zip(limits);
    charges.map(|(charge, limit)| Charge { limit: limit.as_ref(), ..*charge }).collect()
}
