//! The queue, and what empties it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bartizan_config::Mail;
use lettre::message::Mailbox;
use metrics::counter;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Letter,
    transport::{Transport, Undelivered},
};

/// Messages that may wait for their first try, and as many for another.
const QUEUE: usize = 1024;
/// Messages on their way at once.
const AT_ONCE: usize = 4;
/// The waits before further tries. Servers that do not know a sender put it off for five minutes ("greylisting"); links for
/// another password are good for half an hour.
const WAITS: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// Why messages cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("`mail` cannot be used: {0}")]
pub struct MailError(String);

/// Sends messages in the background, until the last clone is dropped and the queue is empty.
#[derive(Clone)]
pub struct Mailer {
    queue: mpsc::Sender<Letter>,
    finish: mpsc::Sender<oneshot::Sender<()>>,
    base_url: Arc<str>,
}

impl Mailer {
    /// Begins to send; a tokio runtime must be running.
    pub fn start(settings: &Mail) -> Result<Self, MailError> {
        let sender = Sender::new(settings)?;
        let (queue, letters) = mpsc::channel(QUEUE);
        let (finish, finishing) = mpsc::channel(1);
        tokio::spawn(attend(letters, finishing, Arc::new(sender)));
        Ok(Self { queue, finish, base_url: settings.base_url.as_str().into() })
    }

    /// Sends what waits, once more and for the last time; for as long at most. Nothing is taken any more.
    pub async fn finish(&self, patience: Duration) {
        let (done, is_done) = oneshot::channel();
        let finished = async {
            if self.finish.send(done).await.is_ok() {
                // An error means that there was nothing left to wait for.
                let _ = is_done.await;
            }
        };
        if timeout(patience, finished).await.is_err() {
            tracing::error!("messages are lost: the server did not take them in time");
        }
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

/// Sends one message at a time and says what came of it, for whoever keeps what did not go.
pub struct Courier(Sender);

/// Why a message did not go. Of a server's reply only its codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NotSent {
    reason: String,
    /// Whether it may go later.
    pub again: bool,
}

impl Courier {
    /// Prepares to send; nothing is connected yet.
    pub fn new(settings: &Mail) -> Result<Self, MailError> {
        Sender::new(settings).map(Self)
    }

    /// Sends a message, once.
    pub async fn deliver(&self, letter: Letter) -> Result<(), NotSent> {
        let sent = self.0.send(&letter).await;
        count(if sent.is_ok() { "sent" } else { "failed" });
        sent.map_err(|Undelivered { reason, again }| NotSent { reason, again })
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Courier").field("from", &self.0.from).finish_non_exhaustive()
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

/// Messages go their way a few at a time, first tries before all others. Those to be tried again give their place back while
/// they wait: a server that puts off what goes to one domain must not hold up what goes to others.
async fn attend(
    mut letters: mpsc::Receiver<Letter>,
    mut finishing: mpsc::Receiver<oneshot::Sender<()>>,
    sender: Arc<Sender>,
) {
    let (mut sending, mut waiting, mut is_open) =
        (JoinSet::<Option<Deferred>>::new(), Waiting::default(), true);
    let (mut finished, mut lost): (Option<oneshot::Sender<()>>, u64) = (None, 0);
    loop {
        let has_place = sending.len() < AT_ONCE;
        tokio::select! {
            biased;
            Some(told) = finishing.recv(), if finished.is_none() => {
                letters.close();
                waiting.hurry();
                finished = Some(told);
            }
            Some(tried) = sending.join_next() => match tried {
                Ok(Some(deferred)) if deferred.attempt.is_last => lost += 1,
                Ok(Some(deferred)) => {
                    waiting.add(deferred);
                    if finished.is_some() {
                        waiting.hurry();
                    }
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "a message is lost"),
            },
            letter = letters.recv(), if is_open && has_place => match letter {
                Some(letter) => {
                    let attempt = Attempt { letter, before: 0, is_last: finished.is_some() };
                    sending.spawn(Arc::clone(&sender).attempt(attempt));
                }
                None => is_open = false,
            },
            () = sleep_until(waiting.next()), if has_place && !waiting.0.is_empty() => {
                if let Some((_, attempt)) = waiting.0.pop_first() {
                    let attempt = Attempt { is_last: finished.is_some(), ..attempt };
                    sending.spawn(Arc::clone(&sender).attempt(attempt));
                }
            }
            else => break,
        }
    }
    if lost > 0 {
        tracing::error!(lost, "messages are lost: the server has put them off");
        counter!("bartizan_mail_total", "result" => "dropped").increment(lost);
    }
    if let Some(told) = finished {
        // Whoever waited for it may have gone.
        let _ = told.send(());
    }
}

/// A message that is tried now, after so many tries.
struct Attempt {
    letter: Letter,
    before: usize,
    /// Nobody waits for another one.
    is_last: bool,
}

/// A message that is to be tried again.
struct Deferred {
    wait: Duration,
    attempt: Attempt,
}

/// Messages that are to be tried again, by when; the number tells those of one moment apart.
#[derive(Default)]
struct Waiting(BTreeMap<(Instant, u64), Attempt>, u64);

impl Waiting {
    fn add(&mut self, Deferred { wait, attempt }: Deferred) {
        if self.0.len() >= QUEUE {
            tracing::error!(
                subject = attempt.letter.subject,
                "a message is not tried again: too many wait already"
            );
            return count("dropped");
        }
        self.1 += 1;
        self.0.insert((Instant::now() + wait, self.1), attempt);
    }

    /// All of them are due now.
    fn hurry(&mut self) {
        let now = Instant::now();
        let waiting = std::mem::take(&mut self.0);
        self.0 = waiting.into_iter().map(|((_, number), attempt)| ((now, number), attempt)).collect();
    }

    /// When the next one is due; now, where there is none.
    fn next(&self) -> Instant {
        self.0.first_key_value().map_or_else(Instant::now, |((due, _), _)| *due)
    }
}

impl Sender {
    fn new(settings: &Mail) -> Result<Self, MailError> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| MailError("`from` is neither an address nor a name and an address".into()))?;
        Ok(Self { from, transport: Transport::new(&settings.transport).map_err(MailError)? })
    }

    async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        match letter.message(&self.from) {
            Ok(message) => self.transport.deliver(message).await,
            Err(reason) => Err(Undelivered { reason, again: false }),
        }
    }

    /// Sends a message, or says when to try again.
    async fn attempt(self: Arc<Self>, Attempt { letter, before, is_last }: Attempt) -> Option<Deferred> {
        let sent = self.send(&letter).await;
        let Err(Undelivered { reason, again }) = sent else {
            count("sent");
            return None;
        };
        let Some(wait) = WAITS.get(before).copied().filter(|_| again) else {
            // Not to whom: the log is read by more people than the store.
            tracing::error!(reason, subject = letter.subject, "a message was not sent");
            count("failed");
            return None;
        };
        tracing::warn!(reason, subject = letter.subject, ?wait, "a message is tried again");
        Some(Deferred { wait, attempt: Attempt { letter, before: before + 1, is_last } })
    }
}

fn count(result: &'static str) {
    counter!("bartizan_mail_total", "result" => result).increment(1);
}
