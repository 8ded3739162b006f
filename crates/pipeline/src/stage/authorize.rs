//! Checks that the caller may do this: a second factor where the route asks for one, then permissions, then policies. A
//! bit operation per request, and where the route asks policies, some microseconds; whatever is not permitted is denied,
//! and so is what cannot be evaluated.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::MultiFactor;
use bartizan_identity::{Identified, MULTI_FACTOR_CLASSES};
use bartizan_policy::{Decision, RequestFacts, Ruling};
use http::{HeaderValue, header};

use super::Passed;
use crate::{Code, Exchange, Reason, Refusal, Stop};

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
    check_factors(exchange.arrived, route.config.multi_factor, identified)?;
    match route.policy.decide(&exchange.head.method, &identified.permissions) {
        Decision::Permitted if route.policies.is_some() => ask(exchange),
        Decision::Permitted => Ok(Passed::because("permitted", line)),
        Decision::Denied(missing) => {
            let refusal = Refusal::new(Code::PermissionDenied, format!("lacks {missing}"));
            let selection = route.selection.as_ref();
            let challenges = selection.map(|selection| selection.insufficient_scope(&identified.principal));
            let challenges = challenges.unwrap_or_default().iter();
            Err(challenges
                .fold(refusal, |refusal, challenge| {
                    refusal.with_header(header::WWW_AUTHENTICATE, challenge.clone())
                })
                .into())
        }
        Decision::MethodNotCovered => {
            Err(Refusal::new(Code::PermissionDenied, "`require` does not cover this method").into())
        }
    }
}

/// How many factors prove the caller, and since when.
fn check_factors(now: SystemTime, asked: MultiFactor, identified: &Identified) -> Result<(), Refusal> {
    let Identified { principal, proof, .. } = identified;
    let has_moved = identified.has_moved();
    if proof.must_enrol {
        let reason = "a role asks for a second factor, and the time to enrol one is over";
        return Err(Refusal::new(Code::MfaRequired, reason));
    }
    if proof.must_step_up {
        return Err(further_proof(None, "a role asks for the second factor, which was not shown"));
    }
    match asked {
        MultiFactor::Required if !principal.multi_factor => {
            Err(Refusal::new(Code::MfaRequired, "the credential proves one factor only"))
        }
        MultiFactor::Required if has_moved => Err(further_proof(None, "the session is used from elsewhere")),
        MultiFactor::Off | MultiFactor::Required => Ok(()),
        MultiFactor::Within(age) => {
            // A clock that is ahead of this one is no reason to ask again.
            let is_late = proof.at.is_none_or(|at| now.duration_since(at).is_ok_and(|since| since > age));
            match (principal.multi_factor, is_late, has_moved) {
                (false, ..) => Err(further_proof(Some(age), "the credential proves one factor only")),
                (_, true, _) => Err(further_proof(Some(age), "the person was proven too long ago")),
                (.., true) => Err(further_proof(Some(age), "the session is used from elsewhere")),
                (true, false, false) => Ok(()),
            }
        }
    }
}

/// What RFC 9470 (section 3) says to whoever is to prove themselves again.
pub(crate) fn further_proof(age: Option<Duration>, reason: impl Into<Reason>) -> Refusal {
    let age = age.map(|age| format!(", max_age=\"{}\"", age.as_secs())).unwrap_or_default();
    let classes = MULTI_FACTOR_CLASSES.join(" ");
    let challenge = format!(
        "Bearer realm=\"bartizan\", error=\"insufficient_user_authentication\", \
         error_description=\"Prove again that it is you, with a second factor\"{age}, acr_values=\"{classes}\""
    );
    let refusal = Refusal::new(Code::InsufficientUserAuthentication, reason);
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => refusal.with_header(header::WWW_AUTHENTICATE, challenge),
        // INVARIANT: the challenge is printable ASCII.
        Err(_) => refusal,
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
            moved: exchange.moved,
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
