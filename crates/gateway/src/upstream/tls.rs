//! TLS towards an upstream: what is trusted, what is presented, and which protocols are offered (RFC 7301).
//!
//! Certificates are always verified; there is no switch to turn that off.

use std::{fs, path::Path, sync::Arc};

use aws_lc_rs::digest;
use bartizan_config as config;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::error::GatewayError;

/// The client's side of TLS, once per set of protocols that is offered.
#[derive(Debug)]
pub(super) struct ClientTls {
    /// What the upstream's `protocol` setting asks for.
    pub(super) configured: Arc<ClientConfig>,
    /// HTTP/1.1 only, for requests that ask for an upgrade.
    pub(super) http1: Arc<ClientConfig>,
}

/// The PEM files behind an upstream, read once.
#[derive(Default)]
pub(super) struct PemFiles {
    ca: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Vec<u8>)>,
    signing_key: Option<Vec<u8>>,
}

impl PemFiles {
    pub(super) fn read(upstream: &config::Upstream) -> Result<Self, GatewayError> {
        let tls = &upstream.tls;
        let signing_key = upstream.signing.as_ref().and_then(|signing| match &signing.material {
            config::SigningMaterial::PrivateKey(path) => Some(path.as_path()),
            config::SigningMaterial::Secret(_) => None,
        });
        Ok(Self {
            signing_key: signing_key.map(read).transpose()?,
            ca: tls.ca.as_deref().map(read).transpose()?,
            certificate: match &tls.certificate {
                Some(certificate) => Some((read(&certificate.cert)?, read(&certificate.key)?)),
                None => None,
            },
        })
    }

    /// Changes when any of the files does, so that a reload picks up new certificates and keys under old names.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        let (chain, key) =
            self.certificate.as_ref().map_or((None, None), |(chain, key)| (Some(chain), Some(key)));
        for file in [self.ca.as_ref(), chain, key, self.signing_key.as_ref()] {
            let length = file.map_or(u64::MAX, |file| file.len() as u64);
            context.update(&length.to_be_bytes());
            context.update(file.map_or(&[], Vec::as_slice));
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        fingerprint
    }
}

impl ClientTls {
    pub(super) fn new(upstream: &config::Upstream, files: &PemFiles) -> Result<Self, GatewayError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(&upstream.tls, files)?);
        let mut tls = match (&upstream.tls.certificate, &files.certificate) {
            (Some(paths), Some((chain, key))) => {
                let chain = certificates(&paths.cert, chain)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable(&paths.key, &error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&paths.cert, &error))?
            }
            _ => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(tls.clone());
        tls.alpn_protocols = match upstream.protocol {
            config::Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            config::Protocol::Http1 => vec![b"http/1.1".to_vec()],
            config::Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(Self { configured: Arc::new(tls), http1 })
    }
}

/// The authorities named, or the system's.
fn roots(tls: &config::UpstreamTls, files: &PemFiles) -> Result<RootCertStore, GatewayError> {
    let mut roots = RootCertStore::empty();
    if let (Some(path), Some(pem)) = (&tls.ca, &files.ca) {
        for certificate in certificates(path, pem)? {
            roots.add(certificate).map_err(|error| unusable(path, &error))?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "an authority of the system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    Ok(roots)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, GatewayError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no PEM certificate"));
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, GatewayError> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> GatewayError {
    GatewayError::Certificate { path: path.to_owned(), reason: reason.to_string() }
}
