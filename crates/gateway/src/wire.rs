//! The bytes as they come in, judged before hyper reads them.
//!
//! hyper forgives what a gateway must not: bare line feeds, a `Content-Length` beside `Transfer-Encoding`, a
//! missing or second `Host`, whitespace that another server would read differently. [`GuardedStream`] stands
//! between the socket (or TLS) and hyper, follows the framing of RFC 9112 or RFC 9113 byte by byte, and lets
//! through only what can be read in one way. It does not parse for hyper and decides nothing about a request
//! that is well formed.

mod byte_class;
mod chunked;
mod deadline;
mod field_line;
mod flow;
mod frames;
mod framing;
mod inbound;
mod pace;
pub mod request_head;
mod request_line;
mod state;
mod stream;
mod violation;

pub(crate) use deadline::{Deadline, Idle};
pub(crate) use flow::{Flow, FlowWatch, ResponseFlow};
pub(crate) use frames::Frames;
pub(crate) use framing::Framing;
pub(crate) use inbound::Guard;
pub(crate) use pace::{Pace, PacedStream};
pub(crate) use state::{InFlight, WireState};
pub(crate) use stream::GuardedStream;
pub use violation::Violation;
