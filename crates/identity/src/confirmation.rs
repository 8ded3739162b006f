//! What a token is bound to (RFC 7800): a key that every request proves (RFC 9449), or the certificate of the connection
//! (RFC 8705). A token that is bound to something counts with its proof only, whatever the route asks for.

use std::time::SystemTime;

use bartizan_config::Dpop;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header;
use smallvec::SmallVec;
use subtle::ConstantTimeEq;

use crate::{
    DpopError, InvalidReason, Presented, Spent,
    dpop::{DpopProofs, ProvenRequest},
    token::json::Object,
};

/// The claim `cnf`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Confirmation {
    dpop_key: Option<String>,
    certificate: Option<String>,
}

/// How the token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `Authorization: Bearer` (RFC 6750, section 2.1).
    Bearer,
    /// `Authorization: DPoP` (RFC 9449, section 7.1).
    Dpop,
    /// A header of its own, without a scheme.
    Bare,
}

impl Confirmation {
    /// The binding of a verified token. One that is not understood could not be kept to.
    pub(crate) fn of(claims: &Object) -> Result<Self, InvalidReason> {
        let Some(value) = claims.get("cnf") else { return Ok(Self::default()) };
        let members =
            value.as_object().filter(|members| !members.is_empty()).ok_or(InvalidReason::Confirmation)?;
        let mut confirmation = Self::default();
        for (name, value) in members {
            let text = value.as_str().map(str::to_owned).ok_or(InvalidReason::Confirmation)?;
            match name.as_str() {
                "jkt" => confirmation.dpop_key = Some(text),
                "x5t#S256" => confirmation.certificate = Some(text),
                _ => return Err(InvalidReason::Confirmation),
            }
        }
        Ok(confirmation)
    }

    /// Whether what has been proven, the thumbprints of a key and of a certificate, is all that the token is bound to.
    pub(crate) fn is_proven_by(&self, dpop_key: Option<&str>, certificate: Option<&str>) -> bool {
        let is_met = |expected: &Option<String>, proven| expected.is_none() || expected.as_deref() == proven;
        is_met(&self.dpop_key, dpop_key) && is_met(&self.certificate, certificate)
    }

    /// Whether the request proves what the token is bound to, and what that has used up.
    pub(crate) fn check(
        &self,
        presented: &Presented<'_>,
        (scheme, token): (Scheme, &[u8]),
        (proofs, policy): (&DpopProofs, &Dpop),
        now: SystemTime,
    ) -> Result<Option<Spent>, InvalidReason> {
        if let Some(expected) = &self.certificate {
            let fingerprint = presented.client_certificate.map(|certificate| certificate.fingerprint);
            let is_same = fingerprint.is_some_and(|fingerprint| {
                bool::from(URL_SAFE_NO_PAD.encode(fingerprint).as_bytes().ct_eq(expected.as_bytes()))
            });
            if !is_same {
                return Err(InvalidReason::OtherCertificate);
            }
        }
        match (&self.dpop_key, scheme) {
            (None, Scheme::Dpop) => Err(InvalidReason::Dpop(DpopError::Unbound)),
            (None, _) if policy.required && self.certificate.is_none() => {
                Err(InvalidReason::Dpop(DpopError::Unbound))
            }
            (None, _) => Ok(None),
            (Some(_), Scheme::Bearer) => Err(InvalidReason::Dpop(DpopError::Scheme)),
            (Some(key), Scheme::Dpop | Scheme::Bare) => {
                let request = request(presented, token, key, policy);
                let proven = proofs.check(&presented.head.headers, &request, policy, now);
                proven.map(|proven| Some(proven.spent)).map_err(InvalidReason::Dpop)
            }
        }
    }
}

/// The origin is what the configuration says, where it says one: a proxy in front may have changed `Host`.
fn request<'a>(
    presented: &Presented<'a>,
    token: &'a [u8],
    key: &'a str,
    policy: &'a Dpop,
) -> ProvenRequest<'a> {
    let head = presented.head;
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
    let scheme = if presented.secure { "https" } else { "http" };
    let mut origins: SmallVec<[_; 1]> =
        policy.origins.iter().map(|origin| (origin.scheme, origin.authority.as_str())).collect();
    if origins.is_empty() {
        origins.push((scheme, authority.unwrap_or_default()));
    }
    ProvenRequest {
        method: head.method.as_str(),
        origins,
        path: head.uri.path(),
        token: Some(token),
        key: Some(key),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::ClientCertificate;

    #[test]
    fn a_binding_that_is_not_understood_is_not_ignored() {
        let of = |claims: Value| Confirmation::of(claims.as_object().unwrap());
        assert_eq!(of(json!({})), Ok(Confirmation::default()));
        let both = of(json!({ "cnf": { "jkt": "a", "x5t#S256": "b" } })).unwrap();
        assert!(both.is_proven_by(Some("a"), Some("b")));
        for (key, certificate) in [
            (None, None),
            (Some("a"), None),
            (None, Some("b")),
            (Some("a"), Some("c")),
            (Some("c"), Some("b")),
        ] {
            assert!(!both.is_proven_by(key, certificate), "{key:?} {certificate:?}");
        }
        assert!(Confirmation::default().is_proven_by(Some("a"), None), "more than there needs to be");
        assert_eq!((both.dpop_key.as_deref(), both.certificate.as_deref()), (Some("a"), Some("b")));
        for unknown in [
            json!(null),
            json!("jkt"),
            json!({}),
            json!({ "jkt": 1 }),
            json!({ "jwk": {} }),
            json!({ "jkt": "a", "kid": "b" }),
        ] {
            assert_eq!(of(json!({ "cnf": unknown })), Err(InvalidReason::Confirmation), "{unknown}");
        }
    }

    /// The certificate and the token of RFC 8705, appendix A.
    #[test]
    fn the_certificate_of_rfc_8705() {
        let certificate = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzEN\
             MAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/co\
             ZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWU\
             VeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";
        let certificate = STANDARD.decode(certificate).unwrap();
        let claims = json!({ "cnf": { "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" } });
        let bound = Confirmation::of(claims.as_object().unwrap()).unwrap();
        let check = |certificate: &[u8]| {
            let fingerprint = Sha256::digest(certificate).into();
            let client = ClientCertificate { fingerprint, ..ClientCertificate::default() };
            let head = http::Request::new(()).into_parts().0;
            let presented = Presented {
                head: &head,
                secure: true,
                address: None,
                client_certificate: Some(&client),
                content: None,
            };
            let (proofs, now) = (DpopProofs::new(None), SystemTime::now());
            bound.check(&presented, (Scheme::Bearer, b"token"), (&proofs, &Dpop::default()), now).map(|_| ())
        };
        assert_eq!(check(&certificate), Ok(()));
        assert_eq!(check(&certificate[1..]), Err(InvalidReason::OtherCertificate));
    }
}
