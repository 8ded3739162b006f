//! How many different values there were: a `HyperLogLog` (Flajolet et al. 2007), read with the improved raw estimator
//! of Ertl ("New cardinality estimation algorithms for `HyperLogLog` sketches", 2017, algorithm 6), which needs
//! neither tables nor a special case for few values.

use std::f64::consts::LN_2;

/// Registers of one part of the hash space.
const REGISTERS: usize = 1 << REGISTER_BITS;
const REGISTER_BITS: u32 = 8;
/// A hash reaches this far at most: what is left of 64 bits once a shard and a register are chosen, and one more.
const HIGHEST: usize = 55;

/// The registers of one part of the hash space; no memory until there is something to keep.
#[derive(Default)]
pub(super) struct Distinct {
    registers: Option<Box<[u8; REGISTERS]>>,
}

/// How many registers have which content, over all parts.
pub(super) struct Multiplicities([u32; HIGHEST + 1]);

impl Distinct {
    /// Adds a value by its hash, of which the lowest 62 bits count.
    pub(super) fn add(&mut self, hash: u64) {
        let registers = self.registers.get_or_insert_with(|| Box::new([0; REGISTERS]));
        let rest = hash >> REGISTER_BITS;
        // One more than the zeros in front of the first one, of 54 bits.
        let rank = (rest << 10).leading_zeros().min(54) + 1;
        let register =
            usize::try_from(hash % REGISTERS as u64).ok().and_then(|index| registers.get_mut(index));
        // Nearly always it is there already: a line of memory that is only read stays with every processor.
        if let (Some(register), Ok(rank)) = (register, u8::try_from(rank))
            && rank > *register
        {
            *register = rank;
        }
    }

    /// Adds all values that `other` has seen.
    pub(super) fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.registers else { return };
        let registers = self.registers.get_or_insert_with(|| Box::new([0; REGISTERS]));
        for (register, theirs) in registers.iter_mut().zip(theirs.iter()) {
            *register = (*theirs).max(*register);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(registers) = &mut self.registers {
            registers.fill(0);
        }
    }
}

impl Default for Multiplicities {
    fn default() -> Self {
        Self([0; HIGHEST + 1])
    }
}

impl Multiplicities {
    /// Adds the registers of one part.
    pub(super) fn add(&mut self, distinct: &Distinct) {
        let empty = [0; REGISTERS];
        for register in distinct.registers.as_deref().unwrap_or(&empty) {
            if let Some(multiplicity) = self.0.get_mut(usize::from(*register)) {
                *multiplicity += 1;
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rounded estimate, never negative"
    )]
    pub(super) fn estimate(&self) -> u64 {
        let [empty, between @ .., full] = self.0;
        let registers: f64 = self.0.iter().map(|multiplicity| f64::from(*multiplicity)).sum();
        if registers == 0.0 {
            return 0;
        }
        let highest = registers * tau(1.0 - f64::from(full) / registers);
        let sum = between.iter().rev().fold(highest, |sum, count| 0.5 * (sum + f64::from(*count)));
        let sum = sum + registers * sigma(f64::from(empty) / registers);
        (registers * registers / (2.0 * LN_2 * sum)).round() as u64
    }
}

/// What the registers that are still empty add: `x` is their share.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum <= before {
            return sum;
        }
    }
}

/// What the registers that are full add: `x` is the share of the others.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x).powi(2) * factor;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyHasher;

    fn estimate(values: impl Iterator<Item = u64>) -> u64 {
        let (hasher, mut parts) = (KeyHasher::new(), [(); 4].map(|()| Distinct::default()));
        for value in values {
            let hash = hasher.of_value(&value.to_be_bytes()).shard;
            parts[usize::try_from(hash % 4).unwrap()].add(hash / 4);
        }
        let mut multiplicities = Multiplicities::default();
        for part in &parts {
            multiplicities.add(part);
        }
        multiplicities.estimate()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_estimate_is_within_five_standard_errors(count in 0..40_000_u64, repeats in 1..3_u64) {
            let estimated = estimate((0..repeats).flat_map(|_| 0..count));
            let error = 5 * count * 33 / 1000 + 3;
            prop_assert!(estimated.abs_diff(count) <= error, "{estimated} for {count}");
        }
    }

    #[test]
    fn few_values_are_counted_nearly_exactly() {
        assert_eq!([0, 1, 2].map(|count| estimate(0..count)), [0, 1, 2]);
        assert!(estimate(0..20).abs_diff(20) <= 3);
    }

    #[test]
    fn registers_at_their_end_are_an_estimate_too() {
        let mut distinct = Distinct::default();
        (0..REGISTERS as u64).for_each(|register| distinct.add(register));
        assert_eq!(distinct.registers.as_deref(), Some(&[55; REGISTERS]));
        let mut multiplicities = Multiplicities::default();
        (0..4).for_each(|_| multiplicities.add(&distinct));
        assert!(multiplicities.estimate() > 1 << 50);
    }
}
