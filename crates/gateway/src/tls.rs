//! TLS towards clients: versions 1.2 and 1.3, ALPN, certificates by server name, client certificates.
//!
//! A reload builds a new [`rustls::ServerConfig`]; handshakes that begin after it use the new one, connections
//! that stand keep what they negotiated. There is no early data: it can be replayed.

mod certificates;
pub(crate) mod client_certificate;

use std::{path::Path, sync::Arc};

use bartizan_config::{ClientCertificates, Tls};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

pub(crate) use client_certificate::read as read_client_certificate;

use crate::GatewayError;
use certificates::Certificates;

/// By ALPN, in order of preference.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Builds what the HTTPS listener presents, reading its files anew.
pub fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, GatewayError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let (certificates, client_certificates) = match tls {
        Tls::Dev => (Certificates::self_signed(&provider)?, &ClientCertificates::Off),
        Tls::Files { certificates, client_certificates } => {
            (Certificates::load(certificates, &provider)?, client_certificates)
        }
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match verifier(client_certificates, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

fn verifier(
    client_certificates: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, GatewayError> {
    let (path, is_required) = match client_certificates {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional(path) => (path, false),
        ClientCertificates::Required(path) => (path, true),
    };
    let unusable = |reason: String| GatewayError::Certificate { path: path.clone(), reason };
    let mut authorities = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        authorities.add(certificate).map_err(|error| unusable(format!("not an authority: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(provider));
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map(|verifier| Some(verifier as _)).map_err(|error| unusable(error.to_string()))
}

/// The certificates of a PEM file; at least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, GatewayError> {
    let unusable = |reason: String| GatewayError::Certificate { path: path.into(), reason };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("no certificate in it: expected PEM blocks `BEGIN CERTIFICATE`".into()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
