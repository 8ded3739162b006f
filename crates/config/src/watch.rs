//! Tells whether the document, or a file that it names, has changed.
//!
//! Contents are compared, not times: a file that is written again unchanged is no change, and a symbolic link
//! that leads somewhere else (as Kubernetes mounts configuration) is one, and so is a file that is new to a pattern. There is no thread: the caller asks
//! when it likes.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{Config, FilePattern, load};

/// What is read of one file; a longer one is watched up to here.
const MOST: u64 = 64 * 1024 * 1024;

/// What the files held when they were last looked at.
#[derive(Debug)]
pub struct Watch {
    document: PathBuf,
    revision: Option<String>,
    /// The configuration whose files these are.
    followed: String,
    files: HashMap<PathBuf, Option<[u8; 32]>>,
    patterns: Vec<FilePattern>,
}

impl Watch {
    /// Watches the document at `path`, from which `config` was read, and the files that it names.
    pub fn new(config: &Config, path: &Path) -> Self {
        Self {
            document: path.into(),
            revision: Some(config.revision.clone()),
            followed: config.revision.clone(),
            files: config.files.iter().map(|file| (file.clone(), fingerprint(file))).collect(),
            patterns: config.file_patterns.clone(),
        }
    }

    /// Watches the files that `config` names, now that it is in force: another document may name others.
    pub fn follow(&mut self, config: &Config) {
        if self.followed == config.revision {
            return;
        }
        self.followed.clone_from(&config.revision);
        self.files.retain(|file, _| config.files.contains(file));
        for file in &config.files {
            self.files.entry(file.clone()).or_insert_with(|| fingerprint(file));
        }
        self.patterns.clone_from(&config.file_patterns);
    }

    /// Whether something has changed since the last call, or since the configuration was read. A file that
    /// cannot be read has changed if it could be before, and one that is new to a pattern has, too.
    pub fn changed(&mut self) -> bool {
        let revision = fingerprint(&self.document).map(|digest| load::revision_of(&digest));
        let mut changed = std::mem::replace(&mut self.revision, revision.clone()) != revision;
        for (file, known) in &mut self.files {
            let now = fingerprint(file);
            changed |= std::mem::replace(known, now) != now;
        }
        for file in self.patterns.iter().flat_map(FilePattern::files) {
            if let Entry::Vacant(vacant) = self.files.entry(file) {
                let now = fingerprint(vacant.key());
                vacant.insert(now);
                changed = true;
            }
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
