//! Who the person behind an access token is (`OpenID` Connect Core 1.0, section 5.3): as the store says now, so a name that was
//! changed since the login is the new one.
//!
//! A token that is bound to a key or a certificate is answered with its proof only, like everywhere else.

use std::time::SystemTime;

use bartizan_config::{Dpop, Origin, Tokens};
use http::{HeaderValue, Method, Request, Uri, header, request::Parts};
use serde_json::Value;

use super::{AuthorizationServer, TokenError, access_token::is_machine, scope::Scope};
use crate::{
    ClientCertificate, DpopError, InvalidReason, Presented, confirmation::Confirmation,
    selection::credentials, token::json::Object,
};

/// Who somebody is, as far as the scope of the token goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Userinfo {
    /// The id of the person.
    pub subject: String,
    /// What they are called, for `profile`.
    pub name: Option<String>,
    /// Their address, for `email`.
    pub email: Option<String>,
    /// Whether mail to it has been read, for `email`.
    pub email_verified: Option<bool>,
}

/// A request for it, whose path is without the prefix of accounts.
#[derive(Debug, Clone, Copy)]
pub struct UserinfoRequest<'a> {
    /// Method and headers.
    pub head: &'a Parts,
    /// The client certificate of the connection.
    pub certificate: Option<&'a ClientCertificate>,
}

/// Why it is not told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserinfoError {
    /// Nobody can say which of two tokens is meant (RFC 6750, section 3.1).
    #[error("`Authorization` occurs more than once")]
    Ambiguous,
    /// There is no token.
    #[error("send an access token as `Authorization: Bearer …`, or as `DPoP …` where it is bound to a key")]
    Missing,
    /// The token does not count (any longer), or is about no person.
    #[error("the access token does not count here, or not any longer: get another one")]
    Token,
    /// The token is bound to something that the request does not prove.
    #[error("{0}")]
    Unproven(InvalidReason),
    /// The proof lacks the nonce of this gateway: the next one is to hold this (RFC 9449, section 9).
    #[error("the proof must hold the nonce of this answer")]
    DpopNonce(HeaderValue),
    /// The token was not given for this (`OpenID` Connect Core 1.0, section 5.3.1).
    #[error("the scope of the access token does not name `openid`")]
    Scope,
    /// It could not be found out.
    #[error(transparent)]
    Failed(#[from] TokenError),
}

impl AuthorizationServer {
    /// Who the person behind the token of this request is.
    pub async fn userinfo(&self, request: &UserinfoRequest<'_>) -> Result<Userinfo, UserinfoError> {
        let tokens = self.settings();
        let mut values = request.head.headers.get_all(header::AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Err(UserinfoError::Missing),
            (Some(value), None) => value,
            (Some(_), Some(_)) => return Err(UserinfoError::Ambiguous),
        };
        let (scheme, token) = credentials(value.as_bytes()).ok_or(UserinfoError::Missing)?;
        let claims = self.own.verified(token, &tokens).ok_or(UserinfoError::Token)?;
        let bound = Confirmation::of(&claims).map_err(UserinfoError::Unproven)?;
        let (head, policy) = public(request.head, &tokens)?;
        let presented = Presented {
            head: &head,
            secure: policy.origins.iter().any(|origin| origin.scheme == "https"),
            address: None,
            client_certificate: request.certificate,
            content: None,
        };
        let now = SystemTime::now();
        let spent = bound.check(&presented, (scheme, token), (&self.proofs, &policy), now);
        let spent = spent.map_err(|reason| self.unproven(reason, now))?;
        if let Some(spent) = &spent
            && self.is_used_elsewhere(spent).await
        {
            return Err(UserinfoError::Unproven(InvalidReason::Dpop(DpopError::Replay)));
        }
        self.told(&claims).await
    }

    async fn told(&self, claims: &Object) -> Result<Userinfo, UserinfoError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if is_machine(claims) {
            return Err(UserinfoError::Token);
        }
        let scope = Scope::parse(text("scope"))?;
        if !scope.names("openid") {
            return Err(UserinfoError::Scope);
        }
        // Who was disabled or forgotten this very moment is nobody any longer.
        let profile = self.current_profile(text("sub")).await?.ok_or(UserinfoError::Token)?;
        Ok(Userinfo {
            subject: text("sub").to_owned(),
            name: scope.names("profile").then_some(profile.name),
            email: scope.names("email").then_some(profile.email),
            email_verified: scope.names("email").then_some(profile.is_verified),
        })
    }

    fn unproven(&self, reason: InvalidReason, now: SystemTime) -> UserinfoError {
        match reason {
            InvalidReason::Dpop(DpopError::Nonce) => match self.proofs.nonce(now) {
                Some(nonce) => UserinfoError::DpopNonce(nonce),
                None => TokenError::Cryptography.into(),
            },
            InvalidReason::Dpop(DpopError::NoRoom) => TokenError::NoRoom.into(),
            reason => UserinfoError::Unproven(reason),
        }
    }
}

/// The request as its client has made it, which a proof must fit: at the public address, with the prefix.
fn public(head: &Parts, tokens: &Tokens) -> Result<(Parts, Dpop), TokenError> {
    let uri: Uri = format!("{}/userinfo", tokens.endpoints).parse().map_err(|_| TokenError::Cryptography)?;
    let scheme = if uri.scheme_str() == Some("https") { "https" } else { "http" };
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let (mut public, ()) = Request::new(()).into_parts();
    public.method = if head.method == Method::HEAD { Method::GET } else { head.method.clone() };
    public.uri = uri;
    public.headers.clone_from(&head.headers);
    let origins = vec![Origin { scheme, authority }];
    Ok((public, Dpop { nonce: tokens.dpop_nonce, origins, ..Dpop::default() }))
}
