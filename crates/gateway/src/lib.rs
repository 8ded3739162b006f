//! The data plane: listeners, TLS, HTTP/1.1 and HTTP/2, slow-client guards, upstream pools and forwarding.
//!
//! It moves bytes and asks [`bartizan_pipeline`] what to do with them; it decides nothing itself. The way of a
//! request is in `serve.rs`: arrive, decide, forward, depart.

mod admission;
mod arrive;
mod body;
mod connection;
mod depart;
mod error;
mod forward;
mod forwarded;
mod gateway;
mod listener;
mod local;
mod log_rate;
mod metrics;
pub mod proxy_protocol;
mod redirect;
mod refusal;
mod serve;
mod tls;
mod upgrade;
mod upstream;
mod wire;

pub use connection::ListenerKind;
pub use error::GatewayError;
pub use gateway::{CurrentLimiter, Gateway};
pub use listener::{ActivatedSockets, listen};
pub use local::{AccountsDoor, LocalAnswer, LocalBody, LocalService, Visitor};
pub use tls::server_config;
pub use upstream::{TargetStatus, UpstreamStatus};
pub use wire::{Violation, request_head};
