//! Unpacks what the gateway needs of a release. The checksum has proven that the archive is the expected one; what is
//! unpacked is nevertheless bounded, and an archive with a name that leaves its folder, with a link or a device in it
//! is refused whole.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

/// The most of the unpacked archive that is read: a release has about 4 MB, all of its source 20 MB.
const MAX_BYTES: u64 = 48 * 1024 * 1024;
/// All of its source has about 1000.
const MAX_ENTRIES: usize = 20_000;
/// Folders in folders; the deepest of a release is `rules/`.
const MAX_DEPTH: usize = 8;

/// What is kept: these files and everything in these folders.
const FILES: [&str; 2] = ["crs-setup.conf.example", "LICENSE"];
const FOLDERS: [&str; 2] = ["rules", "plugins"];

/// Unpacks into `folder`, which must not be there.
pub(super) fn unpack(gzipped: &[u8], folder: &Path) -> Result<()> {
    make(folder)?;
    let bounded = GzDecoder::new(gzipped).take(MAX_BYTES);
    let mut archive = Archive::new(bounded);
    let mut seen = HashSet::new();
    let entries = archive.entries().context("it is no archive")?;
    for (number, entry) in entries.enumerate() {
        ensure!(number < MAX_ENTRIES, "it has more than {MAX_ENTRIES} entries");
        let entry =
            entry.context("it is no `.tar.gz` archive, is broken off, or unpacks to more than 48 MiB")?;
        if let Some(path) = place(&entry)? {
            ensure!(seen.insert(path.clone()), "it holds `{}` twice", path.display());
            write(entry, &folder.join(&path))
                .with_context(|| format!("cannot unpack `{}`", path.display()))?;
        }
    }
    let is_whole = folder.join("crs-setup.conf.example").is_file()
        && fs::read_dir(folder.join("rules")).is_ok_and(|mut rules| {
            rules.any(|rule| {
                rule.is_ok_and(|rule| rule.file_name().to_string_lossy().starts_with("REQUEST-901-"))
            })
        });
    ensure!(is_whole, "it does not hold the Core Rule Set");
    Ok(())
}

/// Where an entry goes, below the folder that holds the release; `None` for what is not needed.
fn place<R: Read>(entry: &Entry<'_, R>) -> Result<Option<PathBuf>> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    match entry.header().entry_type() {
        EntryType::Regular => {}
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(None),
        _ => bail!("`{}` is neither a file nor a folder", shown(&name)),
    }
    let mut parts = Vec::new();
    for component in Path::new(&name).components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            _ => bail!("`{}` leads out of its folder", shown(&name)),
        }
    }
    let is_plain = parts.iter().all(|part| part.to_str().is_some_and(|part| part.chars().all(is_of_name)));
    ensure!(is_plain && parts.len() <= MAX_DEPTH, "`{}` is no name of a release's file", shown(&name));
    let is_kept = |parts: &[&OsStr]| match parts {
        [file] => FILES.iter().any(|kept| file == kept),
        [folder, ..] => FOLDERS.iter().any(|kept| folder == kept),
        [] => false,
    };
    // Mostly the first is the folder of the release; it may be packed without one.
    let inside = if is_kept(&parts) { parts.as_slice() } else { parts.get(1..).unwrap_or_default() };
    Ok(is_kept(inside).then(|| inside.iter().collect()))
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || " -_.,+=@()[]{}#'!&~%".contains(character)
}

fn shown(name: &str) -> String {
    crate::output::printable(&name.chars().take(200).collect::<String>())
}

fn write<R: Read>(mut entry: Entry<'_, R>, path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), make)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let length = io::copy(&mut entry, &mut file)?;
    ensure!(length == entry.header().size()?, "the archive is broken off, or unpacks to more than 48 MiB");
    Ok(())
}

fn make(folder: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make `{}`", folder.display()))
}

#[cfg(test)]
mod tests;
