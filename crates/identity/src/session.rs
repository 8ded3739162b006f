//! Sessions: who has logged in, proven by a cookie.
//!
//! A session's token is 256 random bits; the store knows its SHA-256. What a session says of its person is read once
//! and remembered for half a minute; a change (logout, other roles, a person who may no longer enter) is noted at once
//! on this gateway, and by the others within a second ([`changes`]). Where the store does not answer, a session
//! that is not remembered is neither accepted nor refused: the caller is told to come back.

mod asked_factor;
pub(crate) mod changes;
mod client_family;
pub(crate) mod cookie;
pub(crate) mod cross_site;
pub(crate) mod home;
pub(crate) mod live;
pub(crate) mod moment;
pub(crate) mod table;
pub(crate) mod token;

pub use cross_site::{CrossSite, WriteGuard};
pub use home::{Home, Visitor};
pub use live::LiveSessions;
pub use table::UnreadSession;
pub use token::SessionToken;
