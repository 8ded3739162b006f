//! The web application firewall: which rules look at the requests of a route, and what follows when they object.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use bartizan_model::Line;

use crate::PathPattern;

/// Names a rule set by its place in [`crate::Config::rule_sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSetIndex(pub usize);

/// The rules that one or more routes share, compiled once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleSet {
    /// Which rules.
    pub rules: Rules,
    /// The operator's own rule files, in the order in which they are read.
    pub include: Vec<PathBuf>,
}

/// Where the rules of a set come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rules {
    /// The starter rules that every gateway carries.
    Starter,
    /// The OWASP Core Rule Set.
    Core(CoreRuleSet),
}

/// The OWASP Core Rule Set on this machine: files in the order in which it wants them read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CoreRuleSet {
    /// Its setup, or the example of one that it comes with.
    pub setup: PathBuf,
    /// What plug-ins and own exclusions want read before the rules.
    pub before: Vec<PathBuf>,
    /// The rules.
    pub rules: Vec<PathBuf>,
    /// What plug-ins and own exclusions want read after the rules.
    pub after: Vec<PathBuf>,
}

/// `waf` of a route whose firewall is not off: the document's keys, with the route's own in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Waf {
    /// Where it stands in the file: on the route, or at the top of the document.
    pub line: Line,
    /// Whether it refuses.
    pub mode: WafMode,
    /// Its rules.
    pub rules: RuleSetIndex,
    /// The paranoia level, 1 to 4. Default 1.
    pub paranoia: u8,
    /// Where that is written; [`Line::NONE`] where it is not.
    pub paranoia_line: Line,
    /// The paranoia level up to which rules look without refusing, at least [`Self::paranoia`], which is the default.
    pub detection_paranoia: u8,
    /// The anomaly scores from which it refuses.
    pub threshold: Threshold,
    /// The most of a request body that is looked at, in bytes. Default: what the route lets through, up to 16 MiB.
    pub max_body: usize,
    /// What happens to a longer one. Default: refused.
    pub on_large_body: OnLargeBody,
    /// Which responses are looked at; `None`: none.
    pub responses: Option<InspectedResponses>,
    /// What follows from what classes of rules find: the document's, then the route's. The last that names a tag of a rule
    /// counts.
    pub actions: Vec<Arc<ClassAction>>,
    /// What the rules are not to look at: the document's, then the route's.
    pub exclusions: Vec<Arc<Exclusion>>,
}

/// What the firewall does with a request that its rules object to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum WafMode {
    /// Refuses it.
    #[default]
    Block,
    /// Only reports that it would have refused it.
    Log,
}

/// What follows from what a class of rules finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassAction {
    /// Where it stands in the file.
    pub line: Line,
    /// The class: a tag that its rules carry.
    pub tag: String,
    /// Whether it counts and can refuse, refuses at once, asks for proof, costs more, or is only reported.
    pub action: WafAction,
}

/// What follows from what rules find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WafAction {
    /// It counts, and can refuse.
    Block,
    /// It refuses at once, whatever the anomaly score.
    Deny,
    /// It refuses at once, and the connection is closed.
    Drop,
    /// It refuses until its caller has proven with a second factor who they are, and is reported then.
    Challenge,
    /// It is reported, and the request counts for ten more in the limits of its route.
    Limit,
    /// It is reported.
    Log,
}

/// The anomaly scores from which requests and responses are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Of requests. Default 5: one critical rule is enough.
    pub inbound: u32,
    /// Of responses. Default 4.
    pub outbound: u32,
}

/// What happens to a request body that is longer than what is looked at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnLargeBody {
    /// It is refused (413).
    #[default]
    Refuse,
    /// Its front is looked at, and the rest is forwarded unseen.
    InspectPrefix,
}

/// Which responses are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedResponses {
    /// The most of a response body that is looked at, and held back until then, in bytes. Default 512 KiB. What is
    /// beyond is streamed unseen.
    pub max_body: usize,
    /// The media types whose bodies are looked at, lower case.
    pub types: Vec<String>,
}

/// Something that rules are not to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Where it stands in the file.
    pub line: Line,
    /// Which rules.
    pub rules: ExcludedRules,
    /// The variable that they leave out (`ARGS:comment`); `None`: they are left out themselves.
    pub target: Option<String>,
    /// Only requests for this path. `None`: all of the routes it stands for.
    pub path: Option<PathPattern>,
    /// Why.
    pub reason: Option<String>,
    /// From when on it is none any more.
    pub expires: Option<SystemTime>,
}

/// Which rules an exclusion concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExcludedRules {
    /// Those with these numbers.
    Ids(RuleIds),
    /// Those with this tag.
    Tag(String),
}

/// Numbers of rules: one, or all from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleIds {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Exclusion {
    /// Whether it is still one at this time.
    pub fn applies_at(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether it concerns requests for this path (in its normal form).
    pub fn concerns(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|pattern| pattern.matches(path))
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self { inbound: 5, outbound: 4 }
    }
}

impl std::fmt::Display for RuleIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}
