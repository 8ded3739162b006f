//! What the policies say of one request.

use std::{fmt, sync::Arc};

use bartizan_config::PolicyMode;
use cedar_policy::{Decision, Response};

use super::{Effect, Statement};

/// What the policies say.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The outcome.
    pub ruling: Ruling,
    /// Whether it counts.
    pub mode: PolicyMode,
    /// Who asked, as Cedar writes it: `User::"shop/alice"`.
    pub principal: Box<str>,
    /// To do what: `Action::"orders:read"`.
    pub action: Box<str>,
    /// With what: `Order::"42"`.
    pub resource: Box<str>,
    /// The policies that determined it: those that permit, or those that forbid.
    pub determining: Vec<Arc<Statement>>,
    /// What could not be evaluated.
    pub errors: Vec<String>,
}

/// The outcome of a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ruling {
    /// Some policy permits, and none forbids.
    Permitted,
    /// Some policy forbids.
    Forbidden,
    /// No policy permits.
    NotPermitted,
    /// It could not be found out: denied.
    Failed,
}

impl Ruling {
    /// Whether the request may pass.
    pub fn permits(self) -> bool {
        self == Self::Permitted
    }

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Forbidden => "forbidden",
            Self::NotPermitted => "not_permitted",
            Self::Failed => "failed",
        }
    }
}

impl Judgement {
    /// Whether the request may pass: also when what would refuse it only reports.
    pub fn passes(&self) -> bool {
        self.ruling.permits() || self.mode == PolicyMode::Shadow
    }
}

/// For the operator: `permitted by policy `clerks` (orders.cedar:3)`.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ruling {
            Ruling::Permitted => f.write_str("permitted")?,
            Ruling::Forbidden => f.write_str("forbidden")?,
            Ruling::NotPermitted => {
                return write!(f, "no policy permits {} on {}", self.action, self.resource);
            }
            Ruling::Failed => {
                let first = self.errors.first().map_or("an unknown reason", String::as_str);
                return write!(f, "policies could not be evaluated: {first}");
            }
        }
        for (position, policy) in self.determining.iter().take(3).enumerate() {
            let word = if position == 0 { " by policy" } else { "," };
            write!(f, "{word} {policy}")?;
        }
        match self.determining.len().saturating_sub(3) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What Cedar answers, with errors counting as a denial.
pub(crate) fn ruling_of(response: &Response, determining: &[Arc<Statement>]) -> Ruling {
    if response.diagnostics().errors().next().is_some() {
        return Ruling::Failed;
    }
    match response.decision() {
        Decision::Allow => Ruling::Permitted,
        Decision::Deny if determining.iter().any(|policy| policy.effect == Effect::Forbid) => {
            Ruling::Forbidden
        }
        Decision::Deny => Ruling::NotPermitted,
    }
}
