//! Telephones as second factors: the weakest ones. A number is enrolled by a code that was sent to it, and by nothing else.

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AccountError, Accounts, EmailAddress, FactorKind, LinkToken, PhoneNumber, Visit,
    factor_check::{Owner, SentTo},
};
use crate::session::SessionToken;

/// A telephone of a person that counts.
pub(crate) struct Telephone {
    /// The id of the factor.
    pub(crate) factor: String,
    number: PhoneNumber,
}

impl Accounts {
    /// Begins to enrol a telephone: sends a code to be confirmed. The answer is the id of the factor.
    pub async fn enrol_telephone(
        &self,
        token: &SessionToken,
        number: &str,
        visit: &Visit,
    ) -> Result<String, AccountError> {
        self.text_messages()?;
        let session = self.fresh(token, visit).await?;
        let number: PhoneNumber = number.parse()?;
        if self.telephone(&session.user).await?.is_some() {
            return Err(AccountError::Taken("the place for a telephone (remove the other one first)".into()));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let sealed = self.factor_keys.seal_bytes(&id, number.as_str().as_bytes())?;
        self.begin_factor(&session.user, (&id, FactorKind::Sms, &number.masked()), &sealed).await?;
        let telephone = Telephone { factor: id, number };
        // One that went to another number confirms nothing; the code for this one is not to wait for it.
        self.forget_code(SentTo::Telephone(&session.user, &telephone.factor)).await?;
        self.send_sms((&session.user, &session.email), &telephone).await?;
        Ok(telephone.factor)
    }

    /// Sends a code to the telephone of a login that waits, if it is one of its factors.
    pub async fn send_login_sms(&self, ticket: &SecretString) -> Result<(), AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let waiting = self.waiting_login(&ticket).await?;
        self.send_sms_to(Owner { user: &waiting.user, email: &waiting.email }).await
    }

    /// Sends a code to the telephone of the holder of this token, if it is a factor of theirs.
    pub async fn send_step_up_sms(&self, token: &SessionToken) -> Result<(), AccountError> {
        let session = self.current_session(token).await?;
        self.send_sms_to(Owner { user: &session.user, email: &session.email }).await
    }

    async fn send_sms_to(&self, Owner { user, email }: Owner<'_>) -> Result<(), AccountError> {
        let missing = || AccountError::Missing("telephone of yours that codes are sent to".into());
        if !self.factor_kinds(user).await?.contains(&FactorKind::Sms) {
            return Err(missing());
        }
        let telephone = self.telephone(user).await?.ok_or_else(missing)?;
        self.send_sms((user, email), &telephone).await
    }

    /// At most one message in half a minute, three an hour for each person and each number: messages cost, and some numbers
    /// earn by them.
    async fn send_sms(
        &self,
        (user, email): (&UserId, &EmailAddress),
        telephone: &Telephone,
    ) -> Result<(), AccountError> {
        let messages = self.text_messages()?;
        let to = SentTo::Telephone(user, &telephone.factor);
        let Some(code) = self.issue_code(to).await? else { return Ok(()) };
        let bounds = [format!("sms of {email}"), format!("sms to {}", telephone.number.as_str())];
        for bound in &bounds {
            if !self.protection.admits_message(bound).await {
                self.forget_code(to).await?;
                return Err(AccountError::TooManyMessages);
            }
        }
        let issuer = self.second_factor_settings().issuer;
        let text = format!("{} is your code for {issuer}. It is good for 10 minutes.", code.expose_secret());
        if let Err(error) = messages.send(&telephone.number, &text).await {
            tracing::warn!(%error, "a code could not be sent to a telephone");
            self.forget_code(to).await?;
            return Err(AccountError::NotSent);
        }
        Ok(())
    }

    /// The telephone of a person.
    pub(crate) async fn telephone(&self, user: &UserId) -> Result<Option<Telephone>, AccountError> {
        const READ: &str = "SELECT id, secret FROM second_factors \
            WHERE user_id = $1 AND kind = 'sms' AND confirmed_at IS NOT NULL ORDER BY created_at, id";
        let row = self.store.row(Statement::new(READ).text(user.as_str())).await?;
        row.map(|row| self.telephone_of(&row)).transpose()
    }

    fn telephone_of(&self, row: &Row) -> Result<Telephone, AccountError> {
        let factor = row.text("id")?;
        let number = self.factor_keys.unseal_bytes(&factor, &row.text("secret")?)?;
        let nonsense = StoreError::Nonsense { what: "a telephone number" };
        let number = std::str::from_utf8(&number).ok().and_then(|number| number.parse().ok());
        Ok(Telephone { factor, number: number.ok_or(nonsense)? })
    }
}
