//! Refresh tokens: every use gives another one, and an old one ends the authorisation (RFC 9700, section 4.14.2).
//!
//! A token that was used still gets the same successor for a few seconds, because answers are lost: until the successor
//! is used. Whoever uses it later has stolen it, or somebody else has; nobody can say who, so both lose it.

use bartizan_config::{TokenClient, Tokens};
use bartizan_store::{Row, Statement, Store, StoreError, Transaction};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AuthorizationServer, OAuthError, TokenError, access_token::Binding, authentication::Authentication,
    authorization::stored, epochs::TokenEpochs, scope::Scope,
};
use crate::{
    OpaqueToken,
    session::moment::{now, span},
};

const PREFIX: &str = "btz_refresh";

const FIND: &str = "SELECT t.token_hash, t.expires_at, t.used_at, t.successor, f.id AS family, f.client_id, \
    f.user_id, f.organization_id, f.session_id, f.scope, f.resources, f.dpop_key, f.certificate, \
    f.authenticated_at, f.methods, f.expires_at AS family_ends FROM refresh_tokens t \
    JOIN token_families f ON f.id = t.family_id WHERE t.token_hash = $1";
const USE: &str =
    "UPDATE refresh_tokens SET used_at = $2, successor = $3 WHERE token_hash = $1 AND used_at IS NULL";
const KEEP: &str = "INSERT INTO refresh_tokens (token_hash, family_id, expires_at) VALUES ($1, $2, $3)";

/// What came from one authorisation.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) id: String,
    pub(crate) client: String,
    pub(crate) user: String,
    pub(crate) organization: String,
    pub(crate) session: String,
    pub(crate) scope: Scope,
    pub(crate) resources: Vec<String>,
    pub(crate) binding: Binding,
    pub(crate) authentication: Authentication,
    pub(crate) ends_at: i64,
}

/// A refresh token that the store knows.
pub(crate) struct KnownToken {
    hash: String,
    expires_at: i64,
    used_at: Option<i64>,
    successor: Option<String>,
    pub(crate) family: Family,
}

/// What becomes of a refresh token that is used.
pub(crate) enum Turn {
    /// This one counts from now on.
    Next(SecretString),
    /// It was used before: its family is to end.
    Reused,
}

/// A refresh token as it was sent, if it has the form of one.
pub(crate) fn parse(text: &str) -> Option<OpaqueToken> {
    OpaqueToken::parse(&PREFIX.parse().ok()?, text).ok()
}

/// The refresh token with its family.
pub(crate) async fn find(store: &Store, token: &OpaqueToken) -> Result<Option<KnownToken>, TokenError> {
    let row = store.everywhere().row(Statement::new(FIND).text(stored(&token.hash()))).await?;
    row.as_ref().map(KnownToken::of).transpose()
}

impl KnownToken {
    fn of(row: &Row) -> Result<Self, TokenError> {
        let some = |text: String| (!text.is_empty()).then_some(text);
        Ok(Self {
            hash: row.text("token_hash")?,
            expires_at: row.integer("expires_at")?,
            used_at: row.optional_integer("used_at")?,
            successor: row.optional_text("successor")?,
            family: Family {
                id: row.text("family")?,
                client: row.text("client_id")?,
                user: row.text("user_id")?,
                organization: row.text("organization_id")?,
                session: row.text("session_id")?,
                scope: Scope::parse(&row.text("scope")?)?,
                resources: row.text("resources")?.split(' ').map(str::to_owned).collect(),
                binding: Binding {
                    dpop_key: some(row.text("dpop_key")?),
                    certificate: some(row.text("certificate")?),
                },
                authentication: Authentication::of(row)?,
                ends_at: row.integer("family_ends")?,
            },
        })
    }

    /// Whether it may be used by this client with this proof: what was bound stays bound (RFC 9449, section 5). A client
    /// with a secret may change its key.
    pub(crate) fn check(&self, client: &TokenClient, proven: &Binding) -> Result<(), TokenError> {
        let refuse = |why: &'static str| Err(TokenError::refused(OAuthError::InvalidGrant, why));
        if self.family.client != client.id.as_str() {
            return refuse("the refresh token is another client's");
        }
        let holds = |bound: &Option<String>, proven: &Option<String>| match (bound, proven) {
            (None, _) => true,
            (Some(bound), Some(proven)) => client.secret.is_some() || bound == proven,
            (Some(_), None) => false,
        };
        let bound = &self.family.binding;
        if !holds(&bound.dpop_key, &proven.dpop_key) || !holds(&bound.certificate, &proven.certificate) {
            return refuse("the refresh token is bound to a key, and this is not it");
        }
        if self.expires_at.min(self.family.ends_at) <= now() {
            return refuse("the refresh token has ended");
        }
        Ok(())
    }

    pub(crate) fn expires_at(&self) -> i64 {
        self.expires_at.min(self.family.ends_at)
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used_at.is_some()
    }
}

impl AuthorizationServer {
    /// Begins a family with its first refresh token. The families that had to make room have ended.
    pub(crate) async fn begin_family(
        &self,
        tokens: &Tokens,
        family: &Family,
        transaction: &mut Transaction,
    ) -> Result<SecretString, TokenError> {
        const BEGIN: &str = "INSERT INTO token_families (id, client_id, user_id, organization_id, session_id, scope, \
            resources, dpop_key, certificate, authenticated_at, created_at, seen_at, expires_at, methods) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)";
        let begin = Statement::new(BEGIN)
            .text(family.id.as_str())
            .text(family.client.as_str())
            .text(family.user.as_str())
            .text(family.organization.as_str())
            .text(family.session.as_str())
            .text(family.scope.to_string())
            .text(family.resources.join(" "))
            .text(family.binding.dpop_key.clone().unwrap_or_default())
            .text(family.binding.certificate.clone().unwrap_or_default())
            .integer(family.authentication.at)
            .integer(now())
            .integer(family.ends_at)
            .text(family.authentication.methods.stored());
        transaction.execute(begin).await?;
        make_room(transaction, &family.user, tokens.at_most).await?;
        let token = OpaqueToken::generate(&PREFIX.parse()?)?;
        keep(transaction, &token, &family.id, next_end(tokens, family)).await?;
        Ok(token.secret().clone())
    }

    /// Uses a refresh token: once, or again within the grace time, when it gets the same successor.
    pub(crate) async fn turn(
        &self,
        tokens: &Tokens,
        known: &KnownToken,
        transaction: &mut Transaction,
    ) -> Result<Turn, TokenError> {
        const SEEN: &str = "UPDATE token_families SET seen_at = $2 WHERE id = $1";
        if known.used_at.is_none() {
            let next = OpaqueToken::generate(&PREFIX.parse()?)?;
            let sealed = self.sealing.seal(&known.hash, next.secret().expose_secret().as_bytes())?;
            let used = Statement::new(USE).text(known.hash.as_str()).integer(now()).text(sealed);
            if transaction.execute(used).await? == 1 {
                keep(transaction, &next, &known.family.id, next_end(tokens, &known.family)).await?;
                let seen = Statement::new(SEEN).text(known.family.id.as_str()).integer(now());
                transaction.execute(seen).await?;
                return Ok(Turn::Next(next.secret().clone()));
            }
            // Somebody was faster: what they have left is looked at.
            let row = transaction.row(Statement::new(FIND).text(known.hash.as_str())).await?;
            let ended = || TokenError::refused(OAuthError::InvalidGrant, "the refresh token has ended");
            let again = KnownToken::of(&row.ok_or_else(ended)?)?;
            return self.successor(tokens, &again, transaction).await;
        }
        self.successor(tokens, known, transaction).await
    }

    async fn successor(
        &self,
        tokens: &Tokens,
        used: &KnownToken,
        transaction: &mut Transaction,
    ) -> Result<Turn, TokenError> {
        let until = used.used_at.unwrap_or(0).saturating_add(span(tokens.grace));
        if let Some(sealed) = used.successor.as_ref().filter(|_| now() < until) {
            let text = self.sealing.open(&used.hash, sealed)?;
            let text = std::str::from_utf8(&text).map_err(|_| TokenError::Sealed)?;
            // An answer that was lost has not been used: who comes after its use walks behind somebody.
            if is_unused(text, transaction).await? {
                return Ok(Turn::Next(text.into()));
            }
        }
        Ok(Turn::Reused)
    }
}

async fn is_unused(token: &str, transaction: &mut Transaction) -> Result<bool, TokenError> {
    const UNUSED: &str = "SELECT family_id FROM refresh_tokens WHERE token_hash = $1 AND used_at IS NULL";
    let token = parse(token).ok_or(TokenError::Sealed)?;
    Ok(transaction.row(Statement::new(UNUSED).text(stored(&token.hash()))).await?.is_some())
}

fn next_end(tokens: &Tokens, family: &Family) -> i64 {
    now().saturating_add(span(tokens.refresh)).min(family.ends_at)
}

async fn keep(
    transaction: &mut Transaction,
    token: &OpaqueToken,
    family: &str,
    expires_at: i64,
) -> Result<(), StoreError> {
    let keep = Statement::new(KEEP).text(stored(&token.hash())).text(family).integer(expires_at);
    transaction.execute(keep).await.map(|_| ())
}

/// Ends the oldest families of a person beyond `at_most`.
async fn make_room(transaction: &mut Transaction, user: &str, at_most: u32) -> Result<(), StoreError> {
    const LAPSED: &str = "DELETE FROM token_families WHERE user_id = $1 AND expires_at <= $2";
    const NEWEST_FIRST: &str =
        "SELECT id FROM token_families WHERE user_id = $1 ORDER BY created_at DESC, id DESC";
    transaction.execute(Statement::new(LAPSED).text(user).integer(now())).await?;
    let rows = transaction.rows(Statement::new(NEWEST_FIRST).text(user)).await?;
    for row in rows.iter().skip(usize::try_from(at_most).unwrap_or(usize::MAX)) {
        end_family(transaction, &row.text("id")?).await?;
    }
    Ok(())
}

/// Ends a family: its refresh tokens at once, its access tokens within a second.
pub(crate) async fn end_family(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    transaction.execute(Statement::new("DELETE FROM token_families WHERE id = $1").text(id)).await?;
    TokenEpochs::advance(transaction, id).await
}

/// What a session has authorised ends with it.
pub(crate) async fn end_of_session(transaction: &mut Transaction, session: &str) -> Result<(), StoreError> {
    const ALL: [&str; 2] = [
        "DELETE FROM authorization_codes WHERE session_id = $1",
        "DELETE FROM token_families WHERE session_id = $1",
    ];
    execute_all(transaction, ALL, session).await
}

/// Everything that was authorised for an organisation.
pub(crate) async fn end_of_organization(transaction: &mut Transaction, id: &str) -> Result<(), StoreError> {
    const ALL: [&str; 2] = [
        "DELETE FROM authorization_codes WHERE organization_id = $1",
        "DELETE FROM token_families WHERE organization_id = $1",
    ];
    execute_all(transaction, ALL, id).await
}

/// Everything that a person has authorised.
pub(crate) async fn end_of_person(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
    const ALL: [&str; 2] = [
        "DELETE FROM authorization_codes WHERE user_id = $1",
        "DELETE FROM token_families WHERE user_id = $1",
    ];
    execute_all(transaction, ALL, user).await
}

async fn execute_all<const N: usize>(
    transaction: &mut Transaction,
    statements: [&'static str; N],
    id: &str,
) -> Result<(), StoreError> {
    for sql in statements {
        transaction.execute(Statement::new(sql).text(id)).await?;
    }
    Ok(())
}
