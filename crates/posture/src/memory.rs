//! What the last scan has found, beyond the process: so that a gateway that starts again tells only what is new.
//!
//! It is a file of one's own user, written anew in one step when something comes or goes, without anybody's address. Where
//! it cannot be read everything is new, which is told twice and harms nobody.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::Weakness;

/// The largest file that is read: some thousand weaknesses.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What is known from before.
pub(crate) fn read(path: &Path) -> Vec<Weakness> {
    let read = || -> io::Result<Vec<Weakness>> {
        let mut text = Vec::new();
        File::open(path)?.take(LARGEST).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    };
    read().unwrap_or_else(|error| {
        if error.kind() != ErrorKind::NotFound {
            tracing::warn!(%error, path = %path.display(), "the weaknesses that were known are forgotten");
        }
        Vec::new()
    })
}

/// Keeps what is known.
pub(crate) fn write(path: &Path, weaknesses: &[Weakness]) {
    let nobody = |weakness: &Weakness| Weakness { people: Vec::new(), ..weakness.clone() };
    let known: Vec<_> = weaknesses.iter().map(nobody).collect();
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> io::Result<()> {
        // What a crashed process of the same id left behind may have another mode.
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(&known)?)?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = write() {
        tracing::warn!(%error, path = %path.display(), "the weaknesses that are known cannot be kept: they will be told again");
    }
}
