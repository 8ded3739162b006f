//! Limits that an operator has begun afresh for everybody. Nobody's use is looked for: from then on a limit counts under
//! another name, in memory and in the shared store, and what was counted under the one before lapses by itself.

use std::{
    borrow::Cow,
    collections::BTreeMap,
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
    turns: RwLock<Turns>,
    any: AtomicBool,
}

/// By the names of limits.
pub(crate) type Turns = BTreeMap<String, u64>;

/// The limits of some charges, as they count by now.
pub(crate) type Current<'c> = SmallVec<[Cow<'c, Limit>; 4]>;

impl Afresh {
    /// Begins these limits afresh at this gateway.
    pub(crate) fn begin(&self, limits: &[Arc<str>]) {
        let mut turns = self.turns.write();
        begin(&mut turns, limits);
        self.any.store(!turns.is_empty(), Ordering::Release);
    }

    /// So the shared store has it.
    pub(crate) fn share(&self, shared: Turns) {
        let is_known = *self.turns.read() == shared;
        if !is_known {
            self.any.store(!shared.is_empty(), Ordering::Release);
            *self.turns.write() = shared;
        }
    }

    /// The limit under the name by which it counts.
    pub(crate) fn limit<'c>(&self, limit: &'c Limit) -> Cow<'c, Limit> {
        if !self.any.load(Ordering::Acquire) {
            return Cow::Borrowed(limit);
        }
        match self.turns.read().get(&*limit.name) {
            None => Cow::Borrowed(limit),
            Some(turn) => Cow::Owned(Limit { name: format!("{}#{turn}", limit.name).into(), ..*limit }),
        }
    }

    /// The limits of these charges; `None` where each counts under its own name, as nearly always.
    pub(crate) fn limits<'c>(&self, charges: &[Charge<'c>]) -> Option<Current<'c>> {
        self.any
            .load(Ordering::Acquire)
            .then(|| charges.iter().map(|charge| self.limit(charge.limit)).collect())
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
