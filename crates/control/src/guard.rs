//! Who may ask: the right host, the right page, the right token, in this order.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bartizan_config::Operator;
use bartizan_identity::account::{Accounts, Visit};
use bartizan_model::{Name, RequestId};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, HOST, ORIGIN, USER_AGENT},
    uri::Authority,
};
use subtle::ConstantTimeEq;

use crate::{
    AdminToken, System,
    failure::{Failure, FailureCode},
    operator::NamedOperator,
};

/// The connection a request came on. A request without one is taken to come in the clear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) secure: bool,
}

/// Refuses hosts and pages that are not the API's own.
pub(crate) async fn own_host_and_origin(request: Request, next: Next) -> Response {
    let secure = request.extensions().get::<Connection>().is_some_and(|connection| connection.secure);
    let checked = host(&request).and_then(|host| {
        check_host(&host, secure)?;
        check_origin(request.headers(), &host, secure)
    });
    match checked {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// What opens the admin API.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) token: AdminToken,
    /// Knows the tokens of operators, as its configuration says now.
    pub(crate) system: Arc<dyn System>,
    /// Whose trail says who was refused.
    pub(crate) accounts: Option<Arc<Accounts>>,
}

/// Refuses requests without the admin token, or an operator's own.
pub(crate) async fn admin_only(State(keys): State<Keys>, mut request: Request, next: Next) -> Response {
    match check_token(request.headers(), &keys) {
        Ok(operator) => {
            if let Some(name) = operator {
                request.extensions_mut().insert(NamedOperator(name));
            }
            next.run(request).await
        }
        Err(failure) => {
            tell_of_refusal(&request, &keys);
            failure.into_response()
        }
    }
}

/// In the log; and in the trail, where a token was shown that is none.
fn tell_of_refusal(request: &Request, keys: &Keys) {
    let peer = request.extensions().get::<Connection>().map(|connection| connection.peer);
    let request_id = request.extensions().get::<RequestId>();
    let (shown_peer, shown_id) = (peer.map(tracing::field::display), request_id.map(tracing::field::display));
    tracing::warn!(
        audit = true,
        peer = shown_peer,
        request_id = shown_id,
        "the admin API was asked without the right token"
    );
    let accounts = keys.accounts.as_ref().filter(|_| request.headers().contains_key(AUTHORIZATION));
    let Some(accounts) = accounts else { return };
    let client = request.headers().get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    accounts.refused_operator(&Visit {
        address: peer.map(|peer| peer.ip()),
        client: String::from_utf8_lossy(client).into_owned(),
        request_id: request_id.map(ToString::to_string).unwrap_or_default(),
        operator: None,
    });
}

/// The one host that a request names (RFC 9112, section 3.2).
fn host(request: &Request) -> Result<Authority, Failure> {
    let malformed = |detail: &'static str| Failure::new(FailureCode::MalformedRequest, detail);
    let value = single(request.headers(), HOST)
        .map_err(|()| malformed("send one Host header"))?
        .ok_or_else(|| malformed("send a Host header"))?;
    let host =
        Authority::try_from(value.as_bytes()).map_err(|_| malformed("the Host header is malformed"))?;
    if host.as_str().contains('@') {
        return Err(malformed("the Host header is malformed"));
    }
    match request.uri().authority() {
        Some(target) if *target != host => Err(malformed("the request target names another host than Host")),
        _ => Ok(host),
    }
}

/// In the clear only what no name server can point elsewhere: an address, or `localhost` (RFC 6761, section 6.3).
fn check_host(host: &Authority, secure: bool) -> Result<(), Failure> {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    if secure || name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() {
        Ok(())
    } else {
        let detail = "use the IP address or `localhost` as the host: other names are served over TLS only";
        Err(Failure::new(FailureCode::MisdirectedRequest, detail))
    }
}

/// Only the API's own pages may ask from a browser.
fn check_origin(headers: &HeaderMap, host: &Authority, secure: bool) -> Result<(), Failure> {
    let refused =
        || Failure::new(FailureCode::CrossOriginRefused, "pages of other origins may not use the admin API");
    let Some(origin) = single(headers, ORIGIN).map_err(|()| refused())? else { return Ok(()) };
    let scheme = if secure { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    if origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) { Ok(()) } else { Err(refused()) }
}

/// Whose own token it is; `None`: the admin token.
fn check_token(headers: &HeaderMap, keys: &Keys) -> Result<Option<Name>, Failure> {
    let invalid = || {
        let detail = "the bearer token is not the admin token of this gateway, nor an operator's";
        Failure::new(FailureCode::InvalidAuthenticationToken, detail)
    };
    let Some(credentials) = single(headers, AUTHORIZATION).map_err(|()| invalid())? else {
        let detail = "send the admin token as `Authorization: Bearer TOKEN`";
        return Err(Failure::new(FailureCode::MissingAuthenticationToken, detail));
    };
    let (scheme, presented) = credentials.as_bytes().split_at_checked(BEARER.len()).ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return Err(invalid());
    }
    if keys.token.matches(presented) {
        return Ok(None);
    }
    operator(&keys.system.config().operators, presented).map(Some).ok_or_else(invalid)
}

/// Whose token this is. Takes the same time whoever it is.
fn operator(operators: &[Operator], presented: &[u8]) -> Option<Name> {
    let hash = digest(&SHA256, presented);
    let mut found = None;
    for operator in operators {
        if operator.hash.as_slice().ct_eq(hash.as_ref()).into() {
            found = Some(&operator.name);
        }
    }
    found.cloned()
}

/// The scheme's name is case-insensitive, one space follows (RFC 6750, section 2.1).
const BEARER: &[u8] = b"Bearer ";

/// The value of a header that may stand once; `Err` when it stands more often.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}
