//! What a request takes from the limits of its route.

use std::num::NonZeroU32;

use http::Method;

use crate::OperationPattern;

/// What the requests of a route cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// What operations of their own cost, the most specific first.
    operations: Vec<OperationCost>,
    /// What everything else costs.
    otherwise: NonZeroU32,
}

/// What one operation costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationCost {
    /// The operation.
    pub operation: OperationPattern,
    /// In units of a rate.
    pub cost: NonZeroU32,
}

impl Costs {
    pub(crate) fn new(mut operations: Vec<OperationCost>, otherwise: NonZeroU32) -> Self {
        operations.sort_by_cached_key(|listed| listed.operation.generality());
        Self { operations, otherwise }
    }

    /// What a request with this method for this path (in its normal form) costs: what the most specific
    /// operation that matches says.
    pub fn of(&self, method: &Method, path: &str) -> NonZeroU32 {
        let listed = self.operations.iter().find(|listed| listed.operation.matches(method, path));
        listed.map_or(self.otherwise, |listed| listed.cost)
    }

    /// The operations with a cost of their own, the most specific first.
    pub fn operations(&self) -> &[OperationCost] {
        &self.operations
    }

    /// What everything else costs. Default 1.
    pub fn otherwise(&self) -> NonZeroU32 {
        self.otherwise
    }
}

impl Default for Costs {
    /// Every request costs 1.
    fn default() -> Self {
        Self { operations: Vec::new(), otherwise: NonZeroU32::MIN }
    }
}
