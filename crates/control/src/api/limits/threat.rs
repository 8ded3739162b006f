//! What the API tells of the threat that limits see in a request or a value.

use bartizan_limits::{Recommendation, Threat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much of a threat somebody looks like, judged by nothing but limits. It refuses nobody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitThreat {
    /// 25 for each kind of dimension of which more than 80 % is used, 30 for each refusal, 10 for an address of which
    /// nothing was counted before, 15 for a caller who has not proven who they are; 100 at most.
    #[schema(maximum = 100)]
    pub score: u8,
    /// The share of their limits that is used: of each kind of dimension the rule that is used most; address weighs 0.3,
    /// user 0.4, organisation 0.2, everything else 0.1.
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub weighted_use: f64,
    /// What to do about it, the most urgent first.
    pub recommendations: Vec<LimitRecommendation>,
}

/// What to do about a threat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitRecommendation {
    /// Block the address for a while.
    BlockAddress,
    /// Let them prove that they are no program.
    Challenge,
    /// Let the route ask for a credential, so that limits know whom they count.
    RequireAuthentication,
    /// Raise the quota, if this caller is meant to ask so much.
    ReviewQuota,
    /// Keep an eye on them.
    Watch,
}

impl From<Threat> for LimitThreat {
    fn from(threat: Threat) -> Self {
        Self {
            score: threat.score,
            weighted_use: f64::from(threat.weighted_use) / 1000.0,
            recommendations: threat.recommendations.into_iter().map(LimitRecommendation::from).collect(),
        }
    }
}

impl From<Recommendation> for LimitRecommendation {
    fn from(recommendation: Recommendation) -> Self {
        match recommendation {
            Recommendation::BlockAddress => Self::BlockAddress,
            Recommendation::Challenge => Self::Challenge,
            Recommendation::RequireAuthentication => Self::RequireAuthentication,
            Recommendation::ReviewQuota => Self::ReviewQuota,
            Recommendation::Watch => Self::Watch,
        }
    }
}
