//! `removeNulls` and `replaceNulls`.

pub(super) fn remove(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0, value)?;
    Some(value.iter().copied().filter(|byte| *byte != 0).collect())
}

pub(super) fn replace(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0, value)?;
    Some(value.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect())
}
