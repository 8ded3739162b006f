//! Pages that people write name things of the code: metrics, tests. Here both are compared, so that neither runs away
//! from the other.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};

const METRICS: &str = "docs/src/metrics.md";
const THREATS: &str = "docs/src/threats.md";
const PREFIX: &str = "bartizan_";

/// Fails when a page names what the code does not have, or the code has a metric that no page describes.
pub(super) fn check() -> Result<()> {
    let sources = Sources::read()?;
    let metrics_page = page(METRICS)?;
    let described = metrics(&metrics_page, '`', &sources.rooms);
    let used = metrics(&sources.text, '"', &sources.rooms);
    let missing = list(used.difference(&described));
    ensure!(missing.is_empty(), "`{METRICS}` does not describe {missing}");
    let gone = list(described.difference(&used));
    ensure!(gone.is_empty(), "`{METRICS}` describes what the code does not have: {gone}");

    let threats = page(THREATS)?;
    let gone =
        list(tests_named_in(&threats).iter().filter(|test| !sources.text.contains(&format!("fn {test}("))));
    ensure!(gone.is_empty(), "`{THREATS}` names tests that do not exist: {gone}");
    Ok(())
}

/// The Rust files of every room, tests included.
struct Sources {
    text: String,
    rooms: Vec<String>,
}

impl Sources {
    fn read() -> Result<Self> {
        let mut sources = Self { text: String::new(), rooms: Vec::new() };
        for room in fs::read_dir(crate::root().join("crates"))? {
            let room = room?;
            sources.rooms.push(format!("{PREFIX}{}", room.file_name().display()));
            for folder in ["src", "tests"] {
                gather(&room.path().join(folder), &mut sources.text)?;
            }
        }
        Ok(sources)
    }
}

/// Appends every Rust file under a folder, if it exists.
fn gather(folder: &Path, text: &mut String) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn page(path: &str) -> Result<String> {
    fs::read_to_string(crate::root().join(path)).with_context(|| format!("could not read `{path}`"))
}

/// The names of metrics that stand directly between two marks. Names of rooms (`bartizan_gateway`, a log filter)
/// look alike, and the prefix alone begins every API key.
fn metrics<'t>(text: &'t str, mark: char, rooms: &[String]) -> BTreeSet<&'t str> {
    let is_name = |word: &str| {
        word.strip_prefix(PREFIX).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
    };
    text.split(mark).filter(|word| is_name(word) && !rooms.iter().any(|room| room == word)).collect()
}

/// The code words in the last column of a table.
fn tests_named_in(page: &str) -> BTreeSet<&str> {
    let cells = page.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|')?.rsplit('|').next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

fn list<'n>(names: impl Iterator<Item = &'n &'n str>) -> String {
    names.copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_pages_is_one_of_the_code() {
        check().unwrap();
    }

    #[test]
    fn rooms_and_the_prefix_are_not_metrics() {
        let rooms = ["bartizan_gateway".to_owned()];
        let code = r#"counter!("bartizan_requests_total", "route" => 1); filter("bartizan_gateway"); "bartizan_gateway=debug"; "bartizan_""#;
        assert_eq!(metrics(code, '"', &rooms), BTreeSet::from(["bartizan_requests_total"]));
    }

    #[test]
    fn tests_stand_in_the_last_column() {
        let page = "| attack | `control` | `a_test`, `another` |\n|---|---|---|\n`elsewhere`\n";
        assert_eq!(tests_named_in(page), BTreeSet::from(["a_test", "another"]));
    }
}
