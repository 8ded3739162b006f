//! Finds out who asks: tokens, API keys, client certificates, by the providers the route lists. No I/O; a known
//! token costs a cache look-up, a new one a signature check. Never falls open.

use bartizan_identity::{AuthenticationError, Authenticator, Presented, Selection};
use http::{HeaderValue, header};

use super::Passed;
use crate::{Code, Exchange, Refusal, Stop};

pub(crate) fn run(exchange: &mut Exchange, authenticator: &Authenticator) -> Result<Passed, Stop> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen").into());
    };
    let line = route.config.authentication_line;
    let Some(selection) = &route.selection else {
        return Ok(Passed::at_once("public route", line));
    };
    let presented = Presented {
        headers: &exchange.head.headers,
        client_certificate: exchange.client.certificate.as_deref(),
    };
    match authenticator.authenticate(selection, &presented) {
        Ok(identified) => {
            let principal = &identified.principal;
            let reason = format!("{} by {}", principal.id, principal.provider);
            exchange.identified = Some(identified);
            Ok(Passed::because(reason, line))
        }
        Err(error) => Err(refusal(&error, selection).into()),
    }
}

fn refusal(error: &AuthenticationError, selection: &Selection) -> Refusal {
    let code = match error {
        AuthenticationError::Missing => Code::MissingAuthenticationToken,
        AuthenticationError::Invalid { .. } => Code::InvalidAuthenticationToken,
        AuthenticationError::Unavailable { .. } => {
            return Refusal::new(Code::AuthenticationUnavailable, error.to_string())
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
    };
    let refusal = Refusal::new(code, error.to_string());
    let challenges = selection.challenges(error).iter();
    challenges
        .fold(refusal, |refusal, challenge| refusal.with_header(header::WWW_AUTHENTICATE, challenge.clone()))
}
