//! Chains of transformations, and what tells without a trial that one of them changes nothing.

use crate::{
    Transformation,
    byte_set::ByteSet,
    transformation::{self, Transformations},
};

/// Transformations, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain {
    steps: Box<[Transformation]>,
    set: Transformations,
    lowering: Lowering,
}

/// Whether a chain puts letters into lower case: gates do not tell capitals from small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lowering {
    /// It does not, or brings capitals back.
    No,
    /// Before other steps, which then see other bytes than they would without it.
    Early,
    /// As its last step.
    Last,
}

impl Chain {
    pub(crate) fn new(steps: Vec<Transformation>) -> Self {
        let set = steps.iter().fold(0, |set, step| set | step.bit());
        let lowering = match steps.as_slice() {
            [others @ .., Transformation::Lowercase] if !others.contains(&Transformation::Lowercase) => {
                Lowering::Last
            }
            steps if steps.contains(&Transformation::Uppercase) => Lowering::No,
            steps if steps.contains(&Transformation::Lowercase) => Lowering::Early,
            _ => Lowering::No,
        };
        Self { steps: steps.into(), set, lowering }
    }

    /// Whether it may make another value of one with this profile, or of any of several whose profiles were put
    /// together. Letters' case does not count, for gates do not regard it.
    pub(crate) fn may_change(&self, profile: &Profile) -> bool {
        let others = self.set & !Transformation::Lowercase.bit();
        let changing = match self.lowering {
            Lowering::No => profile.touching & self.set,
            Lowering::Early => profile.touchable & others,
            Lowering::Last => profile.touching & others,
        };
        changing != 0
    }

    /// Whether it may make another value of one with this profile.
    pub(super) fn touches(&self, profile: &Profile) -> bool {
        profile.touching & self.set != 0
    }

    pub(crate) fn steps(&self) -> &[Transformation] {
        &self.steps
    }
}

/// What is known of a value without looking at it again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) present: ByteSet,
    /// The transformations that may change it, its bytes say.
    touchable: Transformations,
    /// Of those, the ones that have not been tried in vain.
    touching: Transformations,
    pub(crate) length: u32,
}

impl Profile {
    pub(super) fn of(value: &[u8], length: u32) -> Self {
        let (present, touchable) = transformation::profile(value);
        Self { present, touchable, touching: touchable, length }
    }

    /// Whether a transformation may change the value.
    pub(super) fn is_touched_by(&self, step: Transformation) -> bool {
        self.touching & step.bit() != 0
    }

    /// A transformation was tried in vain.
    pub(super) fn is_not_touched_by(&mut self, step: Transformation) {
        self.touching &= !step.bit();
    }

    /// Takes another value in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.present.add(&other.present);
        self.touchable |= other.touchable;
        self.touching |= other.touching;
        self.length = self.length.max(other.length);
    }

    /// Of the same value, or of that in lower case.
    pub(crate) fn in_any_case(&self) -> Self {
        Self { present: self.present.with_small_letters(), ..*self }
    }

    /// Transformations of several values were tried in vain: their profiles together are now this one.
    pub(crate) fn is_touched_only_by(&mut self, now: &Self) {
        self.touching = now.touching;
    }

    /// Of the same value in lower case.
    pub(super) fn in_lower_case(&self) -> Self {
        let touchable = self.touchable & !Transformation::Lowercase.bit() | Transformation::Uppercase.bit();
        Self { present: self.present.in_lower_case(), touchable, touching: touchable, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::buffers::Buffers;

    fn steps() -> impl Strategy<Value = Vec<Transformation>> {
        // Those that change case, more often than the others.
        let any = prop::sample::select(Transformation::NAMES.map(|(_, step)| step).to_vec());
        let case = prop::sample::select(vec![Transformation::Lowercase, Transformation::Uppercase]);
        prop::collection::vec(prop_oneof![3 => any, 1 => case], 0..5)
    }

    fn values() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(b"aAbBxX019 %+&\\/.*-#<>'\"=;^(".to_vec()),
            1 => any::<u8>(),
        ];
        prop::collection::vec(piece, 0..12)
    }

    proptest! {
        /// Also where some transformations were tried in vain before.
        #[test]
        fn what_a_chain_may_not_change_it_leaves_alone_but_for_case(
            steps in steps(), tried in steps(), value in values(),
        ) {
            let chain = Chain::new(steps);
            let mut buffers = Buffers::default();
            let id = buffers.push(&value);
            for step in tried.iter().chain(chain.steps()) {
                buffers.step(id, *step);
            }
            if !chain.may_change(buffers.profile(id)) {
                let made = chain.steps().iter().fold(value.clone(), |made, step| step.apply(&made).into_owned());
                prop_assert_eq!(made.to_ascii_lowercase(), value.to_ascii_lowercase(), "{:?}", chain);
            }
        }

        /// What several values have together tells of each of them.
        #[test]
        fn what_changes_one_value_may_change_all(steps in steps(), values in prop::collection::vec(values(), 1..4)) {
            let chain = Chain::new(steps);
            let profiles: Vec<_> = values.iter().map(|value| Profile::of(value, 1)).collect();
            let mut together = Profile::default();
            for profile in &profiles {
                together.add(profile);
            }
            let any = profiles.iter().any(|profile| chain.may_change(profile));
            prop_assert_eq!(chain.may_change(&together), any);
        }
    }
}
