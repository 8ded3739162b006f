//! A PostgreSQL of the test's own: a new cluster on a Unix socket, in a directory that goes with it.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

const PASSWORD: &str = "correct-horse";
/// Who owns the tables and works with them, bound by row-level security.
const ROLE: &str = "CREATE ROLE bartizan LOGIN CREATEDB CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD 'correct-horse';\n\
    CREATE DATABASE bartizan OWNER bartizan;\n";

/// Takes what the server logs, line by line.
type Log = Arc<dyn Fn(String) + Send + Sync>;

/// A running `postgres`; stopped when dropped.
pub(crate) struct PostgresServer {
    directory: TempDir,
    programs: PathBuf,
    settings: &'static [&'static str],
    log: Log,
    process: Option<Child>,
}

impl PostgresServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[], Arc::new(drop))
    }

    /// With other settings (`name=value`), and somebody who reads the log.
    pub(crate) fn start_with(settings: &'static [&'static str], log: Log) -> Self {
        let directory = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let programs = programs();
        let mut server = Self { directory, programs, settings, log, process: None };
        fs::write(server.path("password"), PASSWORD).unwrap();
        fs::set_permissions(server.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if geteuid().is_root() {
            // The server refuses to run as root.
            let owned =
                Command::new("chown").arg("-R").arg("postgres:").arg(server.directory.path()).status();
            assert!(
                owned.unwrap().success(),
                "there is no user `postgres`: install the package `postgresql`"
            );
        }
        let made = server
            .command("initdb")
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--pwfile"])
            .arg(server.path("password"))
            .arg("--pgdata")
            .arg(server.path("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.make_role();
        server.resume();
        server
    }

    /// Makes role and database, before there is a server.
    fn make_role(&self) {
        let mut process = self
            .command("postgres")
            .arg("--single")
            .arg("-D")
            .arg(self.path("data"))
            .args(["-c", "fsync=off", "postgres"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(ROLE.as_bytes()).unwrap();
        assert!(process.wait().unwrap().success(), "the role could not be made");
    }

    /// Starts the server on its cluster.
    pub(crate) fn resume(&mut self) {
        let socket = self.directory.path().display().to_string();
        let mut process = self
            .command("postgres")
            .arg("-D")
            .arg(self.path("data"))
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off"])
            .args(["-k", &socket])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let is_ready =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections"));
        // Read on, so that the server never blocks on its log.
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| log(line)));
        self.process = Some(process);
        assert!(is_ready, "`postgres` did not start");
    }

    /// Ends the server without a word to its clients.
    pub(crate) fn halt(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::QUIT));
            let _ = process.wait();
        }
    }

    /// The URL of its database, for a role that row-level security binds.
    pub(crate) fn url(&self) -> String {
        self.url_of("bartizan")
    }

    /// The same for another role: `postgres` may do everything.
    pub(crate) fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@localhost/bartizan?host={}", self.directory.path().display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = self.programs.join(program);
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .current_dir(self.directory.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.halt();
    }
}

/// The folder of `initdb` and `postgres`: on the path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = debian.map(|version| version.path().join("bin"));
    let mut folders = env::split_paths(&path).chain(debian);
    let has = |folder: &PathBuf, program: &str| folder.join(OsStr::new(program)).is_file();
    folders
        .find(|folder| has(folder, "initdb") && has(folder, "postgres"))
        .expect("`initdb` and `postgres` are nowhere: install the package `postgresql`")
}
