//! People whom the gateway knows itself: their accounts, passwords, roles, sessions, and the trail of what happened.
//!
//! [`Accounts`] is one open store. What a visitor does for themselves is in `login`, `password` and `own_sessions`; what
//! an administrator does is in `people` and `organizations`. Everything that changes something leaves an entry in the
//! audit trail, in the same transaction.

mod accounts;
mod api_key_row;
mod api_keys;
mod audit;
mod authority;
mod bindings;
mod email;
mod error;
mod external;
mod login;
mod machine_words;
mod organizations;
mod own_keys;
mod own_sessions;
mod people;
mod protection;
mod roles;
mod secret;
mod service_authentication;
mod service_credentials;
mod services;
mod shared_secret;
mod visit;

pub use accounts::Accounts;
pub use api_key_row::{ApiKey, KeyFilter, KeyOwner, NewApiKey};
pub use audit::{AuditEntry, AuditFilter};
pub use authority::Authority;
pub use bindings::{NewBinding, RoleBinding, RoleHolder};
pub use email::EmailAddress;
pub use error::AccountError;
pub use login::{Login, NewSession};
pub use organizations::{Membership, Organization};
pub use own_keys::NewOwnKey;
pub use own_sessions::{CurrentSession, SessionSummary};
pub use people::{NewPerson, Person, PersonId};
pub use roles::CustomRole;
pub use service_authentication::{ServiceProof, ServiceStanding};
pub use service_credentials::{CredentialKind, NewCredential, ServiceCredential};
pub use services::{NewService, Service};
pub use visit::Visit;
