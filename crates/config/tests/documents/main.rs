//! What a user of the crate sees: documents in, configurations or diagnostics out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod accounts;
mod examples;
mod limits;
mod policies;
mod problems;
mod property;
mod proposal;
mod secrets;
mod values;
mod waf;
mod watch;

use std::{fs, path::Path};

use bartizan_config::{Config, ConfigError, Environment, Loaded, Source};
use tempfile::TempDir;

/// A secret long enough for every algorithm.
const LONG_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The password of a store.
const REDIS_PASSWORD: &str = "swordfish-swordfish";

/// A folder with the files that the documents here name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["cert.pem", "key.pem", "ca.pem", "clients-ca.pem", "jwks.json"] {
        fs::write(folder.path().join(file), file).unwrap();
    }
    fs::create_dir(folder.path().join("folder")).unwrap();
    set_mode(&folder.path().join("key.pem"), 0o600);
    for (file, mode) in [("open.pem", 0o644), ("group.pem", 0o640)] {
        fs::write(folder.path().join(file), file).unwrap();
        set_mode(&folder.path().join(file), mode);
    }
    folder
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn environment() -> Environment {
    let variables = [
        ("JWT_SECRET", LONG_SECRET),
        ("SHORT_SECRET", "hunter2-hunter2"),
        ("ISSUER", "https://issuer-from-environment.test"),
        ("REDIS_PASSWORD", REDIS_PASSWORD),
        ("DATABASE_PASSWORD", LONG_SECRET),
        ("SMTP_PASSWORD", LONG_SECRET),
        ("SPLUNK_TOKEN", LONG_SECRET),
        ("ELASTIC_API_KEY", LONG_SECRET),
        ("TOKEN_SECRET", LONG_SECRET),
        ("FACTOR_KEY", LONG_SECRET),
        ("PARTNER_KEY_HASH", "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"),
    ];
    variables.into_iter().collect()
}

fn parse_in(folder: &Path, text: &str) -> Result<Loaded, ConfigError> {
    Config::parse(text, &Source::text(folder).with_environment(environment()))
}

/// Reads a document without files.
fn parse(text: &str) -> Result<Loaded, ConfigError> {
    parse_in(Path::new("/nonexistent"), text)
}

/// A document with these further lines and one public route.
fn with(lines: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n{lines}\nroutes: [{{ path: /, to: \"http://a\", auth: none }}]\n"
    )
}
