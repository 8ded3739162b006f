//! What was proven by a factor that is there no more proves nothing: not in the sessions of its person, and not in what
//! these have authorised.

use bartizan_store::{Statement, StoreError, Transaction};

use super::{FactorKind, Methods};

/// What remembers by what somebody was proven: what it says of a person, and how it is told otherwise.
const REMEMBERING: [(&str, &str); 3] = [
    (
        "SELECT DISTINCT methods FROM sessions WHERE user_id = $1",
        "UPDATE sessions SET methods = $3 WHERE user_id = $1 AND methods = $2",
    ),
    (
        "SELECT DISTINCT methods FROM authorization_codes WHERE user_id = $1",
        "UPDATE authorization_codes SET methods = $3 WHERE user_id = $1 AND methods = $2",
    ),
    (
        "SELECT DISTINCT methods FROM token_families WHERE user_id = $1",
        "UPDATE token_families SET methods = $3 WHERE user_id = $1 AND methods = $2",
    ),
];

/// Leaves to a person what the factors that they still have can prove.
pub(super) async fn withdraw_methods(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
    let backed = backed_methods(transaction, user).await?;
    for (read, write) in REMEMBERING {
        for row in transaction.rows(Statement::new(read).text(user)).await? {
            let stored = row.text("methods")?;
            let left = Methods::of_stored(&stored).backed_by(backed).stored();
            if left != stored {
                transaction.execute(Statement::new(write).text(user).text(stored).text(left)).await?;
            }
        }
    }
    Ok(())
}

/// What the factors of a person can prove. Codes on paper are there as long as any other.
async fn backed_methods(transaction: &mut Transaction, user: &str) -> Result<Methods, StoreError> {
    const KINDS: &str =
        "SELECT DISTINCT kind FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL";
    let mut backed = Methods::default();
    for row in transaction.rows(Statement::new(KINDS).text(user)).await? {
        let kind = FactorKind::named(&row.text("kind")?);
        let kind = kind.ok_or(StoreError::Nonsense { what: "a second factor" })?;
        backed = backed.and(kind.methods()).and(FactorKind::RecoveryCode.methods());
    }
    Ok(backed)
}
