//! Who is shown events as they are stored: by this gateway, or by any that shares its store.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{Event, store::Scope};

/// How many events a follower may lag behind before it misses some.
const FOLLOWED: usize = 1024;

/// Where events are shown; `None`: nobody is shown any more.
type Shown = Mutex<Option<broadcast::Sender<Arc<Event>>>>;

/// Those who follow.
#[derive(Debug)]
pub(crate) struct Followers {
    /// What this gateway has stored.
    own: Shown,
    /// What others have stored, too.
    all: Shown,
    /// The same, for those who see the events of one organisation.
    of_organizations: Shown,
}

impl Default for Followers {
    fn default() -> Self {
        let shown = || Mutex::new(Some(broadcast::Sender::new(FOLLOWED)));
        Self { own: shown(), all: shown(), of_organizations: shown() }
    }
}

impl Followers {
    pub(crate) fn follow_own(&self) -> Option<broadcast::Receiver<Arc<Event>>> {
        self.own.lock().as_ref().map(broadcast::Sender::subscribe)
    }

    pub(crate) fn follow_all(&self, scope: Scope) -> Option<Following> {
        let shown = match scope {
            Scope::Everything | Scope::Own => &self.all,
            Scope::Organization(_) => &self.of_organizations,
        };
        let receiver = shown.lock().as_ref().map(broadcast::Sender::subscribe)?;
        Some(Following { receiver, scope })
    }

    /// Whether anybody wants to know what others store.
    pub(crate) fn has_all(&self) -> bool {
        is_followed(&self.all) || is_followed(&self.of_organizations)
    }

    /// Stored by this gateway.
    pub(crate) fn show(&self, events: Vec<Event>) {
        if ![&self.own, &self.all, &self.of_organizations].into_iter().any(is_followed) {
            return;
        }
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        for shown in [&self.own, &self.all, &self.of_organizations] {
            send(shown, &events);
        }
    }

    /// Stored by another.
    pub(crate) fn show_others(&self, events: Vec<Event>) {
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        for shown in [&self.all, &self.of_organizations] {
            send(shown, &events);
        }
    }

    pub(crate) fn dismiss_organizations(&self) {
        self.of_organizations.lock().take();
    }

    pub(crate) fn dismiss(&self) {
        for shown in [&self.own, &self.all, &self.of_organizations] {
            shown.lock().take();
        }
    }
}

fn is_followed(shown: &Shown) -> bool {
    shown.lock().as_ref().is_some_and(|shown| shown.receiver_count() > 0)
}

fn send(shown: &Shown, events: &[Arc<Event>]) {
    let shown = shown.lock();
    let Some(shown) = shown.as_ref().filter(|shown| shown.receiver_count() > 0) else { return };
    for event in events {
        // Nobody may be left by now.
        let _ = shown.send(Arc::clone(event));
    }
}

/// Events as they are stored, by whichever gateway, as far as whoever follows may see them.
#[derive(Debug)]
pub struct Following {
    receiver: broadcast::Receiver<Arc<Event>>,
    scope: Scope,
}

impl Following {
    /// The next one. Fails with how many were missed by a follower that is too slow, and when the log closes.
    pub async fn next(&mut self) -> Result<Arc<Event>, RecvError> {
        loop {
            let event = self.receiver.recv().await?;
            match self.scope {
                Scope::Organization(_) if !self.scope.admits(&event) => {}
                Scope::Organization(_) => return Ok(Arc::new(Event::clone(&event).told())),
                Scope::Everything | Scope::Own => return Ok(event),
            }
        }
    }
}
