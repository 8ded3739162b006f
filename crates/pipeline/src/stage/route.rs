//! Finds the route: host first, then the most specific path, then the method. A request that no route describes
//! is refused; so is an upgrade that its route does not list.

use http::{HeaderValue, Method, header};

use super::Passed;
use crate::{Code, CompiledCors, Exchange, Found, Refusal, RouteTable, Stop};

pub(crate) fn run(exchange: &mut Exchange, routes: &RouteTable) -> Result<Passed, Stop> {
    let host =
        exchange.head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = exchange.path.matched(exchange.head.uri.path());
    let route = match routes.find(host, path, &meant_method(exchange)) {
        Found::Route(route) => route,
        Found::NotFound => return Err(Refusal::new(Code::RouteNotFound, "no route matches").into()),
        Found::MethodNotAllowed { allow, first } => {
            exchange.refused_by = Some(first);
            let refusal = Refusal::new(Code::MethodNotAllowed, "the route does not list this method");
            return Err(refusal.with_header(header::ALLOW, allow).into());
        }
    };
    let line = route.config.line;
    if let Some(protocol) = exchange.head.headers.get(header::UPGRADE)
        && !admits_upgrade(&route.config.upgrade, protocol)
    {
        return Err(Refusal::new(Code::UpgradeRefused, "the route does not list this upgrade")
            .closing()
            .into());
    }
    let reason = route.label.clone();
    exchange.route = Some(route);
    Ok(Passed::because(reason, line))
}

/// A preflight is about the method that it asks for, and is answered by that method's route.
fn meant_method(exchange: &Exchange) -> Method {
    let (method, headers) = (&exchange.head.method, &exchange.head.headers);
    let asked = CompiledCors::is_preflight(method, headers)
        .then(|| headers.get(header::ACCESS_CONTROL_REQUEST_METHOD))
        .flatten()
        .and_then(|asked| Method::from_bytes(asked.as_bytes()).ok());
    asked.unwrap_or_else(|| method.clone())
}

/// Exactly one protocol, and one that the route lists: a list of protocols leaves the choice to the upstream.
fn admits_upgrade(admitted: &[String], asked: &HeaderValue) -> bool {
    asked
        .to_str()
        .is_ok_and(|asked| admitted.iter().any(|protocol| protocol.eq_ignore_ascii_case(asked.trim())))
}
