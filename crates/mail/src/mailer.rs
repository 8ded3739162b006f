//! The queue, and what empties it.

use std::{fmt, sync::Arc, time::Duration};

use bartizan_config::Mail;
use lettre::message::Mailbox;
use metrics::counter;
use tokio::{
    sync::{Semaphore, mpsc},
    time::sleep,
};

use crate::{
    Letter,
    transport::{Transport, Undelivered},
};

/// Messages that may wait.
const QUEUE: usize = 1024;
/// Messages on their way at once.
const AT_ONCE: usize = 4;
/// The waits before the second and the third try.
const WAITS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(15)];

/// Why messages cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("`accounts.mail` cannot be used: {0}")]
pub struct MailError(String);

/// Sends messages in the background, until the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub struct Mailer {
    queue: mpsc::Sender<Letter>,
    base_url: Arc<str>,
}

impl Mailer {
    /// Begins to send; a tokio runtime must be running.
    pub fn start(settings: &Mail) -> Result<Self, MailError> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| MailError("`from` is neither an address nor a name and an address".into()))?;
        let transport = Transport::new(&settings.transport).map_err(MailError)?;
        let (queue, letters) = mpsc::channel(QUEUE);
        tokio::spawn(attend(letters, Arc::new(Sender { from, transport })));
        Ok(Self { queue, base_url: settings.base_url.as_str().into() })
    }

    /// Puts a message into the queue. Where that is full the message is dropped, logged and counted.
    pub fn send(&self, letter: Letter) {
        if self.queue.try_send(letter).is_err() {
            tracing::error!("a message is not sent: too many wait already");
            count("dropped");
        }
    }

    /// Where the pages are that messages lead to.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mailer").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

struct Sender {
    from: Mailbox,
    transport: Transport,
}

async fn attend(mut letters: mpsc::Receiver<Letter>, sender: Arc<Sender>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(letter) = letters.recv().await {
        // INVARIANT: nobody closes the semaphore.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let sender = Arc::clone(&sender);
        tokio::spawn(async move {
            let _place = place;
            sender.send(&letter).await;
        });
    }
}

impl Sender {
    async fn send(&self, letter: &Letter) {
        let mut waits = WAITS.into_iter();
        loop {
            let sent = match letter.message(&self.from) {
                Ok(message) => self.transport.deliver(message).await,
                Err(reason) => Err(Undelivered { reason, again: false }),
            };
            let Err(Undelivered { reason, again }) = sent else { return count("sent") };
            let Some(wait) = waits.next().filter(|_| again) else {
                // Not to whom: the log is read by more people than the store.
                tracing::error!(reason, subject = letter.subject, "a message was not sent");
                return count("failed");
            };
            tracing::warn!(reason, subject = letter.subject, ?wait, "a message is tried again");
            sleep(wait).await;
        }
    }
}

fn count(result: &'static str) {
    counter!("bartizan_mail_total", "result" => result).increment(1);
}
