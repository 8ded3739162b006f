//! The state directory: what one gateway tells the commands that talk to it.
//!
//! | file | what | mode |
//! |---|---|---|
//! | `running.json` | where the running gateway is ([`Running`]); gone when it has stopped | 0600 |
//! | `admin-token` | the bearer token of the admin API, made on first start ([`AdminToken`]) | 0600 |
//! | `bartizan.db` | people, sessions and the audit trail, where `store` names no other database | 0600 |
//! | `events/2026-11-22.sqlite` | what happened on a day, where `events` names no other directory | 0600 |
//! | `exports/siem/` | events that wait for the export `siem` | 0700 |
//! | `rules/crs-4.28.0/` | a rule set, made by `bartizan rules install` | 0700 |
//!
//! The directory is for its user alone. One that belongs to others, or that they may write to, is refused: they could
//! lead commands, and the token with them, to a gateway of their own.
//!
//! Two gateways may share a state directory, because a restart without a refused connection needs the old one
//! and the new one at once. The one that started last owns `running.json`: commands talk to it, and an older
//! one that stops leaves the file alone.
//!
//! [`AdminToken`]: bartizan_control::AdminToken

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

const RUNNING: &str = "running.json";
const ADMIN_TOKEN: &str = "admin-token";
const RULES: &str = "rules";
const DATABASE: &str = "bartizan.db";
const EVENTS: &str = "events";
const WEAKNESSES: &str = "weaknesses.json";
const EXPORTS: &str = "exports";
const WRITABLE_BY_OTHERS: u32 = 0o022;
const ROOT: u32 = 0;

/// The directory. It need not exist.
#[derive(Debug, Clone)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    /// Whether it was named on the command line. What the environment says may come from another user: `sudo` may
    /// keep `HOME`.
    is_given: bool,
}

/// What `running.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The process.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// The HTTPS listener, `address:port`.
    pub(crate) https: Option<String>,
    /// The HTTP listener.
    pub(crate) http: Option<String>,
    /// The admin API.
    pub(crate) admin: String,
    /// Whether the admin API speaks TLS.
    #[serde(default)]
    pub(crate) admin_tls: bool,
    /// Metrics and health.
    pub(crate) metrics: String,
    /// The configuration file, absolute; `None` for `run --to`.
    pub(crate) config: Option<PathBuf>,
}

/// Removes `running.json` when dropped, if it is still that of this process.
#[derive(Debug)]
pub(crate) struct Announcement {
    state: StateDirectory,
    pid: u32,
}

impl StateDirectory {
    /// The directory that was given, or the first that the environment names: `BARTIZAN_STATE_DIR`,
    /// `STATE_DIRECTORY` (systemd), `XDG_STATE_HOME/bartizan`, `HOME/.local/state/bartizan`.
    pub(crate) fn locate(given: Option<PathBuf>) -> Result<Self> {
        let is_given = given.is_some();
        locate(given, |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
            .map(|path| Self { path, is_given })
            .ok_or_else(|| anyhow!("no place for the state directory: give `--state-dir DIR` or set `HOME`"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory if it is missing, for this user only. One that is there must be safe.
    pub(crate) fn create(&self) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("cannot make the state directory `{}`", self.path.display()))?;
        self.refuse_strangers()
    }

    /// Refuses a directory where others could put a `running.json` of their own, to be sent the admin token.
    fn refuse_strangers(&self) -> Result<()> {
        let path = self.path.display();
        let (owner, mode) = match fs::metadata(&self.path) {
            Ok(metadata) => (metadata.uid(), metadata.permissions().mode() & 0o7777),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the state directory `{path}`"));
            }
        };
        let user = rustix::process::geteuid().as_raw();
        let way_out = if user == ROOT {
            "if that user is to be trusted, name it with `--state-dir DIR`"
        } else {
            "name one of your own with `--state-dir DIR`"
        };
        ensure!(
            may_belong_to(owner, user, self.is_given),
            "the state directory `{path}` belongs to another user (id {owner}): {way_out}"
        );
        ensure!(
            mode & WRITABLE_BY_OTHERS == 0,
            "others may write to the state directory `{path}` (mode {mode:04o}): take that right away with \
             `chmod go-w {path}`, or name another one with `--state-dir DIR`"
        );
        Ok(())
    }

    /// What the last gateway to start said, if it has not stopped in order.
    pub(crate) fn running(&self) -> Result<Option<Running>> {
        self.refuse_strangers()?;
        let path = self.path.join(RUNNING);
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).with_context(|| format!("cannot read `{}`", path.display()))
    }

    /// Says where the gateway is.
    pub(crate) fn announce(&self, running: &Running) -> Result<Announcement> {
        let text = serde_json::to_string_pretty(running).context("cannot write the running file")?;
        write_private(&self.path.join(RUNNING), &format!("{text}\n"))?;
        Ok(Announcement { state: self.clone(), pid: running.pid })
    }

    /// The folder of the rule sets that `bartizan rules install` has made.
    pub(crate) fn rules_path(&self) -> PathBuf {
        self.path.join(RULES)
    }

    /// The database of what outlives the process, where the configuration names none.
    pub(crate) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The directory of events, where the configuration names none.
    pub(crate) fn events_path(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Where events wait for other systems.
    pub(crate) fn exports_path(&self) -> PathBuf {
        self.path.join(EXPORTS)
    }

    /// Where the weaknesses are that the last scan has found.
    pub(crate) fn weaknesses_path(&self) -> PathBuf {
        self.path.join(WEAKNESSES)
    }

    /// Where the admin API's token is kept.
    pub(crate) fn admin_token_path(&self) -> PathBuf {
        self.path.join(ADMIN_TOKEN)
    }
}

impl Running {
    /// Whether the process still exists. One of another user does, too.
    pub(crate) fn is_alive(&self) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw) else {
            return false;
        };
        !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
    }
}

impl Announcement {
    /// Whether a gateway that started later serves the admin API at the same address: a restart in which old and
    /// new listen at once. Commands are to reach the new one.
    pub(crate) fn is_superseded_at(&self, admin: &str) -> bool {
        self.current().is_some_and(|running| running.pid != self.pid && running.admin == admin)
    }

    fn current(&self) -> Option<Running> {
        self.state.running().ok().flatten()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if self.current().is_some_and(|running| running.pid == self.pid) {
            let _ = fs::remove_file(self.state.path.join(RUNNING));
        }
    }
}

/// Writes a file that only this user can read, in one step: readers see the old text or the new one.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> io::Result<()> {
        // What a crashed process of the same id left behind may have another mode.
        let _ = fs::remove_file(&temporary);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Whether `user` may rely on a state directory of `owner`. Root administers the gateways of others, but only on its
/// own word.
fn may_belong_to(owner: u32, user: u32, is_given: bool) -> bool {
    owner == user || owner == ROOT || (user == ROOT && is_given)
}

fn locate(given: Option<PathBuf>, variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    given
        .or_else(|| variable("BARTIZAN_STATE_DIR"))
        .or_else(|| variable("STATE_DIRECTORY"))
        .or_else(|| variable("XDG_STATE_HOME").map(|home| home.join("bartizan")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/bartizan")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: PathBuf) -> StateDirectory {
        StateDirectory { path, is_given: false }
    }

    fn running(pid: u32) -> Running {
        Running {
            pid,
            version: "0.1.0".into(),
            https: None,
            http: Some("127.0.0.1:8080".into()),
            admin: "127.0.0.1:9443".into(),
            admin_tls: false,
            metrics: "127.0.0.1:9464".into(),
            config: None,
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = directory(folder.path().join("state"));
        state.create().unwrap();
        let _announcement = state.announce(&running(1)).unwrap();
        for (mode, refused) in [
            (0o700, false),
            (0o755, false),
            (0o750, false),
            (0o720, true),
            (0o775, true),
            (0o702, true),
            (0o777, true),
            (0o1777, true),
        ] {
            fs::set_permissions(state.path(), PermissionsExt::from_mode(mode)).unwrap();
            for outcome in [state.create(), state.running().map(drop)] {
                let complaint = outcome.err().map(|error| error.to_string());
                assert_eq!(complaint.is_some(), refused, "{mode:o}: {complaint:?}");
                let advice = complaint.is_none_or(|complaint| complaint.contains("`chmod go-w "));
                assert!(advice, "{mode:o}: what to do is said");
            }
        }
    }

    #[test]
    fn a_directory_of_another_user_is_refused_unless_root_names_it() {
        for (owner, user, is_given, expected) in [
            (1000, 1000, false, true),
            (ROOT, 1000, false, true),
            (ROOT, ROOT, false, true),
            (1001, 1000, false, false),
            (1001, 1000, true, false),
            (1000, ROOT, false, false),
            (1000, ROOT, true, true),
        ] {
            assert_eq!(may_belong_to(owner, user, is_given), expected, "{owner} {user} {is_given}");
        }

        let folder = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(folder.path(), Some(65_534), None).is_ok() {
            let stranger = directory(folder.path().into());
            let complaint = stranger.create().unwrap_err().to_string();
            assert!(complaint.contains("id 65534") && complaint.contains("`--state-dir DIR`"), "{complaint}");
            StateDirectory { is_given: true, ..stranger }.create().unwrap();
        }
    }

    #[test]
    fn the_first_place_named_is_taken() {
        let all = [
            ("BARTIZAN_STATE_DIR", "/own"),
            ("STATE_DIRECTORY", "/systemd"),
            ("XDG_STATE_HOME", "/xdg"),
            ("HOME", "/home/me"),
        ];
        let expected = ["/own", "/systemd", "/xdg/bartizan", "/home/me/.local/state/bartizan"];
        for (hidden, expected) in expected.into_iter().enumerate() {
            let variables = &all[hidden..];
            let variable =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(locate(None, variable), Some(expected.into()));
            assert_eq!(locate(Some("/given".into()), variable), Some("/given".into()));
        }
        assert_eq!(locate(None, |_| None), None);
    }

    #[test]
    fn files_are_private_and_disappear_with_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = directory(folder.path().join("a/state"));
        assert_eq!(state.running().unwrap(), None);
        state.create().unwrap();
        assert_eq!(mode(state.path()), 0o700);

        let old = state.announce(&running(1)).unwrap();
        let new = state.announce(&running(2)).unwrap();
        assert_eq!(mode(&state.path().join(RUNNING)), 0o600);
        assert!(old.is_superseded_at("127.0.0.1:9443") && !old.is_superseded_at("127.0.0.1:1"));
        assert!(!new.is_superseded_at("127.0.0.1:9443"));
        drop(old);
        assert_eq!(state.running().unwrap(), Some(running(2)));
        drop(new);
        assert_eq!(state.running().unwrap(), None);

        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0, "no temporary file is left behind");
    }

    #[test]
    fn the_living_are_told_from_the_gone() {
        assert!(running(std::process::id()).is_alive());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!running(pid).is_alive());
        assert!(!running(0).is_alive());
    }
}
