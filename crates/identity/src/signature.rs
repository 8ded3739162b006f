//! Signed requests: HTTP Message Signatures (RFC 9421), digests of their content (RFC 9530), and the older form with
//! `X-Signature`.
//!
//! A signature covers parts of a request ([`component`]), which are written out line by line ([`base`]) and signed
//! ([`key`]). The configuration says for each key which algorithm it is for; what a request says of it must agree, and
//! decides nothing. What cannot be verified from a request alone (trailers, other messages) is refused, not skipped.
//!
//! The head is verified before the content has arrived. A signature that covers `Content-Digest` therefore proves the
//! caller and leaves an [`ExpectedContent`], which whoever holds the content must verify before it is forwarded.

mod base;
mod component;
mod digest;
mod fields;
mod key;
mod legacy;
mod message;
mod nonce;
mod signer;
mod table;
#[cfg(test)]
mod tests;

pub use digest::{ExpectedContent, content_digest};
pub use fields::SignatureFields;
pub use key::SignatureKeyError;
pub(crate) use legacy::LegacyTable;
pub(crate) use message::Message;
pub(crate) use nonce::Use;
pub use signer::{Outgoing, RequestSigner, Unsigned};
pub(crate) use table::{Clients, SignatureTable};

use crate::InvalidReason;

/// Why a signature does not prove its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not valid.
    Invalid(InvalidReason),
    /// It may be, but its nonce cannot be remembered: there is room for no more.
    NoRoom,
}

impl From<InvalidReason> for Refused {
    fn from(reason: InvalidReason) -> Self {
        Self::Invalid(reason)
    }
}
