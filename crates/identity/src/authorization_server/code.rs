//! An authorization code that the store knows.

use bartizan_store::{Row, Statement, Store};

use super::{
    TokenError, access_token::Binding, authentication::Authentication, family::Family, scope::Scope,
};

/// A code that the store knows.
pub(crate) struct KnownCode {
    pub(crate) family: Family,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: String,
    pub(crate) dpop_key: String,
    pub(crate) expires_at: i64,
    pub(crate) is_used: bool,
}

impl KnownCode {
    pub(crate) async fn find(store: &Store, hash: &str) -> Result<Option<Self>, TokenError> {
        const FIND: &str = "SELECT family_id, client_id, user_id, organization_id, session_id, redirect_uri, \
            challenge, scope, resources, nonce, dpop_key, authenticated_at, methods, expires_at, used_at \
            FROM authorization_codes WHERE code_hash = $1";
        let row = store.everywhere().row(Statement::new(FIND).text(hash)).await?;
        row.as_ref().map(Self::of).transpose()
    }

    fn of(row: &Row) -> Result<Self, TokenError> {
        Ok(Self {
            family: Family {
                id: row.text("family_id")?,
                client: row.text("client_id")?,
                user: row.text("user_id")?,
                organization: row.text("organization_id")?,
                session: row.text("session_id")?,
                scope: Scope::parse(&row.text("scope")?)?,
                resources: row.text("resources")?.split(' ').map(str::to_owned).collect(),
                binding: Binding::default(),
                authentication: Authentication::of(row)?,
                ends_at: 0,
            },
            redirect_uri: row.text("redirect_uri")?,
            challenge: row.text("challenge")?,
            nonce: row.text("nonce")?,
            dpop_key: row.text("dpop_key")?,
            expires_at: row.integer("expires_at")?,
            is_used: row.optional_integer("used_at")?.is_some(),
        })
    }
}
