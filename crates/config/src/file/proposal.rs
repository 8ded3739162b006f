//! A document about limits alone: what somebody proposes, to forecast what it would do.

use bartizan_model::Name;
use http::Method;
use serde::{Deserialize, de::IgnoredAny};

use super::{Cost, Entries, LimitPolicy};
use crate::{
    PathPattern,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::HostPattern,
};

/// Policies, and which routes they would limit.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsProposal {
    /// As in a whole configuration.
    pub(crate) limits: Optional<Entries<Parsed<LimitPolicy>>>,
    /// What is to change about routes; those that are not listed stay as they are.
    pub(crate) routes: Optional<Vec<At<ProposedRoute>>>,
}

/// The limits of a route, which its path, its hosts and its methods name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedRoute {
    pub(crate) path: At<Parsed<PathPattern>>,
    #[serde(default)]
    pub(crate) hosts: Optional<Parsed<OneOrMany<HostPattern>>>,
    #[serde(default)]
    pub(crate) host: Optional<Parsed<HostPattern>>,
    #[serde(default)]
    pub(crate) methods: Optional<Vec<At<Parsed<Method>>>>,
    #[serde(default)]
    pub(crate) limit: Optional<Parsed<OneOrMany<Name>>>,
    #[serde(default)]
    pub(crate) cost: Optional<Parsed<Cost>>,
}

/// What tells a whole configuration from a document about limits alone.
#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) version: Option<IgnoredAny>,
}
