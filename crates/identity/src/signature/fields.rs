//! `Signature-Input` and `Signature` (RFC 9421, section 4).

use std::convert::Infallible;

use http::{HeaderMap, HeaderName};
use sfv::{
    BareItem, Dictionary, KeyRef, ListEntry, Parser,
    visitor::{DictionaryVisitor, EntryVisitor},
};

use super::component::{Component, serialize_inner};
use crate::InvalidReason;

pub(super) const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// Signatures that are looked at. Each may cost a check, and nobody needs more.
const MAX_SIGNATURES: usize = 4;
/// Components that a signature may cover.
const MAX_COMPONENTS: usize = 50;

/// The signatures of a request, read and not yet verified.
#[derive(Debug)]
pub struct SignatureFields(pub(super) Vec<LabelledSignature>);

/// One signature and what it says of itself.
#[derive(Debug)]
pub(super) struct LabelledSignature {
    pub(super) components: Vec<Component>,
    /// The components and parameters in the form that is signed.
    pub(super) parameters: String,
    pub(super) signature: Vec<u8>,
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) nonce: Option<String>,
    pub(super) tag: Option<String>,
}

impl SignatureFields {
    /// Whether a request carries signatures at all.
    pub(crate) fn are_in(headers: &HeaderMap) -> bool {
        headers.contains_key(SIGNATURE_INPUT) || headers.contains_key(SIGNATURE)
    }

    /// The signatures of a request. Every label stands in both fields, once.
    pub fn read(headers: &HeaderMap) -> Result<Self, InvalidReason> {
        let (inputs, mut signatures) =
            (dictionary(headers, &SIGNATURE_INPUT)?, dictionary(headers, &SIGNATURE)?);
        if inputs.len() > MAX_SIGNATURES {
            return Err(InvalidReason::TooManySignatures);
        }
        let labelled = inputs.into_iter().map(|(label, input)| {
            let signature = signatures.swap_remove(&label).ok_or(InvalidReason::SignatureFields)?;
            LabelledSignature::read(&input, &signature)
        });
        let labelled: Vec<_> = labelled.collect::<Result<_, _>>()?;
        let all_used = signatures.is_empty() && !labelled.is_empty();
        if all_used { Ok(Self(labelled)) } else { Err(InvalidReason::SignatureFields) }
    }
}

impl LabelledSignature {
    fn read(input: &ListEntry, signature: &ListEntry) -> Result<Self, InvalidReason> {
        let (ListEntry::InnerList(list), ListEntry::Item(signature)) = (input, signature) else {
            return Err(InvalidReason::SignatureFields);
        };
        let signature = signature.bare_item.as_byte_sequence().ok_or(InvalidReason::SignatureFields)?;
        let mut read = Self {
            components: components(list)?,
            parameters: serialize_inner(list).ok_or(InvalidReason::SignatureFields)?,
            signature: signature.to_vec(),
            key_id: None,
            algorithm: None,
            created: None,
            expires: None,
            nonce: None,
            tag: None,
        };
        for (name, value) in &list.params {
            read.take_parameter(name.as_str(), value)?;
        }
        Ok(read)
    }

    /// RFC 9421, section 2.3. What others mean nothing to us, they are signed all the same.
    fn take_parameter(&mut self, name: &str, value: &BareItem) -> Result<(), InvalidReason> {
        let text = || {
            let text = value.as_string().map(|text| text.as_str().to_owned());
            text.map(Some).ok_or(InvalidReason::SignatureFields)
        };
        let seconds = || {
            let seconds = value.as_integer().map(i64::from);
            seconds.map(Some).ok_or(InvalidReason::SignatureFields)
        };
        match name {
            "keyid" => self.key_id = text()?,
            "alg" => self.algorithm = text()?,
            "nonce" => self.nonce = text()?,
            "tag" => self.tag = text()?,
            "created" => self.created = seconds()?,
            "expires" => self.expires = seconds()?,
            _ => {}
        }
        Ok(())
    }
}

fn components(list: &sfv::InnerList) -> Result<Vec<Component>, InvalidReason> {
    if list.items.len() > MAX_COMPONENTS {
        return Err(InvalidReason::TooManyComponents);
    }
    let mut components: Vec<Component> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let component = Component::parse(item)?;
        // Each must occur once (RFC 9421, section 2.5).
        if components.contains(&component) {
            return Err(InvalidReason::SignatureFields);
        }
        components.push(component);
    }
    Ok(components)
}

/// All lines of a dictionary field. Of two members of one name the last would count, and whoever reads the first sees
/// another signature; so there may not be two.
fn dictionary(headers: &HeaderMap, name: &HeaderName) -> Result<Dictionary, InvalidReason> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
    let joined = lines.join(b", ".as_slice());
    Parser::new(&joined)
        .parse_dictionary_with_visitor(Unique(Dictionary::new()))
        .map_err(|_| InvalidReason::SignatureFields)
}

/// Reads a dictionary whose members have different names.
struct Unique(Dictionary);

#[derive(Debug, thiserror::Error)]
#[error("two members have the same name")]
struct Duplicate;

impl<'de> DictionaryVisitor<'de> for Unique {
    type Out = Dictionary;
    type Error = Duplicate;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Duplicate> {
        if self.0.contains_key(key) {
            return Err(Duplicate);
        }
        DictionaryVisitor::entry(&mut self.0, key).map_err(|never: Infallible| match never {})
    }

    fn finish(self) -> Result<Dictionary, Duplicate> {
        Ok(self.0)
    }
}
