//! May they? Permissions first: what a caller holds against what a route requires, deny by default. Then, where there
//! are some, Cedar policies ([`Policies`]): attributes, time, ownership, zones.
//!
//! Every permission that some route requires gets a bit ([`PermissionIndex`]). What a caller holds becomes a
//! bitset once, when the credential is verified ([`PermissionIndex::expand`]); what a route requires becomes a
//! mask once, when the configuration is loaded ([`PermissionIndex::compile`]). Deciding is then a few machine
//! words and no allocation. Permissions, grants and their wildcard rules are those of
//! [`bartizan_model::Grant`]; roles are named sets of grants ([`RoleTable`]).
//!
//! Nothing here knows how a caller proved itself.
//!
//! ```
//! use bartizan_config::{Requirement, Requirements};
//! use bartizan_model::Grant;
//! use bartizan_policy::{Decision, PermissionIndex};
//! use http::Method;
//!
//! let requirements = Requirements::Every(Requirement::All(vec!["orders:read".parse()?]));
//! let index = PermissionIndex::new([&requirements]);
//! let route = index.compile(&requirements);
//!
//! let clerk: Grant = "orders:*".parse()?;
//! assert_eq!(route.decide(&Method::GET, &index.expand([&clerk])), Decision::Permitted);
//!
//! let denied = route.decide(&Method::GET, &index.expand([]));
//! assert!(matches!(denied, Decision::Denied(missing) if missing.to_string() == "`orders:read`"));
//! # Ok::<(), bartizan_model::ModelError>(())
//! ```

mod built_in;
mod cedar;
mod decision;
mod index;
mod rights;
mod role;
mod route_policy;
#[cfg(test)]
mod tests;

pub use built_in::BuiltInRole;
pub use cedar::{
    Answer, AskedAction, AskedEntity, AskedParent, Caller, Effect, Judgement, Policies, PoliciesError,
    Question, QuestionError, RequestFacts, RoutePolicies, Ruling, Statement, Unmet,
};
pub use decision::{Decision, Missing};
pub use index::{PermissionIndex, PermissionSet};
pub use rights::{Rights, beyond, intersection};
pub use role::RoleTable;
pub use route_policy::RoutePolicy;
