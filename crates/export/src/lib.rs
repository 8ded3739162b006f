//! Events for the systems that people watch many services with: syslog, Splunk, Elasticsearch, OpenTelemetry, files.
//!
//! [`Exports`] is a [`Tap`](bartizan_events::Tap) of the log of events: what is about to be acknowledged there stands in the
//! spool of every export that wants it first. One task for each export reads its spool, forms batches, and sends them until
//! the [receiver](bartizan_config::ExportReceiver) has taken them. The [formats](format) are pure functions of an event as it
//! is [shown](Shown).
//!
//! ```
//! use bartizan_config::{Config, Source};
//! use bartizan_export::{Exports, Plan};
//!
//! let folder = tempfile::tempdir()?;
//! let document = r#"
//! version: 1
//! listen: { http: "127.0.0.1:8080" }
//! exports: { archive: { file: { directory: ./archive } } }
//! routes: [{ path: /**, to: "http://localhost:3000", auth: none }]
//! "#;
//! let config = Config::parse(document, &Source::text(folder.path()))?.config;
//! let plan = Plan::new(&config.exports).map_err(|mut unusable| unusable.remove(0).error)?;
//! let runtime = tokio::runtime::Runtime::new()?;
//! let tested = runtime.block_on(async {
//!     let exports = Exports::start(folder.path().join("exports"), plan)?;
//!     let tested = exports.test("archive").await;
//!     exports.finish().await;
//!     Ok::<_, bartizan_export::ExportError>(tested)
//! })?;
//! assert!(tested.is_some_and(|tested| tested.is_delivered));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - At least once: an event that was acknowledged is delivered, if the receiver comes back before the spool is full. It may be
//!   delivered twice; its id (`metadata.uid`) tells.
//! - The thread that writes events waits for the disk, and for no receiver.
//! - When a spool is full, events of severity informational and low are left out, then the oldest go. Both are counted.
//! - Of events that a receiver refuses for good the others of their batch are not held up: a batch is halved until the one is
//!   found, which is counted.
//!
//! # Limits
//!
//! - Syslog acknowledges nothing: see `receiver::syslog`.
//! - One task sends for each export, one batch after the other: events arrive in their order, and a receiver with a long way
//!   to it wants large batches.
//! - What waits is not encrypted; only the gateway's user can read it, as with the events themselves.

mod backoff;
mod error;
mod exports;
mod filter;
pub mod format;
mod receiver;
mod sending;
mod shown;
mod spool;
mod state;

pub use error::ExportError;
pub use exports::{Exports, Plan, Tested, Unusable};
pub use shown::Shown;
pub use state::ExportStatus;
