//! The names in a client certificate whose chain has been verified: by rustls, or by a proxy in front that ends TLS and
//! says so (`Client-Cert`, RFC 9440).

use bartizan_identity::ClientCertificate;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub(crate) const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The certificate of a client behind a trusted proxy: the one of the connection is the proxy's. Where `is_told`, the proxy
/// says which one its client has shown (RFC 9440, section 2.2). Of two, nobody can say which one counts.
pub(crate) fn behind_proxy(headers: &HeaderMap, is_told: bool) -> Option<ClientCertificate> {
    if !is_told {
        return None;
    }
    let mut values = headers.get_all(CLIENT_CERT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    // A byte sequence (RFC 9651, section 3.3.5).
    let encoded = value.to_str().ok()?.trim().strip_prefix(':')?.strip_suffix(':')?;
    let certificate = STANDARD.decode(encoded).ok()?;
    read(&CertificateDer::from(certificate))
}

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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// RFC 9440, appendix A.
    const EXAMPLE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBg\
    NVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CA\
    QYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwC\
    QYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDV\
    R0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHS\
    B4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";

    #[test]
    fn whose_certificate_counts_behind_a_proxy() {
        let told = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CLIENT_CERT, HeaderValue::from_str(value).unwrap());
            }
            behind_proxy(&headers, true)
        };
        let certificate = told(&[EXAMPLE]).unwrap();
        assert_eq!(certificate.emails, ["bdc@example.com"]);
        assert_ne!(certificate.fingerprint, [0; 32]);
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_CERT, HeaderValue::from_static(EXAMPLE));
        assert_eq!(behind_proxy(&headers, false), None, "proxies that are not believed to say it");
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[EXAMPLE, EXAMPLE]), None, "nobody can say which one counts");
        for malformed in ["", "::", ":AAAA:", EXAMPLE.trim_matches(':'), &EXAMPLE.replace('M', "!")] {
            assert_eq!(told(&[malformed]), None, "{malformed}");
        }
    }
}
