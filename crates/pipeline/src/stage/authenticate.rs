//! Finds out who asks: tokens, API keys, client certificates, sessions, by the providers the route lists. A known token
//! or session costs a cache look-up, a new token a signature check, a session that is not remembered one look-up in the
//! store, for a second at most. What rides on a session's cookie must not come from another site. Never falls open.

use bartizan_identity::{AuthenticationError, Authenticator, Presented, Selection, WriteGuard};
use http::{HeaderValue, header};

use super::Passed;
use crate::{Code, Exchange, Refusal, Stop};

pub(crate) async fn run(exchange: &mut Exchange, authenticator: &Authenticator) -> Result<Passed, Stop> {
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
    let mut found = authenticator.authenticate(selection, &presented);
    if let Err(AuthenticationError::Unread(session)) = &found {
        found = authenticator.look_up(session).await;
    }
    match found {
        Ok(identified) => {
            let guard = WriteGuard::new(&exchange.head, exchange.client.secure);
            if let Err(error) = authenticator.check_write(&identified, &presented, guard) {
                return Err(Refusal::new(Code::CrossSiteRefused, error.to_string()).into());
            }
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
        AuthenticationError::Unavailable { .. } | AuthenticationError::Unread(_) => {
            return Refusal::new(Code::AuthenticationUnavailable, error.to_string())
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
    };
    let refusal = Refusal::new(code, error.to_string());
    let challenges = selection.challenges(error).iter();
    challenges
        .fold(refusal, |refusal, challenge| refusal.with_header(header::WWW_AUTHENTICATE, challenge.clone()))
}
