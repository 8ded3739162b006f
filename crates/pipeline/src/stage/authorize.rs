//! Checks that the caller may do this: a second factor where the route asks for one, then permissions, then policies. A
//! bit operation per request, and where the route asks policies, some microseconds; whatever is not permitted is denied,
//! and so is what cannot be evaluated.

use std::sync::Arc;

use bartizan_policy::{Decision, RequestFacts, Ruling};

use super::Passed;
use crate::{Code, Exchange, Refusal, Stop};

pub(crate) fn run(exchange: &mut Exchange) -> Result<Passed, Stop> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen").into());
    };
    let line = route.config.require_line;
    let Some(identified) = &exchange.identified else {
        return match route.selection {
            None => Ok(Passed::at_once("public route", line)),
            Some(_) => Err(Refusal::new(Code::SecurityCheckFailed, "nobody was identified").into()),
        };
    };
    if route.config.multi_factor && !identified.principal.multi_factor {
        return Err(Refusal::new(Code::MfaRequired, "the credential proves one factor only").into());
    }
    match route.policy.decide(&exchange.head.method, &identified.permissions) {
        Decision::Permitted if route.policies.is_some() => ask(exchange),
        Decision::Permitted => Ok(Passed::because("permitted", line)),
        Decision::Denied(missing) => {
            Err(Refusal::new(Code::PermissionDenied, format!("lacks {missing}")).into())
        }
        Decision::MethodNotCovered => {
            Err(Refusal::new(Code::PermissionDenied, "`require` does not cover this method").into())
        }
    }
}

/// The second tier.
fn ask(exchange: &mut Exchange) -> Result<Passed, Stop> {
    let (Some(route), Some(identified)) = (&exchange.route, &exchange.identified) else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "nobody was identified").into());
    };
    let Some(policies) = &route.policies else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "there are no policies").into());
    };
    let line = route.config.policy.line;
    let judgement = policies.judge(
        identified,
        &RequestFacts {
            method: &exchange.head.method,
            path: exchange.path.matched(exchange.head.uri.path()),
            address: exchange.client.address,
            secure: exchange.client.secure,
            multi_factor: identified.principal.multi_factor,
            arrived: exchange.arrived,
        },
    );
    let judgement = Arc::new(judgement);
    exchange.judged = Some(Arc::clone(&judgement));
    let code = match judgement.ruling {
        Ruling::Permitted => return Ok(Passed::because(judgement.to_string(), line)),
        _ if judgement.passes() => return Ok(Passed::because(format!("would refuse: {judgement}"), line)),
        Ruling::Forbidden | Ruling::NotPermitted => Code::PermissionDenied,
        Ruling::Failed => Code::SecurityCheckFailed,
    };
    Err(Refusal::new(code, judgement.to_string()).into())
}
