//! Invitations: by operators, and by those who may invite in their organisation.

use std::time::{Duration, SystemTime};

use bartizan_config::SignUp;
use bartizan_model::{Grant, OrganizationId};
use bartizan_policy::beyond;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, Authority, CurrentSession, EmailAddress, LinkToken, Methods, NewSession, Page,
    Part, Visit,
    authority::check_may,
    bindings::Bound,
    letters,
    login::done,
    organizations::forget_ended,
    people::{NewAccount, check_name},
};
use crate::{
    api_key::{
        owners,
        record::{Owner, OwnerId},
    },
    holder::{grants, written},
    session::{
        SessionToken,
        changes::SessionChanges,
        moment::{self, span},
    },
};

const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// What somebody must be allowed to invite others.
const INVITE: &str = "user:invite";

/// What somebody is invited to be.
#[derive(Debug, Clone, Default)]
pub struct OfferedRole {
    /// The role: of the configuration, built in, or the organisation's own.
    pub role: String,
    /// What it is cut down to; empty: not at all.
    pub scope: Vec<String>,
    /// When it ends, and the invitation with it.
    pub expires: Option<SystemTime>,
}

/// The whole of it, for good.
impl From<&str> for OfferedRole {
    fn from(role: &str) -> Self {
        Self { role: role.into(), ..Self::default() }
    }
}

/// An invitation that nobody has accepted yet.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id. No secret: it opens nothing.
    pub id: String,
    /// Who is invited.
    pub email: String,
    /// To which organisation; `None`: everywhere.
    pub organization: Option<OrganizationId>,
    /// As what.
    pub role: String,
    /// What the role is cut down to; empty: not at all.
    pub scope: Vec<Grant>,
    /// When the role ends.
    pub role_expires: Option<SystemTime>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends.
    pub expires: SystemTime,
}

/// Who is invited, to what.
struct Invited {
    email: EmailAddress,
    organization: String,
    role: String,
    bound: Bound,
    /// The id of a person, or [`Accounts::OPERATOR`].
    by: String,
}

impl Accounts {
    /// Invites somebody by message: an operator does, to an organisation by id or name, or everywhere.
    pub async fn invite(
        &self,
        email: &str,
        organization: Option<&str>,
        offered: impl Into<OfferedRole>,
        visit: &Visit,
    ) -> Result<Invitation, AccountError> {
        let OfferedRole { role, scope, expires } = offered.into();
        let bound = Bound::asked(&scope, expires)?;
        let organization = match organization {
            Some(which) => Some(self.organization(which).await?),
            None => None,
        };
        let (id, name) = organization.map(|found| (found.id, found.name)).unzip();
        let place = id.as_ref().map_or("", OrganizationId::as_str);
        let (role, whole) = self.role_at(place, &role).await?;
        bound.check(&whole, &Authority::Operator)?;
        self.write_invitation(email, (id, name.as_deref()), (role, bound), Self::OPERATOR, visit).await
    }

    /// Invites somebody to the organisation that this session acts for. Nobody gives away more than they may do
    /// themselves.
    pub async fn invite_as(
        &self,
        token: &SessionToken,
        email: &str,
        offered: impl Into<OfferedRole>,
        visit: &Visit,
    ) -> Result<Invitation, AccountError> {
        let OfferedRole { role, scope, expires } = offered.into();
        let bound = Bound::asked(&scope, expires)?;
        let (session, organization) = self.inviter(token).await?;
        self.fresh(token, visit).await?;
        if self.sign_up_policy() == SignUp::Off {
            return Err(AccountError::SignUpOff);
        }
        let (role, whole) = self.role_in(organization.as_str(), &role).await?;
        bound.check(&whole, &Authority::Manager(&session))?;
        let name = self.organization(organization.as_str()).await?.name;
        let place = (Some(organization), Some(name.as_str()));
        self.write_invitation(email, place, (role, bound), session.user.as_str(), visit).await
    }

    /// The invitations to the organisation that this session acts for, the newest first.
    pub async fn invitations(
        &self,
        token: &SessionToken,
        page: &Page,
    ) -> Result<Part<Invitation>, AccountError> {
        const READ: &str = "SELECT id, email, organization_id, role, scope, role_expires_at, created_at, expires_at \
            FROM invitations WHERE organization_id = $1 AND expires_at > $2 AND ($3 = '' OR id < $3) \
            ORDER BY id DESC LIMIT $4";
        let (_, organization) = self.inviter(token).await?;
        let read = Statement::new(READ).text(organization.as_str()).integer(moment::now());
        let read = read.text(page.begins_after()).integer(page.to_read());
        let rows = self.store.within(organization.as_str()).rows(read).await?;
        let invitations = rows.iter().map(Invitation::of).collect::<Result<_, StoreError>>()?;
        Ok(page.part(invitations, |invitation: &Invitation| invitation.id.clone()))
    }

    /// Every invitation that nobody has accepted yet, the newest first: operators see them all.
    pub async fn all_invitations(&self, page: &Page) -> Result<Part<Invitation>, AccountError> {
        const READ: &str = "SELECT id, email, organization_id, role, scope, role_expires_at, created_at, expires_at \
            FROM invitations WHERE expires_at > $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3";
        let read = Statement::new(READ).integer(moment::now());
        let read = read.text(page.begins_after()).integer(page.to_read());
        let rows = self.store.everywhere().rows(read).await?;
        let invitations = rows.iter().map(Invitation::of).collect::<Result<_, _>>()?;
        Ok(page.part(invitations, |invitation: &Invitation| invitation.id.clone()))
    }

    /// Takes any invitation back: an operator does.
    pub async fn withdraw_any_invitation(&self, id: &str, visit: &Visit) -> Result<(), AccountError> {
        const WITHDRAW: &str = "DELETE FROM invitations WHERE id = $1 RETURNING email, organization_id";
        let mut transaction = self.store.everywhere().begin().await?;
        let row = transaction.row(Statement::new(WITHDRAW).text(id)).await?;
        let row = row.ok_or_else(|| AccountError::Missing("invitation with this id".into()))?;
        let (invited, organization) = (row.text("email")?, row.text("organization_id")?);
        let before = json!({ "invitation": id, "email": invited, "organization": organization });
        let details = json!({ "invitation": id, "before": before, "after": null });
        let entry = done("invitation.withdraw", Self::OPERATOR, &invited, visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Takes an invitation back.
    pub async fn withdraw_invitation(
        &self,
        token: &SessionToken,
        id: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const WITHDRAW: &str =
            "DELETE FROM invitations WHERE id = $1 AND organization_id = $2 RETURNING email";
        let (session, organization) = self.inviter(token).await?;
        let mut transaction = self.store.within(organization.as_str()).begin().await?;
        let withdraw = Statement::new(WITHDRAW).text(id).text(organization.as_str());
        let row = transaction.row(withdraw).await?;
        let row = row.ok_or_else(|| AccountError::Missing("invitation with this id".into()))?;
        let invited = row.text("email")?;
        let before = json!({ "invitation": id, "email": invited, "organization": organization.as_str() });
        let details = json!({ "invitation": id, "before": before, "after": null });
        let entry = done("invitation.withdraw", session.user.as_str(), &invited, visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Makes the account of somebody who was invited, and begins its first session. Whoever has an account already joins
    /// with it: see [`Accounts::join`].
    pub async fn accept_invitation(
        &self,
        token: &SecretString,
        name: &str,
        password: &SecretString,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let token = LinkToken::presented(token)?;
        let invited = self.invited(&token).await?;
        let name = check_name(name)?;
        let organization = match invited.organization.as_str() {
            "" => String::new(),
            id => self.organization(id).await?.name,
        };
        let hash = self.secrets.admit(password, &[invited.email.as_str(), name, &organization]).await?;
        let hash = Some(hash.expose());
        let account = NewAccount { email: &invited.email, name, hash, is_verified: true };
        let mut transaction = self.store.everywhere().begin().await?;
        take(&mut transaction, &token).await?;
        self.lock_invited_role(&mut transaction, &invited).await?;
        let user = account.write(&mut transaction).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{}`", invited.email)),
            other => other.into(),
        })?;
        let bind = invited.bound.bind_person(user.as_str(), &invited.organization, &invited.role);
        transaction.execute(bind).await?;
        let after = json!({ "email": invited.email.as_str(), "name": name, "roles": [invited.role],
            "organization": invited.organization, "bound": invited.bound.audited() });
        let details = json!({ "before": null, "after": after, "by": "invitation" });
        done("user.create", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        let (session, ended) = self
            .begin_session(&mut transaction, (&user, &invited.email), Methods::PASSWORD, None, visit)
            .await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }

    /// Accepts an invitation with an account that exists and has the invited address.
    pub async fn join(
        &self,
        session: &SessionToken,
        token: &SecretString,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let session = self.full_session(session).await?;
        let token = LinkToken::presented(token)?;
        let invited = self.invited(&token).await?;
        if invited.email != session.email {
            return Err(AccountError::Link);
        }
        let user = session.user.as_str();
        if self.is_suspended(user, &invited.organization).await? {
            return Err(AccountError::Forbidden("you are suspended there: ask who manages it".into()));
        }
        let mut transaction = self.store.within(&invited.organization).begin().await?;
        take(&mut transaction, &token).await?;
        self.lock_invited_role(&mut transaction, &invited).await?;
        transaction.execute(forget_ended(user, &invited.organization, &invited.role)).await?;
        let bind = invited.bound.bind_person(user, &invited.organization, &invited.role);
        transaction.execute(bind).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken("the role that you are invited to".into()),
            other => other.into(),
        })?;
        SessionChanges::tell_and_revoke(&mut transaction, user).await?;
        let after = json!({ "role": invited.role, "organization": invited.organization,
            "bound": invited.bound.audited() });
        let details = json!({ "before": null, "after": after });
        done("invitation.accept", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.to_owned()]);
        Ok(())
    }

    /// Who asks, if they may invite, and to which organisation.
    async fn inviter(&self, token: &SessionToken) -> Result<(CurrentSession, OrganizationId), AccountError> {
        let session = self.full_session(token).await?;
        check_may(&session, INVITE)?;
        let nowhere = || AccountError::Forbidden("your session acts for no organisation".into());
        let organization = session.organization.clone().ok_or_else(nowhere)?;
        Ok((session, organization))
    }

    async fn write_invitation(
        &self,
        email: &str,
        (organization, name): (Option<OrganizationId>, Option<&str>),
        (role, bound): (String, Bound),
        actor: &str,
        visit: &Visit,
    ) -> Result<Invitation, AccountError> {
        const WRITE: &str = "INSERT INTO invitations (id, token_hash, email, organization_id, role, scope, \
            role_expires_at, invited_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let mailer = self.mailer()?;
        let email: EmailAddress = email.parse().map_err(AccountError::Email)?;
        if !self.protection.admits_message(email.as_str()).await {
            return Err(AccountError::TooManyMessages);
        }
        let (token, now) = (LinkToken::generate()?, moment::now());
        let ends = moment::moment(now.saturating_add(span(LIFETIME)));
        let told = bound.audited();
        let invitation = Invitation {
            id: uuid::Uuid::now_v7().to_string(),
            email: email.as_str().to_owned(),
            organization,
            role,
            scope: bound.scope,
            role_expires: bound.expires,
            created: moment::moment(now),
            expires: bound.expires.map_or(ends, |role_ends| role_ends.min(ends)),
        };
        let place = invitation.organization.as_ref().map_or("", OrganizationId::as_str);
        let write = Statement::new(WRITE)
            .text(invitation.id.as_str())
            .text(token.stored())
            .text(email.as_str())
            .text(place)
            .text(invitation.role.as_str())
            .text(written(&invitation.scope))
            .optional_integer(invitation.role_expires.map(moment::milliseconds))
            .text(actor)
            .integer(now)
            .integer(moment::milliseconds(invitation.expires));
        let mut transaction = self.store.within(place).begin().await?;
        transaction.execute(write).await?;
        let after =
            json!({ "email": email.as_str(), "role": invitation.role, "organization": place, "bound": told });
        let details = json!({ "invitation": invitation.id, "before": null, "after": after });
        done("invitation.create", actor, email.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        mailer.send(letters::invitation(&mailer, &email, name, &token));
        Ok(invitation)
    }

    async fn invited(&self, token: &LinkToken) -> Result<Invited, AccountError> {
        const READ: &str = "SELECT email, organization_id, role, scope, role_expires_at, invited_by FROM invitations \
            WHERE token_hash = $1 AND expires_at > $2";
        let read = Statement::new(READ).text(token.stored()).integer(moment::now());
        let row = self.store.everywhere().row(read).await?.ok_or(AccountError::Link)?;
        let nonsense = |_| StoreError::Nonsense { what: "an e-mail address" };
        let invited = Invited {
            email: row.text("email")?.parse().map_err(nonsense)?,
            organization: row.text("organization_id")?,
            role: row.text("role")?,
            bound: Bound { scope: scope_of(&row)?, expires: role_expires_of(&row)? },
            by: row.text("invited_by")?,
        };
        if self.may_still_invite(&invited).await? { Ok(invited) } else { Err(AccountError::Link) }
    }

    /// What a role grants, in an organisation its own ones, too, and how bindings call it.
    async fn role_at(&self, place: &str, role: &str) -> Result<(String, Vec<Grant>), AccountError> {
        if !place.is_empty() {
            return self.role_in(place, role).await;
        }
        self.check_role(role)?;
        Ok((role.to_owned(), self.configured_role(role).unwrap_or_default()))
    }

    /// Nobody forgets the role while somebody gets it; one that is known no longer is no invitation.
    async fn lock_invited_role(
        &self,
        transaction: &mut Transaction,
        invited: &Invited,
    ) -> Result<(), AccountError> {
        let known = self.lock_role(transaction, &invited.organization, &invited.role).await?;
        known.map(|_| ()).ok_or(AccountError::Link)
    }

    /// Whether whoever made an invitation could make it now: it is worth no more than they are.
    async fn may_still_invite(&self, invited: &Invited) -> Result<bool, AccountError> {
        if invited.by == Self::OPERATOR {
            return Ok(true);
        }
        let maker = owners::read(&self.store, &OwnerId::Person(invited.by.as_str().into())).await?;
        let place = Some(invited.organization.as_str());
        let is_there = |maker: &Owner| !maker.is_barred && maker.belongs(place, SystemTime::now());
        let Some(maker) = maker.filter(is_there) else { return Ok(false) };
        let held = self.held_by(&maker, place).grants;
        let given = match self.role_at(&invited.organization, &invited.role).await {
            Ok((_, given)) => Some(given),
            Err(AccountError::UnknownRole(_)) => None,
            Err(error) => return Err(error),
        };
        let may_invite = INVITE.parse().is_ok_and(|invite| held.iter().any(|grant| grant.covers(&invite)));
        let is_theirs = |given: Vec<Grant>| beyond(&invited.bound.worth(&given), &held).is_none();
        Ok(may_invite && given.is_some_and(is_theirs))
    }
}

/// Uses an invitation up. Of two requests with the same one, one gets it.
async fn take(transaction: &mut Transaction, token: &LinkToken) -> Result<(), AccountError> {
    const TAKE: &str = "DELETE FROM invitations WHERE token_hash = $1";
    let removed = transaction.execute(Statement::new(TAKE).text(token.stored())).await?;
    if removed == 0 { Err(AccountError::Link) } else { Ok(()) }
}

fn scope_of(row: &Row) -> Result<Vec<Grant>, StoreError> {
    Ok(grants(&row.text("scope")?)?.into_vec())
}

fn role_expires_of(row: &Row) -> Result<Option<SystemTime>, StoreError> {
    Ok(row.optional_integer("role_expires_at")?.map(moment::moment))
}

impl Invitation {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let organization = row.text("organization_id")?;
        Ok(Self {
            id: row.text("id")?,
            email: row.text("email")?,
            organization: (!organization.is_empty()).then(|| organization.as_str().into()),
            role: row.text("role")?,
            scope: scope_of(row)?,
            role_expires: role_expires_of(row)?,
            created: moment::moment(row.integer("created_at")?),
            expires: moment::moment(row.integer("expires_at")?),
        })
    }
}
