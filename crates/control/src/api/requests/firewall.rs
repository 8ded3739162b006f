//! What the API tells of the firewall's rules that looked at a request.

use bartizan_config::WafMode;
use bartizan_pipeline::{Inspected, Judged, MatchedRule, MatchedVariable, ProposedExclusion, Tried};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the firewall's rules found in a request and in its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidedFirewall {
    /// What the rules decided.
    pub verdict: FirewallVerdict,
    /// The paranoia level.
    #[schema(minimum = 1, maximum = 4)]
    pub paranoia: u8,
    /// The anomaly score of the request; null where the rules count none.
    pub inbound_score: Option<u32>,
    /// The score from which a request is refused.
    pub inbound_threshold: u32,
    /// The anomaly score of the response; null where it was not looked at.
    pub outbound_score: Option<u32>,
    /// The score from which a response is refused.
    pub outbound_threshold: u32,
    /// The rules that matched, in that order.
    pub rules: Vec<FirewallRule>,
    /// How many rules more there were: at most twenty are remembered with what they matched.
    pub rules_left_out: usize,
    /// The numbers of all rules that matched, in that order; at most a thousand.
    #[serde(default)]
    pub rule_ids: Vec<u64>,
    /// The exclusions that are about what these rules have found; none for a request that passed.
    #[serde(default)]
    pub exclusions: Vec<FirewallExclusion>,
    /// Whether the request passes with all of these exclusions, which was tried on it; null where it was not: the request is
    /// long, there were many others, or it is about a response.
    #[serde(default)]
    pub exclusions_suffice: Option<bool>,
}

/// What a rule would not look at, as an exclusion of a route says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirewallExclusion {
    /// The rule's number.
    #[schema(example = 942_100)]
    pub rule: u64,
    /// What it does not look at; null: the rule does not run.
    #[schema(example = "ARGS:id")]
    pub target: Option<String>,
    /// What the rule says, as it is written.
    pub message: String,
}

/// What the firewall's rules decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirewallVerdict {
    /// They have nothing against it.
    Passed,
    /// They refused the request.
    RefusedRequest,
    /// They refused the response.
    RefusedResponse,
    /// They would have refused the request, but only report.
    WouldRefuseRequest,
    /// They would have refused the response, but only report.
    WouldRefuseResponse,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirewallRule {
    /// Its number.
    #[schema(example = 942_100)]
    pub id: u64,
    /// What it says.
    pub message: String,
    /// How bad it is.
    #[schema(example = "CRITICAL")]
    pub severity: Option<String>,
    /// The paranoia level from which on it looks; null where the rule says none.
    pub paranoia: Option<u8>,
    /// Whether it ends the exchange by itself, or would.
    pub refuses: bool,
    /// What it matched; empty for a rule that decides by what others have found.
    pub variables: Vec<FirewallVariable>,
    /// How many variables more it matched: at most four are remembered.
    #[serde(default)]
    pub variables_left_out: usize,
}

/// A variable that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirewallVariable {
    /// Its name in the rule language.
    #[schema(example = "ARGS:id")]
    pub name: String,
    /// Its value after transformations, shortened, with secrets and personal data masked.
    pub value: String,
}

impl From<&Inspected> for DecidedFirewall {
    fn from(inspected: &Inspected) -> Self {
        let verdict = match (inspected.judged, inspected.mode) {
            (Judged::Passed, _) => FirewallVerdict::Passed,
            (Judged::RefusedRequest, WafMode::Block) => FirewallVerdict::RefusedRequest,
            (Judged::RefusedResponse, WafMode::Block) => FirewallVerdict::RefusedResponse,
            (Judged::RefusedRequest, WafMode::Log) => FirewallVerdict::WouldRefuseRequest,
            (Judged::RefusedResponse, WafMode::Log) => FirewallVerdict::WouldRefuseResponse,
        };
        Self {
            verdict,
            paranoia: inspected.paranoia,
            inbound_score: inspected.inbound_score,
            inbound_threshold: inspected.inbound_threshold,
            outbound_score: inspected.outbound_score,
            outbound_threshold: inspected.outbound_threshold,
            rules: inspected.rules.iter().map(FirewallRule::from).collect(),
            rules_left_out: inspected.rules_left_out,
            rule_ids: inspected.numbers.clone(),
            exclusions: inspected.proposal.exclusions.iter().map(FirewallExclusion::from).collect(),
            exclusions_suffice: match inspected.proposal.tried {
                Tried::Not => None,
                Tried::Passes => Some(true),
                Tried::Refused => Some(false),
            },
        }
    }
}

impl From<&ProposedExclusion> for FirewallExclusion {
    fn from(ProposedExclusion { rule, target, message }: &ProposedExclusion) -> Self {
        Self { rule: *rule, target: target.clone(), message: message.clone() }
    }
}

impl From<&MatchedRule> for FirewallRule {
    fn from(rule: &MatchedRule) -> Self {
        let variable = |MatchedVariable { name, value }: &MatchedVariable| FirewallVariable {
            name: name.clone(),
            value: value.clone(),
        };
        Self {
            id: rule.id,
            message: rule.message.clone(),
            severity: rule.severity.map(Into::into),
            paranoia: rule.paranoia,
            refuses: rule.refuses,
            variables: rule.variables.iter().map(variable).collect(),
            variables_left_out: rule.variables_left_out,
        }
    }
}
