//! `length`: the number of bytes, written in decimal.

pub(super) fn count(value: &[u8]) -> Vec<u8> {
    value.len().to_string().into_bytes()
}
