//! `parityEven7bit`, `parityOdd7bit`, `parityZero7bit`: the eighth bit as a check of the others.
//!
//! The reference counts the eighth bit with the others before it overwrites it.

pub(super) fn even(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| with_check(*byte, byte.count_ones() % 2 == 1)).collect()
}

pub(super) fn odd(value: &[u8]) -> Vec<u8> {
    value.iter().map(|byte| with_check(*byte, byte.count_ones() % 2 == 0)).collect()
}

pub(super) fn zero(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_ascii()).then(|| value.iter().map(|byte| with_check(*byte, false)).collect())
}

fn with_check(byte: u8, check: bool) -> u8 {
    if check { byte | 0x80 } else { byte & 0x7f }
}
