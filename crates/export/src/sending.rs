//! The task of one export: takes what waits, sends it, and tries again until the receiver has it.

use std::{io, mem, sync::Arc, time::Duration};

use bartizan_config::{Export, PersonalFields};
use bartizan_events::Event;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::{
    Shown,
    backoff::Backoff,
    receiver::{Receiver, Refused, Sent},
    spool::{Reader, Waiting},
    state::State,
};

/// The most bytes of events that are sent at once.
const BATCH_BYTES: usize = 1024 * 1024;
/// How often it is looked for what others have written, and whether another gateway still sends what waits.
const LOOK: Duration = Duration::from_secs(1);
/// How long a disk is left alone that fails.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// How long the task goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    /// For ever.
    Running,
    /// Until nothing waits, or something fails.
    Draining,
    /// No longer.
    Stopping,
}

/// What the task is given.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) export: Export,
    pub(crate) receiver: Receiver,
    pub(crate) state: Arc<State>,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Go {
    On,
    Home,
}

impl Sending {
    /// Sends until it is told to stop.
    pub(crate) async fn run(mut self) {
        let Some(mut reader) = self.reader().await else { return };
        loop {
            let most = usize::try_from(self.export.batch.get()).unwrap_or(usize::MAX);
            let Some((back, next)) = on_disk(reader, move |reader| reader.next(most, BATCH_BYTES)).await
            else {
                return;
            };
            reader = back;
            let go = match next {
                Ok(Some(waiting)) => {
                    self.state.set_oldest(waiting.events.first().map(|event| event.id.moment()));
                    if self.deliver(&waiting.events).await == Go::Home {
                        return;
                    }
                    let Some((back, go)) = self.acknowledge(reader, waiting).await else { return };
                    reader = back;
                    go
                }
                Ok(None) => {
                    self.state.set_oldest(None);
                    self.idle().await
                }
                Err(error) => self.complain(&error).await,
            };
            if go == Go::Home {
                return;
            }
        }
    }

    /// Waits until nobody else reads what waits: a gateway that is about to stop, or this export as it was configured before.
    async fn reader(&mut self) -> Option<Reader> {
        loop {
            let directory = self.state.directory.clone();
            let opened = spawn_blocking(move || Reader::open(&directory)).await.ok()?;
            let go = match opened {
                Ok(Some(reader)) => return Some(reader),
                Ok(None) if *self.phase.borrow() == Phase::Running => self.wait(LOOK / 10).await,
                Ok(None) => Go::Home,
                Err(error) => self.complain(&error).await,
            };
            if go == Go::Home {
                return None;
            }
        }
    }

    async fn acknowledge(&mut self, reader: Reader, waiting: Waiting) -> Option<(Reader, Go)> {
        let (reader, noted) = on_disk(reader, move |reader| reader.acknowledge(&waiting)).await?;
        match noted {
            Ok(()) => Some((reader, Go::On)),
            // It is remembered until the process ends; behind that it is delivered twice.
            Err(error) => Some((reader, self.complain(&error).await)),
        }
    }

    /// Until the receiver has taken or refused every event.
    async fn deliver(&mut self, events: &[Event]) -> Go {
        let is_masked = self.export.personal == PersonalFields::Mask;
        let mut parts = vec![events.iter().map(|event| Shown::new(event, is_masked)).collect::<Vec<_>>()];
        let mut backoff = Backoff::default();
        while let Some(mut part) = parts.pop() {
            let mut phase = self.phase.clone();
            let answer = tokio::select! {
                answer = self.receiver.send(&part) => answer,
                _ = phase.wait_for(|phase| *phase == Phase::Stopping) => return Go::Home,
            };
            let after = match answer {
                Ok(sent) => {
                    let after = sent.after;
                    part = self.take_note(part, &sent);
                    if part.is_empty() {
                        backoff.reset();
                        continue;
                    }
                    after
                }
                Err(Refused::Forever { .. }) if part.len() > 1 => {
                    // One event that a receiver does not want must not hold up the others.
                    let behind = part.split_off(part.len() / 2);
                    parts.extend([behind, part]);
                    continue;
                }
                Err(Refused::Forever { reason }) => {
                    self.state.delivered(0, part.len(), &reason);
                    continue;
                }
                Err(Refused::Now { reason, after }) => {
                    self.state.failed(&reason);
                    after
                }
            };
            parts.push(part);
            let is_running = *self.phase.borrow() == Phase::Running;
            if !is_running || self.wait(backoff.next(after)).await == Go::Home {
                return Go::Home;
            }
        }
        Go::On
    }

    /// What of a part is to be sent again.
    fn take_note(&self, part: Vec<Shown>, sent: &Sent) -> Vec<Shown> {
        let Sent { again, refused, answer, .. } = sent;
        let taken = part.len().saturating_sub(again.len() + refused);
        self.state.delivered(taken, *refused, answer);
        if !again.is_empty() {
            self.state.failed(answer);
        }
        let mut part: Vec<_> = part.into_iter().map(Some).collect();
        again.iter().filter_map(|place| part.get_mut(*place).and_then(mem::take)).collect()
    }

    /// Nothing waits.
    async fn idle(&mut self) -> Go {
        if *self.phase.borrow() != Phase::Running {
            return Go::Home;
        }
        tokio::select! {
            () = self.state.come.notified() => {}
            () = sleep(LOOK) => {}
            _ = self.phase.changed() => {}
        }
        Go::On
    }

    async fn complain(&mut self, error: &io::Error) -> Go {
        self.state.failed(&format!("what waits cannot be read: {error}"));
        if *self.phase.borrow() == Phase::Running { self.wait(DISK_PAUSE).await } else { Go::Home }
    }

    /// Waits, unless it is time to go.
    async fn wait(&mut self, duration: Duration) -> Go {
        tokio::select! {
            () = sleep(duration) => Go::On,
            // Whoever could tell is gone, too.
            _ = self.phase.wait_for(|phase| *phase != Phase::Running) => Go::Home,
        }
    }
}

/// Reads or writes on a thread for that. `None`: that has failed inside.
async fn on_disk<T: Send + 'static>(
    mut reader: Reader,
    work: impl FnOnce(&mut Reader) -> T + Send + 'static,
) -> Option<(Reader, T)> {
    let work = move || {
        let done = work(&mut reader);
        (reader, done)
    };
    let done = spawn_blocking(work).await;
    if done.is_err() {
        tracing::error!("an export has failed inside: its events wait until the next start");
    }
    done.ok()
}
