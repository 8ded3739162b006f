//! Where a document comes from: its name for messages, the folder that relative paths start from, and the
//! environment that `${NAME}` reads.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

/// Where a document comes from.
#[derive(Debug)]
pub struct Source {
    /// The document's path, if it is a file.
    pub path: Option<PathBuf>,
    /// Relative paths in the document start here.
    pub base: PathBuf,
    /// What `${NAME}` reads.
    pub environment: Environment,
    /// Where rule sets are looked for.
    pub rules: RulePlaces,
}

/// Where the OWASP Core Rule Set is looked for when the document does not say where it is.
#[derive(Debug, Clone)]
pub struct RulePlaces {
    /// The folder in which `bartizan rules install` makes one folder for each version (`crs-4.28.0`).
    pub installed: Option<PathBuf>,
    /// The root of the file system in which packages of the distribution are installed.
    pub system: PathBuf,
}

impl Default for RulePlaces {
    fn default() -> Self {
        Self { installed: None, system: PathBuf::from("/") }
    }
}

impl Source {
    /// The file at `path`, whose relative paths start from its own folder, and the process's environment.
    pub fn file(path: &Path) -> Self {
        let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self {
            path: Some(path.to_path_buf()),
            base,
            environment: Environment::process(),
            rules: RulePlaces::default(),
        }
    }

    /// A document that is no file, whose relative paths start from `base`, with an empty environment.
    pub fn text(base: impl Into<PathBuf>) -> Self {
        Self {
            path: None,
            base: base.into(),
            environment: Environment::default(),
            rules: RulePlaces::default(),
        }
    }

    /// The same with another environment.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// The same with other places to look for rule sets.
    #[must_use]
    pub fn with_rules(self, rules: RulePlaces) -> Self {
        Self { rules, ..self }
    }

    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "<config>".into(), |path| path.display().to_string())
    }
}

/// Looks up environment variables. Its values are treated as secrets.
pub struct Environment(Box<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The environment of this process. A value that is not UTF-8 counts as missing.
    pub fn process() -> Self {
        Self(Box::new(|name| std::env::var(name).ok()))
    }

    /// Looks `name` up.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl Default for Environment {
    /// An empty environment.
    fn default() -> Self {
        Self(Box::new(|_| None))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables: HashMap<String, String> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self(Box::new(move |name| variables.get(name).cloned()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment([redacted])")
    }
}
