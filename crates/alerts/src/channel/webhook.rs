//! A service of the operator's: JSON, signed (RFC 9421).

use std::time::SystemTime;

use bartizan_config::{SignatureAlgorithm, SignatureComponent, SigningMaterial, UpstreamSigning};
use bartizan_identity::{Outgoing, RequestSigner, SignatureKeyError};
use http::{HeaderName, Uri, header::CONTENT_TYPE};
use secrecy::SecretSlice;

use super::{Call, NotDelivered};
use crate::Notice;

/// By which name the service knows the key.
const KEY_ID: &str = "bartizan";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

pub(super) fn signer(secret: &SecretSlice<u8>) -> Result<RequestSigner, SignatureKeyError> {
    RequestSigner::new(&UpstreamSigning {
        id: KEY_ID.into(),
        algorithm: SignatureAlgorithm::HmacSha256,
        material: SigningMaterial::Secret(secret.clone()),
        components: vec![
            SignatureComponent::Method,
            SignatureComponent::TargetUri,
            SignatureComponent::Field(CONTENT_TYPE),
            SignatureComponent::Field(IDEMPOTENCY_KEY),
            SignatureComponent::CONTENT_DIGEST,
        ],
        tag: None,
    })
}

/// The notification's id is the `Idempotency-Key`: what comes twice has the same.
pub(super) fn call(
    url: &str,
    signer: &RequestSigner,
    notice: &Notice,
    now: SystemTime,
) -> Result<Call, NotDelivered> {
    let mut call = Call::json(url.to_owned(), &notice.json());
    call.header(IDEMPOTENCY_KEY, &notice.id, false)?;
    let target: Uri = url.parse().map_err(|_| NotDelivered::for_good("its URL cannot be used"))?;
    let outgoing = Outgoing {
        method: &call.method,
        scheme: target.scheme_str().unwrap_or("https"),
        authority: target.authority().map_or("", http::uri::Authority::as_str),
        target: &target,
        content: call.content.as_deref().map(str::as_bytes),
    };
    signer
        .sign(&outgoing, &mut call.headers, now)
        .map_err(|error| NotDelivered::for_good(error.to_string()))?;
    Ok(call)
}
