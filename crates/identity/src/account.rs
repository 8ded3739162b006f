//! People whom the gateway knows itself: their accounts, passwords, roles, sessions, and the trail of what happened.
//!
//! [`Accounts`] is one open store. What a visitor does for themselves is in `login`, `password` and `own_sessions`; what
//! an administrator does is in `people` and `organizations`. Everything that changes something leaves an entry in the
//! audit trail, in the same transaction.

mod accounts;
mod audit;
mod email;
mod error;
mod external;
mod login;
mod organizations;
mod own_sessions;
mod people;
mod protection;
mod secret;
mod visit;

pub use accounts::{Accounts, AuditEntry};
pub use email::EmailAddress;
pub use error::AccountError;
pub use login::{Login, NewSession};
pub use organizations::{Membership, Organization};
pub use own_sessions::{CurrentSession, SessionSummary};
pub use people::{NewPerson, Person, PersonId};
pub use visit::Visit;
