//! What a request shows of itself.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::InvalidReason;

/// The parts of a request in which credentials are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The client certificate of its connection, after the listener has verified its chain.
    pub client_certificate: Option<&'a ClientCertificate>,
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
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(InvalidReason::Ambiguous),
        }
    }
}
