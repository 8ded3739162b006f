//! Metrics are described by people, because what a figure means is not in the code. Their names are, and those are
//! compared here.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};

const PAGE: &str = "docs/src/metrics.md";
const PREFIX: &str = "bartizan_";

/// Fails when the page and the code do not name the same metrics.
pub(super) fn check() -> Result<()> {
    let page =
        fs::read_to_string(crate::root().join(PAGE)).with_context(|| format!("could not read `{PAGE}`"))?;
    let described: BTreeSet<_> = quoted(&page, '`').filter(|name| is_metric(name)).collect();
    let mut sources = String::new();
    for room in fs::read_dir(crate::root().join("crates"))? {
        gather(&room?.path().join("src"), &mut sources)?;
    }
    let used: BTreeSet<_> = quoted(&sources, '"').filter(|name| is_metric(name)).collect();
    let list = |names: Vec<&&str>| names.into_iter().copied().collect::<Vec<_>>().join(", ");
    let missing = list(used.difference(&described).collect());
    ensure!(missing.is_empty(), "`{PAGE}` does not describe {missing}");
    let gone = list(described.difference(&used).collect());
    ensure!(gone.is_empty(), "`{PAGE}` describes what the code does not have: {gone}");
    Ok(())
}

/// Appends every Rust file under a folder.
fn gather(folder: &Path, text: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not read `{}`", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The words that stand directly between two marks.
fn quoted(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark)
}

/// Names of rooms (`bartizan_gateway`) look alike: log filters, module paths. A metric ends in its unit.
fn is_metric(name: &str) -> bool {
    const UNITS: [&str; 6] = ["_total", "_seconds", "_bytes", "_connections", "_info", "_requests"];
    name.starts_with(PREFIX)
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
        && UNITS.iter().any(|unit| name.ends_with(unit))
}
