//! Why an attempt was refused: for the audit trail alone, whoever tried learns none of it.

use std::time::Instant;

use bartizan_store::{Statement, Store, StoreError};
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, EmailAddress, Visit,
    audit::{Entry, Outcome},
    login::Credentials,
    protection::Trying,
};
use crate::session::moment;

/// Why an attempt was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalReason {
    /// What was shown is wrong.
    Wrong,
    /// Nobody is known by this name.
    Unknown,
    /// Nobody yet: somebody signed up with this address and has not followed the link.
    Unverified,
    /// The person may not enter.
    Disabled,
    /// Too many failed before.
    Paused,
    /// It was right, and looks like credential stuffing.
    Suspect,
    /// It was right, for an organisation that is none of theirs.
    Organization,
    /// A way back that no way there of the same browser led to.
    Stray,
    /// Nobody looked: every hashing thread was busy.
    Busy,
    /// Strangers get no accounts here.
    Closed,
}

impl RefusalReason {
    /// Whether such attempts cost nobody anything.
    fn is_cheap(self) -> bool {
        matches!(self, Self::Paused | Self::Stray | Self::Busy | Self::Closed)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Unverified => "unverified",
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::Suspect => "suspect",
            Self::Organization => "organization",
            Self::Stray => "stray",
            Self::Busy => "busy",
            Self::Closed => "closed",
        }
    }
}

/// As long as an address can be (RFC 5321, section 4.5.3.1.3).
pub(crate) const LONGEST_SUBJECT: usize = 254;

/// Adds whose address it is, as `account`, so that what was tried with an address and what was done to its account meet.
/// Looks into the store the same way for everybody.
pub(crate) async fn name_account(store: &Store, email: &str, details: &mut Value) -> Result<(), StoreError> {
    const READ: &str = "SELECT id FROM users WHERE email = $1";
    let Ok(email) = email.parse::<EmailAddress>() else { return Ok(()) };
    if let Some(row) = store.row(Statement::new(READ).text(email.as_str())).await? {
        details["account"] = row.text("id")?.into();
    }
    Ok(())
}

impl Accounts {
    /// An attempt that failed. The subject is what somebody said, of any length.
    pub(crate) async fn refused(
        &self,
        action: &'static str,
        subject: &str,
        visit: &Visit,
    ) -> Result<(), StoreError> {
        self.refused_because(RefusalReason::Wrong, action, subject, visit).await
    }

    /// What begins an attempt; one that has to wait is told of.
    pub(crate) async fn told_of_pauses(
        &self,
        begun: Result<Trying, AccountError>,
        action: &'static str,
        subject: &str,
        visit: &Visit,
    ) -> Result<Trying, AccountError> {
        if matches!(begun, Err(AccountError::Paused(_))) {
            // Few come here, and every attempt would carry the room for it.
            Box::pin(self.refused_because(RefusalReason::Paused, action, subject, visit)).await?;
        }
        begun
    }

    /// An attempt that came to nothing for a reason of ours: it is not counted, and told of where nobody had time for it.
    pub(crate) async fn undecided(
        &self,
        ticket: Trying,
        error: AccountError,
        action: &'static str,
        subject: &str,
        visit: &Visit,
    ) -> AccountError {
        self.protection.withdrawn(ticket);
        if !matches!(error, AccountError::Busy) {
            return error;
        }
        match Box::pin(self.refused_because(RefusalReason::Busy, action, subject, visit)).await {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }

    /// The same for another reason than that it was wrong. Of attempts that cost no hash so many a minute are written down.
    pub(crate) async fn refused_because(
        &self,
        reason: RefusalReason,
        action: &'static str,
        subject: &str,
        visit: &Visit,
    ) -> Result<(), StoreError> {
        let subject: String = subject.chars().take(LONGEST_SUBJECT).collect();
        let mut details = json!({ "reason": reason.name() });
        if reason.is_cheap() {
            // They cost nobody a hash, so only the limits of the road would bound how fast they come.
            let Some(left_out) = self.pauses.take(Instant::now()) else { return Ok(()) };
            if left_out > 0 {
                details["left_out_before"] = left_out.into();
            }
        }
        name_account(&self.store, &subject, &mut details).await?;
        let entry = Entry { action, outcome: Outcome::Refused, actor: "", subject: &subject, visit, details };
        entry.write_alone(&self.store).await
    }

    /// Somebody came to the admin API with a token that opens nothing. So many a minute are written down, after the answer.
    pub fn refused_operator(&self, visit: &Visit) {
        let Some(left_out) = self.operators.take(Instant::now()) else { return };
        let mut details = json!({ "reason": RefusalReason::Wrong.name() });
        if left_out > 0 {
            details["left_out_before"] = left_out.into();
        }
        let (action, store, visit) = ("operator.refused", self.store.clone(), visit.clone());
        self.background.run(action, async move {
            let entry =
                Entry { action, outcome: Outcome::Refused, actor: "", subject: "", visit: &visit, details };
            Ok(entry.write_alone(&store).await?)
        });
    }

    /// Why a login with this address was wrong. Looks into the store the same way for everybody.
    pub(super) async fn why_refused(
        &self,
        email: Option<&EmailAddress>,
        known: Option<&Credentials>,
        matches: bool,
    ) -> Result<RefusalReason, AccountError> {
        const WAITS: &str = "SELECT COUNT(*) AS count FROM sign_ups WHERE email = $1 AND expires_at > $2";
        let email = email.map_or("", EmailAddress::as_str);
        let row = self.store.row(Statement::new(WAITS).text(email).integer(moment::now())).await?;
        let waits = row.map(|row| row.integer("count")).transpose()?.unwrap_or_default() > 0;
        Ok(match known {
            None if waits => RefusalReason::Unverified,
            None => RefusalReason::Unknown,
            Some(known) if known.is_disabled && matches => RefusalReason::Disabled,
            Some(_) => RefusalReason::Wrong,
        })
    }
}
