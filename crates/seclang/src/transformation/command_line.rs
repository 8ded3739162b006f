//! `cmdLine`: a shell command stripped of what does not change its meaning.
//!
//! Quotes, backslashes and carets go; commas, semicolons and white space become one space; no space
//! stays before `/` and `(`; letters become small.

pub(super) fn undress(value: &[u8]) -> Option<Vec<u8>> {
    if is_plain(value) {
        return None;
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut after_space = false;
    for byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !after_space {
                    plain.push(b' ');
                }
                after_space = true;
            }
            b'/' | b'(' => {
                if after_space {
                    plain.pop();
                }
                plain.push(*byte);
                after_space = false;
            }
            other => {
                plain.push(other.to_ascii_lowercase());
                after_space = false;
            }
        }
    }
    Some(plain)
}

/// Whether nothing would change: no byte goes or is replaced, and no space has company.
fn is_plain(value: &[u8]) -> bool {
    let changes = |byte: &u8| {
        matches!(byte, b'"' | b'\'' | b'\\' | b'^' | b',' | b';' | b'\t' | b'\r' | b'\n' | b'A'..=b'Z')
    };
    let meets = |pair: &[u8]| matches!(pair, [b' ', b' ' | b'/' | b'(']);
    !value.iter().any(changes) && !value.windows(2).any(meets)
}
