//! From the bytes of a document to UTF-8.
//!
//! UTF-8, UTF-16 with a byte order mark (or recognised by its first `<`), and Latin-1 are read; any other declared
//! encoding is an error, because what cannot be read cannot be inspected.

use std::borrow::Cow;

/// The document up to its first byte that is not in its encoding, and what was wrong there.
pub(super) fn to_utf8(document: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match document {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(document, u16::from_le_bytes),
        [0, b'<', ..] => utf16(document, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => match declared(document).to_ascii_lowercase().as_slice() {
            b"" | b"utf-8" | b"utf8" | b"us-ascii" | b"ascii" => utf8(document),
            // Windows-1252 differs in typographic characters only.
            b"iso-8859-1" | b"iso_8859-1" | b"latin1" | b"windows-1252" => {
                (document.iter().copied().map(char::from).collect::<String>().into(), None)
            }
            _ => ("".into(), Some("the encoding is not supported")),
        },
    }
}

fn utf8(document: &[u8]) -> (Cow<'_, str>, Option<&'static str>) {
    match str::from_utf8(document) {
        Ok(text) => (text.into(), None),
        Err(fault) => {
            let valid = document.get(..fault.valid_up_to()).unwrap_or_default();
            (String::from_utf8_lossy(valid), Some("the document is not UTF-8"))
        }
    }
}

fn utf16(document: &[u8], unit: fn([u8; 2]) -> u16) -> (Cow<'_, str>, Option<&'static str>) {
    let (pairs, rest) = document.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    for character in char::decode_utf16(pairs.iter().copied().map(unit)) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return (text.into(), Some("the document is not UTF-16")),
        }
    }
    (text.into(), (!rest.is_empty()).then_some("the document is not UTF-16"))
}

/// The encoding that the declaration names.
fn declared(document: &[u8]) -> &[u8] {
    fn named(document: &[u8]) -> Option<&[u8]> {
        let inside = document.strip_prefix(b"<?xml")?;
        let declaration = inside.get(..memchr::memmem::find(inside, b"?>")?)?;
        let after = declaration.get(memchr::memmem::find(declaration, b"encoding")? + 8..)?;
        let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let (quote, value) = value.split_first()?;
        value.get(..memchr::memchr(*quote, value)?)
    }
    named(document).unwrap_or_default()
}
