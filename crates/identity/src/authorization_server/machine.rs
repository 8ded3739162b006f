//! Tokens for a client or a service itself, with no person behind it (RFC 6749, section 4.4). There is no refresh token: the
//! client asks again.

use bartizan_config::{TokenClient, Tokens};
use bartizan_model::OrganizationId;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::{
    AuthorizationServer, ClientProof, Grant, OAuthError, Proofs, TokenError, TokenRequest, TokenResponse,
    access_token::{AccessToken, Binding, Subject},
    client,
    exchange::Exchanger,
    proofs::{Bound, TokenEndpoint},
    scope::Scope,
};
use crate::{
    ClientCertificate,
    account::{AccountError, ServiceProof, ServiceStanding, Visit},
    holder::Held,
};

/// Who asks about a token.
pub(crate) enum Caller {
    /// A client of the configuration without a secret: whoever knows its id.
    Anybody,
    /// One that has shown its secret.
    Client,
    /// A service of this organisation.
    Service(OrganizationId),
}

impl AuthorizationServer {
    /// A client of the configuration.
    pub(crate) async fn client_credentials(
        &self,
        (tokens, client): (&Tokens, &TokenClient),
        asked: (Scope, &[String]),
        binding: &Binding,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        if client.secret.is_none() || client.permissions.is_empty() {
            let why = "this client may do nothing by itself";
            return Err(TokenError::refused(OAuthError::UnauthorizedClient, why));
        }
        let id = client.id.as_str();
        let held = Held { grants: client.permissions.clone(), ..Held::default() };
        let subject =
            Subject { is_machine: true, ..Subject::holding(id, "", self.epochs(id, "", "").await?, held) };
        self.of_its_own(tokens, &subject, asked, binding, visit).await
    }

    /// A service of an organisation: by its secret, an assertion, or its certificate.
    pub(crate) async fn service(
        &self,
        tokens: &Tokens,
        request: &TokenRequest,
        proofs: &Proofs<'_>,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        let id = request.client.id.as_str();
        let mut audiences = audiences(tokens);
        audiences.push(proofs.endpoint.url(tokens));
        let proof = service_proof(&audiences, (&request.client, proofs.certificate))?;
        let certificate = matches!(proof, ServiceProof::Certificate(_));
        let proven = proven(self.accounts.authenticate_service(id, proof, visit).await)?;
        let binding = self.binding(tokens, Bound { dpop: false, certificate }, proofs).await?;
        let organization = proven.organization.as_str();
        // What it may do is read again after the epochs, so that a revocation at the same time is not lost.
        let epochs = self.epochs(id, organization, "").await?;
        let standing = self.accounts.service_standing(id).await?.ok_or_else(client::unknown)?;
        match &request.grant {
            Grant::TokenExchange { subject, actor, scope } => {
                let exchanger = Exchanger::service(&standing, epochs.subject)?;
                let asked = (Scope::parse(scope)?, request.resources.as_slice());
                self.exchange((tokens, &exchanger), (subject, actor.as_ref()), asked, &binding, visit).await
            }
            Grant::ClientCredentials { scope } => {
                let held = Held { grants: standing.grants, roles: standing.roles, until: standing.until };
                let subject = Subject {
                    is_machine: true,
                    zone: standing.zone,
                    ..Subject::holding(id, organization, epochs, held)
                };
                let asked = (Scope::parse(scope)?, request.resources.as_slice());
                self.of_its_own(tokens, &subject, asked, &binding, visit).await
            }
            Grant::AuthorizationCode { .. } | Grant::RefreshToken { .. } => Err(TokenError::refused(
                OAuthError::UnauthorizedClient,
                "a service gets tokens for itself, and for those that it is called with",
            )),
        }
    }

    /// A client of the configuration. What is wrong is in the audit trail.
    pub(crate) async fn proven_client<'t>(
        &self,
        tokens: &'t Tokens,
        client: &ClientProof,
        visit: &Visit,
    ) -> Result<&'t TokenClient, TokenError> {
        let proven = client::authenticate(tokens, client);
        if proven.is_err() {
            self.accounts.refuse_client("client.authenticate", &client.id, visit).await?;
        }
        proven
    }

    /// Who asks about a token: a client of the configuration, or a service.
    pub(crate) async fn caller(
        &self,
        tokens: &Tokens,
        (client, certificate): (&ClientProof, Option<&ClientCertificate>),
        visit: &Visit,
    ) -> Result<Caller, TokenError> {
        if client::known(tokens, &client.id).is_some() {
            let client = self.proven_client(tokens, client, visit).await?;
            return Ok(if client.secret.is_some() { Caller::Client } else { Caller::Anybody });
        }
        let audiences = audiences(tokens);
        let proof = service_proof(&audiences, (client, certificate))?;
        let service = proven(self.accounts.recognize_service(&client.id, proof, visit).await)?;
        Ok(Caller::Service(service.organization))
    }

    /// An entry of the audit trail about tokens that come of no authorisation: who asked, for whom, for what; never a token.
    pub(crate) async fn record_grant(
        &self,
        action: &'static str,
        (actor, subject): (&str, &Subject),
        mut details: Value,
        visit: &Visit,
    ) -> Result<(), TokenError> {
        if !subject.organization.is_empty() {
            details["organization"] = subject.organization.as_str().into();
        }
        Ok(self.accounts.record_alone(action, (actor, &subject.id), details, visit).await?)
    }

    async fn of_its_own(
        &self,
        tokens: &Tokens,
        subject: &Subject,
        (asked, resources): (Scope, &[String]),
        binding: &Binding,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        if subject.permissions.is_empty() {
            // An empty list would mean everything below.
            let why = "this service has no permissions: an operator gives them";
            return Err(TokenError::refused(OAuthError::UnauthorizedClient, why));
        }
        let scope = asked.for_client(&subject.permissions)?;
        let resources = client::targets(tokens, resources)?;
        let token = AccessToken {
            subject,
            client: &subject.id,
            scope: &scope,
            resources: &resources,
            session: None,
            family: None,
            authentication: Map::new(),
            binding,
            actor: None,
            exchanged_by: Vec::new(),
            origins: Vec::new(),
            latest: None,
        };
        let (access_token, expires_in) = self.sign(tokens, &token)?;
        let granted =
            json!({ "grant_type": "client_credentials", "client": subject.id, "scope": scope.to_string() });
        self.record_grant("token.issue", (&subject.id, subject), granted, visit).await?;
        Ok(TokenResponse {
            access_token: access_token.into(),
            is_dpop: binding.dpop_key.is_some(),
            expires_in,
            refresh_token: None,
            scope: scope.to_string(),
            id_token: None,
            is_exchanged: false,
        })
    }
}

/// What a service brings: an assertion, its secret, or its certificate.
fn service_proof<'p>(
    audiences: &'p [String],
    (client, certificate): (&'p ClientProof, Option<&'p ClientCertificate>),
) -> Result<ServiceProof<'p>, TokenError> {
    Ok(match (&client.assertion, &client.secret, certificate) {
        (Some(assertion), ..) => ServiceProof::Assertion { assertion: assertion.expose_secret(), audiences },
        (None, Some(secret), _) => ServiceProof::Secret(secret),
        (None, None, Some(certificate)) => ServiceProof::Certificate(certificate),
        (None, None, None) => return Err(client::unknown()),
    })
}

fn proven(service: Result<ServiceStanding, AccountError>) -> Result<ServiceStanding, TokenError> {
    service.map_err(|error| match error {
        AccountError::WrongCredentials => client::unknown(),
        error => error.into(),
    })
}

/// Whom an assertion may be for: the issuer, or the token endpoint (RFC 7523, section 3).
fn audiences(tokens: &Tokens) -> Vec<String> {
    vec![tokens.issuer.clone(), TokenEndpoint::Token.url(tokens)]
}
