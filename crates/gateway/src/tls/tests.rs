use std::{path::PathBuf, sync::Arc};

use bartizan_config::{Certificate, ClientCertificates, Hardening, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::server_config;
use crate::connection::{
    ListenerKind,
    harness::{Running, read_all, settings, start, statuses},
};

/// An authority whose certificates and keys are files in a folder.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for `names`, in the files `file`.pem and `file`.key.
    fn issue(&self, file: &str, names: &[&str]) -> Certificate {
        let params =
            CertificateParams::new(names.iter().map(|name| (*name).into()).collect::<Vec<_>>()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |extension: &str| self.folder.path().join(file).with_extension(extension);
        std::fs::write(path("pem"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        Certificate { cert: path("pem"), key: path("key") }
    }

    /// A client's certificate with one name of every kind.
    fn issue_client(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            SanType::URI("spiffe://shop.test/orders".try_into().unwrap()),
            SanType::DnsName("Orders.shop.test".try_into().unwrap()),
            SanType::Rfc822Name("orders@shop.test".try_into().unwrap()),
        ];
        params.distinguished_name.push(DnType::CommonName, "orders");
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        shows: bool,
        alpn: &[&[u8]],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = if shows {
            let (certificate, key) = self.issue_client();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

fn files(certificates: Vec<Certificate>, client_certificates: ClientCertificates) -> Tls {
    Tls::Files { certificates, client_certificates }
}

fn serve(tls: &Tls) -> Running {
    let mut settings = settings(Hardening::default());
    settings.tls = Some(server_config(tls).unwrap());
    start(ListenerKind::Https, settings)
}

async fn connect(
    running: &Running,
    config: &Arc<ClientConfig>,
    name: &'static str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(Arc::clone(config));
    connector.connect(ServerName::try_from(name).unwrap(), running.connect().await).await
}

/// Asks for `path` and reads to the end.
async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The names in the certificate that the server presents for `name`.
async fn presented(running: &Running, config: &Arc<ClientConfig>, name: &'static str) -> Vec<String> {
    let stream = connect(running, config, name).await.unwrap();
    let certificate = &stream.get_ref().1.peer_certificates().unwrap()[0];
    super::read_client_certificate(certificate).unwrap().dns_names
}

#[tokio::test]
async fn both_versions_and_both_protocols_are_spoken() {
    let authority = Authority::new("authority");
    let running = serve(&files(vec![authority.issue("a", &["a.test"])], ClientCertificates::Off));
    for (version, name) in [(&version::TLS12, "TLSv1.2"), (&version::TLS13, "TLSv1.3")] {
        let client = authority.client(&[version], false, &[b"http/1.1"]);
        let answer = get(&mut connect(&running, &client, "a.test").await.unwrap(), "/tls").await.unwrap();
        let expected = format!("Some((\"{name}\", Some(\"a.test\"), Some(\"http/1.1\")))");
        assert!(answer.ends_with(&expected), "{answer}");

        let client = authority.client(&[version], false, &[b"http/1.1", b"h2"]);
        let stream = connect(&running, &client, "a.test").await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("https://a.test/x").body(()).unwrap();
        assert_eq!(client.send_request(request, true).unwrap().0.await.unwrap().status(), 200);
    }
    let client = authority.client(&[&version::TLS13], false, &[b"spdy/3"]);
    assert!(connect(&running, &client, "a.test").await.is_err());
    let client = authority.client(&[&version::TLS13], false, &[]);
    let answer = get(&mut connect(&running, &client, "a.test").await.unwrap(), "/tls").await.unwrap();
    assert_eq!(statuses(&answer), [200]);
}

#[tokio::test]
async fn the_server_name_chooses_the_certificate() {
    let authority = Authority::new("authority");
    let certificates = vec![
        authority.issue("a", &["a.test"]),
        authority.issue("b", &["b.test", "www.b.test"]),
        authority.issue("w", &["*.b.test"]),
    ];
    let running = serve(&files(certificates, ClientCertificates::Off));
    let mut client = (*authority.client(&[&version::TLS13], false, &[])).clone();
    client.dangerous().set_certificate_verifier(Arc::new(accept_any::AnyName(aws_lc_rs::default_provider())));
    let client = Arc::new(client);
    for (name, names) in [
        ("a.test", &["a.test"][..]),
        ("b.test", &["b.test", "www.b.test"]),
        ("WWW.b.test", &["b.test", "www.b.test"]),
        ("api.b.test", &["*.b.test"]),
        ("x.api.b.test", &["a.test"]),
        ("unknown.test", &["a.test"]),
        ("127.0.0.1", &["a.test"]),
    ] {
        assert_eq!(presented(&running, &client, name).await, names, "{name}");
    }
}

/// Verifies the signature but not the name.
mod accept_any {
    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::CryptoProvider,
    };
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    #[derive(Debug)]
    pub(super) struct AnyName(pub(super) CryptoProvider);

    impl ServerCertVerifier for AnyName {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_as_configured() {
    let (authority, stranger) = (Authority::new("authority"), Authority::new("stranger"));
    let both = [&version::TLS12, &version::TLS13];
    let certificate = authority.issue("a", &["a.test"]);
    let ask = async |policy: ClientCertificates, client: &Arc<ClientConfig>| {
        let running = serve(&files(vec![certificate.clone()], policy));
        let mut stream = connect(&running, client, "a.test").await.ok()?;
        get(&mut stream, "/who").await.ok()
    };
    // The stranger's client trusts the server, the server does not trust the stranger.
    let mut strange = (*authority.client(&both, false, &[])).clone();
    let (shown, key) = stranger.issue_client();
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
    let resolver = rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(vec![shown], key));
    strange.client_auth_cert_resolver = Arc::new(resolver);
    let strange = Arc::new(strange);
    let (showing, silent) = (authority.client(&both, true, &[]), authority.client(&both, false, &[]));

    let (optional, required) =
        (ClientCertificates::Optional(authority.ca()), ClientCertificates::Required(authority.ca()));
    let known = "Some([\"spiffe://shop.test/orders\"])";
    for (policy, client, expected) in [
        (ClientCertificates::Off, &showing, Some("None")),
        (optional.clone(), &showing, Some(known)),
        (optional.clone(), &silent, Some("None")),
        (optional, &strange, None),
        (required.clone(), &showing, Some(known)),
        (required.clone(), &silent, None),
        (required, &strange, None),
    ] {
        let answer = ask(policy.clone(), client).await;
        let with_certificate = client.client_auth_cert_resolver.has_certs();
        match expected {
            Some(end) => assert!(
                answer.as_ref().is_some_and(|answer| answer.ends_with(end)),
                "{policy:?} {with_certificate}: {answer:?}"
            ),
            None => assert_eq!(answer, None, "{policy:?} {with_certificate}"),
        }
    }
}

#[test]
fn all_names_of_a_client_certificate_are_read() {
    let (certificate, _) = Authority::new("authority").issue_client();
    let names = super::read_client_certificate(&certificate).unwrap();
    assert_eq!(names.uris, ["spiffe://shop.test/orders"]);
    assert_eq!(names.dns_names, ["orders.shop.test"]);
    assert_eq!(names.emails, ["orders@shop.test"]);
    assert!(names.subject.contains("CN=orders"), "{}", names.subject);
    let digest = aws_lc_rs_digest(&certificate);
    assert_eq!(names.fingerprint, digest);
    assert!(super::read_client_certificate(&CertificateDer::from(vec![1, 2, 3])).is_none());
}

fn aws_lc_rs_digest(bytes: &[u8]) -> [u8; 32] {
    ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().unwrap()
}

#[tokio::test]
async fn a_reload_serves_new_handshakes_with_new_certificates() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let running = serve(&files(vec![old.issue("a", &["a.test"])], ClientCertificates::Off));
    let (of_old, of_new) =
        (old.client(&[&version::TLS13], false, &[]), new.client(&[&version::TLS13], false, &[]));
    let mut before = connect(&running, &of_old, "a.test").await.unwrap();
    assert!(connect(&running, &of_new, "a.test").await.is_err());

    let mut reloaded = settings(Hardening::default());
    let tls = files(vec![new.issue("a", &["a.test"])], ClientCertificates::Off);
    reloaded.tls = Some(server_config(&tls).unwrap());
    running.settings.store(Arc::new(reloaded));
    connect(&running, &of_new, "a.test").await.unwrap();
    // Tickets of the old certificate resume nothing.
    assert!(connect(&running, &of_old, "a.test").await.is_err());
    assert_eq!(statuses(&get(&mut before, "/x").await.unwrap()), [200]);
}

#[tokio::test]
async fn sessions_are_resumed() {
    let authority = Authority::new("authority");
    let running = serve(&files(vec![authority.issue("a", &["a.test"])], ClientCertificates::Off));
    for version in [&version::TLS12, &version::TLS13] {
        let client = authority.client(&[version], false, &[]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(&running, &client, "a.test").await.unwrap();
            get(&mut stream, "/x").await.unwrap();
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
    }
}

#[tokio::test]
async fn the_development_certificate_is_for_this_machine() {
    let running = serve(&Tls::Dev);
    let mut client = (*Authority::new("nobody").client(&[&version::TLS13], false, &[])).clone();
    client.dangerous().set_certificate_verifier(Arc::new(accept_any::AnyName(aws_lc_rs::default_provider())));
    let client = Arc::new(client);
    assert_eq!(presented(&running, &client, "localhost").await, ["localhost"]);
}

#[tokio::test]
async fn plain_http_on_the_https_port_gets_no_answer() {
    let running = serve(&Tls::Dev);
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!(answer, "");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new("authority");
    let (a, b) = (authority.issue("a", &["a.test"]), authority.issue("b", &["b.test"]));
    let empty = authority.folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let off = ClientCertificates::Off;
    let with = |cert: &PathBuf, key: &PathBuf| vec![Certificate { cert: cert.clone(), key: key.clone() }];
    let missing = PathBuf::from("/nowhere/cert.pem");
    for (tls, says) in [
        (files(with(&a.cert, &b.key), off.clone()), ["b.key", "does not belong to the certificate"]),
        (files(with(&missing, &a.key), off.clone()), ["/nowhere/cert.pem", ""]),
        (files(with(&empty, &a.key), off.clone()), ["empty.pem", "no certificate in it"]),
        (files(with(&a.cert, &empty), off.clone()), ["empty.pem", ""]),
        (files(with(&a.cert, &a.cert), off), ["a.pem", ""]),
        (
            files(vec![a.clone()], ClientCertificates::Optional(empty.clone())),
            ["empty.pem", "no certificate in it"],
        ),
        (files(vec![a.clone()], ClientCertificates::Required(missing.clone())), ["/nowhere/cert.pem", ""]),
    ] {
        let error = server_config(&tls).unwrap_err().to_string();
        assert!(says.iter().all(|part| error.contains(part)), "{says:?}: {error}");
    }
}
