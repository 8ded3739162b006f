//! The second tier of authorization: what Cedar policies say of a request, and what other policies would have said.

mod dry_run;

use bartizan_config::Route;
use bartizan_identity::Identified;
use bartizan_policy::{Judgement, PoliciesError, RequestFacts, RoutePolicies};
use metrics::{Counter, counter};

pub use dry_run::{DryRun, JudgedDifferently, dry_run};

/// What a route asks, and what counts the answers.
#[derive(Debug)]
pub struct AskedPolicies {
    policies: RoutePolicies,
    permitted: Counter,
    refused: Counter,
    would_refuse: Counter,
}

impl AskedPolicies {
    pub(crate) fn compile(
        policies: Option<&std::sync::Arc<bartizan_policy::Policies>>,
        route: &Route,
    ) -> Result<Option<Self>, PoliciesError> {
        let Some(policies) = policies.map(|policies| policies.of_route(route)).transpose()?.flatten() else {
            return Ok(None);
        };
        let count = |outcome| {
            let route = route.path.as_str().to_owned();
            counter!("bartizan_policy_decisions_total", "route" => route, "outcome" => outcome)
        };
        Ok(Some(Self {
            policies,
            permitted: count("permitted"),
            refused: count("refused"),
            would_refuse: count("would_refuse"),
        }))
    }

    /// Asks them about a request.
    pub(crate) fn judge(&self, identified: &Identified, facts: &RequestFacts<'_>) -> Judgement {
        let judgement = self.policies.judge(&identified.caller, facts);
        let counter = match (judgement.ruling.permits(), judgement.passes()) {
            (true, _) => &self.permitted,
            (false, false) => &self.refused,
            (false, true) => &self.would_refuse,
        };
        counter.increment(1);
        judgement
    }
}
