//! Roles that ask for a second factor: by when their people must have one, and that they have shown it.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError};

use super::{
    live::{LiveSession, LiveSessions},
    moment::{moment, now},
};
use crate::{account::Methods, holder::Binding};

/// How many factors somebody has that are enough where a role asks.
macro_rules! strong_factors {
    ($user:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM second_factors f WHERE f.user_id = ",
            $user,
            " AND f.confirmed_at IS NOT NULL AND f.kind NOT IN ('email', 'sms')) AS strong_factors"
        )
    };
}
pub(super) use strong_factors;

impl LiveSessions {
    /// Whose role asks for a second factor shows the one that they have, or has some time to enrol one, from the moment at
    /// which it is asked first.
    pub(super) fn ask_for_second_factor(&self, session: &mut LiveSession, asked_at: Option<i64>) {
        if !self.asks(&session.bindings) {
            return;
        }
        if session.has_strong_factor {
            session.must_step_up = !session.methods.are_several();
        } else {
            session.second_factor_due = self.due(&session.user, asked_at);
        }
    }

    /// Whether a role asks somebody who was proven by `methods` for a second factor that they have not shown, or should
    /// have by now.
    pub(crate) async fn lacks_second_factor(
        &self,
        user: &UserId,
        (bindings, organization): (&[Binding], &str),
        methods: Methods,
    ) -> Result<bool, StoreError> {
        const READ: &str =
            concat!("SELECT u.factor_asked_at, ", strong_factors!("u.id"), " FROM users u WHERE u.id = $1");
        let is_here =
            |binding: &&Binding| binding.organization.is_empty() || *binding.organization == *organization;
        if !self.asks(bindings.iter().filter(is_here)) {
            return Ok(false);
        }
        let row = self.store.everywhere().row(Statement::new(READ).text(user.as_str())).await?;
        let Some(row) = row else { return Ok(true) };
        if row.integer("strong_factors")? > 0 {
            return Ok(!methods.are_several());
        }
        let due = self.due(user, row.optional_integer("factor_asked_at")?);
        Ok(due.is_some_and(|due| due <= SystemTime::now()))
    }

    fn asks<'b>(&self, bindings: impl IntoIterator<Item = &'b Binding>) -> bool {
        let settings = self.second_factor.load();
        let asks = |binding: &Binding| settings.roles.iter().any(|asking| asking.as_str() == binding.name());
        bindings.into_iter().any(asks)
    }

    /// By when somebody must have a factor who was asked at that moment, or is from now on.
    fn due(&self, user: &UserId, asked_at: Option<i64>) -> Option<SystemTime> {
        if asked_at.is_none() {
            const ASK: &str =
                "UPDATE users SET factor_asked_at = $2 WHERE id = $1 AND factor_asked_at IS NULL";
            self.write_later(Statement::new(ASK).text(user.as_str()).integer(now()));
        }
        moment(asked_at.unwrap_or_else(now)).checked_add(self.second_factor.load().grace)
    }
}
