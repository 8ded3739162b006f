//! The operator's own files of rules and policies.

use std::path::{Path, PathBuf};

use crate::{FilePattern, located::At, problems::Problems};

/// What patterns name.
#[derive(Default)]
pub(super) struct Included {
    /// The files, for each pattern in the order of their names.
    pub(super) files: Vec<PathBuf>,
    /// What has named them, and may name more one day.
    pub(super) patterns: Vec<FilePattern>,
}

impl Included {
    /// What these patterns name; reports one that names nothing.
    pub(super) fn find(patterns: &[At<PathBuf>], base: &Path, problems: &mut Problems<'_>) -> Self {
        let mut included = Self::default();
        for at in patterns {
            let pattern = FilePattern::new(&at.value, base);
            let found: Vec<_> = pattern.files().collect();
            if found.is_empty() {
                let message = format!("`{}` names no file", at.value.display());
                problems
                    .error(at.position, message)
                    .help("relative paths start from the folder of this document");
            }
            let new: Vec<_> = found.into_iter().filter(|file| !included.files.contains(file)).collect();
            included.files.extend(new);
            included.patterns.push(pattern);
        }
        included
    }
}
