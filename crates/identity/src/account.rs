//! People whom the gateway knows itself: their accounts, passwords, roles, sessions, and the trail of what happened.
//!
//! [`Accounts`] is one open store. What a visitor does for themselves is in `login`, `sign_up`, `password_reset`,
//! `factors`, `profile` and `own_sessions`; what an administrator does is in `people`, `organizations` and `invitations`. Everything that changes something leaves an entry in the
//! audit trail, in the same transaction.

mod accounts;
mod api_key_row;
mod api_keys;
mod audit;
mod authority;
mod background;
mod bindings;
mod email;
mod error;
mod external;
mod factor_check;
mod factors;
mod first_administrator;
mod invitations;
mod last_administrator;
mod letters;
mod link;
mod login;
mod login_ticket;
mod machine_words;
mod members;
mod methods;
pub(crate) mod moved;
mod narrowed_roles;
mod organizations;
mod own_keys;
mod own_sessions;
mod password_reset;
mod people;
mod profile;
mod proof;
mod protection;
mod refusals;
mod roles;
mod seal;
mod secret;
mod service_authentication;
mod service_credentials;
mod services;
mod shared_secret;
mod sign_up;
mod step_up;
mod visit;

pub use accounts::Accounts;
pub use api_key_row::{ApiKey, KeyFilter, KeyHolder, KeyOwner, NewApiKey};
pub use audit::{AuditEntry, AuditFilter};
pub use authority::Authority;
pub use bindings::{NewBinding, RoleBinding, RoleHolder};
pub use email::EmailAddress;
pub use error::AccountError;
pub use factor_check::{FactorKind, ShownFactor};
pub use factors::{EnrolledTotp, SecondFactor, SecondFactors};
pub use invitations::Invitation;
pub use link::LinkToken;
pub use login::{Login, NewSession};
pub use login_ticket::{LoggedIn, PendingLogin};
pub use members::MemberChange;
pub use methods::Methods;
pub use organizations::{Membership, Organization};
pub use own_keys::NewOwnKey;
pub use own_sessions::{CurrentSession, SessionSummary};
pub use people::{NewPerson, Person, PersonId};
pub use profile::Profile;
pub use roles::CustomRole;
pub use service_authentication::{ServiceProof, ServiceStanding};
pub use service_credentials::{CredentialKind, NewCredential, ServiceCredential};
pub use services::{NewService, Service};
pub use step_up::StepUp;
pub use visit::Visit;
