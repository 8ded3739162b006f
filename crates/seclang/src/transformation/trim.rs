//! `trim`, `trimLeft`, `trimRight`.

use super::whitespace::is_space;

pub(super) fn both(value: &[u8]) -> Option<Vec<u8>> {
    kept(value, from_left(from_right(value)))
}

pub(super) fn left(value: &[u8]) -> Option<Vec<u8>> {
    kept(value, from_left(value))
}

pub(super) fn right(value: &[u8]) -> Option<Vec<u8>> {
    kept(value, from_right(value))
}

fn kept(value: &[u8], trimmed: &[u8]) -> Option<Vec<u8>> {
    (trimmed.len() != value.len()).then(|| trimmed.to_vec())
}

fn from_left(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_space(*first)
    {
        value = rest;
    }
    value
}

fn from_right(mut value: &[u8]) -> &[u8] {
    while let [rest @ .., last] = value
        && is_space(*last)
    {
        value = rest;
    }
    value
}
