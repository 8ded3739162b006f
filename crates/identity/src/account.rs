//! People whom the gateway knows itself: their accounts, passwords, roles, sessions, and the trail of what happened.
//!
//! [`Accounts`] is one open store. What a visitor does for themselves is in `login`, `sign_up`, `password_reset`,
//! `factors`, `profile` and `own_sessions`; what an administrator does is in `people`, `organizations` and `invitations`. Everything that changes something leaves an entry in the
//! audit trail, in the same transaction.

mod accounts;
mod audit;
mod background;
mod email;
mod error;
mod external;
mod factor_check;
mod factors;
mod first_administrator;
mod invitations;
mod letters;
mod link;
mod login;
mod login_ticket;
mod methods;
pub(crate) mod moved;
mod organizations;
mod own_sessions;
mod password_reset;
mod people;
mod profile;
mod proof;
mod protection;
mod seal;
mod secret;
mod sign_up;
mod step_up;
mod stored_key;
mod visit;

pub use accounts::{Accounts, AuditEntry};
pub use email::EmailAddress;
pub use error::AccountError;
pub use factor_check::{FactorKind, ShownFactor};
pub use factors::{EnrolledTotp, SecondFactor, SecondFactors};
pub use invitations::Invitation;
pub use link::LinkToken;
pub use login::{Login, NewSession};
pub use login_ticket::{LoggedIn, PendingLogin};
pub use methods::Methods;
pub use organizations::{Membership, Organization};
pub use own_sessions::{CurrentSession, SessionSummary};
pub use people::{NewPerson, Person, PersonId};
pub use profile::Profile;
pub use step_up::StepUp;
pub use visit::Visit;
