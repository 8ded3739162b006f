//! The admin token: the one secret that opens the admin API.
//!
//! It is 32 random bytes in base64url, kept in a file that only its owner may read. Whoever can read the file is an
//! operator; there are no users here. The token never expires: delete the file and restart to replace it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::ControlError;

/// The secret that opens the admin API. Masked in `Debug`, wiped when dropped.
#[derive(Debug, Clone)]
pub struct AdminToken(SecretString);

const RANDOM_BYTES: usize = 32;
const MIN_LENGTH: usize = 32;
const MAX_LENGTH: usize = 512;

impl AdminToken {
    /// A new token.
    pub fn generate() -> Result<Self, ControlError> {
        let mut random = [0; RANDOM_BYTES];
        rand::fill(&mut random).map_err(|_| ControlError::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random).into()))
    }

    /// The token in the file at `path`, made on first use.
    ///
    /// The file appears whole and with mode 0600 or not at all, whoever else starts at the same time. Missing folders
    /// are made with mode 0700.
    pub fn create_or_read(path: &Path) -> Result<Self, ControlError> {
        match Self::read(path) {
            Err(ControlError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let token = Self::generate()?;
        match token.write_new(path) {
            Ok(()) => Ok(token),
            // Somebody else was first: theirs is the token.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(ControlError::Create { path: path.into(), error }),
        }
    }

    /// The token in the file at `path`. Refuses a file that others than its owner may read or change.
    pub fn read(path: &Path) -> Result<Self, ControlError> {
        let unreadable = |error| ControlError::Read { path: path.into(), error };
        let file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, so that it cannot be exchanged in between.
        let metadata = file.metadata().map_err(unreadable)?;
        let unusable = |reason| ControlError::Unusable { path: path.into(), reason };
        if !metadata.is_file() {
            return Err(unusable("is not a regular file"));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(ControlError::Exposed { path: path.into(), mode });
        }
        let mut text = String::new();
        let limit = u64::try_from(MAX_LENGTH + 2).unwrap_or(u64::MAX);
        file.take(limit).read_to_string(&mut text).map_err(unreadable)?;
        let token = SecretString::from(text.trim_ascii());
        check(token.expose_secret()).map_err(unusable)?;
        Ok(Self(token))
    }

    /// Whether `presented` is this token. Takes the same time whichever of its bytes differ.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.expose_secret().as_bytes().ct_eq(presented).into()
    }

    /// The value of `Authorization` that a client sends. Marked as sensitive, so that it is masked in logs.
    pub fn authorization(&self) -> HeaderValue {
        let text = SecretString::from(format!("Bearer {}", self.0.expose_secret()));
        // INVARIANT: `check` and base64url admit visible ASCII only.
        let mut value = HeaderValue::from_str(text.expose_secret()).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// Writes a file of its own and links it to `path`, which fails where a file already is.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let draft = draft_of(path);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = writeln!(file, "{}", self.0.expose_secret())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        written
    }
}

/// A name beside `path` that nobody else uses.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", bartizan_model::RequestId::generate()));
    path.with_file_name(name)
}

fn check(token: &str) -> Result<(), &'static str> {
    match token.len() {
        0 => Err("is empty"),
        1..MIN_LENGTH => Err("holds a token shorter than 32 characters"),
        MIN_LENGTH..=MAX_LENGTH if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        MIN_LENGTH..=MAX_LENGTH => Err("holds characters that no token has"),
        _ => Err("holds a token longer than 512 characters"),
    }
}

#[cfg(test)]
mod tests;
