//! Finds out who asks: tokens, API keys, client certificates, signatures, sessions, by the providers the route lists. A
//! known token or session costs a cache look-up, a new token and a signed request a signature check, a session that is
//! not remembered one look-up in the store, for a second at most. A signature of the legacy profile is one over the body,
//! which is waited for. What counts once is asked of the store that gateways share, for its timeout at most; while it
//! does not answer, what this gateway remembers counts. What rides on a session's cookie must not come from another site. Never falls open.

use bartizan_identity::{
    Authenticated, AuthenticationError, Authenticator, Presented, Selection, Visitor, WriteGuard,
};
use bartizan_limits::{Limiter, RiskFactors};
use http::{HeaderName, HeaderValue, header};

use super::{Passed, body, body::HoldBody};
use crate::{Code, Exchange, Refusal, Stop};

/// Carries the nonce that the next proof must hold (RFC 9449, section 9).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

pub(crate) async fn run(
    exchange: &mut Exchange,
    authenticator: &Authenticator,
    limiter: &Limiter,
    body: &mut impl HoldBody,
) -> Result<Passed, Stop> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen").into());
    };
    let line = route.config.authentication_line;
    let Some(selection) = &route.selection else {
        return Ok(Passed::at_once("public route", line));
    };
    let needs_content = selection.needs_content(&exchange.head);
    if needs_content {
        body::hold_whole(&route.config, body).await?;
    }
    let content = needs_content.then(|| body.held());
    let presented = Presented {
        head: &exchange.head,
        secure: exchange.client.secure,
        address: Some(exchange.client.address),
        client_certificate: exchange.client.certificate.as_deref(),
        content: content.as_deref(),
    };
    let mut found = authenticator.authenticate(selection, &presented);
    if let Err(AuthenticationError::Unread(session)) = &found {
        found = authenticator.look_up(session).await.map(Into::into);
    }
    match found {
        Ok(Authenticated { identified, content, spent }) => {
            if let Some(spent) = spent
                && limiter.use_once(spent.key(), spent.lasts()).await == Some(false)
            {
                return Err(refusal(&spent.again(&identified.principal.provider), selection).into());
            }
            let guard =
                WriteGuard::new(&exchange.head, exchange.client.secure).trusting(route.config.cors.trusted());
            if let Err(error) = authenticator.check_write(&identified, &presented, guard) {
                return Err(Refusal::new(Code::CrossSiteRefused, error.to_string()).into());
            }
            authenticator.follow(&identified, visitor(exchange));
            let principal = &identified.principal;
            let mut reason = format!("{} by {}", principal.id, principal.provider);
            if identified.has_moved() {
                exchange.moved = true;
                exchange.risk = exchange.risk.times(RiskFactors::MOVED);
                reason.push_str(", from elsewhere than where they were proven");
            }
            (exchange.identified, exchange.expected_content) = (Some(identified), content);
            Ok(Passed::because(reason, line))
        }
        Err(error) => Err(refusal(&error, selection).into()),
    }
}

/// Where the request comes from.
fn visitor(exchange: &Exchange) -> Visitor<'_> {
    Visitor {
        address: exchange.client.address,
        headers: &exchange.head.headers,
        request_id: exchange.id.as_str(),
    }
}

/// What the client is told: which of the three it is, and what to bring.
pub(super) fn refusal(error: &AuthenticationError, selection: &Selection) -> Refusal {
    let code = match error {
        AuthenticationError::Missing => Code::MissingAuthenticationToken,
        AuthenticationError::Invalid { .. } => Code::InvalidAuthenticationToken,
        AuthenticationError::Unavailable { .. }
        | AuthenticationError::Exhausted { .. }
        | AuthenticationError::NoRoomForProof { .. }
        | AuthenticationError::Unread(_) => {
            return Refusal::new(Code::AuthenticationUnavailable, error.to_string())
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
    };
    let refusal = Refusal::new(code, error.to_string());
    let refusal = match selection.nonce(error) {
        Some(nonce) => refusal.with_header(DPOP_NONCE, nonce),
        None => refusal,
    };
    let challenges = selection.challenges(error).iter();
    challenges
        .fold(refusal, |refusal, challenge| refusal.with_header(header::WWW_AUTHENTICATE, challenge.clone()))
}
