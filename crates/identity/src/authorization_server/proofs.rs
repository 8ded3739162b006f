//! What a request for tokens proves besides who asks: a key (RFC 9449), a certificate (RFC 8705).

use std::time::SystemTime;

use bartizan_config::{Dpop, Tokens};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Uri};
use smallvec::smallvec;

use super::{AuthorizationServer, OAuthError, TokenError, access_token::Binding};
use crate::{
    ClientCertificate, DpopError,
    dpop::{DpopProofs, ProvenRequest},
};

/// Where tokens are asked for. A proof names the endpoint that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenEndpoint {
    /// `/token` (RFC 6749, section 3.2), for every grant.
    Token,
    /// `/refresh`, for refresh tokens alone.
    Refresh,
    /// `/service`, for clients and services that ask for themselves.
    Service,
}

impl TokenEndpoint {
    pub(crate) fn url(self, tokens: &Tokens) -> String {
        let name = match self {
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Service => "service",
        };
        format!("{}/{name}", tokens.endpoints)
    }
}

/// What the request proves besides.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'a> {
    /// Where it came to.
    pub endpoint: TokenEndpoint,
    /// The headers, with a `DPoP` proof or without.
    pub headers: &'a HeaderMap,
    /// The client certificate of the connection.
    pub certificate: Option<&'a ClientCertificate>,
}

/// What the tokens of a client are bound to, whether it asks for it or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) dpop: bool,
    pub(crate) certificate: bool,
}

impl AuthorizationServer {
    /// What the tokens will be bound to (RFC 9449, section 5; RFC 8705, section 3).
    pub(crate) async fn binding(
        &self,
        tokens: &Tokens,
        bound: Bound,
        proofs: &Proofs<'_>,
    ) -> Result<Binding, TokenError> {
        let mut binding = Binding::default();
        if bound.dpop || DpopProofs::are_in(proofs.headers) {
            let url = proofs.endpoint.url(tokens);
            let uri: Uri = url.parse().map_err(|_| TokenError::Cryptography)?;
            let authority = uri.authority().map_or("", http::uri::Authority::as_str);
            let origins = smallvec![(uri.scheme_str().unwrap_or_default(), authority)];
            let proven = ProvenRequest { method: "POST", origins, path: uri.path(), token: None, key: None };
            let policy = Dpop { nonce: tokens.dpop_nonce, ..Dpop::default() };
            let now = SystemTime::now();
            let key = self.proofs.check(proofs.headers, &proven, &policy, now);
            let key = key.map_err(|error| match error {
                DpopError::Nonce => match self.proofs.nonce(now) {
                    Some(nonce) => TokenError::DpopNonce(nonce),
                    None => TokenError::Cryptography,
                },
                DpopError::Missing => {
                    TokenError::refused(OAuthError::InvalidDpopProof, "this client must prove a key (DPoP)")
                }
                DpopError::NoRoom => TokenError::NoRoom,
                error => TokenError::refused(OAuthError::InvalidDpopProof, error.to_string()),
            })?;
            if self.is_used_elsewhere(&key.spent).await {
                let why = DpopError::Replay.to_string();
                return Err(TokenError::refused(OAuthError::InvalidDpopProof, why));
            }
            binding.dpop_key = Some(key.thumbprint);
        }
        if bound.certificate {
            let certificate = proofs.certificate.ok_or_else(|| {
                let why = "tokens of this client are bound to a certificate, and the connection has none";
                TokenError::refused(OAuthError::InvalidRequest, why)
            })?;
            binding.certificate = Some(URL_SAFE_NO_PAD.encode(certificate.fingerprint));
        }
        Ok(binding)
    }
}
