//! A service that was called with a token gets another one to call on with (RFC 8693): for the same person, never for more
//! than the first token, and with the name of the service in it (`act`).
//!
//! A token that is bound to something gives only tokens that are bound to the same, and only to whoever proves to have it
//! (RFC 9449, section 5; RFC 8705, section 3): stolen without its key it gives nothing, whatever key the thief has. Who
//! revokes the first token, or the person, the session or the authorisation behind it, revokes these as well.

use bartizan_config::{TokenClient, Tokens};
use bartizan_model::{Grant, OrganizationId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    AuthorizationServer, OAuthError, TokenError, TokenResponse,
    access_token::{AccessToken, Binding, Subject, is_machine, zone_of_machine},
    authentication,
    epochs::{Epochs, exchanged_by, origins},
    scope::Scope,
    token_request::part_of,
};
use crate::{
    account::{ServiceStanding, Visit},
    confirmation::Confirmation,
    token::json::Object,
};

/// Who calls on with the tokens of others, and how far.
#[derive(Debug)]
pub(crate) struct Exchanger<'a> {
    id: &'a str,
    /// What of a token they may carry on; empty: all of it.
    scopes: &'a [Grant],
    service: Option<ExchangingService<'a>>,
}

/// What is so of services of the store only.
#[derive(Debug)]
struct ExchangingService<'a> {
    /// Tokens that were issued for others are none of theirs.
    organization: &'a OrganizationId,
    /// In which the service exchanges: what ends its tokens ends those, too.
    epoch: i64,
}

impl<'a> Exchanger<'a> {
    /// A client of the configuration, if that says so.
    pub(crate) fn client(client: &'a TokenClient) -> Result<Self, TokenError> {
        if client.secret.is_none() || !client.exchange {
            return Err(may_not("this client may not exchange tokens"));
        }
        Ok(Self { id: client.id.as_str(), scopes: &client.scopes, service: None })
    }

    /// A service of the store, if its record says so.
    pub(crate) fn service(standing: &'a ServiceStanding, epoch: i64) -> Result<Self, TokenError> {
        if standing.exchange.is_empty() {
            return Err(may_not("this service may not exchange tokens: see `bartizan service set-exchange`"));
        }
        let service = ExchangingService { organization: &standing.organization, epoch };
        Ok(Self { id: &standing.id, scopes: &standing.exchange, service: Some(service) })
    }

    fn serves(&self, organization: Option<&str>) -> bool {
        self.service.as_ref().is_none_or(|service| organization == Some(service.organization.as_str()))
    }
}

fn may_not(why: &'static str) -> TokenError {
    TokenError::refused(OAuthError::UnauthorizedClient, why)
}

impl AuthorizationServer {
    pub(crate) async fn exchange(
        &self,
        (tokens, exchanger): (&Tokens, &Exchanger<'_>),
        (token, acting): (&SecretString, Option<&SecretString>),
        (asked, resources): (Scope, &[String]),
        binding: &Binding,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        let claims = self.own.verified(token.expose_secret().as_bytes(), tokens);
        let invalid =
            || TokenError::refused(OAuthError::InvalidRequest, "the subject token does not count here");
        let claims = claims.ok_or_else(invalid)?;
        let bound = Confirmation::of(&claims).map_err(|_| invalid())?;
        if !bound.is_proven_by(binding.dpop_key.as_deref(), binding.certificate.as_deref()) {
            let why = "the subject token is bound to a key or a certificate: prove that very one";
            return Err(TokenError::refused(OAuthError::InvalidRequest, why));
        }
        self.check_actor((tokens, exchanger.id), acting, binding)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if !exchanger.serves(text("org_id")) {
            let why = "the subject token was not issued for the organisation of this service";
            return Err(TokenError::refused(OAuthError::InvalidRequest, why));
        }
        let scope = Scope::parse(text("scope").ok_or_else(invalid)?)?.narrowed(asked)?;
        let scope = scope.within(exchanger.scopes)?;
        let subject = subject(&claims).ok_or_else(invalid)?;
        let resources = part_of(&audience(&claims), resources)?;
        let mut actor = json!({ "sub": exchanger.id });
        if let Some(earlier) = claims.get("act") {
            actor["act"] = earlier.clone();
        }
        let next = AccessToken {
            subject: &subject,
            client: exchanger.id,
            scope: &scope,
            resources: &resources,
            session: text("sid"),
            family: text("grant_id"),
            authentication: authentication::repeated(&claims),
            binding,
            actor: Some(actor),
            exchanged_by: exchanged_by(&claims)
                .filter(|(service, _)| *service != exchanger.id)
                .map(|(service, epoch)| (service.to_owned(), epoch))
                .chain(exchanger.service.as_ref().map(|service| (exchanger.id.to_owned(), service.epoch)))
                .collect(),
            origins: origins(&claims).chain(text("jti")).map(str::to_owned).collect(),
            latest: claims.get("exp").and_then(Value::as_i64),
        };
        let (access_token, expires_in) = self.sign(tokens, &next)?;
        let granted =
            json!({ "grant_type": "token-exchange", "client": exchanger.id, "scope": scope.to_string() });
        self.record_grant("token.exchange", (exchanger.id, &subject), granted, visit).await?;
        Ok(TokenResponse {
            access_token: access_token.into(),
            is_dpop: binding.dpop_key.is_some(),
            expires_in,
            refresh_token: None,
            scope: scope.to_string(),
            id_token: None,
            is_exchanged: true,
        })
    }
}

impl AuthorizationServer {
    /// Whether the token of whoever acts is the client's own: it acts itself, for nobody else.
    fn check_actor(
        &self,
        (tokens, client): (&Tokens, &str),
        acting: Option<&SecretString>,
        binding: &Binding,
    ) -> Result<(), TokenError> {
        let Some(acting) = acting else { return Ok(()) };
        let claims = self.own.verified(acting.expose_secret().as_bytes(), tokens);
        let is_own = claims.is_some_and(|claims| {
            let is_proven = Confirmation::of(&claims).is_ok_and(|bound| {
                bound.is_proven_by(binding.dpop_key.as_deref(), binding.certificate.as_deref())
            });
            is_proven && is_machine(&claims) && claims.get("sub").and_then(Value::as_str) == Some(client)
        });
        if is_own {
            return Ok(());
        }
        let why = "the actor token is not one of the client's own that counts here";
        Err(TokenError::refused(OAuthError::InvalidRequest, why))
    }
}

/// What a token is for.
fn audience(claims: &Object) -> Vec<String> {
    match claims.get("aud") {
        Some(Value::String(only)) => vec![only.clone()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The person behind a token, as it says, with its epochs: what revokes the one revokes the other.
fn subject(claims: &Object) -> Option<Subject> {
    let list = |name: &str| {
        let values = claims.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    Some(Subject {
        id: claims.get("sub")?.as_str()?.to_owned(),
        organization: claims.get("org_id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        roles: list("roles"),
        permissions: list("permissions").iter().filter_map(|text| text.parse().ok()).collect(),
        until: None,
        is_machine: is_machine(claims),
        zone: zone_of_machine(claims),
        epochs: Epochs::of(claims),
    })
}
