//! `accounts.limits:`.

use bartizan_model::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::{OneOrMany, Parsed},
    located::Optional,
};

/// How much may be asked of the endpoints of accounts: names of policies under `limits`, or of built-in ones.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EndpointLimits {
    /// Where a secret is tried or chosen, or a message sent: `login`, `password`, `sign-up`, `step-up` and so on. Default: the
    /// built-in `login` (5 in 1 min, 20 in 15 min) for `login` itself, `auth` (10 in 5 min) for the others.
    pub(crate) login: Optional<Parsed<OneOrMany<Name>>>,
    /// Where clients ask for tokens: `token`, `revoke`, `userinfo`; without their own names also `refresh`, `service`,
    /// `introspection` and `metadata`. Default: the built-in `token` (3000 in 1 min).
    #[schemars(extend("default" = "token"))]
    pub(crate) tokens: Optional<Parsed<OneOrMany<Name>>>,
    /// Refresh tokens at `refresh`. Default: what `tokens` says; without that the built-in `refresh` (10 in 1 min, 60 in 1 h).
    pub(crate) refresh: Optional<Parsed<OneOrMany<Name>>>,
    /// Clients and services that ask for themselves at `service`. Default: what `tokens` says; without that the built-in
    /// `api-burst` (60 in 1 min, 1000 in 1 h).
    pub(crate) service: Optional<Parsed<OneOrMany<Name>>>,
    /// Services that ask about tokens at `introspect`. Default: what `tokens` says; without that the built-in `introspection`
    /// (6000 in 1 min).
    pub(crate) introspection: Optional<Parsed<OneOrMany<Name>>>,
    /// What anybody may know: `jwks` and the metadata. Default: what `tokens` says; without that the built-in `metadata` (6000
    /// in 1 min).
    pub(crate) metadata: Optional<Parsed<OneOrMany<Name>>>,
    /// API keys: `keys`.
    #[schemars(extend("default" = "admin"))]
    pub(crate) keys: Optional<Parsed<OneOrMany<Name>>>,
    /// Who may do what: `roles`, `bindings`, `invitations`.
    #[schemars(extend("default" = "admin"))]
    pub(crate) roles: Optional<Parsed<OneOrMany<Name>>>,
    /// Everything else. Default: the built-in `account` (3000 in 1 min).
    #[schemars(extend("default" = "account"))]
    pub(crate) others: Optional<Parsed<OneOrMany<Name>>>,
}
