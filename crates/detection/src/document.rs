//! Files of rules, and the documents they hold.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::error::{DetectionError, Problem, Reason};

/// The largest file of rules, or of their tests.
pub(crate) const MAX_FILE: usize = 256 * 1024;
/// The most files in a folder and its folders.
const MAX_FILES: usize = 10_000;
/// How deep folders may stand in each other.
const MAX_DEPTH: usize = 16;

/// A file of rules: one or more documents of YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its name, for messages.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl RuleFile {
    /// A file, or every `.yml` and `.yaml` of a folder and its folders in the order of their names. Folders `tests` are left
    /// out: the tests of rules stand there.
    pub fn read(path: &Path) -> Result<Vec<Self>, DetectionError> {
        let mut paths = Vec::new();
        collect(path, 0, &mut paths).map_err(|error| DetectionError::Read { path: path.into(), error })?;
        paths.sort_unstable();
        paths.iter().map(|path| Self::one(path)).collect()
    }

    fn one(path: &Path) -> Result<Self, DetectionError> {
        let text = read(path).map_err(|error| DetectionError::Read { path: path.into(), error })?;
        Ok(Self { name: path.display().to_string(), text })
    }

    /// Its documents. A marker stands at the beginning of a line; nothing else can.
    pub(crate) fn documents(&self) -> Result<Vec<Document<'_>>, Problem> {
        if self.text.len() > MAX_FILE {
            let reason = Reason::TooMuch { what: "the file's size in bytes", limit: MAX_FILE };
            return Err(Problem { file: self.name.clone(), line: 1, rule: None, reason });
        }
        let (mut documents, mut begin, mut first, mut offset) = (Vec::new(), 0, 1, 0);
        for (index, line) in self.text.split_inclusive('\n').enumerate() {
            if is_marker(line) {
                documents.push(self.document(first, begin, offset));
                (begin, first) = (offset + line.len(), index + 2);
            }
            offset += line.len();
        }
        documents.push(self.document(first, begin, offset));
        documents.retain(|document| !document.is_empty());
        Ok(documents)
    }

    fn document(&self, line: usize, begin: usize, end: usize) -> Document<'_> {
        let text = self.text.get(begin..end).unwrap_or_default();
        // Where comments and empty lines precede it, the place to look at is behind them.
        let before = text.lines().take_while(|line| is_blank(line)).count();
        Document { file: &self.name, line: line + before, begins: line, text }
    }
}

/// What a file holds, as far as it may be long.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() > MAX_FILE {
        return Err(io::Error::other("it is longer than 256 KiB"));
    }
    Ok(text)
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.into());
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(io::Error::other("its folders stand too deep in each other"));
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let is_rule = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
        let is_tests = path.file_name().is_some_and(|name| name == "tests");
        if (path.is_dir() && !is_tests) || (is_rule && !path.is_dir()) {
            collect(&path, depth + 1, files)?;
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other("it holds more than 10000 files"));
        }
    }
    Ok(())
}

/// One document of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    /// The file's name.
    pub(crate) file: &'a str,
    /// The first line that says something, from 1.
    pub(crate) line: usize,
    /// The line that the text begins with, from 1.
    begins: usize,
    /// What it holds.
    pub(crate) text: &'a str,
}

impl Document<'_> {
    fn is_empty(&self) -> bool {
        self.text.lines().all(is_blank)
    }

    /// What is wrong with it.
    pub(crate) fn problem(&self, rule: Option<&str>, reason: Reason) -> Problem {
        Problem { file: self.file.into(), line: self.line, rule: rule.map(Into::into), reason }
    }

    /// A parser's words, at the line that they name.
    pub(crate) fn malformed(&self, words: &str) -> Problem {
        let mut problem = self.problem(None, Reason::Malformed(words.into()));
        let number = words.split(" at line ").nth(1).unwrap_or_default();
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(line @ 1..) = number.parse::<usize>() {
            problem.line = self.begins.saturating_add(line - 1);
        }
        problem
    }
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_where_they_begin() {
        let file =
            RuleFile { name: "a.yml".into(), text: "# A\n---\n\na: 1\n---\n# B\nb: 2\n--- \n#\n".into() };
        let documents = file.documents().unwrap();
        let places: Vec<_> = documents.iter().map(|document| (document.line, document.text)).collect();
        assert_eq!(places, [(4, "\na: 1\n"), (7, "# B\nb: 2\n")]);
        assert_eq!(documents[1].malformed("no mapping at line 2 column 4").line, 7);
    }

    #[test]
    fn tests_are_no_rules() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", "c.txt", "deep/d.yml", "tests/a.yml", "deep/tests/d.yml"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let files = RuleFile::read(folder.path()).unwrap();
        let texts: Vec<_> = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["a.yaml", "b.yml", "deep/d.yml"]);
    }
}
