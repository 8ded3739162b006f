//! Tells whether the document, or a file that it names, has changed.
//!
//! Contents are compared, not times: a file that is written again unchanged is no change, and a symbolic link
//! that leads somewhere else (as Kubernetes mounts configuration) is one. There is no thread: the caller asks
//! when it likes.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{Config, load};

/// What is read of one file; a longer one is watched up to here.
const MOST: u64 = 64 * 1024 * 1024;

/// What the files held when they were last looked at.
#[derive(Debug)]
pub struct Watch {
    document: PathBuf,
    revision: Option<String>,
    files: Vec<(PathBuf, Option<[u8; 32]>)>,
}

impl Watch {
    /// Watches the document at `path`, from which `config` was read, and the files that it names.
    pub fn new(config: &Config, path: &Path) -> Self {
        Self {
            document: path.into(),
            revision: Some(config.revision.clone()),
            files: config.files.iter().map(|file| (file.clone(), fingerprint(file))).collect(),
        }
    }

    /// Whether something has changed since the last call, or since the configuration was read. A file that
    /// cannot be read has changed if it could be before.
    pub fn changed(&mut self) -> bool {
        let revision = fingerprint(&self.document).map(|digest| load::revision_of(&digest));
        let mut changed = std::mem::replace(&mut self.revision, revision.clone()) != revision;
        for (file, known) in &mut self.files {
            let now = fingerprint(file);
            changed |= std::mem::replace(known, now) != now;
        }
        changed
    }
}

fn fingerprint(path: &Path) -> Option<[u8; 32]> {
    let mut digest = Sha256::new();
    let file = File::open(path).ok()?;
    io::copy(&mut file.take(MOST), &mut digest).ok()?;
    Some(digest.finalize().into())
}
