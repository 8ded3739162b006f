//! Components: what a signature covers, and what it is worth in a message (RFC 9421, section 2).

use std::borrow::Cow;

use bartizan_config::SignatureComponent;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use sfv::{BareItem, Dictionary, FieldType, Item, List, ListEntry, Parser};

use super::Message;
use crate::InvalidReason;

/// What names of `application/x-www-form-urlencoded` leave as it is (URL standard, section 5.2).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A covered component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Component {
    /// As it stands in the signature base.
    identifier: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A whole part of the message.
    Whole(SignatureComponent),
    /// `@request-target`.
    Target,
    /// `@query-param` with this (encoded) name.
    QueryParam(String),
    /// A field in its strict serialization (`sf`).
    Strict(HeaderName, Structure),
    /// A member of a dictionary (`key`).
    Member(HeaderName, String),
    /// The lines of a field as byte sequences (`bs`).
    Lines(HeaderName),
}

/// The top-level type of a structured field (RFC 9651, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Structure {
    List,
    Dictionary,
    Item,
}

impl Component {
    /// A member of the list of a `Signature-Input`.
    pub(crate) fn parse(item: &Item) -> Result<Self, InvalidReason> {
        let BareItem::String(name) = &item.bare_item else { return Err(InvalidReason::SignatureFields) };
        let name = name.as_str();
        let kind = if name.starts_with('@') { derived(name, item)? } else { field(name, item)? };
        Ok(Self { identifier: item.serialize(), kind })
    }

    /// A component without parameters.
    pub(crate) fn whole(component: &SignatureComponent) -> Self {
        // INVARIANT: names of components hold neither quotes nor backslashes.
        Self { identifier: format!("\"{component}\""), kind: Kind::Whole(component.clone()) }
    }

    pub(crate) fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Whether a signature over this one vouches for the whole of `demanded`. One member of a dictionary does not
    /// vouch for the others.
    pub(crate) fn covers(&self, demanded: &SignatureComponent) -> bool {
        use SignatureComponent::{Authority, Field, Path, Query, Scheme, TargetUri};

        match (&self.kind, demanded) {
            (Kind::Whole(whole), _) if whole == demanded => true,
            (Kind::Whole(TargetUri), Authority | Scheme | Path | Query) => true,
            (Kind::Strict(name, _) | Kind::Lines(name), Field(field)) => name == field,
            _ => false,
        }
    }

    /// Whether it is the field `name`, or a part of it.
    pub(crate) fn is_of_field(&self, name: &HeaderName) -> bool {
        match &self.kind {
            Kind::Whole(SignatureComponent::Field(field))
            | Kind::Strict(field, _)
            | Kind::Member(field, _)
            | Kind::Lines(field) => field == name,
            Kind::Whole(_) | Kind::Target | Kind::QueryParam(_) => false,
        }
    }

    /// What it is worth in `message`.
    pub(crate) fn value<'m>(&self, message: &Message<'m>) -> Result<Cow<'m, [u8]>, InvalidReason> {
        match &self.kind {
            Kind::Whole(component) => whole(component, message),
            Kind::Target => request_target(message),
            Kind::QueryParam(name) => query_param(name, message.query.unwrap_or_default()),
            Kind::Strict(name, structure) => strict(&combined(name, message.headers)?, *structure),
            Kind::Member(name, key) => member(&combined(name, message.headers)?, key),
            Kind::Lines(name) => lines(name, message.headers),
        }
    }
}

fn derived(name: &str, item: &Item) -> Result<Kind, InvalidReason> {
    if name == "@query-param" {
        return match item.params.iter().collect::<Vec<_>>().as_slice() {
            [(key, BareItem::String(name))] if key.as_str() == "name" => {
                Ok(Kind::QueryParam(name.as_str().into()))
            }
            _ => Err(InvalidReason::Component),
        };
    }
    let known = match name {
        "@request-target" if item.params.is_empty() => return Ok(Kind::Target),
        "@method" => SignatureComponent::Method,
        "@target-uri" => SignatureComponent::TargetUri,
        "@authority" => SignatureComponent::Authority,
        "@scheme" => SignatureComponent::Scheme,
        "@path" => SignatureComponent::Path,
        "@query" => SignatureComponent::Query,
        _ => return Err(InvalidReason::Component),
    };
    if item.params.is_empty() { Ok(Kind::Whole(known)) } else { Err(InvalidReason::Component) }
}

/// A field and its parameters. `tr` speaks of trailers, which come after what is decided here, and `req` of another
/// message than this.
fn field(name: &str, item: &Item) -> Result<Kind, InvalidReason> {
    let name = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| InvalidReason::SignatureFields)?;
    let (mut strict, mut key, mut bytes) = (false, None, false);
    for (parameter, value) in &item.params {
        match (parameter.as_str(), value) {
            ("sf", BareItem::Boolean(true)) => strict = true,
            ("bs", BareItem::Boolean(true)) => bytes = true,
            ("key", BareItem::String(member)) => key = Some(member.as_str().to_owned()),
            _ => return Err(InvalidReason::Component),
        }
    }
    match (strict, key, bytes) {
        (false, None, false) => Ok(Kind::Whole(SignatureComponent::Field(name))),
        (false, None, true) => Ok(Kind::Lines(name)),
        (_, Some(key), false) => Ok(Kind::Member(name, key)),
        (true, None, false) => {
            let structure = structure(&name).ok_or(InvalidReason::Component)?;
            Ok(Kind::Strict(name, structure))
        }
        (_, _, true) => Err(InvalidReason::Component),
    }
}

/// The fields of requests that are known to be structured. Without the type there is no strict serialization.
fn structure(name: &HeaderName) -> Option<Structure> {
    Some(match name.as_str() {
        "accept-signature"
        | "content-digest"
        | "priority"
        | "repr-digest"
        | "signature"
        | "signature-input"
        | "want-content-digest"
        | "want-repr-digest" => Structure::Dictionary,
        "cache-status" | "client-cert-chain" | "proxy-status" => Structure::List,
        "client-cert" => Structure::Item,
        _ => return None,
    })
}

fn whole<'m>(component: &SignatureComponent, message: &Message<'m>) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let text: Cow<'m, str> = match component {
        SignatureComponent::Method => message.method.as_str().into(),
        SignatureComponent::Authority => message.authority.clone(),
        SignatureComponent::Scheme => message.scheme.into(),
        SignatureComponent::Path => message.path.into(),
        SignatureComponent::Query => format!("?{}", message.query.unwrap_or_default()).into(),
        SignatureComponent::TargetUri => {
            let start = format!("{}://{}{}", message.scheme, message.authority, message.path);
            message.query.map_or(start.clone(), |query| format!("{start}?{query}")).into()
        }
        SignatureComponent::Field(name) => return combined(name, message.headers),
    };
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// The target as it was sent (RFC 9421, section 2.2.5). A proxy may have written a whole URL in another way than the sender.
fn request_target<'m>(message: &Message<'m>) -> Result<Cow<'m, [u8]>, InvalidReason> {
    if !message.has_origin_form {
        return Err(InvalidReason::Component);
    }
    Ok(match message.query {
        Some(query) => Cow::Owned(format!("{}?{query}", message.path).into_bytes()),
        None => Cow::Borrowed(message.path.as_bytes()),
    })
}

/// All lines of a field, trimmed and joined (RFC 9421, section 2.1).
fn combined<'m>(name: &HeaderName, headers: &'m HeaderMap) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let mut values = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii());
    let first = values.next().ok_or(InvalidReason::MissingComponent)?;
    let Some(second) = values.next() else { return Ok(Cow::Borrowed(first)) };
    let mut joined = [first, second].join(b", ".as_slice());
    for value in values {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(value);
    }
    Ok(Cow::Owned(joined))
}

/// RFC 9421, section 2.1.1.
fn strict<'m>(value: &[u8], structure: Structure) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let parser = Parser::new(value);
    let text = match structure {
        Structure::Dictionary => parser.parse::<Dictionary>().map(|field| field.serialize()),
        Structure::List => parser.parse::<List>().map(|field| field.serialize()),
        Structure::Item => parser.parse::<Item>().map(|field| Some(field.serialize())),
    };
    // A field without members has no serialization: it is as if it were not there.
    let text = text.map_err(|_| InvalidReason::MissingComponent)?.ok_or(InvalidReason::MissingComponent)?;
    Ok(Cow::Owned(text.into_bytes()))
}

/// RFC 9421, section 2.1.2.
fn member<'m>(value: &[u8], key: &str) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let dictionary = Parser::new(value).parse::<Dictionary>().map_err(|_| InvalidReason::MissingComponent)?;
    let text = match dictionary.get(key).ok_or(InvalidReason::MissingComponent)? {
        ListEntry::Item(item) => Some(item.serialize()),
        ListEntry::InnerList(list) => serialize_inner(list),
    };
    Ok(Cow::Owned(text.ok_or(InvalidReason::MissingComponent)?.into_bytes()))
}

/// RFC 9421, section 2.1.3.
fn lines<'m>(name: &HeaderName, headers: &HeaderMap) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let wrapped = |value: &http::HeaderValue| format!(":{}:", STANDARD.encode(value.as_bytes().trim_ascii()));
    let lines: Vec<String> = headers.get_all(name).iter().map(wrapped).collect();
    if lines.is_empty() {
        Err(InvalidReason::MissingComponent)
    } else {
        Ok(Cow::Owned(lines.join(", ").into()))
    }
}

/// The one value of a query parameter, encoded anew (RFC 9421, section 2.2.8). Of two values, nobody can say which one
/// the service takes.
fn query_param<'m>(name: &str, query: &str) -> Result<Cow<'m, [u8]>, InvalidReason> {
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if reencode(key).as_deref() != Some(name) {
            continue;
        }
        if found.is_some() {
            return Err(InvalidReason::Component);
        }
        // What is not UTF-8 would be decoded to the same replacement, whatever it was.
        found = Some(reencode(value).ok_or(InvalidReason::Component)?);
    }
    found.map(|value| Cow::Owned(value.into_bytes())).ok_or(InvalidReason::MissingComponent)
}

/// Decodes as a form is decoded, and encodes without `+`.
fn reencode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
    Some(utf8_percent_encode(&decoded, QUERY).to_string())
}

/// An inner list with its parameters in the canonical form.
pub(super) fn serialize_inner(list: &sfv::InnerList) -> Option<String> {
    let mut serializer = sfv::ListSerializer::new();
    serializer.members([&ListEntry::InnerList(list.clone())]);
    serializer.finish()
}
