//! `compressWhitespace` and `removeWhitespace`.

/// White space as C's `isspace` has it: the vertical tab belongs to it.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

pub(super) fn compress(value: &[u8]) -> Option<Vec<u8>> {
    let changes = |position: usize| match value.get(position..) {
        Some([b' ', next, ..]) => is_space(*next),
        Some([byte, ..]) => *byte != b' ' && is_space(*byte),
        _ => false,
    };
    let first = (0..value.len()).find(|position| changes(*position))?;
    let (untouched, rest) = value.split_at(first);
    let mut compressed = Vec::with_capacity(value.len());
    compressed.extend_from_slice(untouched);
    let mut after_space = false;
    for byte in rest {
        let space = is_space(*byte);
        if !space {
            compressed.push(*byte);
        } else if !after_space {
            compressed.push(b' ');
        }
        after_space = space;
    }
    Some(compressed)
}

/// White space, and the two bytes with which UTF-8 writes U+00A0, each by itself.
pub(super) fn remove(value: &[u8]) -> Option<Vec<u8>> {
    let removed = |byte: u8| is_space(byte) || matches!(byte, 0xa0 | 0xc2);
    let first = value.iter().position(|byte| removed(*byte))?;
    let (mut kept, mut length) = (value.to_vec(), first);
    for byte in value.get(first..).unwrap_or_default() {
        // Every byte is written, and what is not kept is written over: no branch is guessed wrongly.
        if let Some(place) = kept.get_mut(length) {
            *place = *byte;
        }
        length += usize::from(!removed(*byte));
    }
    kept.truncate(length);
    Some(kept)
}
