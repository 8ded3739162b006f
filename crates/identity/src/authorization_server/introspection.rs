//! What a token says, for those who cannot verify it themselves (RFC 7662).

use std::time::SystemTime;

use bartizan_config::Tokens;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    AuthorizationServer, ClientProof, OAuthError, OwnTokens, TokenError, epochs::Subjects, family,
    machine::Caller,
};
use crate::{
    ClientCertificate, TokenHeader,
    account::Visit,
    session::moment::{milliseconds, now},
    token::{CompactToken, check_signature, json as strict_json, json::Object},
};

/// What is told of an access token.
const TOLD: [&str; 17] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "jti",
    "client_id",
    "scope",
    "permissions",
    "roles",
    "org_id",
    "sid",
    "auth_time",
    "amr",
    "acr",
    "cnf",
    "act",
];

impl AuthorizationServer {
    /// What a token says, or `{"active": false}`. Only clients with a secret and services may ask: others could try tokens out.
    /// Services are told of tokens of their own organisation (RFC 7662, section 4).
    pub async fn introspect(
        &self,
        (client, certificate): (&ClientProof, Option<&ClientCertificate>),
        token: &SecretString,
        visit: &Visit,
    ) -> Result<Value, TokenError> {
        let tokens = self.settings();
        let place = match self.caller(&tokens, (client, certificate), visit).await? {
            Caller::Anybody => {
                let why = "only clients with a secret may ask";
                return Err(TokenError::refused(OAuthError::InvalidClient, why));
            }
            Caller::Client => None,
            Caller::Service(organization) => Some(organization),
        };
        let inactive = || json!({ "active": false });
        let Some(refresh) = family::parse(token.expose_secret()) else {
            // What may have been revoked is not said to be active, nor what counts to be none.
            if !self.own.epochs.is_current(tokens.stale_after) {
                return Err(TokenError::Unavailable);
            }
            let is_theirs = |claims: &Object| {
                place
                    .as_ref()
                    .is_none_or(|place| claims.get("org_id").and_then(Value::as_str) == Some(place.as_str()))
            };
            let claims = self.own.verified(token.expose_secret().as_bytes(), &tokens).filter(is_theirs);
            return Ok(claims.map_or_else(inactive, |claims| described(&claims)));
        };
        let known = family::find(&self.store, &refresh).await?;
        let own = known.filter(|known| {
            known.family.client == client.id && !known.is_used() && known.expires_at() > now()
        });
        Ok(own.map_or_else(inactive, |known| {
            json!({
                "active": true,
                "iss": tokens.issuer,
                "sub": known.family.user,
                "client_id": known.family.client,
                "scope": known.family.scope.to_string(),
                "exp": known.expires_at() / 1000,
            })
        }))
    }
}

impl OwnTokens {
    /// The claims of an access token of this gateway that counts now.
    pub(crate) fn verified(&self, token: &[u8], tokens: &Tokens) -> Option<Object> {
        let token = CompactToken::parse(token).ok()?;
        let header = TokenHeader::parse(&token.header).ok()?;
        let keys = self.keys().keys();
        check_signature(&token, &header, keys.as_ref()?).ok()?;
        let claims = strict_json::parse_object(&token.payload).ok()?;
        let counts = header.token_type() == Some("at+jwt")
            && claims.get("iss").and_then(Value::as_str) == Some(&tokens.issuer)
            && claims
                .get("exp")
                .and_then(Value::as_i64)
                .is_some_and(|at| at > milliseconds(SystemTime::now()) / 1000)
            && !self.epochs.revoke(&Subjects::of(&claims));
        counts.then_some(claims)
    }
}

fn described(claims: &Object) -> Value {
    let mut answer = Map::new();
    answer.insert("active".into(), true.into());
    let is_bound = claims.get("cnf").is_some_and(|cnf| cnf.get("jkt").is_some());
    answer.insert("token_type".into(), if is_bound { "DPoP" } else { "Bearer" }.into());
    for name in TOLD {
        if let Some(value) = claims.get(name) {
            answer.insert(name.into(), value.clone());
        }
    }
    Value::Object(answer)
}
