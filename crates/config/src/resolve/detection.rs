//! `detection:`.

use std::path::Path;

use super::{files::Files, include::Included};
use crate::{
    Detection, DetectionFile, file,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
};

/// The most requests a second that rules look at.
const MOST_SERVED: u32 = 100_000;

/// `detection:`, with what its files hold.
pub(crate) fn resolve(
    file: &Optional<file::Detection>,
    base: &Path,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Detection {
    let default = Detection::default();
    let Some(file) = file.as_ref() else { return default };
    let served = problems.read_optional(&file.served).map_or(default.served, |served| {
        if served.value.get() > MOST_SERVED {
            problems.error(served.position, format!("`served` is 1 to {MOST_SERVED}"));
        }
        served.value
    });
    let without = file.without.iter().flat_map(|without| problems.read_all(without));
    let without = without.map(|name| (name.value, name.position.line())).collect();
    Detection {
        starter: problems.read_or(&file.starter, default.starter),
        files: file.rules.as_ref().map_or_else(Vec::new, |rules| read(rules, base, files, problems)),
        without,
        utc_offset: problems.read_optional(&file.utc_offset).map_or(0, |offset| offset.value.minutes()),
        served,
    }
}

fn read(
    patterns: &At<Parsed<OneOrMany<std::path::PathBuf>>>,
    base: &Path,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Vec<DetectionFile> {
    let Some(listed) = problems.read(patterns) else { return Vec::new() };
    let all = problems.read_all(&patterns.with(listed).all());
    let Included { files: named, patterns: watched } = Included::find(&all, base, problems);
    files.watch_patterns(watched);
    let texts = named.into_iter().filter_map(|path| {
        let text = files.text(&path, patterns.position, problems)?;
        Some(DetectionFile { path, text })
    });
    texts.collect()
}
