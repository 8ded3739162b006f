//! The vocabulary every other room shares: who asks, from where, under which request id, holding which
//! permissions, and which line of the configuration said so.
//!
//! Nothing here decides anything. A type parses itself at the border (`FromStr`, `TryFrom`) and is then
//! trusted everywhere.
//!
//! ```
//! use bartizan_model::{Permission, Grant};
//!
//! let needed: Permission = "orders:read".parse()?;
//! let held: Grant = "orders:*".parse()?;
//! assert_eq!(needed.resource(), "orders");
//! assert!(held.covers(&needed));
//! # Ok::<(), bartizan_model::ModelError>(())
//! ```

mod address;
mod line;
mod name;
mod permission;
mod principal;
mod quota;
mod request_id;
mod trace_context;
mod zone;

pub use address::{AddressPrefix, SitePrefix, canonical_network};
pub use line::Line;
pub use name::Name;
pub use permission::{Grant, Permission};
pub use principal::{CallerType, OrganizationId, Principal, PrincipalId, PrincipalKind, SessionId, UserId};
pub use quota::{Algorithm, Quota};
pub use request_id::RequestId;
pub use trace_context::TraceContext;
pub use zone::Zone;

/// What may be wrong with a word of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A permission or grant that is not `resource:action`.
    #[error("`{0}` is not a permission: write `resource:action`, for example `orders:read`")]
    Permission(String),
    /// A configuration name with characters other than letters, digits, `-`, `_` and `.`.
    #[error("`{0}` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`")]
    Name(String),
    /// A zone that there is not.
    #[error("there is no zone `{0}`: write `public`, `gateway`, `services` or `data`")]
    Zone(String),
    /// A quota beyond what is sensible.
    #[error("not a quota: {0}")]
    Quota(&'static str),
    /// A request id that is not 1 to 128 letters, digits, `-`, `_` or `.`.
    #[error("not a request id: use 1 to 128 letters, digits, `-`, `_` or `.`")]
    RequestId,
    /// A `traceparent` that W3C Trace Context does not allow.
    #[error("not a W3C traceparent")]
    TraceContext,
}
