//! `unmatched`: the limits on requests that no route takes.

use super::{Policies, check_headers};
use crate::{
    Authentication, Dimension, LimitPolicyIndex, LimitRule, file::Document, problems::Problems,
    resolve::identity::Providers,
};

impl Policies {
    /// The policies on requests that no route takes, those on every request among them.
    pub(crate) fn unmatched(
        &mut self,
        document: &Document,
        providers: &Providers,
        problems: &mut Problems<'_>,
    ) -> Vec<LimitPolicyIndex> {
        let Some(file) = document.unmatched.as_ref() else { return self.everywhere.clone() };
        let indices = self.of_no_route(&file.limit, file.position, providers, problems);
        let Some(limit) = file.limit.as_ref() else {
            problems
                .error(file.position, "`unmatched` says nothing")
                .help("add for example `limit: default`");
            return indices;
        };
        let own = indices.iter().filter(|index| !self.everywhere.contains(index));
        for policy in own.filter_map(|index| self.get(*index)) {
            let rules: Vec<_> = policy.rules.iter().filter(|rule| rule.enabled && counts(rule)).collect();
            if rules.is_empty() {
                let message = format!(
                    "`{}` limits nothing here: it counts by who asks or by a route, and there is neither",
                    policy.name
                );
                problems.error(limit.position, message).help("use a policy with a rule by `address`");
            }
            for rule in rules {
                check_headers(&limit.with(rule), &Authentication::Public, providers, problems);
            }
        }
        indices
    }
}

/// Whether a rule has something to count by.
fn counts(rule: &LimitRule) -> bool {
    !rule.needs_identity()
        && !rule.per.iter().any(|one| matches!(one, Dimension::Endpoint | Dimension::Route))
}
