//! TLS towards Redis: an authority of one's own, a client certificate, and nothing that is not verified.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use bartizan_config::{Certificate, SharedTls};
use bartizan_limits::{LimitsError, RedisSettings, RedisStore};
use bartizan_model::Algorithm;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::{
    eventually::eventually,
    server::{Server, free_port, programs},
    store::{charge, connected, decide, left, limit, settings},
};

/// Issues certificates into a folder.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Authority of a story");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for this host.
    fn issue(&self, host: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files =
            Certificate { cert: self.file(&format!("{host}.pem")), key: self.file(&format!("{host}.key")) };
        fs::write(&files.cert, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn trusted(&self) -> SharedTls {
        SharedTls { ca: Some(self.file("ca.pem")), certificate: None }
    }
}

/// A server that speaks TLS only. Whether clients must present a certificate is `clients`.
fn secure(program: &Path, authority: &Authority, certificate: &Certificate, clients: &str) -> Server {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let attempt = |_| secure_on(free(), program, authority, certificate, clients);
    (0..5).find_map(attempt).expect("no server started: is it built with TLS?")
}

fn secure_on(
    port: u16,
    program: &Path,
    authority: &Authority,
    certificate: &Certificate,
    clients: &str,
) -> Option<Server> {
    let mut arguments = speaking_tls(port, authority, certificate, clients);
    arguments.extend(["--port", "0"].map(str::to_owned));
    Server::start_on(&program.to_path_buf(), port, &words(&arguments))
}

fn speaking_tls(port: u16, authority: &Authority, certificate: &Certificate, clients: &str) -> Vec<String> {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let arguments = [
        ["--tls-port".to_owned(), port.to_string()],
        ["--tls-cert-file".to_owned(), path(&certificate.cert)],
        ["--tls-key-file".to_owned(), path(&certificate.key)],
        ["--tls-ca-cert-file".to_owned(), path(&authority.file("ca.pem"))],
        ["--tls-auth-clients".to_owned(), clients.to_owned()],
    ];
    arguments.concat()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Three nodes that speak TLS with each other and with clients, and plainly with an operator. And their ports for TLS.
async fn secure_cluster(program: &Path, authority: &Authority) -> (Vec<Server>, Vec<u16>) {
    let certificate = authority.issue("127.0.0.1");
    let (mut nodes, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let port = free_port();
        let mut arguments = speaking_tls(port, authority, &certificate, "no");
        let clustered =
            ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--tls-cluster", "yes"];
        arguments.extend(clustered.map(str::to_owned));
        nodes.push(Server::start(&program.to_path_buf(), &words(&arguments)));
        ports.push(port);
    }
    let name = program.file_name().unwrap().to_str().unwrap().replace("server", "cli");
    let mut create = Command::new(program.with_file_name(name));
    create.arg("--tls").arg("--cacert").arg(authority.file("ca.pem")).args(["--cluster", "create"]);
    create.args(ports.iter().map(|port| format!("127.0.0.1:{port}"))).arg("--cluster-yes");
    let output = create.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    eventually("all nodes to agree", async || {
        nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
    })
    .await;
    (nodes, ports)
}

fn by_tls(server: &Server, tls: SharedTls) -> RedisSettings {
    RedisSettings { tls, ..settings(&[format!("rediss://127.0.0.1:{}", server.port)]) }
}

/// Why no connection comes about.
async fn refused(settings: &RedisSettings) -> String {
    let store = RedisStore::connect(settings).unwrap();
    let five = limit("login", Algorithm::FixedWindow, 5);
    let mut cause = String::new();
    eventually("an attempt to fail", async || {
        let error = decide(&store, &five).await.unwrap_err();
        let LimitsError::NotConnected(why) = error else { return false };
        why.as_ref().clone_into(&mut cause);
        cause != "still connecting"
    })
    .await;
    cause
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_no_other() {
    for program in programs() {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let server = secure(&program, &ours, &ours.issue("127.0.0.1"), "no");
        let store = connected(&by_tls(&server, ours.trusted())).await;
        assert!(decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await.unwrap().is_admitted());
        for strange in [SharedTls::default(), theirs.trusted()] {
            let cause = refused(&by_tls(&server, strange)).await;
            assert!(cause.contains("invalid peer certificate"), "{cause}");
        }
        let plain = settings(&[server.url()]);
        let store = RedisStore::connect(&plain).unwrap();
        let outcome = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await;
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    for program in programs() {
        let authority = Authority::new();
        let server = secure(&program, &authority, &authority.issue("elsewhere.test"), "no");
        let cause = refused(&by_tls(&server, authority.trusted())).await;
        assert!(cause.contains("not valid for name"), "{cause}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_it() {
    for program in programs() {
        let authority = Authority::new();
        let server = secure(&program, &authority, &authority.issue("127.0.0.1"), "yes");
        let certificate = Some(authority.issue("gateway.test"));
        let store = connected(&by_tls(&server, SharedTls { certificate, ..authority.trusted() })).await;
        assert!(decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await.unwrap().is_admitted());
        let without = refused(&by_tls(&server, authority.trusted())).await;
        assert!(!without.is_empty());
    }
}

#[tokio::test]
async fn a_cluster_is_reached_by_tls_on_every_node() {
    for program in programs() {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let (nodes, ports) = secure_cluster(&program, &ours).await;
        let by_tls = |tls| {
            let first: String = format!("rediss://127.0.0.1:{}", ports[0]);
            RedisSettings { is_cluster: true, tls, ..settings(&[first]) }
        };
        let store = connected(&by_tls(ours.trusted())).await;
        let limits: Vec<_> =
            (0..12).map(|number| limit(&format!("limit-{number}"), Algorithm::FixedWindow, 5)).collect();
        let charges: Vec<_> = limits.iter().map(|limit| charge(limit, b"somebody")).collect();
        for is_admitted in [true, true, true, true, true, false] {
            assert_eq!(store.decide(&charges).await.unwrap().is_admitted(), is_admitted);
        }
        assert_eq!(left(&store, &limits[0]).await, 0);
        let sizes: Vec<_> = nodes.iter().map(|node| node.command(&["DBSIZE"])).collect();
        assert!(sizes.iter().all(|size| size.trim() != "0"), "not on all nodes: {sizes:?}");
        assert!(!refused(&by_tls(theirs.trusted())).await.is_empty());
    }
}

#[tokio::test]
async fn renewed_files_are_read_for_the_next_connection() {
    for program in programs() {
        let (old, new) = (Authority::new(), Authority::new());
        let server = secure(&program, &old, &old.issue("127.0.0.1"), "no");
        let tls = old.trusted();
        let store = connected(&by_tls(&server, tls.clone())).await;
        let (port, five) = (server.port, limit("login", Algorithm::FixedWindow, 5));
        drop(server);
        fs::copy(new.file("ca.pem"), tls.ca.unwrap()).unwrap();
        let (certificate, mut restarted) = (new.issue("127.0.0.1"), None);
        eventually("the port to be free", async || {
            restarted = secure_on(port, &program, &new, &certificate, "no");
            restarted.is_some()
        })
        .await;
        eventually("recovery", async || decide(&store, &five).await.is_ok()).await;
    }
}

#[tokio::test]
async fn files_that_hold_nothing_useful_are_refused_at_the_start() {
    let authority = Authority::new();
    let (missing, empty, words) =
        (authority.file("missing"), authority.file("empty"), authority.file("words"));
    fs::write(&empty, "").unwrap();
    fs::write(&words, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let good = authority.issue("gateway.test");
    let ca = |ca: &Path| SharedTls { ca: Some(ca.to_path_buf()), certificate: None };
    let presenting = |cert: &Path, key: &Path| SharedTls {
        ca: None,
        certificate: Some(Certificate { cert: cert.to_path_buf(), key: key.to_path_buf() }),
    };
    let cases = [
        (ca(&missing), "cannot be read"),
        (ca(&empty), "holds no PEM certificate"),
        (ca(&good.key), "holds no PEM certificate"),
        (ca(&words), "no certificates"),
        (presenting(&good.cert, &missing), "cannot be read"),
        (presenting(&empty, &good.key), "holds no PEM certificate"),
        (presenting(&good.cert, &empty), "no key"),
        (presenting(&good.cert, &good.cert), "no key"),
    ];
    for (tls, expected) in cases {
        let shown = format!("{tls:?}");
        let settings = RedisSettings { tls, ..settings(&["rediss://127.0.0.1:1".to_owned()]) };
        let outcome = RedisStore::connect(&settings).unwrap_err();
        assert!(outcome.to_string().contains(expected), "{shown}: {outcome}");
    }
}
