//! Which rules a command is about: files of one's own, or those that come with the gateway.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use bartizan_detection::{Cases, DetectionError, RuleFile, RuleSet, STARTER};

/// Files of rules.
pub(super) struct Chosen {
    pub(super) files: Vec<RuleFile>,
}

impl Chosen {
    /// These files, and what stands in these folders; without any the rules that come with the gateway.
    pub(super) fn new(paths: &[PathBuf]) -> Result<Self> {
        if paths.is_empty() {
            let file = |name: &str, text: &str| RuleFile { name: name.into(), text: text.into() };
            return Ok(Self { files: STARTER.iter().map(|rule| file(rule.name, rule.text)).collect() });
        }
        let mut files = Vec::new();
        for path in paths {
            files.extend(RuleFile::read(path)?);
        }
        Ok(Self { files })
    }

    pub(super) fn compile(&self) -> Result<RuleSet, DetectionError> {
        RuleSet::compile(&self.files)
    }

    /// The cases that a file is tested by: of the same name in the folder `tests` beside it. `None` where there is none.
    pub(super) fn cases(file: &RuleFile) -> Result<Option<Cases>> {
        if let Some(known) = STARTER.iter().find(|known| known.name == file.name && known.text == file.text) {
            return Ok(Some(Cases::parse(known.name, known.tests)?));
        }
        let path = Path::new(&file.name);
        let name = path.file_name().ok_or_else(|| anyhow!("`{}` is no file", file.name))?;
        let path = path.with_file_name("tests").join(name);
        if !path.try_exists().with_context(|| format!("cannot look for `{}`", path.display()))? {
            return Ok(None);
        }
        Ok(Some(Cases::read(&path)?))
    }
}
