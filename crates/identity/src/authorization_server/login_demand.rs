//! A person whom a client wants proven anew is sent to the login with the moment at which that was asked, and comes back with
//! it: whoever was proven since has done what the client wants (`OpenID` Connect Core 1.0, section 3.1.2.1). The moment is
//! signed, so a client or a person cannot name an earlier one.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::AuthorizationRequest;
use crate::session::moment::span;

/// The parameter that carries it, which clients do not send.
pub const PARAMETER: &str = "login_demanded";
/// For how long somebody may be on their way.
const LASTS: Duration = Duration::from_mins(15);

/// The value of [`PARAMETER`] for a request that a login is demanded for now.
pub(super) fn make(key: &hmac::Key, request: &AuthorizationRequest, now: i64) -> String {
    format!("{now}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(key, &message(request, now))))
}

/// When a login was demanded for this request, if it was, and not too long ago.
pub(super) fn read(key: &hmac::Key, request: &AuthorizationRequest, now: i64) -> Option<i64> {
    let (at, tag) = request.login_demanded.split_once('.')?;
    let at: i64 = at.parse().ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(key, &message(request, at), &tag).ok()?;
    (at <= now && now.saturating_sub(at) <= span(LASTS)).then_some(at)
}

fn message(request: &AuthorizationRequest, at: i64) -> Vec<u8> {
    let state = request.state.as_deref().unwrap_or_default();
    let parts = [request.client.as_str(), &request.code_challenge, &request.nonce, state];
    let mut message = format!("login demanded at {at}").into_bytes();
    for part in parts {
        // Neither text nor length can be taken for the other's.
        message.extend_from_slice(format!(" {}:", part.len()).as_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_counts_for_its_request_and_for_a_while() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let request = |client: &str, login_demanded: &str| AuthorizationRequest {
            client: client.into(),
            login_demanded: login_demanded.into(),
            ..AuthorizationRequest::default()
        };
        let made = make(&key, &request("app", ""), 1000);
        assert_eq!(read(&key, &request("app", &made), 2000), Some(1000));
        assert_eq!(read(&key, &request("app", &made), 1000 + span(LASTS)), Some(1000));
        assert_eq!(read(&key, &request("app", &made), 1001 + span(LASTS)), None);
        assert_eq!(read(&key, &request("app", &made), 999), None);
        assert_eq!(read(&key, &request("other", &made), 2000), None);
        assert_eq!(read(&key, &request("app", &made.replacen("1000", "100", 1)), 2000), None);
        let stranger = hmac::Key::new(hmac::HMAC_SHA256, b"another");
        assert_eq!(read(&stranger, &request("app", &made), 2000), None);
        assert_eq!(read(&key, &request("app", ""), 2000), None);
    }
}
