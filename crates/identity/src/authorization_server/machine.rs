//! Tokens for a client itself, with no person behind it (RFC 6749, section 4.4). There is no refresh token: the client asks
//! again.

use bartizan_config::{TokenClient, Tokens};

use super::{
    AuthorizationServer, OAuthError, TokenError, TokenResponse,
    access_token::{AccessToken, Binding, Subject},
    client,
    epochs::TokenEpochs,
    scope::Scope,
};

impl AuthorizationServer {
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
        let scope = asked.for_client(&client.permissions)?;
        let resources = client::targets(tokens, resources)?;
        let mut transaction = self.store.begin().await?;
        let epoch = TokenEpochs::current(&mut transaction, client.id.as_str()).await?;
        drop(transaction);
        let subject = Subject {
            id: client.id.as_str().to_owned(),
            organization: String::new(),
            roles: Vec::new(),
            permissions: client.permissions.iter().map(ToString::to_string).collect(),
            epochs: (epoch, 0),
        };
        let subject = subject.within(&scope);
        let token = AccessToken {
            subject: &subject,
            client: client.id.as_str(),
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
