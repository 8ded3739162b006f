//! TLS towards the upstream: verified both ways, versions negotiated.

use std::{fs, path::PathBuf, sync::Arc};

use http::Version;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::{
    RootCertStore, ServerConfig, crypto::aws_lc_rs::default_provider, server::WebPkiClientVerifier,
};
use rustls_pki_types::PrivateKeyDer;

use super::{
    backend::{Backend, Speaking, text},
    *,
};

/// An authority and a folder for what it signs.
struct Authority {
    directory: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { directory: tempfile::tempdir().expect("a directory"), issuer }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }

    fn trusted(&self) -> PathBuf {
        self.file("ca.pem", &self.issuer.pem())
    }

    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).expect("parameters");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn client(&self) -> config::Certificate {
        let (certificate, key) = self.sign("gateway.test");
        config::Certificate {
            cert: self.file("client.pem", &certificate.pem()),
            key: self.file("client.key", &key.serialize_pem()),
        }
    }

    /// A server named `localhost`; with `clients`, one that wants a certificate of this authority.
    fn server(&self, protocols: &[&str], clients: bool) -> Speaking {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = self.sign("localhost");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut tls = builder.with_single_cert(vec![certificate.der().clone()], key).expect("a server");
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Speaking { tls: Some(Arc::new(tls)), ..Speaking::default() }
    }
}

async fn start(speaking: Speaking) -> Backend {
    let answer =
        |request: Request<hyper::body::Incoming>| async move { text(format!("{:?}", request.version())) };
    Backend::speaking(speaking, answer).await.named("localhost")
}

#[tokio::test]
async fn the_version_is_negotiated() {
    use config::Protocol::{Auto, Http1, Http2};
    let both = ["h2", "http/1.1"].as_slice();
    let authority = Authority::named("known");
    for (protocol, offered, spoken) in [
        (Auto, both, Version::HTTP_2),
        (Auto, ["http/1.1"].as_slice(), Version::HTTP_11),
        (Auto, [].as_slice(), Version::HTTP_11),
        (Http1, both, Version::HTTP_11),
        (Http2, both, Version::HTTP_2),
    ] {
        let backend = start(authority.server(offered, false)).await;
        let mut settings = settings(&[&backend]);
        settings.protocol = protocol;
        settings.tls.ca = Some(authority.trusted());
        let upstream = upstream(settings);
        for _ in 0..3 {
            let (_, body) = fetch(&upstream, get()).await.expect("an answer");
            assert_eq!(body, format!("{spoken:?}"), "{protocol:?} {offered:?}");
        }
        assert_eq!(backend.connections(), 1);
    }
}

#[tokio::test]
async fn requests_before_the_version_is_known_do_not_stampede() {
    let authority = Authority::named("known");
    let backend = start(authority.server(&["h2", "http/1.1"], false)).await;
    let mut settings = settings(&[&backend]);
    settings.tls.ca = Some(authority.trusted());
    let upstream = upstream(settings);
    let sent: Vec<_> = (0..20)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream, get()).await.map(drop) })
        })
        .collect();
    for sent in sent {
        sent.await.expect("joined").expect("an answer");
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn who_cannot_be_verified_gets_nothing() {
    let (authority, stranger) = (Authority::named("known"), Authority::named("stranger"));
    let backend = start(authority.server(&[], false)).await;
    for (ca, server_name, reason) in [
        (Some(stranger.trusted()), None, "UnknownIssuer"),
        // The system's authorities do not know it either.
        (None, None, "UnknownIssuer"),
        (Some(authority.trusted()), Some("elsewhere.test"), "not valid for name"),
    ] {
        let mut settings = settings(&[&backend]);
        settings.tls =
            config::UpstreamTls { ca, certificate: None, server_name: server_name.map(str::to_owned) };
        let error = fetch(&upstream(settings), get()).await.expect_err("refused");
        assert!(matches!(error, UpstreamError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(backend.requests(), 0);
}

#[tokio::test]
async fn the_name_to_verify_can_differ_from_the_host() {
    let authority = Authority::named("known");
    let backend = start(authority.server(&[], false)).await.named("127.0.0.1");
    let mut settings = settings(&[&backend]);
    settings.tls.ca = Some(authority.trusted());
    settings.tls.server_name = Some("localhost".to_owned());
    fetch(&upstream(settings), get()).await.expect("an answer");
}

#[tokio::test]
async fn a_client_certificate_is_presented_when_configured() {
    let authority = Authority::named("known");
    let backend = start(authority.server(&[], true)).await;
    let mut settings = settings(&[&backend]);
    settings.tls.ca = Some(authority.trusted());
    fetch(&upstream(settings.clone()), get()).await.expect_err("the server wants a certificate");
    assert_eq!(backend.requests(), 0);
    settings.tls.certificate = Some(authority.client());
    fetch(&upstream(settings), get()).await.expect("an answer");
}
