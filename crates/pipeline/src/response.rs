//! What the gateway adds to an answer on its way out: security headers, a content security policy with its
//! nonce, and the cross-origin rules of the route.
//!
//! Everything is compiled once per route; an answer costs a few header insertions of values made beforehand, and
//! one rendering when its policy carries a nonce. Nothing here knows sockets or bodies. The order on every answer,
//! the gateway's own refusals included: [`CompiledCors::response_headers`], then [`SecurityHeaders::apply`], whose
//! last step is what the operator sets by hand.

mod content_security_policy;
mod cors;
#[cfg(test)]
mod observatory;
mod security_headers;

pub use content_security_policy::Nonce;
pub use cors::CompiledCors;
pub(crate) use cors::PreflightOutcome;
pub use security_headers::{ResponseFacts, SecurityHeaders};
