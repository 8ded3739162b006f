//! Long values, shortened: values may be personal data or secrets of headers, so of a long one there is no more than
//! its beginning, and a hash that tells it from others like it.

use std::io::Write;

use smallvec::SmallVec;

/// Values up to here are kept as they are, in bytes.
const LONGEST: usize = 64;
/// What is left of a longer one beside `…#` and 16 hexadecimal digits.
const BEGINNING: usize = LONGEST - '…'.len_utf8() - 1 - 16;

/// A value of at most 64 bytes.
pub(super) type Short = SmallVec<[u8; LONGEST]>;

/// What is kept of a value that is longer than 64 bytes; `None` for one that is kept as it is.
pub(super) fn digest_of_long(value: &[u8], hash: impl FnOnce(&[u8]) -> u64) -> Option<Short> {
    (value.len() > LONGEST).then(|| digest(value, hash(value)))
}

/// The value as people read it: plain text of at most 64 bytes.
pub(crate) fn shown(value: &[u8], hash: impl FnOnce(&[u8]) -> u64) -> String {
    match str::from_utf8(value) {
        Ok(text) if text.len() <= LONGEST && !text.contains(char::is_control) => text.into(),
        _ => String::from_utf8_lossy(&digest(value, hash(value))).into_owned(),
    }
}

fn digest(value: &[u8], hash: u64) -> Short {
    let mut digest = Short::new();
    let beginning = value.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    for character in beginning.chars().take_while(|character| !character.is_control()) {
        if digest.len() + character.len_utf8() > BEGINNING {
            break;
        }
        digest.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    // INVARIANT: writing to memory does not fail.
    let _ = write!(digest, "…#{hash:016x}");
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_hashed_and_what_is_shown_is_plain_text() {
        let long = [b'x'; 65];
        let cut = format!("{}…#000000000000cafe", "x".repeat(44));
        let cases: [(&[u8], &[u8], &str); 5] = [
            (b"", b"", ""),
            (b"192.0.2.7", b"192.0.2.7", "192.0.2.7"),
            (&long[..64], &long[..64], &"x".repeat(64)),
            (&long, cut.as_bytes(), &cut),
            (b"a\xff", b"a\xff", "a…#000000000000cafe"),
        ];
        for (value, kept, seen) in cases {
            let digest = digest_of_long(value, |_| 0xcafe);
            assert_eq!(digest.as_deref().unwrap_or(value), kept);
            assert_eq!(shown(value, |_| 0xcafe), seen);
        }
        assert_eq!(digest_of_long("ß".repeat(40).as_bytes(), |_| 0).unwrap().len(), 64);
    }
}
