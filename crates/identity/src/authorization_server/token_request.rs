//! The token endpoint (RFC 6749, section 3.2): what a client brings, and the tokens it gets for it.

use std::time::Duration;

use bartizan_config::{TokenClient, Tokens};
use bartizan_store::{Statement, Transaction};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    AuthorizationServer, ClientProof, OAuthError, TokenError,
    access_token::{AccessToken, Binding, IdToken, Subject},
    authorization::{CODE_PREFIX, stored},
    client,
    code::KnownCode,
    exchange::Exchanger,
    family::{self, Family, Turn},
    person,
    proofs::{Bound, Proofs},
    scope::Scope,
};
use crate::{
    OpaqueToken,
    account::{Accounts, Visit},
    session::moment::{now, span},
};

/// What a client brings for tokens.
#[derive(Debug)]
pub enum Grant {
    /// A code (RFC 6749, section 4.1.3).
    AuthorizationCode {
        /// The code.
        code: SecretString,
        /// Where it was sent.
        redirect_uri: String,
        /// What its challenge is the hash of (RFC 7636, section 4.5).
        verifier: SecretString,
    },
    /// A refresh token (RFC 6749, section 6).
    RefreshToken {
        /// The refresh token.
        token: SecretString,
        /// A part of what was granted; empty for all of it.
        scope: String,
    },
    /// Nothing but the client itself (RFC 6749, section 4.4).
    ClientCredentials {
        /// A part of what the client may do; empty for all of it.
        scope: String,
    },
    /// A token that the client was called with (RFC 8693).
    TokenExchange {
        /// An access token of this server.
        subject: SecretString,
        /// Who acts, where it is said: an access token of the client's own.
        actor: Option<SecretString>,
        /// A part of its scope; empty for all of it.
        scope: String,
    },
}

/// A request to the token endpoint.
#[derive(Debug)]
pub struct TokenRequest {
    /// Who asks.
    pub client: ClientProof,
    /// What they bring.
    pub grant: Grant,
    /// `resource`, as often as it occurs (RFC 8707).
    pub resources: Vec<String>,
}

/// Tokens for a client (RFC 6749, section 5.1).
#[derive(Debug)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: SecretString,
    /// Whether it is bound to a key, so that the scheme is `DPoP`.
    pub is_dpop: bool,
    /// For how long it counts.
    pub expires_in: Duration,
    /// The next refresh token.
    pub refresh_token: Option<SecretString>,
    /// What was granted.
    pub scope: String,
    /// Who logged in, for clients that asked with `openid`.
    pub id_token: Option<SecretString>,
    /// Whether it was exchanged for another token (RFC 8693).
    pub is_exchanged: bool,
}

impl AuthorizationServer {
    /// Issues tokens.
    pub async fn token(
        &self,
        request: &TokenRequest,
        proofs: &Proofs<'_>,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        let tokens = self.settings();
        if client::known(&tokens, &request.client.id).is_none() {
            return self.service(&tokens, request, proofs, visit).await;
        }
        let client = self.proven_client(&tokens, &request.client, visit).await?;
        let bound = Bound { dpop: client.dpop, certificate: client.certificate_bound };
        let binding = self.binding(&tokens, bound, proofs).await?;
        match &request.grant {
            Grant::AuthorizationCode { code, redirect_uri, verifier } => {
                let code = (code, redirect_uri.as_str(), verifier);
                self.exchange_code((&tokens, client), code, &request.resources, binding, visit).await
            }
            Grant::RefreshToken { token, scope } => {
                let asked = (Scope::parse(scope)?, request.resources.as_slice());
                self.refresh((&tokens, client), token, asked, binding, visit).await
            }
            Grant::ClientCredentials { scope } => {
                let asked = (Scope::parse(scope)?, request.resources.as_slice());
                self.client_credentials((&tokens, client), asked, &binding, visit).await
            }
            Grant::TokenExchange { subject, actor, scope } => {
                let asked = (Scope::parse(scope)?, request.resources.as_slice());
                let exchanger = Exchanger::client(client)?;
                let presented = (subject, actor.as_ref());
                self.exchange((&tokens, &exchanger), presented, asked, &binding, visit).await
            }
        }
    }

    async fn exchange_code(
        &self,
        (tokens, client): (&Tokens, &TokenClient),
        (code, redirect_uri, verifier): (&SecretString, &str, &SecretString),
        resources: &[String],
        binding: Binding,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        const USE: &str =
            "UPDATE authorization_codes SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL";
        let refuse = |why: &'static str| TokenError::refused(OAuthError::InvalidGrant, why);
        let unknown = || refuse("the code is unknown, was used, or has ended");
        let code = OpaqueToken::parse(&CODE_PREFIX.parse()?, code.expose_secret()).map_err(|_| unknown())?;
        let hash = stored(&code.hash());
        let known = KnownCode::find(&self.store, &hash).await?.ok_or_else(unknown)?;
        if known.family.client != client.id.as_str() {
            return Err(unknown());
        }
        let subject = self.person(&known.family).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        person::enter(&known.family.user, &mut transaction).await?;
        if known.is_used {
            self.end_reused(&known.family, visit, transaction).await?;
            return Err(unknown());
        }
        if known.expires_at <= now() {
            return Err(unknown());
        }
        if known.redirect_uri != redirect_uri {
            return Err(refuse("`redirect_uri` is not where the code was sent"));
        }
        let hashed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
        if !bool::from(hashed.as_bytes().ct_eq(known.challenge.as_bytes())) {
            return Err(refuse("`code_verifier` is not what the challenge was made of"));
        }
        if !known.dpop_key.is_empty() && binding.dpop_key.as_ref() != Some(&known.dpop_key) {
            return Err(refuse("the code is bound to a key, and this is not it"));
        }
        // Nothing after the use may fail for what the client has asked, or the code would be lost to it.
        let resources = part_of(&known.family.resources, resources)?;
        self.own.keys.active(tokens.algorithm)?;
        enter_session(&known.family.session, &mut transaction).await?;
        if transaction.execute(Statement::new(USE).text(hash).integer(now())).await? == 0 {
            // Somebody else was faster, with the same code.
            self.end_reused(&known.family, visit, transaction).await?;
            return Err(unknown());
        }
        let ends_at = now().saturating_add(span(tokens.absolute));
        let family = Family { binding: binding.clone(), ends_at, ..known.family.clone() };
        let refresh = self.begin_family(tokens, &family, &mut transaction).await?;
        // The scope says no more than the person may do.
        let scope = family.scope.held(&subject.permissions);
        let granted = json!({ "grant_type": "authorization_code", "scope": scope.to_string() });
        self.report("token.issue", &family, granted, visit, &mut transaction).await?;
        let id_token = self.id_token(tokens, &known, &mut transaction).await?;
        transaction.commit().await?;
        let issued = Issued { subject, scope: &scope, resources: &resources, binding: &binding };
        let answer = self.answer(tokens, &family, &issued, Some(refresh))?;
        Ok(TokenResponse { id_token, ..answer })
    }

    async fn refresh(
        &self,
        (tokens, client): (&Tokens, &TokenClient),
        token: &SecretString,
        (scope, resources): (Scope, &[String]),
        binding: Binding,
        visit: &Visit,
    ) -> Result<TokenResponse, TokenError> {
        let unknown =
            || TokenError::refused(OAuthError::InvalidGrant, "the refresh token is unknown, or has ended");
        let token = family::parse(token.expose_secret()).ok_or_else(unknown)?;
        let known = family::find(&self.store, &token).await?.ok_or_else(unknown)?;
        known.check(client, &binding)?;
        let family = &known.family;
        let scope = family.scope.narrowed(scope)?.within(&client.scopes)?;
        let resources = part_of(&family.resources, resources)?;
        let subject = self.person(family).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        person::enter(&family.user, &mut transaction).await?;
        let turn = self.turn(tokens, &known, &mut transaction).await?;
        let Turn::Next(next) = turn else {
            self.end_reused(family, visit, transaction).await?;
            let why =
                "the refresh token was used before: everything that came of this authorisation has ended";
            return Err(TokenError::refused(OAuthError::InvalidGrant, why));
        };
        let scope = scope.held(&subject.permissions);
        let granted = json!({ "grant_type": "refresh_token", "scope": scope.to_string() });
        self.report("token.refresh", family, granted, visit, &mut transaction).await?;
        transaction.commit().await?;
        let issued = Issued { subject, scope: &scope, resources: &resources, binding: &binding };
        self.answer(tokens, family, &issued, Some(next))
    }

    /// What came of a code or of a refresh token that was used again ends, for somebody has stolen it (RFC 6749, section
    /// 4.1.2).
    async fn end_reused(
        &self,
        family: &Family,
        visit: &Visit,
        mut transaction: Transaction,
    ) -> Result<(), TokenError> {
        family::end_family(&mut transaction, &family.id).await?;
        self.report("token.reuse", family, json!({}), visit, &mut transaction).await?;
        transaction.commit().await?;
        self.read_revoked().await;
        Ok(())
    }

    fn answer(
        &self,
        tokens: &Tokens,
        family: &Family,
        issued: &Issued<'_>,
        refresh_token: Option<SecretString>,
    ) -> Result<TokenResponse, TokenError> {
        let token = AccessToken {
            subject: &issued.subject,
            client: &family.client,
            scope: issued.scope,
            resources: issued.resources,
            session: Some(&family.session),
            family: Some(&family.id),
            authentication: family.authentication.claims(),
            binding: issued.binding,
            actor: None,
            exchanged_by: Vec::new(),
            origins: Vec::new(),
            latest: None,
        };
        let (access_token, expires_in) = self.sign(tokens, &token)?;
        Ok(TokenResponse {
            access_token: access_token.into(),
            is_dpop: issued.binding.dpop_key.is_some(),
            expires_in,
            refresh_token,
            scope: issued.scope.to_string(),
            id_token: None,
            is_exchanged: false,
        })
    }

    async fn id_token(
        &self,
        tokens: &Tokens,
        known: &KnownCode,
        transaction: &mut Transaction,
    ) -> Result<Option<SecretString>, TokenError> {
        let family = &known.family;
        if !family.scope.names("openid") {
            return Ok(None);
        }
        let profile = self.profile(&family.user, transaction).await?;
        let token = IdToken {
            subject: &family.user,
            client: &family.client,
            session: &family.session,
            authentication: family.authentication,
            nonce: &known.nonce,
            email: family.scope.names("email").then_some((&profile.email, profile.is_verified)),
            name: family.scope.names("profile").then_some(&profile.name),
        };
        let key = self.own.keys.active(tokens.client_algorithm(&family.client))?;
        Ok(Some(token.issue(tokens, &key)?.into()))
    }

    /// The access token, signed with what its resources or its client need, and for how long it counts.
    pub(crate) fn sign(
        &self,
        tokens: &Tokens,
        token: &AccessToken<'_>,
    ) -> Result<(String, Duration), TokenError> {
        let algorithm = tokens.access_algorithm(token.client, token.resources);
        token.issue(tokens, &*self.own.keys.active(algorithm)?)
    }

    /// An entry of the audit trail about an authorisation. Whose tokens, whose client, for what; never a token.
    async fn report(
        &self,
        action: &'static str,
        family: &Family,
        mut details: Value,
        visit: &Visit,
        transaction: &mut Transaction,
    ) -> Result<(), TokenError> {
        details["client"] = family.client.as_str().into();
        details["grant"] = family.id.as_str().into();
        if !family.organization.is_empty() {
            details["organization"] = family.organization.as_str().into();
        }
        Ok(Accounts::record(transaction, action, (&family.user, &family.user), details, visit).await?)
    }
}

/// What an access token is issued for.
struct Issued<'a> {
    subject: Subject,
    /// What of the scope the subject may do.
    scope: &'a Scope,
    resources: &'a [String],
    binding: &'a Binding,
}

/// Fails where the session that a code came of has ended, and holds its end back meanwhile: then that ends this, too.
async fn enter_session(session: &str, transaction: &mut Transaction) -> Result<(), TokenError> {
    const ENTER: &str = "UPDATE sessions SET seen_at = seen_at WHERE id = $1";
    if !session.is_empty() && transaction.execute(Statement::new(ENTER).text(session)).await? == 0 {
        let why = "the session that the code came of has ended";
        return Err(TokenError::refused(OAuthError::InvalidGrant, why));
    }
    Ok(())
}

/// Those of the granted resources that are asked for; all where none is (RFC 8707, section 2.2).
pub(crate) fn part_of(granted: &[String], asked: &[String]) -> Result<Vec<String>, TokenError> {
    if asked.is_empty() {
        return Ok(granted.to_vec());
    }
    if asked.iter().any(|resource| !granted.contains(resource)) {
        return Err(TokenError::refused(OAuthError::InvalidTarget, "this resource was not granted"));
    }
    Ok(asked.to_vec())
}
