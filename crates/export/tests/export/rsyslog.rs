//! rsyslog, a syslog server that is not ours: over TLS with certificates on both sides.
//!
//! Debian's `rsyslog` and `rsyslog-gnutls`. Where they are missing the test says so and is skipped, except in CI (`CI` is
//! set), where it fails.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bartizan_events::{Kind, Tap};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::{PATIENCE, events, ids, start};

const PROGRAM: &str = "/usr/sbin/rsyslogd";

/// Stopped however the test ends.
struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_installed() -> bool {
    let is_there = Path::new(PROGRAM).exists()
        && fs::read_dir("/usr/lib")
            .unwrap()
            .flatten()
            .any(|entry| entry.path().join("rsyslog/lmnsd_gtls.so").exists());
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "`rsyslog` and `rsyslog-gnutls` are not installed");
        eprintln!("SKIPPED: `rsyslog` and `rsyslog-gnutls` are not installed: `cargo xtask setup`");
    }
    is_there
}

/// Certificates: `ca.pem`, and `NAME.pem` with `NAME.key` for the server, the client, and a client of another authority.
fn certificates(folder: &Path) {
    for (ca, names) in [("ca", &["server", "client"][..]), ("strangers-ca", &["stranger"])] {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, ca);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join(format!("{ca}.pem")), issuer.pem()).unwrap();
        for name in names {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, *name);
            let certificate = params.signed_by(&key, &issuer).unwrap();
            fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
            let path = folder.join(format!("{name}.key"));
            fs::write(&path, key.serialize_pem()).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

impl Server {
    /// Starts one that writes every message into `messages`, and waits until it listens.
    fn start(folder: &Path, port: u16) -> Self {
        let shown = folder.display();
        let configuration = format!(
            r#"global(workDirectory="{shown}" maxMessageSize="256k" parser.escapeControlCharactersOnReceive="off"
       defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{shown}/ca.pem"
       defaultNetstreamDriverCertFile="{shown}/server.pem" defaultNetstreamDriverKeyFile="{shown}/server.key")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="all" type="string" string="%structured-data%\t%msg%\n")
action(type="omfile" file="{shown}/messages" template="all" asyncWriting="off" flushOnTXEnd="on")
"#
        );
        let path = folder.join("rsyslog.conf");
        fs::write(&path, configuration).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["-n", "-i"]).arg(folder.join("pid")).arg("-f").arg(path);
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let server = Self { child, port, folder: folder.into() };
        server.until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{what} did not come true: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has received: the id of the structured data, and of the message.
    fn received(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.folder.join("messages")).unwrap_or_default();
        let of = |line: &str| {
            let (data, message) = line.split_once('\t')?;
            let uid = data.split("uid=\"").nth(1)?.split('"').next()?.to_owned();
            let event: Value = serde_json::from_str(message.trim()).ok()?;
            Some((uid, event["metadata"]["uid"].as_str()?.to_owned()))
        };
        text.lines().filter_map(of).collect()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn export(port: u16, client: &str) -> String {
    format!(
        "{{ siem: {{ syslog: {{ to: \"tls://localhost:{port}\", tls: {{ ca: ./ca.pem, cert: ./{client}.pem, key: ./{client}.key }} }} }} }}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsyslog_has_every_event_also_those_of_the_time_it_was_away() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let port = free_port();
    let exports = start(folder.path(), &export(port, "client"));
    let mut sent = events(Kind::AttackDetected, 3);
    sent[1].message = "two\nlines and \"quotes\" | = ] \\".into();
    exports.take(&sent);
    // Nobody is there yet.
    let began = Instant::now();
    while !exports.status()[0].is_failing {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let server = Server::start(folder.path(), port);
    let expected: Vec<_> = ids(&sent).into_iter().map(|id| (id.clone(), id)).collect();
    server.until("rsyslog has them", || server.received() == expected);
    let tested = exports.test("siem").await.unwrap();
    assert!(tested.is_delivered, "{tested:?}");
    server.until("rsyslog has the test", || server.received().len() == expected.len() + 1);
    exports.finish().await;
    assert_eq!(server.port, port);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_rsyslog_does_not_know_delivers_nothing() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let server = Server::start(folder.path(), free_port());
    let exports = start(folder.path(), &export(server.port, "stranger"));
    let tested = exports.test("siem").await.unwrap();
    assert!(!tested.is_delivered, "{tested:?}");
    assert_eq!(server.received(), []);
    exports.finish().await;
}
