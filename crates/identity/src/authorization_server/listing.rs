//! What people have authorised, for administrators.

use std::time::SystemTime;

use bartizan_store::{Row, Statement, StoreError};

use super::{AuthorizationServer, TokenError};
use crate::{
    account::{Page, Part, PersonId},
    session::moment::{moment, now},
};

/// An authorisation that has not ended.
#[derive(Debug, Clone)]
pub struct AuthorizationSummary {
    /// The `grant_id` of its access tokens.
    pub id: String,
    /// The client that has the tokens.
    pub client: String,
    /// Whom they are about.
    pub user: String,
    /// For which organisation.
    pub organization: Option<String>,
    /// What they may be used for.
    pub scope: String,
    /// Whether they are bound to a key or a certificate.
    pub is_bound: bool,
    /// When it began.
    pub created: SystemTime,
    /// When tokens were issued last.
    pub seen: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
}

impl AuthorizationServer {
    /// The authorisations of one person, or of everybody, the newest first.
    pub async fn authorizations(
        &self,
        who: Option<&PersonId>,
        page: &Page,
    ) -> Result<Part<AuthorizationSummary>, TokenError> {
        // Later ids sort behind earlier ones.
        const READ: &str = "SELECT id, client_id, user_id, organization_id, scope, dpop_key, certificate, \
            created_at, seen_at, expires_at FROM token_families WHERE expires_at > $1 AND ($2 = '' OR user_id = $2) \
            AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4";
        let user = match who {
            Some(who) => self.accounts.resolve(who).await?.as_str().to_owned(),
            None => String::new(),
        };
        let read = Statement::new(READ).integer(now()).text(user);
        let read = read.text(page.begins_after()).integer(page.to_read());
        let rows = self.store.everywhere().rows(read).await?;
        let listed = rows.iter().map(AuthorizationSummary::of).collect::<Result<_, StoreError>>()?;
        Ok(page.part(listed, |one: &AuthorizationSummary| one.id.clone()))
    }
}

impl AuthorizationSummary {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let organization = row.text("organization_id")?;
        let is_bound = !row.text("dpop_key")?.is_empty() || !row.text("certificate")?.is_empty();
        Ok(Self {
            id: row.text("id")?,
            client: row.text("client_id")?,
            user: row.text("user_id")?,
            organization: (!organization.is_empty()).then_some(organization),
            scope: row.text("scope")?,
            is_bound,
            created: moment(row.integer("created_at")?),
            seen: moment(row.integer("seen_at")?),
            expires: moment(row.integer("expires_at")?),
        })
    }
}
