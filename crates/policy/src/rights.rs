//! What a credential may do: no more than it was given, than its owner may, than whoever passed it on may.
//!
//! Grants with wildcards are sets of permissions. Every function here says the same as if those sets were written out.

use bartizan_model::Grant;

/// What bounds what a credential may do.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'g> {
    /// What the credential was given. Nothing written means nothing given.
    pub scope: &'g [Grant],
    /// What its owner may do where it is used.
    pub owner: &'g [Grant],
    /// What whoever acts through it may do; `None`: nobody stands in between.
    pub delegation: Option<&'g [Grant]>,
}

impl Rights<'_> {
    /// What is within all bounds, sorted, none of it twice.
    pub fn effective(&self) -> Vec<Grant> {
        let own = intersection(self.scope, self.owner);
        match self.delegation {
            Some(delegation) => intersection(&own, delegation),
            None => own,
        }
    }
}

/// What both sides cover, sorted, none of it twice.
pub fn intersection(one: &[Grant], other: &[Grant]) -> Vec<Grant> {
    let common = one.iter().flat_map(|grant| other.iter().filter_map(|other| grant.common(other)));
    let mut common: Vec<Grant> = common.collect();
    common.sort();
    common.dedup();
    // Of two grants that mean the same or more, the wider one is enough.
    let is_needed = |grant: &&Grant| !common.iter().any(|other| other != *grant && other.includes(grant));
    common.iter().filter(is_needed).cloned().collect()
}

/// The first of the grants in `given` that whoever holds `held` cannot give away.
pub fn beyond<'g>(given: &'g [Grant], held: &[Grant]) -> Option<&'g Grant> {
    given.iter().find(|given| !held.iter().any(|held| held.includes(given)))
}

#[cfg(test)]
mod tests {
    use bartizan_model::Permission;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn grant() -> impl Strategy<Value = Grant> {
        "(a|b|c|\\*):(r|w|\\*)".prop_map(|text| text.parse().unwrap())
    }

    fn grants() -> impl Strategy<Value = Vec<Grant>> {
        vec(grant(), 0..5)
    }

    /// Every permission that the grants above can tell apart, and one that only wildcards cover.
    fn permissions() -> impl Iterator<Item = Permission> {
        let texts =
            ["a", "b", "c", "d"].map(|resource| ["r", "w", "x"].map(|action| format!("{resource}:{action}")));
        texts.into_iter().flatten().map(|text| text.parse().unwrap())
    }

    fn covers(grants: &[Grant], permission: &Permission) -> bool {
        grants.iter().any(|grant| grant.covers(permission))
    }

    proptest! {
        #[test]
        fn effective_is_what_every_bound_covers(
            scope in grants(), owner in grants(), delegation in proptest::option::of(grants())
        ) {
            let rights = Rights { scope: &scope, owner: &owner, delegation: delegation.as_deref() };
            let effective = rights.effective();
            for permission in permissions() {
                let by_all = covers(&scope, &permission)
                    && covers(&owner, &permission)
                    && delegation.as_ref().is_none_or(|grants| covers(grants, &permission));
                prop_assert_eq!(covers(&effective, &permission), by_all, "{}", permission);
            }
        }

        #[test]
        fn order_does_not_matter_and_nothing_is_said_twice(one in grants(), other in grants()) {
            let common = intersection(&one, &other);
            prop_assert_eq!(&common, &intersection(&other, &one));
            prop_assert_eq!(&common, &intersection(&common, &common));
            for (index, grant) in common.iter().enumerate() {
                let others = common.iter().enumerate().filter(|(other, _)| *other != index);
                prop_assert!(others.into_iter().all(|(_, other)| !other.includes(grant)));
            }
        }

        #[test]
        fn what_may_be_given_is_held(given in grants(), held in grants()) {
            if beyond(&given, &held).is_none() {
                for permission in permissions().filter(|permission| covers(&given, permission)) {
                    prop_assert!(covers(&held, &permission), "{}", permission);
                }
            }
        }

        #[test]
        fn adding_to_a_bound_never_takes_away(scope in grants(), owner in grants(), more in grant()) {
            let before = Rights { scope: &scope, owner: &owner, delegation: None }.effective();
            let wider: Vec<Grant> = owner.iter().cloned().chain([more]).collect();
            let after = Rights { scope: &scope, owner: &wider, delegation: None }.effective();
            prop_assert_eq!(beyond(&before, &after), None);
        }
    }

    #[test]
    fn nothing_given_is_nothing_held() {
        let all = ["*:*".parse().unwrap()];
        assert!(Rights { scope: &[], owner: &all, delegation: None }.effective().is_empty());
        assert!(Rights { scope: &all, owner: &[], delegation: None }.effective().is_empty());
        assert!(Rights { scope: &all, owner: &all, delegation: Some(&[]) }.effective().is_empty());
    }
}
