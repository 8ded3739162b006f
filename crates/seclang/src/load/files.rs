//! Files: which ones a pattern names, and reading them within limits.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use glob::{MatchOptions, glob_with};

use crate::error::Problem;

/// How many files there may be, rules and data together.
const MAX_FILES: u64 = 4096;
/// How many bytes all files together may have: 70 times the Core Rule Set.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Files {
    count: u64,
    bytes: u64,
}

impl Files {
    /// Reads a file.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, Problem> {
        self.count += 1;
        if self.count > MAX_FILES {
            return Err(Problem::TooMuch { what: "files", limit: MAX_FILES });
        }
        let left = MAX_BYTES.saturating_sub(self.bytes);
        let contents = contents(path, left + 1)
            .map_err(|reason| Problem::Unreadable { path: path.to_owned(), reason })?;
        self.bytes += u64::try_from(contents.len()).unwrap_or(u64::MAX);
        if self.bytes > MAX_BYTES {
            return Err(Problem::TooMuch { what: "bytes of files", limit: MAX_BYTES });
        }
        Ok(contents)
    }
}

/// What a regular file contains, as far as `most` bytes. A pipe or a device could keep us waiting for ever.
fn contents(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut contents = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut contents)?;
    Ok(contents)
}

/// The files that a pattern names, in the order of their names: at least one.
pub(super) fn named_by(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, Problem> {
    if !pattern.contains(['*', '?', '[']) {
        return Ok(vec![folder.join(pattern)]);
    }
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::new()
    };
    let none = || Problem::NoSuchFile { pattern: pattern.to_owned() };
    // The folder is a name, not a pattern; only what is written after it may have wildcards.
    let folder = if Path::new(pattern).is_absolute() { String::new() } else { escaped(folder) };
    let paths = glob_with(&format!("{folder}{pattern}"), options).map_err(|_| none())?;
    let paths: Vec<PathBuf> = paths
        .take(usize::try_from(MAX_FILES).unwrap_or(usize::MAX))
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::Unreadable { path: error.path().to_owned(), reason: error.into() })?;
    if paths.is_empty() { Err(none()) } else { Ok(paths) }
}

/// A folder as the beginning of a pattern that means just this folder.
fn escaped(folder: &Path) -> String {
    match folder.to_string_lossy() {
        name if name.is_empty() => String::new(),
        name => format!("{}/", glob::Pattern::escape(&name)),
    }
}
