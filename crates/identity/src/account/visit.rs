//! Where a request comes from, for the audit trail and for those who look at their sessions.

use std::net::IpAddr;

use bartizan_model::Name;

/// Where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The client's address; `None` for what the gateway does by itself.
    pub address: Option<IpAddr>,
    /// What the client calls itself (`User-Agent`).
    pub client: String,
    /// The request.
    pub request_id: String,
    /// Which operator asks, where they have a token of their own. The audit trail calls them `operator/NAME`.
    pub operator: Option<Name>,
}

/// The most of a `User-Agent` that is kept, in characters.
const CLIENT: usize = 200;

impl Visit {
    pub(crate) fn address(&self) -> String {
        self.address.map(|address| address.to_canonical().to_string()).unwrap_or_default()
    }

    pub(crate) fn client(&self) -> String {
        self.client.chars().filter(|character| !character.is_control()).take(CLIENT).collect()
    }
}
