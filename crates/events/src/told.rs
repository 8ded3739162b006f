//! What an organisation is told of its events: what happened, to whom and by whom. How the gateway came to it, and where its
//! operators sit, is their own.

use crate::{ActorKind, Details, Event, FindingDetails};

impl Event {
    /// Without what belongs to those who run the gateway: the stage that decided and its sentence, policies, rules and what
    /// they matched, the addresses and clients of operators.
    #[must_use]
    pub(crate) fn told(mut self) -> Self {
        let is_by_operator = self.details.actor == Some(ActorKind::Operator);
        // Every field is named, so that one that is added is thought of.
        let Details {
            service,
            outcome,
            reason,
            explanation: _,
            stage: _,
            score: _,
            paranoia: _,
            policy: _,
            credential,
            key,
            tags: _,
            actor,
            session,
            subject,
            http,
            finding,
        } = self.details;
        self.details = Details {
            service,
            outcome,
            reason,
            credential,
            key,
            actor,
            session: session.filter(|_| !is_by_operator),
            subject,
            http: http.filter(|_| !is_by_operator),
            finding: finding.map(|finding| Box::new(finding.told())),
            ..Details::default()
        };
        self.address = self.address.filter(|_| !is_by_operator);
        self.rules.clear();
        self
    }
}

impl FindingDetails {
    /// What was found, how often and when; not by which words.
    fn told(self) -> Self {
        let Self { title, description: _, author: _, techniques, count, first, last, events: _, fields: _ } =
            self;
        Self { title, techniques, count, first, last, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::samples;

    #[test]
    fn an_organization_is_told_nothing_of_what_is_the_operators() {
        for mut event in samples() {
            for actor in [ActorKind::Operator, ActorKind::User] {
                event.details.actor = Some(actor);
                let told = event.clone().told().ocsf().to_string();
                for secret in [
                    "ada may not",
                    "authorize",
                    "942100",
                    "office-hours",
                    "t1110\"",
                    "\"score\"",
                    "\"paranoia\"",
                    "Many logins fail",
                    "analytic",
                    "related_events",
                    "\"user.uid\"",
                    "author\"",
                ] {
                    assert!(!told.contains(secret), "{secret} in {told}");
                }
                let is_hidden =
                    !told.contains("192.0.2.7") && !told.contains("session-of-ada") && !told.contains("curl");
                assert!(is_hidden || actor == ActorKind::User, "{told}");
            }
            let told = event.clone().told();
            assert_eq!((told.id, told.kind, &told.user), (event.id, event.kind, &event.user));
        }
    }
}
