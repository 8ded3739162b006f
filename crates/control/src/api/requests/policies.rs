//! What the policies said of a decided request.

use bartizan_config::PolicyMode as Mode;
use bartizan_policy::{Effect, Judgement, Ruling, Statement};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the policies said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidedPolicies {
    /// The outcome.
    pub ruling: PolicyRuling,
    /// Whether it counted.
    pub mode: PolicyMode,
    /// Who asked.
    #[schema(example = "User::\"shop/alice\"")]
    pub principal: String,
    /// To do what.
    #[schema(example = "Action::\"orders:refund\"")]
    pub action: String,
    /// With what.
    #[schema(example = "Order::\"42\"")]
    pub resource: String,
    /// The policies that determined it: those that permit, or those that forbid.
    pub policies: Vec<PolicyStatement>,
    /// What could not be evaluated.
    pub errors: Vec<String>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyStatement {
    /// Its name: its annotation `@id`, or file and line.
    #[schema(example = "refunds-need-mfa")]
    pub id: String,
    /// What it does.
    pub effect: PolicyEffect,
    /// The file it is in; `built-in` for those that `zones` makes.
    #[schema(example = "policies/orders.cedar")]
    pub file: String,
    /// The line on which it begins.
    pub line: u32,
    /// Its text.
    pub text: String,
}

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyEffect {
    /// Permits.
    Permit,
    /// Forbids.
    Forbid,
}

/// What came of asking the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyRuling {
    /// Some policy permits, and none forbids.
    Permitted,
    /// Some policy forbids.
    Forbidden,
    /// No policy permits.
    NotPermitted,
    /// It could not be found out, which denies.
    Failed,
}

/// Whether what no policy permits is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyMode {
    /// It is.
    Enforce,
    /// It is only reported.
    Shadow,
}

impl From<&Judgement> for DecidedPolicies {
    fn from(judgement: &Judgement) -> Self {
        Self {
            ruling: judgement.ruling.into(),
            mode: match judgement.mode {
                Mode::Enforce => PolicyMode::Enforce,
                Mode::Shadow => PolicyMode::Shadow,
            },
            principal: judgement.principal.as_ref().into(),
            action: judgement.action.as_ref().into(),
            resource: judgement.resource.as_ref().into(),
            policies: judgement.determining.iter().map(|policy| PolicyStatement::from(&**policy)).collect(),
            errors: judgement.errors.clone(),
        }
    }
}

impl From<&Statement> for PolicyStatement {
    fn from(statement: &Statement) -> Self {
        Self {
            id: statement.id.as_ref().into(),
            effect: match statement.effect {
                Effect::Permit => PolicyEffect::Permit,
                Effect::Forbid => PolicyEffect::Forbid,
            },
            file: statement.file.display().to_string(),
            line: statement.line,
            text: statement.text.as_ref().into(),
        }
    }
}

impl From<Ruling> for PolicyRuling {
    fn from(ruling: Ruling) -> Self {
        match ruling {
            Ruling::Permitted => Self::Permitted,
            Ruling::Forbidden => Self::Forbidden,
            Ruling::NotPermitted => Self::NotPermitted,
            Ruling::Failed => Self::Failed,
        }
    }
}
