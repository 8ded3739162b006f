//! Tokens for a client or a service itself, with no person behind it (RFC 6749, section 4.4). There is no refresh token: the
//! client asks again.

use bartizan_config::{TokenClient, Tokens};
use secrecy::ExposeSecret;
use serde_json::Map;

use super::{
    AuthorizationServer, ClientProof, Grant, OAuthError, Proofs, TokenError, TokenRequest, TokenResponse,
    access_token::{AccessToken, Binding, Subject},
    client,
    scope::Scope,
    token_request::Bound,
};
use crate::{
    ClientCertificate,
    account::{AccountError, ServiceProof, ServiceStanding, Visit},
    holder::Held,
};

impl AuthorizationServer {
    /// A client of the configuration.
    pub(crate) async fn client_credentials(
        &self,
        (tokens, client): (&Tokens, &TokenClient),
        (asked, resources): (Scope, &[String]),
        binding: &Binding,
    ) -> Result<TokenResponse, TokenError> {
        if client.secret.is_none() || client.permissions.is_empty() {
            let why = "this client may do nothing by itself";
            return Err(TokenError::refused(OAuthError::UnauthorizedClient, why));
        }
        let id = client.id.as_str();
        let held = Held { grants: client.permissions.clone(), ..Held::default() };
        let subject =
            Subject { is_machine: true, ..Subject::holding(id, "", self.epochs(id, "", "").await?, held) };
        self.of_its_own(tokens, &subject, (asked, resources), binding)
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
        let (proven, certificate) =
            self.proven_service(tokens, (&request.client, proofs.certificate), visit).await?;
        let Grant::ClientCredentials { scope } = &request.grant else {
            return Err(TokenError::refused(
                OAuthError::UnauthorizedClient,
                "a service gets tokens for itself",
            ));
        };
        let binding = self.binding(tokens, Bound { dpop: false, certificate }, proofs).await?;
        let organization = proven.organization.as_str();
        // What it may do is read again after the epochs, so that a revocation at the same time is not lost.
        let epochs = self.epochs(id, organization, "").await?;
        let standing = self.accounts.service_standing(id).await?.ok_or_else(client::unknown)?;
        let held = Held { grants: standing.grants, roles: standing.roles, until: standing.until };
        let subject = Subject { is_machine: true, ..Subject::holding(id, organization, epochs, held) };
        self.of_its_own(tokens, &subject, (Scope::parse(scope)?, &request.resources), &binding)
    }

    /// A service of the store by its secret, its assertion, or (then it is said) its certificate.
    async fn proven_service(
        &self,
        tokens: &Tokens,
        (client, certificate): (&ClientProof, Option<&ClientCertificate>),
        visit: &Visit,
    ) -> Result<(ServiceStanding, bool), TokenError> {
        let audiences = [tokens.issuer.clone(), format!("{}/token", tokens.endpoints)];
        let (proof, by_certificate) = match (&client.assertion, &client.secret, certificate) {
            (Some(assertion), ..) => {
                let assertion = assertion.expose_secret();
                (ServiceProof::Assertion { assertion, audiences: &audiences }, false)
            }
            (None, Some(secret), _) => (ServiceProof::Secret(secret), false),
            (None, None, Some(certificate)) => (ServiceProof::Certificate(certificate), true),
            (None, None, None) => return Err(client::unknown()),
        };
        let proven = self.accounts.authenticate_service(&client.id, proof, visit).await;
        let proven = proven.map_err(|error| match error {
            AccountError::WrongCredentials => client::unknown(),
            error => error.into(),
        })?;
        Ok((proven, by_certificate))
    }

    /// Who asks about a token: a client of the configuration, or a service. Whether it has proven to be itself.
    pub(crate) async fn caller(
        &self,
        tokens: &Tokens,
        (client, certificate): (&ClientProof, Option<&ClientCertificate>),
        visit: &Visit,
    ) -> Result<bool, TokenError> {
        if client::known(tokens, &client.id).is_some() {
            return Ok(client::authenticate(tokens, client)?.secret.is_some());
        }
        self.proven_service(tokens, (client, certificate), visit).await.map(|_| true)
    }

    fn of_its_own(
        &self,
        tokens: &Tokens,
        subject: &Subject,
        (asked, resources): (Scope, &[String]),
        binding: &Binding,
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
            latest: None,
        };
        let (access_token, expires_in) = token.issue(tokens, &*self.own.keys.active()?)?;
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
