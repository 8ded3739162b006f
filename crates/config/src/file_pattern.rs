//! Files that a pattern names, `./policies/*.cedar`: they may become more while the configuration is in force.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, glob_with};

/// The most files that one pattern may name.
const MOST: usize = 1000;

/// A pattern of file names in its folder. A name without wildcards is one, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePattern(String);

impl FilePattern {
    /// The pattern, as seen from `base`, which is a name and no pattern.
    pub(crate) fn new(pattern: &Path, base: &Path) -> Self {
        let base = Pattern::escape(&base.to_string_lossy());
        Self(Path::new(&base).join(pattern).to_string_lossy().into_owned())
    }

    /// The files that it names now, in the order of their names.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let options = MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..MatchOptions::new()
        };
        let found = glob_with(&self.0, options).into_iter().flatten();
        found.take(MOST).filter_map(Result::ok).filter(|path| path.is_file())
    }
}
