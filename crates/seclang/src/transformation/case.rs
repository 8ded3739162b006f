//! `lowercase` and `uppercase`: ASCII letters only, as the C locale has it.

pub(super) fn lower(value: &[u8]) -> Option<Vec<u8>> {
    value.iter().any(u8::is_ascii_uppercase).then(|| value.to_ascii_lowercase())
}

pub(super) fn upper(value: &[u8]) -> Option<Vec<u8>> {
    value.iter().any(u8::is_ascii_lowercase).then(|| value.to_ascii_uppercase())
}
