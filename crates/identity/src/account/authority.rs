//! On whose authority something is given: an operator's, or a person's in their organisation.

use std::time::SystemTime;

use bartizan_model::{Grant, OrganizationId, Permission};
use bartizan_policy::beyond;

use super::{AccountError, Accounts, CurrentSession, Visit};
use crate::{SessionToken, holder::Term};

/// Who gives roles, and what they may give.
#[derive(Debug)]
pub enum Authority<'a> {
    /// Whoever holds the admin token may give everything, everywhere.
    Operator,
    /// A person who may manage the organisation of their session: there, and what they have themselves.
    Manager(&'a CurrentSession),
}

/// What managing an organisation takes.
const MANAGE: &str = "organization:manage";

impl Authority<'_> {
    /// For the audit trail.
    pub(crate) fn actor(&self) -> &str {
        match self {
            Self::Operator => Accounts::OPERATOR,
            Self::Manager(session) => session.user.as_str(),
        }
    }

    /// Whether it reaches this organisation.
    pub(crate) fn check(&self, organization: &OrganizationId) -> Result<(), AccountError> {
        match self {
            Self::Operator => Ok(()),
            Self::Manager(session) if session.organization.as_ref() != Some(organization) => {
                Err(AccountError::Forbidden("you act for another organisation".into()))
            }
            Self::Manager(session) => check_may(session, MANAGE),
        }
    }

    /// Whether it may give this for so long (`None`: for good). What somebody has for a while they give for a while.
    pub(crate) fn check_gift(&self, grants: &[Grant], until: Option<SystemTime>) -> Result<(), AccountError> {
        let outlasts = |term: &&Term| term.ends.is_none_or(|ends| until.is_some_and(|until| until <= ends));
        self.check_within(grants, outlasts, "give", "you do not have it, or not for so long")
    }

    /// Whether it may take this away, or hand a part of itself to a key.
    pub(crate) fn check_reach(&self, grants: &[Grant]) -> Result<(), AccountError> {
        self.check_within(grants, |_| true, "give or take", "you do not have it")
    }

    fn check_within(
        &self,
        grants: &[Grant],
        counts: impl Fn(&&Term) -> bool,
        verb: &str,
        reason: &str,
    ) -> Result<(), AccountError> {
        let Self::Manager(session) = self else { return Ok(()) };
        let held: Vec<Grant> =
            session.terms.iter().filter(counts).flat_map(|term| term.grants.iter().cloned()).collect();
        match beyond(grants, &held) {
            None => Ok(()),
            Some(grant) => Err(AccountError::Forbidden(format!("you cannot {verb} `{grant}`: {reason}"))),
        }
    }
}

impl Accounts {
    /// The session of this token, if it may do this.
    pub async fn permitted_session(
        &self,
        token: &SessionToken,
        permission: &str,
    ) -> Result<CurrentSession, AccountError> {
        let session = self.full_session(token).await?;
        check_may(&session, permission)?;
        Ok(session)
    }

    /// The same for what outlives the session: its person was proven lately, and from where it is used, as for a change of
    /// second factors (RFC 9470). Whoever has got hold of a session so leaves nothing behind.
    pub async fn fresh_permitted_session(
        &self,
        token: &SessionToken,
        permission: &str,
        visit: &Visit,
    ) -> Result<CurrentSession, AccountError> {
        let session = self.permitted_session(token, permission).await?;
        self.fresh(token, visit).await?;
        Ok(session)
    }
}

/// The organisation that a session acts for, if it may manage it.
pub(super) fn managed(session: &CurrentSession) -> Result<&OrganizationId, AccountError> {
    check_may(session, MANAGE)?;
    let nowhere = || AccountError::Forbidden("your session acts for no organisation".into());
    session.organization.as_ref().ok_or_else(nowhere)
}

pub(super) fn check_may(session: &CurrentSession, permission: &str) -> Result<(), AccountError> {
    let forbidden = || AccountError::Forbidden(format!("this takes the permission `{permission}`"));
    let permission: Permission = permission.parse().map_err(|_| forbidden())?;
    let may = granted(session).iter().any(|grant| grant.covers(&permission));
    if may { Ok(()) } else { Err(forbidden()) }
}

fn granted(session: &CurrentSession) -> Vec<Grant> {
    session.permissions.iter().filter_map(|text| text.parse().ok()).collect()
}
