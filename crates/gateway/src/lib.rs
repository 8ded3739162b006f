//! The data plane: listeners, TLS, HTTP/1.1 and HTTP/2, slow-client guards, upstream pools and forwarding.
//!
//! It moves bytes and asks [`bartizan_pipeline`] what to do with them; it decides nothing itself.

mod admission;
mod body;
mod connection;
mod error;
mod listener;
mod proxy_protocol;
mod tls;
mod upgrade;
mod upstream;
mod wire;

pub use error::GatewayError;
