//! What is done after the answer, so that the answer and its time say nothing about who has an account.

use std::{future::Future, sync::Arc, time::Duration};

use bartizan_mail::Mailer;
use tokio::sync::Semaphore;

use super::{AccountError, Accounts};

/// Tasks at once; a further one is not done.
const AT_ONCE: usize = 64;

/// The room for such tasks.
#[derive(Debug)]
pub(crate) struct Background(Arc<Semaphore>);

impl Background {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Does it later. What fails is told to the operator only.
    pub(crate) fn run(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<(), AccountError>> + Send + 'static,
    ) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else {
            tracing::error!(action, "not done: too many are under way already");
            return;
        };
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = work.await {
                tracing::error!(%error, action, "not done");
            }
        });
    }
}

impl Accounts {
    /// The way to write to people.
    pub(crate) fn mailer(&self) -> Result<Arc<Mailer>, AccountError> {
        self.mail.load_full().ok_or(AccountError::MailOff)
    }

    /// Sends the messages that wait, for five seconds at most: the process is about to end.
    pub async fn finish_messages(&self) {
        if let Some(mailer) = self.mail.load_full() {
            mailer.finish(Duration::from_secs(5)).await;
        }
    }

    /// Tells a person, where messages can be sent.
    pub(crate) fn tell(&self, letter: bartizan_mail::Letter) {
        if let Some(mailer) = self.mail.load_full() {
            mailer.send(letter);
        }
    }
}
