//! Exports: what the gateway refuses is known to other systems, also when they were away.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::{
    certificates::{Authority, replace},
    eventually::eventually,
    harness::{Gateway, PATIENCE, cli},
    upstream::Upstream,
};

const RSYSLOG: &str = "/usr/sbin/rsyslogd";

/// rsyslog, stopped however the story ends.
struct Rsyslog {
    child: Child,
    messages: PathBuf,
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Rsyslog {
    /// Listens with TLS on `port`, with the files of `folder`. `None`: it is not installed.
    async fn start(folder: &Path, port: u16) -> Option<Self> {
        if !Path::new(RSYSLOG).exists() {
            assert!(std::env::var_os("CI").is_none(), "`rsyslog` is not installed");
            eprintln!("SKIPPED: `rsyslog` is not installed: `cargo xtask setup`");
            return None;
        }
        let shown = folder.display();
        let configuration = format!(
            r#"global(workDirectory="{shown}" maxMessageSize="256k" defaultNetstreamDriver="gtls"
       defaultNetstreamDriverCAFile="{shown}/ca.pem" defaultNetstreamDriverCertFile="{shown}/server.pem"
       defaultNetstreamDriverKeyFile="{shown}/server.key")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="all" type="string" string="%msg%\n")
action(type="omfile" file="{shown}/messages" template="all" asyncWriting="off" flushOnTXEnd="on")
"#
        );
        std::fs::write(folder.join("rsyslog.conf"), configuration).unwrap();
        let mut command = Command::new(RSYSLOG);
        command.args(["-n", "-i"]).arg(folder.join("pid")).arg("-f").arg(folder.join("rsyslog.conf"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, messages: folder.join("messages") };
        eventually("rsyslog listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Some(server)
    }

    fn has(&self, request: &str) -> bool {
        std::fs::read_to_string(&self.messages).unwrap_or_default().contains(request)
    }
}

/// The events that a collector of Splunk is sent.
fn collector(listener: TcpListener) -> mpsc::UnboundedReceiver<Value> {
    let (sender, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let sender = sender.clone();
                async move {
                    assert_eq!(request.headers()["authorization"], "Splunk a-token-for-splunk");
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        // The story may have ended.
                        let _ = sender.send(serde_json::from_slice(line).unwrap());
                    }
                    let taken = Bytes::from_static(b"{\"text\":\"Success\",\"code\":0}");
                    Ok::<_, Infallible>(Response::new(Full::new(taken)))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    received
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_refusal_is_known_to_rsyslog_and_to_splunk_after_it_was_down() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(&["localhost"]).write(folder.path(), "server");
    replace(&folder.path().join("ca.pem"), &authority.pem());
    let (upstream, syslog, splunk) = (Upstream::start().await, free(), free());
    let Some(rsyslog) = Rsyslog::start(folder.path(), syslog.port()).await else { return };
    let gateway = Gateway::start(&format!(
        "exports:
  siem: {{ syslog: {{ to: \"tls://localhost:{}\", format: cef, tls: {{ ca: {}/ca.pem }} }} }}
  splunk: {{ splunk: {{ url: \"http://{splunk}\", token: a-token-for-splunk }} }}
routes: [{{ path: /orders/**, to: \"{upstream}\", auth: none }}]\n",
        syslog.port(),
        folder.path().display(),
    ))
    .await;
    let refused = gateway.get("/nothing").await;
    assert_eq!(refused.status(), 404);
    let request = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
    eventually("rsyslog has it", async || rsyslog.has(&format!("cs5={request}"))).await;

    let failing = gateway.cli(["exports", "test", "splunk"]).await;
    assert_eq!(failing.code, Some(1), "{failing:?}");
    assert!(failing.stdout.contains("not delivered:"), "{failing:?}");
    let exports = async || -> Value {
        serde_json::from_str(&gateway.cli(["exports", "status", "--json"]).await.succeeded()).unwrap()
    };
    eventually("it is told that Splunk is down", async || exports().await["exports"][1]["failing"] == true)
        .await;
    assert!(exports().await["exports"][1]["waiting_bytes"].as_u64().unwrap() > 0);

    let mut received = collector(TcpListener::bind(splunk).await.unwrap());
    let found = async {
        loop {
            let entry = received.recv().await.unwrap();
            if entry["event"]["metadata"]["correlation_uid"] == request.as_str() {
                return entry;
            }
        }
    };
    let entry = timeout(PATIENCE, found).await.expect("Splunk has nothing");
    assert_eq!(entry["event"]["bartizan"]["reason"], "route_not_found");
    gateway.cli(["exports", "test", "splunk"]).await.succeeded();
    let table = gateway.cli(["exports", "status"]).await.succeeded();
    assert!(table.contains("siem") && table.contains("works"), "{table}");
    assert!(gateway.metric("bartizan_export_sent_total{export=\"siem\"}").await >= 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_document_with_an_export_that_cannot_be_used_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("bartizan.yaml");
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nexports:\n  archive:\n    file: { directory: ./archive }\n    \
                only: { types: [atack_detected] }\n\
                routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]\n";
    std::fs::write(&config, text).unwrap();
    let said = cli(["check", config.to_str().unwrap()]).await.failed_with(2);
    assert!(said.contains("`atack_detected` is no type of event") && said.contains(":6:"), "{said}");
    assert!(said.contains("attack_detected`"), "{said}");
}
