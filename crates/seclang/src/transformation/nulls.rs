//! `removeNulls` and `replaceNulls`.

pub(super) fn remove(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0, value)?;
    let mut kept = Vec::with_capacity(value.len());
    value.split(|byte| *byte == 0).for_each(|run| kept.extend_from_slice(run));
    Some(kept)
}

pub(super) fn replace(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(0, value)?;
    Some(value.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect())
}
