//! Rule files: reading them, what they include, and the data files that their operators name.
//!
//! The only part of this crate that touches the file system, and only while rules are loaded. Relative names are
//! relative to the file that mentions them. Depth, number and size of files are bounded.

mod data;
mod files;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use data::DataFiles;
use files::Files;

use crate::{
    Locations, Place,
    ast::{Directive, DirectiveKind, Phase, Rule, Setting},
    error::{Problem, SeclangError},
    parse::parse,
};

/// How many levels of `Include` there may be.
const MAX_DEPTH: usize = 16;

/// Rules from files and texts, in the order in which they were added: understood, put together, not yet compiled.
///
/// ```no_run
/// let mut rules = bartizan_seclang::RuleFiles::default();
/// rules.add_files("/etc/modsecurity/crs/crs-setup.conf")?;
/// rules.add_files("/usr/share/modsecurity-crs/rules/*.conf")?;
/// rules.add_text("SecRuleRemoveById 920350", "own rules")?;
/// # Ok::<_, bartizan_seclang::SeclangError>(())
/// ```
#[derive(Debug, Default)]
pub struct RuleFiles {
    directives: Vec<Directive>,
    data: DataFiles,
    files: Files,
    rules: HashMap<u64, Place>,
    default_actions: HashMap<Phase, Place>,
    /// The file that `SecGeoLookupDb` names, and where; the last one counts.
    locations: Option<(PathBuf, Place)>,
}

impl RuleFiles {
    /// Adds a file, or all files that a pattern with `*`, `?` and `[...]` names, in the order of their names.
    pub fn add_files(&mut self, pattern: &str) -> Result<(), SeclangError> {
        let place = Place { file: pattern.into(), line: 0 };
        self.include(Path::new(""), pattern, &place, 0)
    }

    /// Adds a text; `name` is what messages call it. Other files are named as if it were the file `name`.
    pub fn add_text(&mut self, text: &str, name: &str) -> Result<(), SeclangError> {
        self.add(parse(text, name)?, data::folder(name), 0)
    }

    /// What was added, without `Include`, which stands for the files that it names.
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// What the operators' data files contain.
    pub fn data(&self) -> &DataFiles {
        &self.data
    }

    /// Opens the database that `SecGeoLookupDb` names, if there is one: without it no rule can ask `@geoLookup`. An error says
    /// what is wrong with the file.
    pub fn open_locations(
        &mut self,
        open: impl FnOnce(&Path) -> io::Result<Arc<dyn Locations>>,
    ) -> Result<(), SeclangError> {
        let Some((path, place)) = &self.locations else { return Ok(()) };
        let unreadable = |reason| Problem::Unreadable { path: path.clone(), reason }.at(place);
        self.data.set_locations(open(path).map_err(unreadable)?);
        Ok(())
    }

    /// Adds the files that a pattern names.
    fn include(
        &mut self,
        folder: &Path,
        pattern: &str,
        place: &Place,
        depth: usize,
    ) -> Result<(), SeclangError> {
        for path in files::named_by(folder, pattern).map_err(|problem| problem.at(place))? {
            if depth > MAX_DEPTH {
                return Err(Problem::IncludeDepth { path, depth: MAX_DEPTH }.at(place));
            }
            self.add_file(&path, place, depth)?;
        }
        Ok(())
    }

    /// Adds one file.
    fn add_file(&mut self, path: &Path, place: &Place, depth: usize) -> Result<(), SeclangError> {
        let bytes = self.files.read(path).map_err(|problem| problem.at(place))?;
        let text =
            String::from_utf8(bytes).map_err(|_| Problem::NotUtf8 { path: path.to_owned() }.at(place))?;
        let name = path.to_string_lossy();
        self.add(parse(&text, &name)?, data::folder(&name), depth)
    }

    /// Adds directives that stand in a file of this folder.
    fn add(&mut self, directives: Vec<Directive>, folder: &Path, depth: usize) -> Result<(), SeclangError> {
        for directive in directives {
            match &directive.kind {
                DirectiveKind::Include(pattern) => {
                    self.include(folder, pattern, &directive.place, depth + 1)?;
                    continue;
                }
                DirectiveKind::Rule(rule) => {
                    self.claim_id(rule)?;
                    self.read_data(rule, folder)?;
                }
                DirectiveKind::Setting(Setting::GeoLookupDatabase(path)) => {
                    self.locations = Some((folder.join(path), directive.place.clone()));
                }
                DirectiveKind::DefaultAction { phase, .. } => self.claim_phase(*phase, &directive.place)?,
                _ => {}
            }
            self.directives.push(directive);
        }
        Ok(())
    }

    /// Remembers a rule's number, which no other has.
    fn claim_id(&mut self, rule: &Rule) -> Result<(), SeclangError> {
        let place = &rule.first.place;
        match self.rules.insert(rule.id, place.clone()) {
            Some(first) => Err(Problem::DuplicateId { id: rule.id, first }.at(place)),
            None => Ok(()),
        }
    }

    /// Remembers where a phase's default actions stand, which are given once.
    fn claim_phase(&mut self, phase: Phase, place: &Place) -> Result<(), SeclangError> {
        match self.default_actions.insert(phase, place.clone()) {
            Some(first) => Err(Problem::DuplicateDefaultAction { phase: phase.name(), first }.at(place)),
            None => Ok(()),
        }
    }

    /// Reads the data files that a rule's operators name.
    fn read_data(&mut self, rule: &Rule, folder: &Path) -> Result<(), SeclangError> {
        for link in rule.links() {
            let Some(operator) = link.operator.as_ref().filter(|operator| operator.name.reads_file()) else {
                continue;
            };
            for path in data::paths(operator, folder).map_err(|problem| problem.at(&link.place))? {
                self.read_data_file(path).map_err(|problem| problem.at(&link.place))?;
            }
        }
        Ok(())
    }

    /// Reads a data file, unless it was read before.
    fn read_data_file(&mut self, path: PathBuf) -> Result<(), Problem> {
        if !self.data.contains(&path) {
            let bytes: Arc<[u8]> = self.files.read(&path)?.into();
            self.data.insert(path, bytes);
        }
        Ok(())
    }
}
