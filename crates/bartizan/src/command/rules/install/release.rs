//! Releases whose contents are known here: they are recognised by what is in them, however they are packed.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::document::hexadecimal;

/// Versions, and the SHA-256 of what `sha256sum crs-setup.conf.example rules/*.conf rules/*.data | LC_ALL=C sort -k2` says
/// in the folder of the release: every file that rules come from, with its own SHA-256.
const KNOWN: [(&str, &str); 1] =
    [("4.28.0", "55e94c64e3755b1d4cd120516470e879cece1b8c52e08b3bea90c1870049d3eb")];

/// Whether `folder` holds this release as it was released. What the digest does not cover and would be read is taken out:
/// plug-ins, of which a release has none but empty ones.
pub(super) fn is_known(version: &str, folder: &Path) -> Result<bool> {
    let Some((_, known)) = KNOWN.iter().find(|(known, _)| *known == version) else { return Ok(false) };
    if digest(folder)? != *known {
        return Ok(false);
    }
    let plugins = folder.join("plugins");
    if plugins.exists() {
        fs::remove_dir_all(&plugins).with_context(|| format!("cannot remove `{}`", plugins.display()))?;
    }
    Ok(true)
}

fn digest(folder: &Path) -> Result<String> {
    let mut paths = vec!["crs-setup.conf.example".to_owned()];
    let rules = folder.join("rules");
    for entry in fs::read_dir(&rules).with_context(|| format!("cannot read `{}`", rules.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_read = Path::new(&name).extension().is_some_and(|kind| kind == "conf" || kind == "data");
        if is_read {
            paths.push(format!("rules/{name}"));
        }
    }
    paths.sort_unstable();
    let mut list = Sha256::new();
    for path in paths {
        let bytes = fs::read(folder.join(&path)).with_context(|| format!("cannot read `{path}`"))?;
        list.update(format!("{}  {path}\n", hexadecimal(&Sha256::digest(&bytes))));
    }
    Ok(hexadecimal(&list.finalize()))
}
