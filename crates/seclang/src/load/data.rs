//! Data files: the phrases of `@pmFromFile` and the addresses of `@ipMatchFromFile`.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Locations, Place, ast::Operator, error::Problem};

/// What the data files contain, byte for byte, and the database of locations.
#[derive(Debug, Default)]
pub struct DataFiles {
    contents: HashMap<PathBuf, Arc<[u8]>>,
    locations: Option<Arc<dyn Locations>>,
}

impl DataFiles {
    /// What the files contain that this operator of the rule at `place` names, one after the other: nothing for an
    /// operator that names none. `None` if the rule was not loaded together with these files.
    pub fn of(&self, place: &Place, operator: &Operator) -> Option<Vec<&[u8]>> {
        if !operator.name.reads_file() {
            return Some(Vec::new());
        }
        let paths = paths(operator, folder(&place.file)).ok()?;
        paths.iter().map(|path| self.contents.get(path).map(AsRef::as_ref)).collect()
    }

    /// Where addresses are, if a database was opened.
    pub(crate) fn locations(&self) -> Option<&Arc<dyn Locations>> {
        self.locations.as_ref()
    }

    pub(super) fn set_locations(&mut self, locations: Arc<dyn Locations>) {
        self.locations = Some(locations);
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.contents.contains_key(path)
    }

    pub(super) fn insert(&mut self, path: PathBuf, contents: Arc<[u8]>) {
        self.contents.insert(path, contents);
    }
}

/// The folder to which names in this file are relative.
pub(super) fn folder(file: &str) -> &Path {
    Path::new(file).parent().unwrap_or(Path::new(""))
}

/// The files that an operator names: one, or several with blanks between.
pub(super) fn paths(operator: &Operator, folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let name = format!("@{}", operator.name);
    let argument = operator.argument.to_string();
    if operator.argument.as_literal().is_none() {
        return Err(Problem::invalid(&name, &argument, "a file name without macros: it is read only once"));
    }
    if argument.contains("://") {
        return Err(Problem::invalid(&name, &argument, "the name of a file on this machine"));
    }
    let paths: Vec<PathBuf> = argument.split_ascii_whitespace().map(|word| folder.join(word)).collect();
    if paths.is_empty() {
        return Err(Problem::Missing { name, expected: "the name of a file" });
    }
    Ok(paths)
}
