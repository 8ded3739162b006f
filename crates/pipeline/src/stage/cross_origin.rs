//! Answers CORS preflights. Browsers send them without credentials, so this comes before authentication; a
//! request that is no preflight passes and is marked on its way out.

use super::Passed;
use crate::{Code, CompiledCors, Exchange, Preflight, Refusal, Stop, response::PreflightOutcome};

pub(crate) fn run(exchange: &Exchange) -> Result<Passed, Stop> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen").into());
    };
    let (method, headers) = (&exchange.head.method, &exchange.head.headers);
    if !CompiledCors::is_preflight(method, headers) {
        return Ok(Passed::at_once("not a preflight", route.config.line));
    }
    match route.cors.preflight(headers) {
        PreflightOutcome::Allowed(headers) => Err(Stop::Answered(Preflight { headers })),
        PreflightOutcome::Refused(reason) => Err(Refusal::new(Code::CrossOriginRefused, reason).into()),
    }
}
