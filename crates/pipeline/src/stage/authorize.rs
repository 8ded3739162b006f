//! Checks that the caller may do this: a second factor where the route asks for one, then permissions. A bit
//! operation per request; whatever is not permitted is denied.

use bartizan_policy::Decision;

use super::Passed;
use crate::{Code, Exchange, Refusal, Stop};

pub(crate) fn run(exchange: &Exchange) -> Result<Passed, Stop> {
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
        Decision::Permitted => Ok(Passed::because("permitted", line)),
        Decision::Denied(missing) => {
            Err(Refusal::new(Code::PermissionDenied, format!("lacks {missing}")).into())
        }
        Decision::MethodNotCovered => {
            Err(Refusal::new(Code::PermissionDenied, "`require` does not cover this method").into())
        }
    }
}
