//! The names in a client certificate whose chain rustls has verified.

use bartizan_identity::ClientCertificate;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Reads the subject alternative names (RFC 5280 §4.2.1.6) of `certificate`; `None` if it cannot be read.
pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names =
        ClientCertificate { subject: parsed.subject().to_string(), ..ClientCertificate::default() };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    names.fingerprint = digest.as_ref().try_into().ok()?;
    let alternative = parsed.subject_alternative_name().ok()?;
    for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::URI(uri) => names.uris.push((*uri).into()),
            GeneralName::DNSName(name) => names.dns_names.push(name.to_ascii_lowercase()),
            GeneralName::RFC822Name(email) => names.emails.push((*email).into()),
            _ => {}
        }
    }
    Some(names)
}
