//! Secrets of the document that can be changed: the newest first, behind it those that something is still encrypted with.

use crate::{
    forms::{OneOrMany, Parsed},
    located::At,
    problems::Problems,
    word::Secret,
};

/// Each is tried where the one before opens nothing.
const MOST: usize = 4;

/// The secrets that are written there, one at least unless there is a problem with it.
pub(super) fn secrets(
    written: &At<Parsed<OneOrMany<Secret>>>,
    problems: &mut Problems<'_>,
) -> Vec<At<Secret>> {
    let Some(words) = problems.read(written) else { return Vec::new() };
    let words = written.with(words).all();
    if !(1..=MOST).contains(&words.len()) {
        problems
            .error(written.position, format!("1 to {MOST} secrets, not {}", words.len()))
            .help("write the newest first, and behind it the one that is to be replaced");
    }
    problems.read_all(&words)
}
