//! What was measured in one process, as it tells the one that asked.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) loading: Loading,
    pub(crate) costs: Vec<Cost>,
}

/// What it took to read and compile the rules.
#[derive(Serialize, Deserialize)]
pub(crate) struct Loading {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// By how much the process has grown, once everything but the compiled rules was dropped.
    pub(crate) held_mb: f64,
    /// By how much it had grown at most.
    pub(crate) peak_mb: f64,
}

/// What one exchange costs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) kind: Kind,
    pub(crate) cpu_us: f64,
    /// Bytes of the hostile value, or of the body, per microsecond.
    pub(crate) mb_per_second: f64,
    pub(crate) allocations: u64,
    /// The most that was allocated at once.
    pub(crate) peak_kb: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Passes at paranoia level 1.
    Ordinary,
    /// Is refused at paranoia level 1.
    Attack,
    /// Made to cost as much as it can, at paranoia level 4, in a field of a form.
    AdversarialForm,
    /// The same in JSON.
    AdversarialJson,
}
