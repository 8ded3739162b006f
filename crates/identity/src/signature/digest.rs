//! `Content-Digest` (RFC 9530): what ties the content to a signature over the head.

use aws_lc_rs::digest::{self, SHA256, SHA512};
use bartizan_model::Name;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Dictionary, ListEntry, Parser};

use crate::{AuthenticationError, InvalidReason};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// What must be true of a request's content before the request is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedContent {
    provider: Name,
    digests: Digests,
}

/// The digests that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Digests {
    /// Every one must match.
    All(Vec<Digest>),
    /// None was signed: there must be no content.
    NoContent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Digest {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl ExpectedContent {
    /// What the `Content-Digest` of a request says. Algorithms that are not secure any more say nothing.
    pub(super) fn of_field(provider: &Name, headers: &HeaderMap) -> Result<Self, InvalidReason> {
        let lines: Vec<&[u8]> = headers.get_all(CONTENT_DIGEST).iter().map(HeaderValue::as_bytes).collect();
        let field = Parser::new(&lines.join(b", ".as_slice())).parse::<Dictionary>();
        let field = field.map_err(|_| InvalidReason::ContentDigest)?;
        let digests = field.iter().filter_map(|(algorithm, value)| Digest::read(algorithm.as_str(), value));
        let digests: Vec<Digest> = digests.collect::<Result<_, _>>()?;
        if digests.is_empty() {
            return Err(InvalidReason::ContentDigest);
        }
        Ok(Self { provider: provider.clone(), digests: Digests::All(digests) })
    }

    /// That there is none.
    pub(super) fn none(provider: &Name) -> Self {
        Self { provider: provider.clone(), digests: Digests::NoContent }
    }

    /// Whether `content`, which is all of it, is what was signed.
    pub fn verify(&self, content: &[u8]) -> Result<(), AuthenticationError> {
        let reason = match &self.digests {
            Digests::NoContent if content.is_empty() => return Ok(()),
            Digests::NoContent => InvalidReason::UnsignedContent,
            Digests::All(digests) if digests.iter().all(|digest| digest.matches(content)) => return Ok(()),
            Digests::All(_) => InvalidReason::Content,
        };
        Err(AuthenticationError::Invalid { provider: self.provider.clone(), reason })
    }
}

impl Digest {
    /// `None`: an algorithm that is not known here, or not secure.
    fn read(algorithm: &str, value: &ListEntry) -> Option<Result<Self, InvalidReason>> {
        let bytes = match value {
            ListEntry::Item(item) => item.bare_item.as_byte_sequence(),
            ListEntry::InnerList(_) => None,
        };
        let bytes = bytes.unwrap_or_default();
        let digest = match algorithm {
            "sha-256" => bytes.try_into().map(Self::Sha256),
            "sha-512" => bytes.try_into().map(Self::Sha512),
            _ => return None,
        };
        Some(digest.map_err(|_| InvalidReason::ContentDigest))
    }

    /// A digest is public, so how long this takes tells nothing.
    fn matches(&self, content: &[u8]) -> bool {
        match self {
            Self::Sha256(expected) => digest::digest(&SHA256, content).as_ref() == expected,
            Self::Sha512(expected) => digest::digest(&SHA512, content).as_ref() == expected,
        }
    }
}

/// The value of a `Content-Digest` of `content`, with SHA-256.
pub fn content_digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest::digest(&SHA256, content)))
}
