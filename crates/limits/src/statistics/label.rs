//! A value as it is shown ([`crate::shown`]), in a place of its own in every counter: nothing is allocated for it.

use crate::short_value::{LONGEST_SHOWN, escaped, shortened};

/// At most 64 bytes of a value.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// Whether it is all of the value, and not its beginning and a hash.
    is_whole: bool,
    length: u8,
    bytes: [u8; LONGEST_SHOWN],
}

impl Label {
    /// The label of a value with this hash.
    pub(super) fn of(value: &[u8], hash: u64) -> Self {
        if value.len() <= LONGEST_SHOWN {
            Self::copied(value, true)
        } else {
            Self::copied(&shortened(value, hash), false)
        }
    }

    /// The first 64 bytes.
    fn copied(text: &[u8], is_whole: bool) -> Self {
        let text = text.get(..LONGEST_SHOWN).unwrap_or(text);
        let mut bytes = [0; LONGEST_SHOWN];
        if let Some(front) = bytes.get_mut(..text.len()) {
            front.copy_from_slice(text);
        }
        Self { is_whole, length: u8::try_from(text.len()).unwrap_or_default(), bytes }
    }

    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        if self.is_whole { escaped(bytes) } else { String::from_utf8_lossy(bytes).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown;

    #[test]
    fn a_label_is_what_is_shown() {
        let cases: [&[u8]; 6] = [b"", b"192.0.2.7", &[b'x'; 64], &[b'x'; 65], b"a\nb", b"\xff"];
        for value in cases {
            assert_eq!(Label::of(value, 7).text(), shown(value, |_| 7));
        }
    }
}
