//! `accounts.second_factor:`.

use std::time::Duration;

use bartizan_model::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::Secret,
};

/// What people show besides their password.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SecondFactor {
    /// The roles whose people must have a second factor; codes by e-mail and SMS are not enough for them. With an empty list
    /// everybody decides for themselves.
    #[schemars(extend("default" = ["super_admin", "org_admin"]))]
    pub(crate) roles: Optional<Vec<At<Parsed<Name>>>>,
    /// How long these people may go on without one, from the first login at which one is asked for. Afterwards they can do
    /// nothing but enrol one.
    #[schemars(extend("default" = "30d"))]
    pub(crate) grace: Optional<Parsed<Duration>>,
    /// What authenticator apps call this service.
    #[schemars(extend("default" = "Bartizan"))]
    pub(crate) issuer: Optional<Parsed<String>>,
    /// What the secrets of authenticator apps and the numbers of telephones are encrypted with in the store: the same for
    /// every gateway of a store. Without it a key is made and kept in the store itself, so whoever reads the store can make
    /// codes. Of a list the first encrypts, and all decrypt; with another key alone the apps and telephones that are enrolled are
    /// worth nothing.
    pub(crate) key: Optional<Parsed<OneOrMany<Secret>>>,
}
