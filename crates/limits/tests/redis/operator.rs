//! What an operator does to a server.

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::server::Server;

impl Server {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Sends one command by the client that comes with the server.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let program = fs::read_link(format!("/proc/{}/exe", self.process.id())).unwrap();
        let name = if program.to_string_lossy().contains("valkey") { "valkey-cli" } else { "redis-cli" };
        let output =
            Command::new(name).args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}
