//! The firewall looks at the request: at its head before its body is waited for, and at the whole of it once that is
//! held. Rules decide; where the engine fails, the request is refused.
//!
//! What is streamed is not looked at: bodies of routes that say so, gRPC (a conversation, and only towards services
//! that are said to speak it), and what is beyond the limit where the front is declared to be enough.

use std::{borrow::Cow, net::SocketAddr, sync::Arc};

use bartizan_config::WafMode;
use bartizan_seclang::Connection;
use bytes::Bytes;
use http::Version;

use super::{
    Passed,
    body::{Held, HoldBody},
};
use crate::{
    ClientFacts, Exchange, Inspection, Judged, Reason, Refusal, RequestLine, Stop,
    firewall::{Caller, Inspectors, Shown},
};

/// Shows the head.
pub(crate) fn head(
    exchange: &mut Exchange,
    body: &impl HoldBody,
    inspectors: &Inspectors,
) -> Result<(), Stop> {
    let Some(firewall) = exchange.route.as_ref().and_then(|route| route.firewall.clone()) else {
        return Ok(());
    };
    let ClientFacts { address, peer, local, .. } = exchange.client;
    let connection = Connection {
        client: SocketAddr::new(address, peer.port()),
        server: SocketAddr::new(local.ip().to_canonical(), local.port()),
    };
    let path = exchange.path.matched(exchange.head.uri.path());
    let caller = Caller::of(exchange.identified.as_deref(), exchange.arrived);
    let inspection = firewall.inspect_of(caller, connection, exchange.id.as_str(), path, exchange.arrived);
    let mut inspection = inspection.within(body.reserve());
    let head = &exchange.head;
    let target = if head.version < Version::HTTP_2 {
        head.uri.to_string()
    } else {
        head.uri.path_and_query().map_or_else(|| "/".into(), ToString::to_string)
    };
    let line = RequestLine { method: head.method.as_str(), target: &target, version: head.version };
    let host = head.uri.authority().map(http::uri::Authority::as_str);
    let found = inspection.request_head(line, &head.headers, host);
    if found.is_err() {
        inspection.finish();
        // What a body holds that nobody has read might be refused as well.
        if body.declared_length() == Some(0) {
            inspection.try_within(&[], &inspectors.trials);
        }
        exchange.inspected = Some(Arc::new(inspection.account()));
    } else {
        exchange.inspection = Some(Box::new(inspection));
    }
    found.map_err(Stop::from)
}

/// Shows what is held of the body (`None`: it is streamed), and says what came of the whole. `None`: there is nothing to
/// decide here.
pub(crate) async fn body(
    exchange: &mut Exchange,
    bytes: Bytes,
    held: Option<Held>,
    inspectors: &Inspectors,
) -> Option<Result<Passed, Stop>> {
    let mut inspection = exchange.inspection.take()?;
    let config = inspection.firewall().config();
    let (line, limit) = (config.line, config.max_body);
    let seen = bytes.slice(..bytes.len().min(limit));
    let is_whole = matches!(held, Some(Held::Whole(_))) && seen.len() == bytes.len();
    if held.is_some()
        && !is_whole
        && let Some(refusal) = inspection.firewall().too_long()
    {
        // What the head's rules found is known all the same.
        inspection.finish();
        exchange.inspected = Some(Arc::new(inspection.account()));
        return Some(Err(refusal.into()));
    }
    let shown = seen.clone();
    let read = move |inspection: &mut Inspection| inspection.read_request_body(&shown, is_whole);
    let judge = |inspection: &mut Inspection, read: Result<(), Refusal>| {
        let found = read.and_then(|()| inspection.judge_request_body());
        if found.is_err() || !inspection.wants_response() {
            inspection.finish();
        }
        found
    };
    let shown = inspectors.show_read(inspection, bytes.len().min(limit), read, judge).await;
    let Shown { mut inspection, found } = match shown {
        Ok(shown) => shown,
        Err(refusal) => return Some(Err(refusal.into())),
    };
    inspection.try_within(&seen, &inspectors.trials);
    let extent = match (inspection.take_unseen(), held) {
        (Some(reason), _) => format!("body not looked at ({reason}): ").into(),
        (None, None) => Cow::Borrowed("body not looked at: "),
        (None, Some(_)) if !is_whole => Cow::Borrowed("front of the body looked at: "),
        (None, Some(_)) => Cow::Borrowed(""),
    };
    let account = inspection.account();
    let passed: Reason = match (account.judged, account.mode) {
        (Judged::RefusedRequest, WafMode::Log) => {
            format!("{extent}would refuse: {}", account.summary()).into()
        }
        _ if !account.rules.is_empty() => format!("{extent}{}", account.summary()).into(),
        _ if extent.is_empty() => "no rule matched".into(),
        _ => format!("{extent}no rule matched").into(),
    };
    exchange.inspected = Some(Arc::new(account));
    exchange.costs_more = found.is_ok() && inspection.costs_more();
    if found.is_ok() && inspection.wants_response() {
        exchange.inspection = Some(inspection);
    }
    Some(found.map_err(Stop::from).map(|()| Passed::because(passed, line)))
}

#[cfg(test)]
mod tests;
