//! The harness: one real `bartizan`, real sockets, nothing in between.
//!
//! A story reads like this:
//!
//! ```ignore
//! let shop = Upstream::start().await;
//! let gateway = Gateway::start(&format!("routes: [{{ path: /**, to: \"{shop}\", auth: none }}]")).await;
//!
//! let response = gateway.get("/products").await;                     // through the HTTP listener, by reqwest
//! assert_eq!(response.status(), 200);
//! let answer = gateway.raw(b"GET / HTTP/1.1\r\n\r\n").await;         // byte by byte, until the gateway closes
//! assert_eq!(answer.code(), Some("malformed_request"));
//! let refusal = gateway.log(|line| line["code"] == "malformed_request").await;   // waits for the line
//! gateway.cli(["explain", answer.request_id()]).await.succeeded();   // a command that talks to this gateway
//! shop.received().await;                                             // what the upstream saw
//! gateway.stop().await;                                              // SIGTERM, drained, exit code 0
//! ```
//!
//! - [`Gateway::start`] puts `version` and `listen` (port 0 everywhere) in front of a document that has none.
//!   [`Gateway::launch`] changes the environment or inherits sockets before the start.
//! - A start is over when the gateway says `READY=1` to its `NOTIFY_SOCKET`; nothing polls and nothing sleeps.
//! - Everything that waits gives up after [`PATIENCE`] with the gateway's log in the message.
//! - Dropping a gateway kills it; [`Gateway::stop`] is what a story that cares ends with.
//!
//! [`Upstream`] and [`RawConnection`] are in `upstream.rs` and `raw.rs`.
//!
//! [`Upstream`]: crate::upstream::Upstream
//! [`RawConnection`]: crate::raw::RawConnection

use std::{
    ffi::{OsStr, OsString},
    future::Future,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    output::Output,
    raw::{RawAnswer, RawConnection},
};

/// How long anything may take on a slow and busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Put in front of a document without `listen:`.
const PREAMBLE: &str =
    "version: 1\nlisten: { http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\n";

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    folder: Arc<TempDir>,
    notify: UnixDatagram,
    running: Value,
    stdout: Output,
    stderr: Output,
    client: reqwest::Client,
}

/// A gateway about to start.
pub(crate) struct Launch {
    folder: Arc<TempDir>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    socket: Option<TcpListener>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Gateway ===

impl Gateway {
    /// `bartizan run -c` with this document, ready.
    pub(crate) async fn start(document: &str) -> Self {
        Self::launch(document).start().await
    }

    /// The same, not yet started.
    pub(crate) fn launch(document: &str) -> Launch {
        let folder = Arc::new(TempDir::new().unwrap());
        let config = folder.path().join("bartizan.yaml");
        std::fs::write(&config, whole(document)).unwrap();
        Launch::new(folder, ["run".into(), "--config".into(), config.into_os_string()])
    }

    /// `bartizan` with these arguments, which must start a gateway.
    pub(crate) fn launch_with<const N: usize>(arguments: [&str; N]) -> Launch {
        Launch::new(Arc::new(TempDir::new().unwrap()), arguments.map(OsString::from))
    }

    /// A gateway that takes over from this one: same document, same state directory.
    pub(crate) fn successor(&self) -> Launch {
        let config = self.config_path().into_os_string();
        Launch::new(Arc::clone(&self.folder), ["run".into(), "--config".into(), config])
    }

    /// The HTTP listener.
    pub(crate) fn http(&self) -> SocketAddr {
        self.address("http")
    }

    /// The HTTPS listener.
    pub(crate) fn https(&self) -> SocketAddr {
        self.address("https")
    }

    /// The admin API.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.address("admin")
    }

    /// Metrics and health.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.address("metrics")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the gateway still runs")
    }

    /// The folder of the document; files named in it with `./` live here.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("bartizan.yaml")
    }

    pub(crate) fn state_directory(&self) -> PathBuf {
        state_directory(&self.folder)
    }

    /// What `running.json` said at the start.
    pub(crate) fn running(&self) -> &Value {
        &self.running
    }

    /// The bearer token of the admin API.
    pub(crate) fn admin_token(&self) -> String {
        std::fs::read_to_string(self.state_directory().join("admin-token")).unwrap().trim().to_owned()
    }

    /// `http://…/path` on the HTTP listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http())
    }

    /// An ordinary HTTP client that follows no redirect and keeps connections.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// `GET path` through the HTTP listener.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// Sends these bytes to the HTTP listener and reads until the gateway closes the connection.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> RawAnswer {
        let mut connection = RawConnection::open(self.http()).await;
        connection.send(bytes).await;
        connection.read_to_end().await
    }

    /// Asks the admin API. `body` makes it a POST of JSON.
    pub(crate) async fn ask_admin(&self, path: &str, body: Option<Value>) -> reqwest::Response {
        let url = format!("http://{}{path}", self.admin());
        let request = match &body {
            Some(body) => self.client.post(url).json(body),
            None => self.client.get(url),
        };
        request.bearer_auth(self.admin_token()).send().await.unwrap()
    }

    /// The value of the metric series that starts with `series` (`name{label="value"`), or 0 if there is none.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.client.get(format!("http://{}/metrics", self.metrics())).send().await.unwrap();
        let text = text.text().await.unwrap();
        let mut values = text.lines().filter(|line| line.starts_with(series));
        values.next().and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
    }

    /// Runs a `bartizan` command against this gateway.
    pub(crate) async fn cli<const N: usize>(&self, arguments: [&str; N]) -> Ended {
        self.cli_with(&[], arguments).await
    }

    /// A `bartizan` command against this gateway, for stories that look on while it runs.
    pub(crate) fn command(&self) -> Command {
        bartizan(&self.folder)
    }

    /// The same with these environment variables.
    pub(crate) async fn cli_with<const N: usize>(
        &self,
        environment: &[(&str, &str)],
        arguments: [&str; N],
    ) -> Ended {
        let mut command = bartizan(&self.folder);
        command.args(arguments).envs(environment.iter().copied());
        end(command).await
    }

    /// Replaces the document in one step, as an editor does.
    pub(crate) fn rewrite(&self, document: &str) {
        let (draft, config) = (self.folder.path().join("draft.yaml"), self.config_path());
        std::fs::write(&draft, whole(document)).unwrap();
        std::fs::rename(draft, config).unwrap();
    }

    /// Waits for a log line (JSON) and returns it. Lines that were logged before count, too.
    pub(crate) async fn log(&self, matching: impl Fn(&Value) -> bool) -> Value {
        let json = |line: &str| serde_json::from_str::<Value>(line).ok().filter(|line| matching(line));
        self.stderr.find(json, "log line").await
    }

    /// Everything on standard error so far.
    pub(crate) fn log_text(&self) -> String {
        self.stderr.text()
    }

    /// Waits for a line on standard output that contains `text`.
    pub(crate) async fn stdout_line(&self, text: &str) -> String {
        self.stdout.find(|line| line.contains(text).then(|| line.to_owned()), text).await
    }

    /// Everything on standard output so far.
    pub(crate) fn stdout_text(&self) -> String {
        self.stdout.text()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for a state that the gateway tells systemd (`STOPPING=1`, `RELOADING=1`).
    pub(crate) async fn notified(&self, state: &str) {
        self.patiently(state, notification(&self.notify, state)).await;
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("the gateway did not end:\n{}", self.stderr.text())).unwrap()
    }

    /// Stops it as an operator does. One that does not end in order is a failure.
    pub(crate) async fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.stderr.text());
    }

    async fn patiently<T>(&self, what: &str, wait: impl Future<Output = T>) -> T {
        let waited = timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("no `{what}` in time:\n{}", self.stderr.text()))
    }

    fn address(&self, key: &str) -> SocketAddr {
        let address = self.running[key].as_str();
        address.unwrap_or_else(|| panic!("`{key}` is not listened on: {}", self.running)).parse().unwrap()
    }
}

// === impl Launch ===

impl Launch {
    fn new<const N: usize>(folder: Arc<TempDir>, arguments: [OsString; N]) -> Self {
        Self { folder, arguments: arguments.into(), environment: Vec::new(), socket: None }
    }

    /// The folder of the document, for files that must be there before the start.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Hands a listening socket over as systemd does (`LISTEN_FDS`).
    pub(crate) fn inherit(mut self, socket: &TcpListener) -> Self {
        self.socket = Some(socket.try_clone().unwrap());
        self
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(self) -> Gateway {
        let path = self.folder.path().join(format!("notify-{}", uniquely()));
        let notify = UnixDatagram::bind(&path).unwrap();
        let folder = Arc::clone(&self.folder);
        let mut child = self.command().env("NOTIFY_SOCKET", path).spawn().unwrap();
        let stdout = Output::follow(child.stdout.take().unwrap());
        let stderr = Output::follow(child.stderr.take().unwrap());
        tokio::select! {
            told = timeout(PATIENCE, notification(&notify, "READY=1")) => {
                assert!(told.is_ok(), "the gateway did not get ready:\n{}", stderr.text());
            }
            status = child.wait() => {
                stderr.closed().await;
                panic!("the gateway did not start ({}):\n{}", status.unwrap(), stderr.text());
            }
        }
        let text = std::fs::read_to_string(state_directory(&folder).join("running.json")).unwrap();
        let running = serde_json::from_str(&text).unwrap();
        Gateway { child, folder, notify, running, stdout, stderr, client: client() }
    }

    fn command(self) -> Command {
        let mut command = bartizan(&self.folder);
        if let Some(socket) = self.socket {
            // The shell moves the inherited standard input to descriptor 3 and becomes the gateway.
            let binary = command.as_std().get_program().to_owned();
            let environment: Vec<_> =
                command.as_std().get_envs().map(|(k, v)| (k.to_owned(), v.map(OsStr::to_owned))).collect();
            command = Command::new("sh");
            command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0 0</dev/null", "sh"]).arg(binary);
            command.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
            command.stdin(Stdio::from(OwnedFd::from(socket)));
            piped(&mut command);
        }
        command.args(self.arguments).envs(self.environment);
        command
    }
}

// === impl Ended ===

impl Ended {
    /// Asserts exit code 0 and returns what it printed.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "stderr: {}\nstdout: {}", self.stderr, self.stdout);
        self.stdout
    }

    /// Asserts this exit code and returns what it complained about.
    pub(crate) fn failed_with(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stderr: {}\nstdout: {}", self.stderr, self.stdout);
        self.stderr
    }
}

/// Runs `bartizan` with these arguments in a folder of its own.
pub(crate) async fn cli<const N: usize>(arguments: [&str; N]) -> Ended {
    cli_in(&TempDir::new().unwrap(), arguments).await
}

/// Runs `bartizan` with these arguments in `folder`.
pub(crate) async fn cli_in<const N: usize>(folder: &TempDir, arguments: [&str; N]) -> Ended {
    let mut command = bartizan(folder);
    command.args(arguments);
    end(command).await
}

/// A client as stories use it.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

fn whole(document: &str) -> String {
    if document.contains("listen:") { document.into() } else { format!("{PREAMBLE}{document}") }
}

fn state_directory(folder: &TempDir) -> PathBuf {
    folder.path().join("state")
}

/// The binary under test in a clean environment: nothing of the tester's own configuration takes part.
fn bartizan(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bartizan"));
    for name in
        ["RUST_LOG", "BARTIZAN_ADMIN", "BARTIZAN_TOKEN", "STATE_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_FDS"]
    {
        command.env_remove(name);
    }
    command
        .env("BARTIZAN_STATE_DIR", state_directory(folder))
        .env("NO_COLOR", "1")
        .current_dir(folder.path());
    command.stdin(Stdio::null());
    piped(&mut command);
    command
}

fn piped(command: &mut Command) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
}

async fn end(mut command: Command) -> Ended {
    let output = timeout(PATIENCE, command.output()).await.expect("the command did not end").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn notification(socket: &UnixDatagram, state: &str) {
    let mut buffer = [0; 512];
    loop {
        let length = socket.recv(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        if text.lines().any(|line| line == state) {
            return;
        }
    }
}

fn uniquely() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
