//! What is kept of a value to be read by people: at most 64 bytes. Values may be personal data or secrets of headers, so
//! of a long one there is no more than its beginning, and a hash that tells it from others like it.

use std::fmt::Write;

use smallvec::SmallVec;

/// The longest label, in bytes.
const LONGEST: usize = 64;
/// Of a value that does not fit: what is left beside `…#` and 16 hexadecimal digits.
const BEGINNING: usize = LONGEST - '…'.len_utf8() - 1 - 16;

/// At most 64 bytes of a value.
#[derive(Clone, Copy)]
pub(super) struct Label {
    length: u8,
    bytes: [u8; LONGEST],
}

impl Label {
    /// The label of a value with this hash.
    pub(super) fn of(value: &[u8], hash: u64) -> Self {
        match str::from_utf8(value) {
            Ok(text) if text.len() <= LONGEST && !text.contains(char::is_control) => Self::copied(value),
            _ => Self::shortened(value, hash),
        }
    }

    /// The first 64 bytes of a text.
    fn copied(text: &[u8]) -> Self {
        let text = text.get(..LONGEST).unwrap_or(text);
        let mut bytes = [0; LONGEST];
        if let Some(front) = bytes.get_mut(..text.len()) {
            front.copy_from_slice(text);
        }
        Self { length: u8::try_from(text.len()).unwrap_or_default(), bytes }
    }

    fn shortened(value: &[u8], hash: u64) -> Self {
        let mut text = SmallString::default();
        let beginning = value.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        for character in beginning.chars().take_while(|character| !character.is_control()) {
            if text.0.len() + character.len_utf8() > BEGINNING {
                break;
            }
            // INVARIANT: writing to memory does not fail.
            let _ = text.write_char(character);
        }
        let _ = write!(text, "…#{hash:016x}");
        Self::copied(&text.0)
    }

    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// A text that is built without allocating.
#[derive(Default)]
struct SmallString(SmallVec<[u8; LONGEST]>);

impl Write for SmallString {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_readable_and_the_rest_is_cut_and_hashed() {
        let text = |value: &[u8]| Label::of(value, 0xc0ff_ee00).text();
        let cases: [(&[u8], String); 8] = [
            (b"", String::new()),
            (b"192.0.2.7", "192.0.2.7".into()),
            ("Zoë".as_bytes(), "Zoë".into()),
            (&[b'x'; 64], "x".repeat(64)),
            (&[b'x'; 65], format!("{}…#00000000c0ffee00", "x".repeat(44))),
            (b"a\nb", "a…#00000000c0ffee00".into()),
            (b"a\xff", "a…#00000000c0ffee00".into()),
            (b"\xff", "…#00000000c0ffee00".into()),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
        let wide = text("ß".repeat(100).as_bytes());
        assert_eq!((wide.len(), wide.chars().count()), (64, 22 + 18));
    }
}
