//! Sessions of the members of an organisation that act for it: listed and ended by those who manage it.
//!
//! What a member does elsewhere is nothing of theirs: a session that acts for another organisation, or for none, is neither
//! shown nor ended.

use bartizan_store::{Statement, StoreError};

use super::{
    AccountError, Accounts, Authority, Page, Part, PersonId, SessionSummary, Visit,
    login::done,
    members::missing,
    own_sessions::{end_each, of_all},
};
use crate::session::moment;

/// What the audit trail calls their end.
const REVOKE: &str = "session.revoke";

impl Accounts {
    /// The sessions of a member that act for an organisation, by id or name, the newest first.
    pub async fn member_sessions(
        &self,
        organization: &str,
        who: &PersonId,
        page: &Page,
        authority: &Authority<'_>,
    ) -> Result<Part<SessionSummary>, AccountError> {
        const READ: &str = "SELECT id, user_id, created_at, seen_at, expires_at, address, client FROM sessions \
            WHERE organization_id = $1 AND user_id = $2 AND expires_at > $3 AND ($4 = '' OR id < $4) \
            ORDER BY id DESC LIMIT $5";
        let organization = self.organization(organization).await?.id;
        authority.check(&organization)?;
        let place = organization.as_str();
        let user = self.possible_member(who).await?;
        let user = user.as_str();
        if !self.is_member(user, place).await? && !self.is_suspended(user, place).await? {
            return Err(missing(who));
        }
        let read = Statement::new(READ).text(place).text(user);
        let read = read.integer(moment::now()).text(page.begins_after()).integer(page.to_read());
        let rows = self.store.within(place).rows(read).await?;
        let sessions = rows.iter().map(SessionSummary::of).collect::<Result<_, StoreError>>()?;
        Ok(page.part(sessions, |session: &SessionSummary| session.id.to_string()))
    }

    /// Ends the sessions of a member that act for an organisation, by id or name. Nobody does it to somebody who may do more
    /// there than they.
    pub async fn end_member_sessions(
        &self,
        organization: &str,
        who: &PersonId,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let organization = self.organization(organization).await?.id;
        let ended = self.try_end_member_sessions(organization.as_str(), who, authority, visit).await;
        self.audit_refusal(ended, (REVOKE, &who.0), organization.as_str(), authority, visit).await
    }

    async fn try_end_member_sessions(
        &self,
        organization: &str,
        who: &PersonId,
        authority: &Authority<'_>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const FIND: &str = "SELECT id FROM sessions WHERE organization_id = $1 AND user_id = $2";
        authority.check(&organization.into())?;
        let mut transaction = self.store.within(organization).begin().await?;
        let (user, roles) = self.member(&mut transaction, who, organization).await?;
        authority.check_reach(&self.granted_by(&mut transaction, organization, &roles).await?)?;
        drop(transaction);
        // What a session has issued may be for another organisation, and ends with it.
        let mut transaction = self.store.everywhere().begin().await?;
        let find = Statement::new(FIND).text(organization).text(user.as_str());
        let ended = end_each(&mut transaction, find).await?;
        let mut details = of_all(ended.len());
        details["organization"] = organization.into();
        done(REVOKE, authority.actor(), &user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(())
    }
}
