//! Claims that people write themselves: whoever takes rights from them lets people choose their own.

use crate::{
    ClaimSource,
    claim_source::steps,
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
};

/// What the users of well-known providers may write themselves.
const WRITABLE: [&str; 3] = ["user_metadata", "unsafe_metadata", "unsafeMetadata"];

/// What the users of one provider write.
pub(in crate::resolve) struct Writable {
    /// What the operator says besides.
    said: Vec<String>,
    position: Option<Position>,
}

impl Writable {
    pub(in crate::resolve) fn read(
        file: &Optional<Vec<At<Parsed<String>>>>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let written = file.as_ref().map(|names| problems.read_all(names)).unwrap_or_default();
        let position = file.as_ref().map(|at| at.position);
        Self { said: written.into_iter().map(|name| name.value).collect(), position }
    }

    /// Refuses sources that read something of it. Without a position the sources are the defaults, which are refused where it
    /// is said that users write them.
    pub(in crate::resolve) fn refuse(
        &self,
        position: Option<Position>,
        sources: &[ClaimSource],
        problems: &mut Problems<'_>,
    ) {
        let Some(position) = position.or(self.position) else { return };
        for source in sources {
            let mut writable = WRITABLE.into_iter().chain(self.said.iter().map(String::as_str));
            if let Some(writable) = writable.find(|writable| reads(source, &steps(writable))) {
                problems
                    .error(
                        position,
                        format!("users write `{writable}` themselves: they would choose what they may"),
                    )
                    .help("take a claim that only the provider writes, such as `/app_metadata/roles`");
            }
        }
    }
}

/// An expression may take a part of a claim that it names, so one around the writable one counts as well.
fn reads(source: &ClaimSource, writable: &[String]) -> bool {
    let around = matches!(source, ClaimSource::Expression(_));
    source.reads().iter().any(|path| path.starts_with(writable) || (around && writable.starts_with(path)))
}
