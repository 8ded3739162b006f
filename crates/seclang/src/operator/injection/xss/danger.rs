//! The names, links and comments that can run scripts.

/// What the value of an attribute is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Attribute {
    Harmless,
    /// A script, a style, or something else that is dangerous whatever it is.
    Script,
    /// A link, which may be a script.
    Url,
    /// The name of another attribute, which SVG gives a value.
    NameOfAttribute,
}

/// A tag's name. Browsers were known to overlook NUL bytes in it.
pub(super) fn is_tag(name: &[u8]) -> bool {
    if let [b's' | b'S', b'v' | b'V', b'g' | b'G', ..] | [b'x' | b'X', b's' | b'S', b'l' | b'L', ..] = name {
        return true;
    }
    name.len() > 2
        && matches!(
            Capitals::<8>::of(name).as_bytes(),
            b"APPLET"
                | b"BASE"
                | b"COMMENT"
                | b"EMBED"
                | b"FRAME"
                | b"FRAMESET"
                | b"HANDLER"
                | b"IFRAME"
                | b"IMPORT"
                | b"ISINDEX"
                | b"LINK"
                | b"LISTENER"
                | b"META"
                | b"NOSCRIPT"
                | b"OBJECT"
                | b"SCRIPT"
                | b"STYLE"
                | b"VMLFRAME"
                | b"XML"
                | b"XSS"
        )
}

/// What the value of an attribute of this name is.
pub(super) fn attribute(name: &[u8]) -> Attribute {
    let prefix = name.get(..5).unwrap_or_default();
    let is_handler = matches!(prefix, [b'o' | b'O', b'n' | b'N', ..]);
    if is_handler || prefix.eq_ignore_ascii_case(b"XMLNS") || prefix.eq_ignore_ascii_case(b"XLINK") {
        return Attribute::Script;
    }
    if name.len() < 2 {
        return Attribute::Harmless;
    }
    match Capitals::<13>::of(name).as_bytes() {
        b"DATAFORMATAS" | b"DATASRC" | b"FILTER" | b"STYLE" => Attribute::Script,
        b"ATTRIBUTENAME" => Attribute::NameOfAttribute,
        b"ACTION" | b"BY" | b"BACKGROUND" | b"DYNSRC" | b"FORMACTION" | b"FOLDER" | b"FROM" | b"HANDLER"
        | b"HREF" | b"LOWSRC" | b"POSTER" | b"SRC" | b"TO" | b"VALUES" | b"XLINK:HREF" => Attribute::Url,
        _ => Attribute::Harmless,
    }
}

/// A link that is a script, or holds the page that is.
pub(super) fn is_url(value: &[u8]) -> bool {
    let start = value.iter().position(u8::is_ascii_graphic).unwrap_or(value.len());
    let mut scheme = Capitals::<11>::EMPTY;
    let mut rest = value.get(start..).unwrap_or_default();
    while let Some((character, length)) = character(rest) {
        rest = rest.get(length..).unwrap_or_default();
        let is_skipped =
            if scheme.is_empty() { character <= u32::from(b' ') } else { matches!(character, 0 | 10) };
        // libinjection compares the lowest byte of a character only.
        let [byte, above @ ..] = character.to_le_bytes();
        let capital = if above == [0; 3] { byte.to_ascii_uppercase() } else { byte };
        if !is_skipped && !scheme.push(capital) {
            break;
        }
    }
    let scheme = scheme.as_bytes();
    [&b"DATA"[..], b"VIEW-SOURCE", b"VBSCRIPT", b"JAVA"].iter().any(|known| scheme.starts_with(known))
}

/// The first character of an attribute's value, and how long it is written. It may be written as its number.
fn character(value: &[u8]) -> Option<(u32, usize)> {
    const LARGEST: u32 = 0x10_00ff;
    let (first, rest) = value.split_first()?;
    let (base, prefix, digits) = match (first, rest) {
        (b'&', [b'#', b'x' | b'X', digits @ ..]) => (16, 3, digits),
        (b'&', [b'#', digits @ ..]) => (10, 2, digits),
        _ => return Some((u32::from(*first), 1)),
    };
    let mut number = None;
    let mut length = prefix;
    for byte in digits {
        let Some(digit) = char::from(*byte).to_digit(base) else { break };
        length += 1;
        match number.unwrap_or(0) * base + digit {
            // The first digit is below.
            large if large > LARGEST => return Some((u32::from(b'&'), 1)),
            small => number = Some(small),
        }
    }
    let end = usize::from(value.get(length) == Some(&b';'));
    Some(number.map_or((u32::from(b'&'), 1), |number| (number, length + end)))
}

/// Comments of Internet Explorer that are none, and declarations of XML.
pub(super) fn is_comment(text: &[u8]) -> bool {
    memchr::memchr(b'`', text).is_some()
        || matches!(text, [b'[', b'i' | b'I', b'f' | b'F', _, ..])
        || matches!(text, [b'x' | b'X', b'm' | b'M', b'l' | b'L', _, ..])
        || text.get(..6).is_some_and(|start| {
            start.eq_ignore_ascii_case(b"IMPORT") || start.eq_ignore_ascii_case(b"ENTITY")
        })
}

/// A short text in capital letters.
struct Capitals<const MOST: usize> {
    bytes: [u8; MOST],
    length: usize,
}

impl<const MOST: usize> Capitals<MOST> {
    const EMPTY: Self = Self { bytes: [0; MOST], length: 0 };

    /// A name without NUL bytes; none if it is longer than all known ones.
    fn of(name: &[u8]) -> Self {
        let mut capitals = Self::EMPTY;
        for byte in name.iter().filter(|byte| **byte != 0) {
            if !capitals.push(byte.to_ascii_uppercase()) {
                return Self::EMPTY;
            }
        }
        capitals
    }

    fn push(&mut self, byte: u8) -> bool {
        let place = self.bytes.get_mut(self.length);
        self.length += usize::from(place.is_some());
        place.map(|place| *place = byte).is_some()
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
