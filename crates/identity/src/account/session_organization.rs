//! For which of their organisations somebody acts, chosen again while they are logged in.

use bartizan_model::OrganizationId;
use bartizan_store::Statement;
use serde_json::json;

use super::{
    AccountError, Accounts, CurrentSession, Visit,
    login::{chosen_organization, done},
};
use crate::{
    api_key::{owners, record::OwnerId},
    session::{SessionToken, changes::SessionChanges},
};

impl Accounts {
    /// From now on a session acts for another organisation of its person, by id or name. Where a role that they have there
    /// asks for a second factor, they have to have shown it in this session. Access tokens go on as they are.
    pub async fn switch_organization(
        &self,
        token: &SessionToken,
        organization: &str,
        visit: &Visit,
    ) -> Result<CurrentSession, AccountError> {
        const SWITCH: &str = "UPDATE sessions SET organization_id = $2 WHERE id = $1";
        let session = self.current_session(token).await?;
        let user = &session.user;
        let mut transaction = self.store.everywhere().begin().await?;
        let chosen = chosen_organization(&mut transaction, user, Some(organization)).await?;
        drop(transaction);
        // INVARIANT: one that was asked for is there, or it was an error.
        let Some(chosen) = chosen else { return Ok(session) };
        let owner = owners::read(&self.store, &OwnerId::Person(user.as_str().into())).await?;
        let owner = owner.ok_or(AccountError::NoSession)?;
        let place = (owner.bindings.as_slice(), chosen.as_str());
        if self.live.lacks_second_factor(user, place, session.methods).await? {
            return Err(if session.has_second_factor {
                AccountError::StepUp
            } else {
                AccountError::MustEnrol
            });
        }
        let mut transaction = self.store.everywhere().begin().await?;
        let (id, before) = (session.id.as_str(), session.organization.as_ref().map(OrganizationId::as_str));
        transaction.execute(Statement::new(SWITCH).text(id).text(chosen.as_str())).await?;
        SessionChanges::tell(&mut transaction, id).await?;
        let details = json!({
            "session": id, "before": { "organization": before }, "after": { "organization": chosen.as_str() },
        });
        done("session.switch", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[id.to_owned()]);
        self.current_session(token).await
    }
}
