//! Which certificate answers which server name.

use std::{collections::HashMap, sync::Arc};

use bartizan_config::Certificate;
use rustls::{
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::read_certificates;
use crate::GatewayError;

/// What a self-signed certificate is good for.
const DEV_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Certificates by the names they are valid for, in the order of the configuration.
#[derive(Debug)]
pub(super) struct Certificates {
    first: Arc<CertifiedKey>,
    /// Lower-case names; `*.example.test` as written. A name may have several, with keys of different kinds.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
}

impl Certificates {
    /// Reads certificates and keys and makes sure that they belong together.
    pub(super) fn load(
        certificates: &[Certificate],
        provider: &CryptoProvider,
    ) -> Result<Self, GatewayError> {
        let loaded: Vec<_> =
            certificates.iter().map(|certificate| load(certificate, provider)).collect::<Result<_, _>>()?;
        Self::new(loaded).ok_or(GatewayError::Tls(rustls::Error::NoCertificatesPresented))
    }

    /// A new certificate for this machine alone.
    pub(super) fn self_signed(provider: &CryptoProvider) -> Result<Self, GatewayError> {
        let general = |error: rcgen::Error| rustls::Error::General(error.to_string());
        let made = rcgen::generate_simple_self_signed(DEV_NAMES.map(String::from)).map_err(general)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, provider)?;
        Self::new(vec![Arc::new(key)]).ok_or(GatewayError::Tls(rustls::Error::NoCertificatesPresented))
    }

    fn new(certificates: Vec<Arc<CertifiedKey>>) -> Option<Self> {
        let first = Arc::clone(certificates.first()?);
        let mut by_name: HashMap<String, Vec<_>> = HashMap::new();
        for certificate in certificates {
            for name in dns_names(&certificate) {
                by_name.entry(name).or_default().push(Arc::clone(&certificate));
            }
        }
        Some(Self { first, by_name })
    }

    /// The certificates for `name`: those that say it, else those with a wildcard for its first label.
    fn named(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let name = name.to_ascii_lowercase();
        let found = self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        });
        found.map_or(&[], Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().map_or(&[][..], |name| self.named(name));
        let schemes = hello.signature_schemes();
        let usable = named.iter().find(|certificate| certificate.key.choose_scheme(schemes).is_some());
        Some(Arc::clone(usable.unwrap_or(&self.first)))
    }
}

fn load(certificate: &Certificate, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, GatewayError> {
    let chain = read_certificates(&certificate.cert)?;
    let unusable = |reason: String| GatewayError::Certificate { path: certificate.key.clone(), reason };
    let key = PrivateKeyDer::from_pem_file(&certificate.key).map_err(|error| unusable(error.to_string()))?;
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        unusable(match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key does not belong to the certificate in `{}`", certificate.cert.display())
            }
            other => other.to_string(),
        })
    })?;
    Ok(Arc::new(key))
}

/// The names a certificate is valid for, in lower case; none if it cannot be read.
fn dns_names(certificate: &CertifiedKey) -> Vec<String> {
    let Some(Ok((_, leaf))) = certificate.cert.first().map(|leaf| X509Certificate::from_der(leaf)) else {
        return Vec::new();
    };
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}
