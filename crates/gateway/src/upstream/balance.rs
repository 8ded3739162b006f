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
