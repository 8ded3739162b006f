//! Certificate authorities of a story, and the TLS clients and servers that trust them.

use std::{fs, io, net::SocketAddr, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::harness::PATIENCE;

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Issued {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

// === impl Authority ===

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // A certificate whose issuer is called like itself passes for self-signed.
        params.distinguished_name.push(DnType::CommonName, "Authority of a story");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these host names and addresses.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.sign(&CertificateParams::new(names).unwrap())
    }

    /// A certificate for this URI, as SPIFFE names clients.
    pub(crate) fn issue_to_uri(&self, uri: &str) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        self.sign(&params)
    }

    /// The same, but its time is over.
    pub(crate) fn issue_expired_to_uri(&self, uri: &str) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.not_after = date_time_ymd(2025, 1, 1);
        self.sign(&params)
    }

    /// A TLS client that trusts this authority and shows this certificate.
    pub(crate) fn client_presenting(&self, issued: &Issued) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_root_certificates(self.roots());
        builder.with_client_auth_cert(vec![issued.certificate.clone()], issued.private_key()).unwrap()
    }

    /// A TLS client that trusts this authority and offers these protocols.
    pub(crate) fn client(&self, protocols: &[&str]) -> ClientConfig {
        self.client_speaking(rustls::ALL_VERSIONS, protocols)
    }

    /// The same with these versions of TLS only.
    pub(crate) fn client_speaking(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> ClientConfig {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(self.roots()).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// A reqwest client that trusts this authority only.
    pub(crate) fn browser(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(self.pem().as_bytes()).unwrap()])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
    }

    /// A TLS server that asks every client for a certificate of this authority.
    pub(crate) fn server_that_asks(&self, issued: &Issued) -> ServerConfig {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), provider());
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_client_cert_verifier(verifier.build().unwrap());
        builder.with_single_cert(vec![issued.certificate.clone()], issued.private_key()).unwrap()
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

// === impl Issued ===

impl Issued {
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Writes `NAME.pem` and `NAME.key` in one step each, the key readable by its owner only.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        replace(&folder.join(format!("{name}.key")), &self.key.serialize_pem());
        replace(&folder.join(format!("{name}.pem")), &self.pem);
    }

    /// What a reqwest client presents.
    pub(crate) fn identity(&self) -> reqwest::Identity {
        reqwest::Identity::from_pem(format!("{}{}", self.pem, self.key.serialize_pem()).as_bytes()).unwrap()
    }

    /// A TLS server that shows this certificate and speaks these protocols.
    pub(crate) fn server(&self, protocols: &[&str]) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.unwrap().with_no_client_auth();
        let mut config =
            builder.with_single_cert(vec![self.certificate.clone()], self.private_key()).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// A TLS handshake with the server at `address`, which must be `name` (a host name or an address).
pub(crate) async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Replaces a file in one step, as certificate clients do.
pub(crate) fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&draft).unwrap();
    io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    fs::rename(draft, path).unwrap();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
