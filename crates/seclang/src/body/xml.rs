//! XML as the two things rules ask for: all text under the root, and the value of every attribute.
//!
//! What `XML:/*` gives is the text of the root element with everything inside it, in document order and in one piece;
//! `XML://@*` gives each attribute on its own, namespace declarations excepted, as in `XPath`. Comments and processing
//! instructions are neither.
//!
//! Nothing outside the document is ever read and no entity of its own is ever expanded: a reference to one is an error,
//! where libxml2 expands what is declared inside the document and skips what is not. What a document type declares is
//! handed over as text, unread: an attack stands there in full. Without entities text cannot grow, so the document's
//! size bounds everything. Checked for being well-formed as far as an application's parser would notice; read whole at
//! the end, because `quick-xml` pulls.

mod encoding;
mod text;

use std::collections::HashSet;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{Arguments, BodyError, Limits};

/// Collects an XML document in pieces.
#[derive(Debug)]
pub struct Xml {
    document: Vec<u8>,
    too_large: bool,
    limits: Limits,
}

/// What an XML document held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedXml {
    /// `XML:/*`, absent without a root element.
    pub text: Option<Vec<u8>>,
    /// `XML://@*` with the names of the attributes.
    pub attributes: Arguments,
    /// Why text and attributes may not be all.
    pub error: Option<BodyError>,
}

impl Xml {
    /// Keeps and follows at most what `limits` say.
    pub fn new(limits: Limits) -> Self {
        Self { document: Vec::new(), too_large: false, limits }
    }

    /// The next piece of the body.
    pub fn feed(&mut self, piece: &[u8]) {
        let room = self.limits.bytes.saturating_sub(self.document.len());
        self.too_large |= piece.len() > room;
        self.document.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// The end of the body.
    pub fn finish(self) -> ParsedXml {
        ParsedXml::read(&self.document, self.too_large, self.limits)
    }
}

impl ParsedXml {
    /// What a document holds that is here as a whole; nothing of it is copied first.
    pub fn of(document: &[u8], limits: Limits) -> Self {
        match document.get(..limits.bytes) {
            Some(front) => Self::read(front, front.len() < document.len(), limits),
            None => Self::read(document, false, limits),
        }
    }

    fn read(document: &[u8], is_cut: bool, limits: Limits) -> Self {
        let (document, encoding_fault) = encoding::to_utf8(document);
        let mut parse = Parse::new(limits);
        let outcome = parse.document(&document);
        let what = match outcome {
            _ if is_cut => Some(Fault::Size),
            Ok(()) => encoding_fault.map(Fault::IllFormed),
            Err(fault) => Some(encoding_fault.map_or(fault, Fault::IllFormed)),
        };
        Self {
            text: parse.text,
            attributes: parse.attributes,
            error: what.map(|fault| fault.into_error(limits)),
        }
    }
}

struct Parse {
    text: Option<Vec<u8>>,
    attributes: Arguments,
    limits: Limits,
    depth: usize,
    /// Whether the root element has begun.
    rooted: bool,
}

enum Fault {
    IllFormed(&'static str),
    Depth,
    Size,
}

impl From<&'static str> for Fault {
    fn from(what: &'static str) -> Self {
        Self::IllFormed(what)
    }
}

impl Fault {
    fn into_error(self, limits: Limits) -> BodyError {
        match self {
            Self::IllFormed(what) => BodyError::Xml { what },
            Self::Depth => BodyError::TooDeep { format: "XML", limit: limits.depth },
            Self::Size => BodyError::TooLarge { format: "XML", limit: limits.bytes },
        }
    }
}

impl Parse {
    fn new(limits: Limits) -> Self {
        Self { text: None, attributes: Arguments::new(limits), limits, depth: 0, rooted: false }
    }

    fn document(&mut self, document: &str) -> Result<(), Fault> {
        let mut reader = Reader::from_str(document);
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event().map_err(|_| "the document is not well-formed")? {
                Event::Start(tag) => {
                    self.begin(&tag)?;
                    self.depth += 1;
                }
                Event::Empty(tag) => self.begin(&tag)?,
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                Event::Text(text) if self.depth > 0 => {
                    if text.contains("]]>") {
                        return Err("`]]>` in text".into());
                    }
                    self.append_text(&text)?;
                }
                Event::Text(text) => {
                    if !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                        return Err("text outside the root element".into());
                    }
                }
                Event::CData(_) | Event::GeneralRef(_) if self.depth == 0 => {
                    return Err("text outside the root element".into());
                }
                Event::CData(text) => self.append_text(&text)?,
                Event::GeneralRef(reference) => {
                    let character = text::resolve(&reference)?;
                    self.text
                        .get_or_insert_default()
                        .extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Event::DocType(declarations) => {
                    if let Some((_, subset)) = declarations.split_once('[') {
                        self.text.get_or_insert_default().extend_from_slice(subset.as_bytes());
                    }
                }
                // `XML` in other letters than those of the declaration is reserved (XML 1.0, section 2.6).
                Event::PI(instruction)
                    if !text::is_name(instruction.target())
                        || instruction.target().eq_ignore_ascii_case("xml") =>
                {
                    return Err("a processing instruction has no proper name".into());
                }
                Event::Comment(text) => text::check_characters(&text)?,
                Event::PI(instruction) => text::check_characters(instruction.content())?,
                Event::Decl(_) if self.rooted => return Err("a declaration that is not at the start".into()),
                Event::Decl(declaration) => text::check_declaration(&declaration)?,
                Event::Eof if self.depth > 0 => return Err("an element is not closed".into()),
                Event::Eof if !self.rooted => return Err("there is no root element".into()),
                Event::Eof => return Ok(()),
            }
        }
    }

    fn append_text(&mut self, raw: &str) -> Result<(), Fault> {
        Ok(text::append_lines(raw, self.text.get_or_insert_default())?)
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), Fault> {
        if self.depth == 0 && self.rooted {
            return Err("more than one root element".into());
        }
        if self.depth >= self.limits.depth {
            return Err(Fault::Depth);
        }
        if !text::is_name(tag.name().0) {
            return Err("an element has no proper name".into());
        }
        self.rooted = true;
        self.text.get_or_insert_default();
        self.attributes(tag)
    }

    fn attributes(&mut self, tag: &BytesStart<'_>) -> Result<(), Fault> {
        let mut names = HashSet::new();
        let mut value = Vec::new();
        // The checks of `quick-xml` compare each name with each.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| "an attribute is not `name=\"value\"`")?;
            let name = attribute.key.0;
            if !text::is_name(name) {
                return Err("an attribute has no proper name".into());
            }
            if !names.insert(name) {
                return Err("an element has an attribute twice".into());
            }
            value.clear();
            text::append_attribute(&attribute.value, &mut value)?;
            if name != "xmlns" && !name.starts_with("xmlns:") {
                self.attributes.push(name.as_bytes(), &value);
            }
        }
        if self.attributes.exceeded() && self.attributes.len() < self.limits.arguments {
            return Err(Fault::Size);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
