//! Which target gets a request: the less busy of two picked at random.
//!
//! "The Power of Two Choices in Randomized Load Balancing" (Mitzenmacher, 2001): two choices keep the longest
//! queue exponentially shorter than one does, and, unlike always taking the least busy, a target that answers
//! errors fast does not swallow all traffic. When no target is available, all are used: spreading requests
//! over targets thought ill beats refusing every one of them.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
};

use smallvec::SmallVec;

/// Picks one of `count` targets, not `avoid` while there is another.
///
/// `available` says whether a target may be used, `load` how busy it is, `random` yields random numbers.
pub(super) fn pick(
    count: usize,
    avoid: Option<usize>,
    available: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> usize,
    mut random: impl FnMut() -> u64,
) -> usize {
    if count <= 1 {
        return 0;
    }
    let mut candidates: SmallVec<[usize; 16]> =
        (0..count).filter(|&target| Some(target) != avoid && available(target)).collect();
    if candidates.is_empty() && avoid.is_some_and(|avoid| avoid < count && available(avoid)) {
        candidates.extend(avoid);
    }
    if candidates.is_empty() {
        candidates.extend((0..count).filter(|&target| Some(target) != avoid));
    }
    let (first, second) = two_of(candidates.len(), random());
    match (candidates.get(first), candidates.get(second)) {
        (Some(&first), Some(&second)) if load(second) < load(first) => second,
        (Some(&first), _) => first,
        (None, _) => 0,
    }
}

/// Two different places below `count`; the same one twice only when there is no other.
fn two_of(count: usize, random: u64) -> (usize, usize) {
    let below = |random: u64, count: usize| {
        // Multiply and shift instead of a division; the bias is below count / 2^32.
        usize::try_from(((random & 0xffff_ffff) * count as u64) >> 32).unwrap_or(0)
    };
    let first = below(random, count);
    if count < 2 {
        return (first, first);
    }
    let second = below(random >> 32, count - 1);
    (first, if second >= first { second + 1 } else { second })
}

/// A random number from this thread's generator (xorshift64*). Good enough to spread load, not for secrets.
pub(super) fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1);
    }
    STATE.with(|state| {
        let mut value = state.get();
        value ^= value >> 12;
        value ^= value << 25;
        value ^= value >> 27;
        state.set(value);
        value.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_target_that_is_out_is_picked_only_when_all_are(
            targets in prop::collection::vec((any::<bool>(), 0_usize..100), 1..40),
            avoid in prop::option::of(0_usize..40),
            random: u64,
        ) {
            let picked = pick(targets.len(), avoid, |at| targets[at].0, |at| targets[at].1, || random);
            prop_assert!(picked < targets.len());
            let available = |at: usize| targets[at].0;
            if targets.len() > 1 && (0..targets.len()).any(available) {
                prop_assert!(available(picked));
            }
            let others = |at: usize| available(at) && Some(at) != avoid;
            if (0..targets.len()).any(others) {
                prop_assert!(others(picked));
            }
        }

        #[test]
        fn the_busiest_of_all_is_never_picked(loads in prop::collection::hash_set(0_usize..1000, 2..40), random: u64) {
            let loads: Vec<usize> = loads.into_iter().collect();
            let picked = pick(loads.len(), None, |_| true, |at| loads[at], || random);
            prop_assert!(loads[picked] < *loads.iter().max().expect("not empty"));
        }

        #[test]
        fn two_choices_differ(count in 2_usize..1000, random: u64) {
            let (first, second) = two_of(count, random);
            prop_assert!(first < count && second < count && first != second);
        }
    }

    #[test]
    fn equal_targets_get_equal_shares() {
        let mut picked = [0_u32; 5];
        for _ in 0..50_000 {
            picked[pick(5, None, |_| true, |_| 0, random)] += 1;
        }
        assert!(picked.iter().all(|picked| (9_300..10_700).contains(picked)), "{picked:?}");
    }
}
