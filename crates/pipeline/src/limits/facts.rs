//! What limits need to know of a request: of one on its way, or of one that was recorded.

use std::{collections::BTreeMap, net::IpAddr};

use bartizan_limits::RiskFactors;
use bartizan_model::{Principal, Quota};
use http::{HeaderMap, Method};

use crate::Exchange;

/// What limits look at.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'f> {
    pub(crate) address: IpAddr,
    /// The caller, once proven.
    pub(crate) principal: Option<&'f Principal>,
    /// What their API key may ask by itself.
    pub(crate) own_rate: Option<Quota>,
    /// The claims that limits count by; of a proven caller only.
    pub(crate) claims: Option<&'f BTreeMap<String, String>>,
    pub(crate) headers: &'f HeaderMap,
    pub(crate) method: &'f Method,
    /// In matching form ([`crate::NormalPath::matched`]).
    pub(crate) path: &'f str,
    /// The identity of the route.
    pub(crate) route: Option<&'f str>,
    /// What the request's risk makes of its limits.
    pub(crate) risk: &'f RiskFactors,
}

impl<'f> From<&'f Exchange> for Facts<'f> {
    fn from(exchange: &'f Exchange) -> Self {
        let identified = exchange.identified.as_deref();
        Self {
            address: exchange.client.address,
            principal: identified.map(|identified| &identified.principal),
            own_rate: identified.and_then(|identified| identified.quota),
            claims: identified.map(|identified| &identified.claims),
            headers: &exchange.head.headers,
            method: &exchange.head.method,
            path: exchange.path.matched(exchange.head.uri.path()),
            route: exchange.route.as_ref().map(|route| &*route.identity),
            risk: &exchange.risk,
        }
    }
}
