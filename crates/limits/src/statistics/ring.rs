//! A window that moves on part by part: what belongs to parts that have passed is not looked at, and is cleared when
//! its place is used again. Nothing has to run in between.

use std::time::Duration;

use crate::charge::nanoseconds;

/// What a part of a window keeps.
pub(super) trait Slot: Default {
    /// Forgets everything, and keeps the memory that it has.
    fn clear(&mut self);
}

pub(super) struct Ring<T> {
    /// How long a part is, in nanoseconds.
    length: u64,
    /// Each with the number of the part of all time that it holds.
    slots: Box<[(u64, T)]>,
}

impl<T: Slot> Ring<T> {
    /// So many parts, each so long.
    pub(super) fn new(parts: usize, length: Duration) -> Self {
        Self {
            length: nanoseconds(length).max(1),
            slots: std::iter::repeat_with(|| (0, T::default())).take(parts).collect(),
        }
    }

    /// The part that is now; `None` when its place already holds a later one.
    pub(super) fn current(&mut self, now: u64) -> Option<&mut T> {
        let number = now / self.length;
        let index = usize::try_from(number % (self.slots.len() as u64).max(1)).ok()?;
        let (of, slot) = self.slots.get_mut(index)?;
        if *of < number {
            slot.clear();
            *of = number;
        }
        (*of == number).then_some(slot)
    }

    /// The parts of the window that ends now.
    pub(super) fn live(&self, now: u64) -> impl Iterator<Item = &T> {
        let (number, parts) = (now / self.length, self.slots.len() as u64);
        let is_live = move |of: u64| of <= number && number - of < parts;
        self.slots.iter().filter(move |(of, _)| is_live(*of)).map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Times(Vec<u64>);

    impl Slot for Times {
        fn clear(&mut self) {
            self.0.clear();
        }
    }

    proptest! {
        #[test]
        fn a_window_holds_the_parts_that_have_not_passed(
            steps in prop::collection::vec(prop_oneof![4 => 0..15_u64, 1 => 0..500_u64], 1..100),
        ) {
            let mut ring = Ring::<Times>::new(6, Duration::from_nanos(10));
            let (mut now, mut all) = (1_000, Vec::new());
            for step in steps {
                now += step;
                ring.current(now).unwrap().0.push(now);
                all.push(now);
                let mut live: Vec<_> = ring.live(now).flat_map(|times| times.0.iter().copied()).collect();
                live.sort_unstable();
                // Six parts, of which the last has only begun.
                let expected: Vec<_> =
                    all.iter().copied().filter(|time| time / 10 + 6 > now / 10).collect();
                prop_assert_eq!(live, expected);
            }
        }
    }

    #[test]
    fn what_comes_late_still_belongs_to_its_part() {
        let mut ring = Ring::<Times>::new(2, Duration::from_nanos(10));
        for time in [19, 20, 18] {
            ring.current(time).unwrap().0.push(time);
        }
        assert_eq!(ring.live(20).flat_map(|times| times.0.clone()).collect::<Vec<_>>(), [20, 19, 18]);
        assert_eq!(ring.live(19).flat_map(|times| times.0.clone()).collect::<Vec<_>>(), [19, 18]);
        ring.current(39).unwrap().0.push(39);
        assert!(ring.current(19).is_none(), "its place is taken");
        assert_eq!(ring.live(39).flat_map(|times| times.0.clone()).collect::<Vec<_>>(), [20, 39]);
    }
}
