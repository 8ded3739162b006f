//! The compact serialisation (RFC 7515, section 7.1), nothing about its meaning.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::InvalidReason;

/// Three base64url parts without padding. Header and signature are never empty; an empty payload is left to
/// whoever reads the payload.
#[derive(Debug)]
pub(crate) struct CompactToken<'a> {
    /// All of it.
    pub(crate) text: &'a str,
    /// What the signature covers: the first two parts as they were sent.
    pub(crate) signed: &'a str,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    /// Still encoded.
    pub(crate) signature: &'a str,
}

impl<'a> CompactToken<'a> {
    pub(crate) fn parse(token: &'a [u8]) -> Result<Self, InvalidReason> {
        let text = str::from_utf8(token).map_err(|_| InvalidReason::Form)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(InvalidReason::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidReason::Form)?;
        if header.is_empty() || signature.is_empty() {
            return Err(InvalidReason::Form);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidReason::Form);
        Ok(Self { text, signed, header: decode(header)?, payload: decode(payload)?, signature })
    }
}
