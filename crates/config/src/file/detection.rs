//! `detection:`.

use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::UtcOffset,
};

/// The rules that look at events, one after the other, and find what no single request shows. What they find are events
/// themselves.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Detection {
    /// Whether the rules that come with the gateway are used: `bartizan detect list`.
    #[schemars(extend("default" = true))]
    pub(crate) starter: Optional<Parsed<bool>>,
    /// Files of Sigma rules, where `*`, `?` and `[..]` may stand in the file's name. They are read again when they change.
    #[schemars(extend("examples" = ["./detection/*.yml"]))]
    pub(crate) rules: Optional<Parsed<OneOrMany<PathBuf>>>,
    /// Rules that are left out, by their id or name; those that come with the gateway by the name of their file, too.
    #[schemars(extend("examples" = [["insider-out-of-hours"]]))]
    pub(crate) without: Optional<Vec<At<Parsed<String>>>>,
    /// The offset of local time to UTC, for rules about hours and days of the week.
    #[schemars(extend("default" = "+00:00"))]
    pub(crate) utc_offset: Optional<Parsed<UtcOffset>>,
    /// Of the requests that were served the rules look at most at so many a second, 1 to 100000. Of everything else they
    /// look at what they can.
    #[schemars(extend("default" = 1000))]
    pub(crate) served: Optional<Parsed<NonZeroU32>>,
}
