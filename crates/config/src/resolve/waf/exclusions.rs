//! What rules are not to look at.

use std::{sync::Arc, time::SystemTime};

use crate::{
    ExcludedRules, Exclusion, file,
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
    resolve::expiry,
};

/// Each costs every request of its routes.
const MOST: usize = 256;

pub(super) fn resolve(
    file: &Optional<Vec<At<Parsed<file::Exclusion>>>>,
    today: SystemTime,
    problems: &mut Problems<'_>,
) -> Vec<Arc<Exclusion>> {
    let Some(listed) = file.as_ref() else { return Vec::new() };
    if listed.len() > MOST {
        let message = format!("{} exclusions are more than {MOST}", listed.len());
        problems.error(listed.position, message).help("write rules of your own under `include`");
    }
    let mut exclusions = Vec::new();
    for at in listed.iter().take(MOST) {
        let Some(file) = problems.borrow(at) else { continue };
        exclusions.extend(exclusion(file, at.position, today, problems).map(Arc::new));
    }
    exclusions
}

fn exclusion(
    file: &file::Exclusion,
    position: Position,
    today: SystemTime,
    problems: &mut Problems<'_>,
) -> Option<Exclusion> {
    let rules = match (file.rule.as_ref(), file.tag.as_ref()) {
        (Some(ids), None) => problems.read(ids).map(ExcludedRules::Ids),
        (None, Some(tag)) => problems.read(tag).map(|tag| ExcludedRules::Tag(tag.0)),
        (Some(_), Some(tag)) => {
            problems
                .error(tag.position, "`rule` and `tag` are two ways to say which rules")
                .help("write two exclusions");
            None
        }
        (None, None) => {
            problems
                .error(position, "this exclusion does not say which rules")
                .help("write for example `rule: 942100` or `tag: attack-sqli`");
            None
        }
    };
    let exclusion = Exclusion {
        line: position.line(),
        target: problems.read_optional(&file.target).map(|target| target.value.0),
        path: problems.read_optional(&file.path).map(|path| path.value),
        reason: problems.read_optional(&file.reason).map(|reason| reason.value),
        expires: expiry::read(&file.expires, "exclusion", "its rules look again", today, problems),
        rules: rules?,
    };
    Some(exclusion)
}
