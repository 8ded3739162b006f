//! A password that was right, until it counts: hashing takes a while, and meanwhile another one may have been chosen.
//!
//! Whatever a password opens is written in a transaction that holds its person. So does the choice of another password, so
//! one of the two comes first: either the password counts no longer, or what it opened is ended with it.

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError, Transaction};

/// Which password of a person was right.
#[derive(Debug, Clone)]
pub(crate) struct ProvenPassword {
    pub(crate) user: UserId,
    /// When it was chosen, by which it is told from every other one. Hashing it anew makes no other one of it.
    pub(crate) chosen_at: i64,
}

impl ProvenPassword {
    /// Whether it is the person's still, and stays so until the end of the transaction.
    pub(crate) async fn hold(&self, transaction: &mut Transaction) -> Result<bool, StoreError> {
        hold_person(transaction, self.user.as_str()).await?;
        Ok(chosen_at(transaction, self.user.as_str()).await? == Some(self.chosen_at))
    }
}

/// What else holds this person waits until the end of the transaction.
pub(crate) async fn hold_person(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
    const HOLD: &str = "UPDATE users SET disabled_at = disabled_at WHERE id = $1";
    transaction.execute(Statement::new(HOLD).text(user)).await.map(|_| ())
}

/// When the password of a person was chosen, if they have one.
pub(crate) async fn chosen_at(transaction: &mut Transaction, user: &str) -> Result<Option<i64>, StoreError> {
    const READ: &str = "SELECT changed_at FROM password_credentials WHERE user_id = $1";
    let row = transaction.row(Statement::new(READ).text(user)).await?;
    row.map(|row| row.integer("changed_at")).transpose()
}
