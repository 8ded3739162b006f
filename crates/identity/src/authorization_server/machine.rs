//! Tokens for a client or a service itself, with no person behind it (RFC 6749, section 4.4). There is no refresh token: the
//! client asks again.

use bartizan_config::{TokenClient, Tokens};

use super::{
    AuthorizationServer, Grant, OAuthError, Proofs, TokenError, TokenRequest, TokenResponse,
    access_token::{AccessToken, Binding, Subject},
    client,
    scope::Scope,
    token_request::Bound,
};
use crate::{
    account::{AccountError, ServiceProof, Visit},
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
        let subject = Subject::holding(id, "", self.epochs(id, "").await?, held);
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
        let audiences = [tokens.issuer.clone(), format!("{}/token", tokens.endpoints)];
        let (proof, certificate) =
            match (&request.client.assertion, &request.client.secret, proofs.certificate) {
                (Some(assertion), ..) => {
                    (ServiceProof::Assertion { assertion, audiences: &audiences }, false)
                }
                (None, Some(secret), _) => (ServiceProof::Secret(secret), false),
                (None, None, Some(certificate)) => (ServiceProof::Certificate(certificate), true),
                (None, None, None) => return Err(client::unknown()),
            };
        let proven = self.accounts.authenticate_service(id, proof, visit).await;
        let proven = proven.map_err(|error| match error {
            AccountError::WrongCredentials => client::unknown(),
            error => error.into(),
        })?;
        let Grant::ClientCredentials { scope } = &request.grant else {
            return Err(TokenError::refused(
                OAuthError::UnauthorizedClient,
                "a service gets tokens for itself",
            ));
        };
        let binding = self.binding(tokens, Bound { dpop: false, certificate }, proofs)?;
        let organization = proven.organization.as_str();
        // What it may do is read again after the epochs, so that a revocation at the same time is not lost.
        let epochs = self.epochs(id, organization).await?;
        let standing = self.accounts.service_standing(id).await?.ok_or_else(client::unknown)?;
        let held = Held { grants: standing.grants, roles: standing.roles, until: standing.until };
        let subject = Subject::holding(id, organization, epochs, held);
        self.of_its_own(tokens, &subject, (Scope::parse(scope)?, &request.resources), &binding)
    }

    fn of_its_own(
        &self,
        tokens: &Tokens,
        subject: &Subject,
        (asked, resources): (Scope, &[String]),
        binding: &Binding,
    ) -> Result<TokenResponse, TokenError> {
        let scope = asked.for_client(&subject.permissions)?;
        let resources = client::targets(tokens, resources)?;
        let token = AccessToken {
            subject,
            client: &subject.id,
            scope: &scope,
            resources: &resources,
            session: None,
            family: None,
            authenticated_at: None,
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
