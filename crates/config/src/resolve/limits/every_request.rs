//! `every_request`: the limits that every request meets, whatever its route says.

use super::{Policies, check_headers};
use crate::{
    Authentication, LimitPolicyIndex, LimitRule, file::Document, problems::Problems,
    resolve::identity::Providers,
};

impl Policies {
    /// The policies that every request meets; from now on those of each route end with them.
    pub(crate) fn every_request(
        &mut self,
        document: &Document,
        providers: &Providers,
        problems: &mut Problems<'_>,
    ) -> Vec<LimitPolicyIndex> {
        let Some(file) = document.every_request.as_ref() else { return Vec::new() };
        let indices = self.of_no_route(&file.limit, file.position, providers, problems);
        let Some(limit) = file.limit.as_ref() else {
            problems
                .error(file.position, "`every_request` says nothing")
                .help("add for example `limit: generic`");
            return indices;
        };
        for policy in indices.iter().filter_map(|index| self.get(*index)) {
            let rules = || policy.rules.iter().filter(|rule| rule.enabled);
            if rules().next().is_some() && rules().all(LimitRule::needs_identity) {
                let message = format!(
                    "`{}` counts by who asks alone, and of most requests nobody knows that",
                    policy.name
                );
                problems.error(limit.position, message).help("use a policy with a rule by `address`");
            }
            for rule in rules() {
                check_headers(&limit.with(rule), &Authentication::Public, providers, problems);
            }
        }
        self.everywhere.clone_from(&indices);
        indices
    }

    /// Whether there are limits that every request meets.
    pub(crate) fn hold_everywhere(&self) -> bool {
        !self.everywhere.is_empty()
    }
}
