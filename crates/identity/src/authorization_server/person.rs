//! Whom a token is about: what the store says of them at the moment of its issue.

use std::time::SystemTime;

use bartizan_store::{Row, Statement, Transaction};

use super::{
    AuthorizationServer, OAuthError, TokenError,
    access_token::Subject,
    epochs::{Epochs, TokenEpochs},
    family::Family,
};
use crate::{
    api_key::{owners, record::OwnerId},
    holder::Held,
    session::moment::milliseconds,
};

/// What an ID token and the userinfo endpoint tell of a person.
pub(crate) struct Profile {
    pub(crate) email: String,
    /// Whether mail to it has been read.
    pub(crate) is_verified: bool,
    pub(crate) name: String,
}

const PROFILE: &str =
    "SELECT email, name, email_verified_at FROM users WHERE id = $1 AND disabled_at IS NULL";

impl Profile {
    fn of(row: &Row) -> Result<Self, TokenError> {
        let is_verified = row.optional_integer("email_verified_at")?.is_some();
        Ok(Self { email: row.text("email")?, is_verified, name: row.text("name")? })
    }
}

impl AuthorizationServer {
    /// The person of an authorisation with what they are now, before any scope.
    pub(crate) async fn person(&self, family: &Family) -> Result<Subject, TokenError> {
        let (user, organization) = (family.user.as_str(), family.organization.as_str());
        // First, so that whatever is revoked from now on revokes this token, too.
        let epochs = self.epochs(user, organization, &family.session).await?;
        let owner = owners::read(&self.store, &OwnerId::Person(user.into())).await?;
        let owner = owner.filter(|owner| !owner.is_barred).ok_or_else(barred)?;
        let place = (!organization.is_empty()).then_some(organization);
        if !owner.belongs(place, SystemTime::now()) {
            return Err(removed());
        }
        let (bindings, methods) = (owner.bindings.as_slice(), family.authentication.methods);
        let roles = (bindings, organization);
        if self.accounts.live.lacks_second_factor(&user.into(), roles, methods).await? {
            let why = "a role of the person asks for a second factor: they must log in again and show it";
            return Err(TokenError::refused(OAuthError::InvalidGrant, why));
        }
        let held = self.accounts.held_by(&owner, place);
        Ok(Subject::holding(user, organization, epochs, held))
    }

    /// The epochs in which tokens of these are issued now; organisation and session may be empty.
    pub(crate) async fn epochs(
        &self,
        subject: &str,
        organization: &str,
        session: &str,
    ) -> Result<Epochs, TokenError> {
        let current = async |name: &str| match name {
            "" => Ok(0),
            name => TokenEpochs::current(&self.store, name).await,
        };
        Ok(Epochs {
            subject: current(subject).await?,
            organization: current(organization).await?,
            session: current(session).await?,
        })
    }

    pub(crate) async fn profile(
        &self,
        user: &str,
        transaction: &mut Transaction,
    ) -> Result<Profile, TokenError> {
        let row = transaction.row(Statement::new(PROFILE).text(user)).await?;
        Profile::of(&row.ok_or_else(barred)?)
    }

    /// The same for whom it is not known yet whether they are there.
    pub(crate) async fn current_profile(&self, user: &str) -> Result<Option<Profile>, TokenError> {
        let row = self.store.everywhere().row(Statement::new(PROFILE).text(user)).await?;
        row.as_ref().map(Profile::of).transpose()
    }
}

/// Fails for those who may not enter any longer, and holds others who issue for the same person back meanwhile.
pub(crate) async fn enter(user: &str, transaction: &mut Transaction) -> Result<(), TokenError> {
    const ENTER: &str = "UPDATE users SET disabled_at = disabled_at WHERE id = $1 AND disabled_at IS NULL";
    if transaction.execute(Statement::new(ENTER).text(user)).await? == 0 { Err(barred()) } else { Ok(()) }
}

fn barred() -> TokenError {
    TokenError::refused(OAuthError::InvalidGrant, "the person may not enter any longer")
}

fn removed() -> TokenError {
    TokenError::refused(
        OAuthError::InvalidGrant,
        "the person does not belong to this organisation any longer",
    )
}

impl Subject {
    /// Somebody, or a service, with what they hold.
    pub(crate) fn holding(id: &str, organization: &str, epochs: Epochs, held: Held) -> Self {
        Self {
            id: id.into(),
            organization: organization.into(),
            roles: held.roles,
            permissions: held.grants,
            until: held.until.map(|until| milliseconds(until) / 1000),
            is_machine: false,
            zone: None,
            epochs,
        }
    }
}
