//! The second tier: Cedar policies, behind the permissions.
//!
//! [`Policies::compile`] makes a schema of what the configuration says (routes, permissions, zones), validates every
//! policy against it, strictly, and sorts policies by the actions that their scopes name: a request evaluates only those
//! that can have something to say. [`Policies::of_route`] prepares what a route asks; [`RoutePolicies::judge`] decides
//! about one request, with the entities of that request and no others.
//!
//! What no policy permits is denied, a policy that forbids wins, and so does an error: Cedar leaves out a policy that
//! cannot be evaluated, which might have been one that forbids.

mod action;
mod caller;
mod context;
mod declared;
mod error;
mod judgement;
mod policies;
mod question;
mod required;
mod route;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod types;
mod zones;

pub use caller::Caller;
pub use context::RequestFacts;
pub use error::PoliciesError;
pub use judgement::{Judgement, Ruling};
pub use policies::Policies;
pub use question::{Answer, AskedAction, AskedEntity, AskedParent, Question, QuestionError};
pub use required::Unmet;
pub use route::RoutePolicies;
pub use statement::{Effect, Statement};
