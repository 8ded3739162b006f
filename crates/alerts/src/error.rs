//! What may fail with alerts.

use bartizan_store::StoreError;

/// A failure of alerts. None holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlertError {
    /// The store does not do what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A channel of the configuration cannot be used.
    #[error("the channel `{channel}` cannot be used: {reason}")]
    Channel {
        /// Its name.
        channel: String,
        /// Why.
        reason: String,
    },
    /// There is no such alert, silence, notification or channel.
    #[error("there is no {what} `{id}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        id: String,
    },
    /// It is too late for this.
    #[error("the alert is {state} already")]
    State {
        /// How far somebody has got with it.
        state: &'static str,
    },
    /// A silence that makes no sense.
    #[error("this silence cannot be made: {reason}")]
    Silence {
        /// Why.
        reason: String,
    },
    /// Others change the same alert again and again.
    #[error("others change the alert at the same time, again and again: try it another time")]
    Busy,
    /// A notification was tried and did not go.
    #[error("the notification did not go: {reason}")]
    NotDelivered {
        /// Why.
        reason: String,
    },
}
