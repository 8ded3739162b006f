//! TLS towards a receiver: its certificate is always verified.

use std::{fs, path::Path, sync::Arc};

use bartizan_config::{Certificate, ExportTls};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::ExportError;

/// What a connection over TLS begins with.
pub(super) fn client(tls: &ExportTls) -> Result<Arc<ClientConfig>, ExportError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(path, &error))?;
            }
        }
        // What of the system's cannot be read is not trusted.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(Path::new("TLS"), &error))?
        .with_root_certificates(roots);
    let config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(Certificate { cert, key }) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
            builder
                .with_client_auth_cert(certificates(cert)?, private)
                .map_err(|error| unusable(cert, &error))?
        }
    };
    Ok(Arc::new(config))
}

/// The same for a client of HTTP.
pub(super) fn http(
    tls: &ExportTls,
    mut builder: reqwest::ClientBuilder,
) -> Result<reqwest::ClientBuilder, ExportError> {
    if let Some(path) = &tls.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?);
        builder = builder.tls_certs_only(certificates.map_err(|error| unusable(path, &error))?);
    }
    if let Some(Certificate { cert, key }) = &tls.certificate {
        let pem = [read(cert)?, b"\n".to_vec(), read(key)?].concat();
        let identity = reqwest::Identity::from_pem(&pem).map_err(|error| unusable(cert, &error))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ExportError> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?.collect();
    let certificates = certificates.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() { Err(unusable(path, &"it holds no certificate")) } else { Ok(certificates) }
}

fn read(path: &Path) -> Result<Vec<u8>, ExportError> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, reason: &impl ToString) -> ExportError {
    ExportError::Certificate { path: path.into(), reason: reason.to_string() }
}
