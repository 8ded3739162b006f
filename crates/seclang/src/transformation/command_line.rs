//! `cmdLine`: a shell command stripped of what does not change its meaning.
//!
//! Quotes, backslashes and carets go; commas, semicolons and white space become one space; no space
//! stays before `/` and `(`; letters become small.

pub(super) fn undress(value: &[u8]) -> Option<Vec<u8>> {
    if is_plain(value) {
        return None;
    }
    let mut plain = value.to_vec();
    let (mut length, mut after_space) = (0, false);
    for byte in value {
        let kind = KINDS[usize::from(*byte)];
        // A space before these is written over. Every byte is written, and what is not kept is written over, too: a value
        // that was made for it would have every second branch guessed wrongly.
        length -= usize::from(after_space && kind == Kind::Attached);
        if let Some(place) = plain.get_mut(length) {
            *place = if kind == Kind::Space { b' ' } else { byte.to_ascii_lowercase() };
        }
        let goes = kind == Kind::Mark || (after_space && kind == Kind::Space);
        length += usize::from(!goes);
        after_space = kind == Kind::Space || (after_space && kind == Kind::Mark);
    }
    plain.truncate(length);
    Some(plain)
}

/// What becomes of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kept,
    /// It goes.
    Mark,
    Space,
    /// It is kept, and a space before it goes.
    Attached,
}

const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Kept; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
        let kind = match byte as u8 {
            b'"' | b'\'' | b'\\' | b'^' => Kind::Mark,
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => Kind::Space,
            b'/' | b'(' => Kind::Attached,
            _ => Kind::Kept,
        };
        kinds[byte] = kind;
        byte += 1;
    }
    kinds
};

/// Whether nothing would change: no byte goes or is replaced, and no space has company.
fn is_plain(value: &[u8]) -> bool {
    let changes = |byte: &u8| {
        matches!(byte, b'"' | b'\'' | b'\\' | b'^' | b',' | b';' | b'\t' | b'\r' | b'\n' | b'A'..=b'Z')
    };
    let meets = |pair: &[u8]| matches!(pair, [b' ', b' ' | b'/' | b'(']);
    !value.iter().any(changes) && !value.windows(2).any(meets)
}
