//! What happened at the gateway: typed, kept, found again.
//!
//! An [`Event`] is one thing that was decided or seen: a request refused, a login, a changed role. Its [`Kind`] is the
//! closed list of what can happen; outside it is written in the shape of OCSF ([`Event::ocsf`]), with what only this
//! gateway knows in one object beside it, `bartizan`. Which fields are about people is a table ([`Field`]).
//!
//! An [`EventLog`] takes them: whoever [records](EventLog::record) one never waits. A bounded queue leads to one thread
//! that writes batches, each in one transaction: into a file of SQLite for each day, or into a [`Database`] of PostgreSQL that
//! several gateways share. An [`EventView`] finds them again: all, or those of one organisation.
//!
//! | when | what is of low severity | what is of medium severity and above |
//! |---|---|---|
//! | the queue is half full | is dropped, and counted as dropped | is taken |
//! | the writer cannot keep up, or the store fails | is dropped, and counted | goes to the spill: appended, synced, replayed later |
//! | the queue is full | is dropped, and counted | is dropped, and counted: there is no place left |
//!
//! An event counts as acknowledged once it stands in a committed transaction or in the synced spill; only then is it
//! shown to [followers](EventLog::follow). What was acknowledged survives the process, and stands in the store once. How
//! many events of each kind a minute had is counted whatever becomes of them ([`EventLog::counts`]).
//!
//! Whoever [taps](Tap) the log is shown everything before it is acknowledged.
//!
//! What this is not: the audit trail, which stands in the database of accounts; and the records that `bartizan explain`
//! shows, which are in memory and know every stage.

mod bounds;
mod error;
mod event;
mod field;
mod following;
mod frame;
mod id;
mod kind;
mod log;
mod ocsf;
mod query;
mod queue;
mod severity;
mod spill;
mod store;
mod tap;
mod told;
mod view;
mod writer;

#[cfg(test)]
mod samples;

pub use error::EventError;
pub use event::{
    ActorKind, Credential, Decision, Details, Event, FindingDetails, FoundField, HttpDetails, Outcome,
};
pub use field::{FIELDS, Field, masked};
pub use following::Following;
pub use frame::{FRAME_HEAD, Frame, LARGEST_FRAME, read_frame, write_frame};
pub use id::EventId;
pub use kind::{Class, Kind, Service};
pub use log::{EventLog, LogHealth, QueueBounds, Settings};
pub use ocsf::OCSF_VERSION;
pub use query::{
    Bucket, Counts, Dimension, Filter, Order, Page, Ranked, Ranking, Span, TextFilter, Unreadable,
};
pub use queue::{Batch, Happening, Queue, Taken};
pub use severity::Severity;
pub use store::Database;
pub use tap::Tap;
pub use view::EventView;
