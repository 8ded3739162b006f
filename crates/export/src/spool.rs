//! What waits for one receiver: files of frames that are only appended to, bounded in bytes.
//!
//! Each file has one writer, which holds a lock on it for as long as it may still append. One process at a time reads a
//! spool (`reader.lock`), all of its files, those of another gateway on the same state directory included. How far each file
//! was delivered stands in `position`; a file that is delivered to its end and has no writer any more goes. A frame that a
//! dying process has not finished ends its file: it was never acknowledged. Anything else that cannot be read is kept aside
//! (`.damaged`), for a person to look at.

mod reader;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

pub(crate) use self::{
    reader::{Reader, Waiting},
    writer::{Framed, LeftOut, Writer},
};

const EXTENSION: &str = "frames";
const DAMAGED: &str = "damaged";
const POSITION: &str = "position";
const READER_LOCK: &str = "reader.lock";

/// Makes the directory of a spool, for its user alone.
pub(crate) fn create(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The files of a spool, the oldest first: their names are in the order of their time.
fn segments(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// How many bytes wait.
pub(crate) fn waiting(directory: &Path) -> io::Result<u64> {
    let delivered = reader::positions(directory);
    let waiting =
        |path: &PathBuf| length(path).saturating_sub(delivered.get(&name(path)).copied().unwrap_or_default());
    Ok(segments(directory)?.iter().map(waiting).sum())
}

/// How long a file is; one that is gone has no length.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default()
}

/// Opens a file. `None`: it is gone.
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether nobody else holds the lock, which `file` then holds until it is closed.
fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
