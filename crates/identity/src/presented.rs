//! What a request shows of itself.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, request::Parts};

use crate::InvalidReason;

/// The parts of a request in which credentials are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The request's method, target and headers; its host is in `Host`.
    pub head: &'a Parts,
    /// Whether the client speaks TLS, so that its target is an `https:` one.
    pub secure: bool,
    /// Where it comes from; `None`: nobody can say.
    pub address: Option<IpAddr>,
    /// The client certificate of its connection, after the listener has verified its chain.
    pub client_certificate: Option<&'a ClientCertificate>,
    /// The whole content, if it is here; see [`crate::Selection::needs_content`].
    pub content: Option<&'a [u8]>,
}

/// A client certificate whose chain has been verified, reduced to its names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientCertificate {
    /// `uniformResourceIdentifier` subject alternative names.
    pub uris: Vec<String>,
    /// `dNSName` subject alternative names.
    pub dns_names: Vec<String>,
    /// `rfc822Name` subject alternative names.
    pub emails: Vec<String>,
    /// The subject's distinguished name; for logs, never for a decision.
    pub subject: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
}

impl<'a> Presented<'a> {
    /// The only value of a header. Of two values, nobody can say which one the client meant.
    pub(crate) fn only(&self, name: &HeaderName) -> Result<Option<&'a HeaderValue>, InvalidReason> {
        let mut values = self.head.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(InvalidReason::Ambiguous),
        }
    }
}
