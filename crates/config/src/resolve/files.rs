//! The files that the configuration names: they exist, and nobody else can read the keys.

use std::{
    collections::HashSet,
    fs::{File, Metadata},
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    Certificate, FilePattern,
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
};

/// The most that is read of one file.
const LONGEST: usize = 1024 * 1024;

/// The files named so far.
pub(crate) struct Files<'a> {
    base: &'a Path,
    seen: HashSet<PathBuf>,
    list: Vec<PathBuf>,
    patterns: Vec<FilePattern>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(base: &'a Path) -> Self {
        Self { base, seen: HashSet::new(), list: Vec::new(), patterns: Vec::new() }
    }

    /// Where a path starts that need not exist yet.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    /// A file that may be public.
    pub(crate) fn public(&mut self, file: &At<PathBuf>, problems: &mut Problems<'_>) -> PathBuf {
        self.open(file, problems).0
    }

    /// The same for a key that may be left out.
    pub(crate) fn optional(
        &mut self,
        file: &Optional<Parsed<PathBuf>>,
        problems: &mut Problems<'_>,
    ) -> Option<PathBuf> {
        let file = problems.read_optional(file)?;
        Some(self.public(&file, problems))
    }

    /// A private key.
    pub(crate) fn key(&mut self, file: &At<PathBuf>, problems: &mut Problems<'_>) -> PathBuf {
        let (path, metadata) = self.open(file, problems);
        if let Some(metadata) = metadata {
            check_permissions(file, &path, &metadata, problems);
        }
        path
    }

    /// What a client presents: both files, or neither.
    pub(crate) fn client_certificate(
        &mut self,
        cert: &Optional<Parsed<PathBuf>>,
        key: &Optional<Parsed<PathBuf>>,
        problems: &mut Problems<'_>,
    ) -> Option<Certificate> {
        match (problems.read_optional(cert), problems.read_optional(key)) {
            (Some(cert), Some(key)) => {
                Some(Certificate { cert: self.public(&cert, problems), key: self.key(&key, problems) })
            }
            (Some(only), None) | (None, Some(only)) if cert.is_none() || key.is_none() => {
                problems.error(only.position, "a client certificate is a `cert` and its `key`");
                None
            }
            _ => None,
        }
    }

    /// A file that is known to be there.
    pub(crate) fn watch(&mut self, path: &Path) {
        if self.seen.insert(path.into()) {
            self.list.push(path.into());
        }
    }

    /// What a file of rules or policies holds that a list of files at `position` has named.
    pub(crate) fn text(
        &mut self,
        path: &Path,
        position: Position,
        problems: &mut Problems<'_>,
    ) -> Option<String> {
        self.watch(path);
        let mut text = String::new();
        let opened =
            File::open(path).and_then(|file| file.take(LONGEST as u64 + 1).read_to_string(&mut text));
        match opened {
            Ok(length) if length <= LONGEST => return Some(text),
            Ok(_) => problems.error(position, format!("`{}` is longer than 1 MiB", path.display())),
            Err(error) => problems.error(position, format!("cannot read `{}`: {error}", path.display())),
        }
        .help("split it, or leave it out");
        None
    }

    /// What has named files, and may name more one day.
    pub(crate) fn watch_patterns(&mut self, patterns: Vec<FilePattern>) {
        let new: Vec<_> = patterns.into_iter().filter(|pattern| !self.patterns.contains(pattern)).collect();
        self.patterns.extend(new);
    }

    /// Every file named, once, and the patterns among what named them.
    pub(crate) fn into_lists(self) -> (Vec<PathBuf>, Vec<FilePattern>) {
        (self.list, self.patterns)
    }

    fn open(&mut self, file: &At<PathBuf>, problems: &mut Problems<'_>) -> (PathBuf, Option<Metadata>) {
        let path = self.base.join(&file.value);
        self.watch(&path);
        let metadata = match File::open(&path).and_then(|opened| opened.metadata()) {
            Ok(metadata) if metadata.is_file() => Some(metadata),
            Ok(_) => {
                problems.error(file.position, format!("`{}` is not a file", path.display()));
                None
            }
            Err(error) => {
                let reason = match error.kind() {
                    std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                let hint = "relative paths start from the folder of this document";
                problems
                    .error(file.position, format!("cannot read `{}`: {reason}", path.display()))
                    .help(hint);
                None
            }
        };
        (path, metadata)
    }
}

#[cfg(unix)]
fn check_permissions(file: &At<PathBuf>, path: &Path, metadata: &Metadata, problems: &mut Problems<'_>) {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode() & 0o777;
    let (shown, hint) = (path.display(), format!("run `chmod 600 {}`", path.display()));
    if mode & 0o007 != 0 {
        let message = format!("every user of this machine has access to the key `{shown}` (mode {mode:04o})");
        problems.error(file.position, message).hint(hint);
    } else if mode & 0o070 != 0 {
        let message = format!("a whole group has access to the key `{shown}` (mode {mode:04o})");
        problems.warning(file.position, message).hint(hint);
    }
}

#[cfg(not(unix))]
fn check_permissions(_: &At<PathBuf>, _: &Path, _: &Metadata, _: &mut Problems<'_>) {}
