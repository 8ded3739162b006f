//! Signs requests before they are sent: last of all, for a signature is over what really goes out.

use std::{io, time::SystemTime};

use bartizan_config::UpstreamSigning;
use bartizan_identity::{Outgoing as Unsent, RequestSigner};
use bartizan_model::Name;
use http::{Request, header::HOST};

use super::{
    error::UpstreamError,
    request::{Addressee, Outgoing},
    target::Failed,
};
use crate::error::GatewayError;

pub(super) fn signer(upstream: &Name, settings: &UpstreamSigning) -> Result<RequestSigner, GatewayError> {
    let unusable = |source| GatewayError::SigningKey { upstream: upstream.clone(), source };
    RequestSigner::new(settings).map_err(unusable)
}

/// Signs a request in the shape in which it is sent, for the name that it is addressed to.
pub(super) fn sign(
    request: &mut Request<Outgoing>,
    signer: Option<&RequestSigner>,
    addressee: &Addressee,
) -> Result<(), Failed> {
    let Some(signer) = signer else { return Ok(()) };
    let mut headers = std::mem::take(request.headers_mut());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let authority = match (request.uri().authority(), &host) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host,
        (None, None) => addressee.authority.as_str(),
    };
    let unsent = Unsent {
        method: request.method(),
        scheme: addressee.scheme.as_str(),
        authority,
        target: request.uri(),
        content: request.body().content(),
    };
    let outcome = signer.sign(&unsent, &mut headers, SystemTime::now());
    *request.headers_mut() = headers;
    outcome.map_err(|error| Failed {
        error: UpstreamError::Unavailable(io::Error::other(error)),
        unsent: None,
        blames_target: false,
    })
}
