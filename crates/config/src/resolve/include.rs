//! The operator's own files of rules and policies.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, glob_with};

use crate::{located::At, problems::Problems};

/// The most files that one pattern may name.
const MOST: usize = 1000;

/// The files that these patterns name, each in the order of their names; reports a pattern that names none.
pub(in crate::resolve) fn files(
    patterns: &[At<PathBuf>],
    base: &Path,
    problems: &mut Problems<'_>,
) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for pattern in patterns {
        let found = named_by(&pattern.value, base);
        if found.is_empty() {
            let message = format!("`{}` names no file", pattern.value.display());
            problems
                .error(pattern.position, message)
                .help("relative paths start from the folder of this document");
        }
        let new: Vec<_> = found.into_iter().filter(|file| !files.contains(file)).collect();
        files.extend(new);
    }
    files
}

fn named_by(pattern: &Path, base: &Path) -> Vec<PathBuf> {
    // The folder of the document is a name, not a pattern.
    let base = Pattern::escape(&base.to_string_lossy());
    let pattern = Path::new(&base).join(pattern);
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..MatchOptions::new()
    };
    let found = glob_with(&pattern.to_string_lossy(), options).into_iter().flatten();
    found.take(MOST).filter_map(Result::ok).filter(|path| path.is_file()).collect()
}
