//! Characters, references, line ends and names (XML 1.0, sections 2.2, 2.3, 2.11, 3.3.3 and 4.1).

use quick_xml::events::attributes::Attributes;

/// Text with every line end as `\n`.
pub(super) fn append_lines(raw: &str, into: &mut Vec<u8>) -> Result<(), &'static str> {
    check_characters(raw)?;
    let mut lines = raw.split('\r');
    into.extend_from_slice(lines.next().unwrap_or_default().as_bytes());
    for line in lines {
        into.push(b'\n');
        into.extend_from_slice(line.strip_prefix('\n').unwrap_or(line).as_bytes());
    }
    Ok(())
}

/// The value of an attribute: white space as spaces, references as the characters they stand for.
pub(super) fn append_attribute(raw: &str, into: &mut Vec<u8>) -> Result<(), &'static str> {
    check_characters(raw)?;
    if raw.contains('<') {
        return Err("`<` in an attribute");
    }
    let mut pieces = raw.split('&');
    append_spaced(pieces.next().unwrap_or_default(), into);
    for piece in pieces {
        let (reference, literal) = piece.split_once(';').ok_or("`&` that begins no reference")?;
        into.extend_from_slice(resolve(reference)?.encode_utf8(&mut [0; 4]).as_bytes());
        append_spaced(literal, into);
    }
    Ok(())
}

fn append_spaced(raw: &str, into: &mut Vec<u8>) {
    let mut after_return = false;
    for byte in raw.bytes() {
        match byte {
            b'\n' if after_return => {}
            b'\t' | b'\n' | b'\r' => into.push(b' '),
            _ => into.push(byte),
        }
        after_return = byte == b'\r';
    }
}

/// What stands between `&` and `;`, as a character.
pub(super) fn resolve(reference: &str) -> Result<char, &'static str> {
    let code_point = match reference {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match reference.strip_prefix('#') {
            None => return Err("a reference to an entity"),
            Some(number) => match number.strip_prefix('x') {
                Some(number) => parse_digits(number, 16),
                None => parse_digits(number, 10),
            },
        },
    };
    code_point
        .and_then(char::from_u32)
        .filter(|character| is_character(*character))
        .ok_or("a reference to a character that XML does not have")
}

/// Only digits: the standard library would also take a sign.
fn parse_digits(digits: &str, radix: u32) -> Option<u32> {
    let all_digits = digits.chars().all(|digit| digit.is_digit(radix));
    u32::from_str_radix(digits, radix).ok().filter(|_| all_digits)
}

/// XML has no control characters but white space, and not the two non-characters.
pub(super) fn check_characters(text: &str) -> Result<(), &'static str> {
    if text.chars().all(is_character) { Ok(()) } else { Err("a character that XML does not have") }
}

/// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` without its angles and question marks.
pub(super) fn check_declaration(declaration: &str) -> Result<(), &'static str> {
    let attributes: Result<Vec<_>, _> = Attributes::new(declaration, "xml".len()).collect();
    let attributes = attributes.map_err(|_| "the declaration is malformed")?;
    let names: Vec<&str> = attributes.iter().map(|attribute| attribute.key.0).collect();
    let version = attributes.first().and_then(|version| version.value.strip_prefix("1.")).unwrap_or_default();
    let known = parse_digits(version, 10).is_some();
    match names.as_slice() {
        ["version"] | ["version", "encoding" | "standalone"] | ["version", "encoding", "standalone"]
            if known =>
        {
            Ok(())
        }
        _ => Err("the declaration is malformed"),
    }
}

fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Strict for ASCII, lenient above.
pub(super) fn is_name(name: &str) -> bool {
    let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..);
    name.bytes().next().is_some_and(begins)
        && name.bytes().all(|byte| begins(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}
