//! A server of the test's own: on a free port, without persistence, in a directory that goes with it.

use std::{
    env,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// A running `redis-server` or `valkey-server`; killed when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: Child,
    _directory: TempDir,
}

/// The servers that are installed, at least one: without any, a test could not say anything.
pub(crate) fn programs() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let find =
        |name: &str| env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let found: Vec<_> = ["redis-server", "valkey-server"].into_iter().filter_map(find).collect();
    assert!(
        !found.is_empty(),
        "neither `redis-server` nor `valkey-server` is on the PATH: install one of them"
    );
    found
}

impl Server {
    pub(crate) fn start(program: &PathBuf, arguments: &[&str]) -> Self {
        // Another process may take the port between its being found and the server's start.
        (0..5).find_map(|_| Self::start_on(program, free_port(), arguments)).expect("no server started")
    }

    /// `None` when it ends before it is ready.
    pub(crate) fn start_on(program: &PathBuf, port: u16, arguments: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(arguments)
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let is_ready =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("eady to accept connections"));
        // Read on, so that the server never blocks on its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let server = Self { port, process, _directory: directory };
        is_ready.then_some(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Below 10000 more than what the bus of a cluster adds to it.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_536 {
            return port;
        }
    }
}
