//! Who is on call when.

use std::time::Duration;

use bartizan_model::Name;

use super::named;
use crate::{Rotation, RotationOverride, file, located::At, problems::Problems};

const SHORTEST: Duration = Duration::from_hours(1);
const MOST_MEMBERS: usize = 64;
const MOST_OVERRIDES: usize = 256;

pub(super) fn rotation(
    name: Name,
    at: &At<file::Rotation>,
    channels: &[Name],
    problems: &mut Problems<'_>,
) -> Option<Rotation> {
    let written = &at.members;
    if written.value.is_empty() || written.value.len() > MOST_MEMBERS {
        problems
            .error(
                written.position,
                format!("the rotation `{name}` has no members, or more than {MOST_MEMBERS}"),
            )
            .help("list the channels of each person who takes a turn");
    }
    let mut members = Vec::new();
    for member in &written.value {
        let known = named(member, &[channels], "channel", problems);
        if known.is_empty() && member.is_valid() {
            problems.error(member.position, "this member has no channel");
        }
        members.push(known);
    }
    let every = problems.read(&at.every)?;
    if every < SHORTEST {
        problems.error(at.every.position, "a turn lasts an hour or more");
    }
    let from = problems.read(&at.from)?;
    let mut overrides = Vec::new();
    for instead in at.overrides.iter().flat_map(|overrides| &overrides.value) {
        let to = named(&instead.to, &[channels], "channel", problems);
        let (Some(from), Some(until)) = (problems.read(&instead.from), problems.read(&instead.until)) else {
            continue;
        };
        if until.0 <= from.0 {
            problems.error(instead.until.position, "`until` is not after `from`");
        }
        overrides.push(RotationOverride { from: from.0, until: until.0, to });
    }
    if overrides.len() > MOST_OVERRIDES {
        problems.error(at.position, format!("there are more than {MOST_OVERRIDES} overrides"));
    }
    Some(Rotation { name, members, every, from: from.0, overrides })
}
