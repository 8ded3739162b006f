//! Where the keys of a provider come from and how they stay fresh: a URL, a file, or the configuration itself.
//!
//! Whoever checks a token reads the keys without waiting; a background task replaces them. The task of a URL or
//! file ends when its source is dropped. A well-formed answer is the truth, even if it lists fewer keys; while
//! there is none, the old keys stay. One without a single key that can be used is no answer: an issuer that signs
//! has a key, so something is broken there.

mod fetch;
mod schedule;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwapOption, Guard};
use bartizan_model::Name;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, sleep_until},
};

use self::{fetch::Fetcher, schedule::Schedule};
use crate::{IdentityError, JwksError, key::KeySet};

/// The longest JWK set that is read.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// How often a file is looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(5);

/// The current keys of one provider.
#[derive(Debug)]
pub(crate) struct KeySource {
    shared: Arc<Shared>,
    /// What a URL's task was started with, to recognise it after a reload.
    settings: Option<UrlSettings>,
    task: Option<AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    provider: Name,
    keys: ArcSwapOption<KeySet>,
    wanted: Notify,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct UrlSettings {
    url: String,
    ca: Option<Vec<u8>>,
    refresh: Duration,
}

impl KeySource {
    /// Keys that never change.
    pub(crate) fn fixed(provider: &Name, keys: KeySet) -> Arc<Self> {
        Arc::new(Self { shared: Shared::new(provider, Some(keys)), settings: None, task: None })
    }

    /// None yet: they are told.
    pub(crate) fn told(provider: &Name) -> Arc<Self> {
        Arc::new(Self { shared: Shared::new(provider, None), settings: None, task: None })
    }

    /// Takes the keys of a JWK set in place of the present ones.
    pub(crate) fn tell(&self, document: &[u8]) -> Result<(), JwksError> {
        self.shared.adopt(document)
    }

    /// A JWK set at a URL; `earlier` itself, if it fetches the same in the same way.
    pub(crate) fn from_url(
        provider: &Name,
        url: &str,
        ca: Option<&Path>,
        refresh: Duration,
        earlier: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, IdentityError> {
        let ca =
            ca.map(|path| read(path).map_err(|source| unreadable(provider, path, source))).transpose()?;
        let settings = UrlSettings { url: url.to_owned(), ca, refresh };
        if let Some(earlier) = earlier.filter(|earlier| earlier.settings.as_ref() == Some(&settings)) {
            return Ok(Arc::clone(earlier));
        }
        let fetcher = Fetcher::new(provider, &settings.url, settings.ca.as_deref())?;
        let shared = Shared::new(provider, None);
        let task = tokio::spawn(follow_url(Arc::clone(&shared), fetcher, Schedule::new(refresh)));
        Ok(Arc::new(Self { shared, settings: Some(settings), task: Some(task.abort_handle()) }))
    }

    /// A JWK set in a file, which must be good now and is read again when it changes.
    pub(crate) fn from_file(provider: &Name, path: &Path) -> Result<Arc<Self>, IdentityError> {
        let stamp = Stamp::of(path).map_err(|source| unreadable(provider, path, source))?;
        let document = read(path).map_err(|source| unreadable(provider, path, source))?;
        let shared = Shared::new(provider, None);
        shared.adopt(&document).map_err(|source| IdentityError::KeyFile {
            provider: provider.clone(),
            path: path.to_owned(),
            source,
        })?;
        let task = tokio::spawn(follow_file(Arc::clone(&shared), path.to_owned(), stamp));
        Ok(Arc::new(Self { shared, settings: None, task: Some(task.abort_handle()) }))
    }

    /// The keys; `None` as long as none were ever obtained.
    pub(crate) fn keys(&self) -> Guard<Option<Arc<KeySet>>> {
        self.shared.keys.load()
    }

    /// Asks for a refresh because a token names a key that is not there. The schedule decides when.
    pub(crate) fn request_refresh(&self) {
        self.shared.wanted.notify_one();
    }

    pub(crate) fn ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    pub(crate) async fn wait_ready(&self) {
        // INVARIANT: the sender lives as long as `self`, so waiting ends only when it is ready.
        let _ = self.shared.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Waits until keys have been obtained after these, be they the same.
    pub(crate) async fn wait_after(&self, known: &Arc<KeySet>) -> Arc<KeySet> {
        let mut adopted = self.shared.ready.subscribe();
        loop {
            if let Some(keys) = self.keys().clone().filter(|keys| !Arc::ptr_eq(keys, known)) {
                return keys;
            }
            // INVARIANT: the sender lives as long as `self`.
            let _ = adopted.changed().await;
        }
    }
}

impl Drop for KeySource {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn new(provider: &Name, keys: Option<KeySet>) -> Arc<Self> {
        let ready = watch::Sender::new(keys.is_some());
        let keys = ArcSwapOption::from_pointee(keys);
        Arc::new(Self { provider: provider.clone(), keys, wanted: Notify::new(), ready })
    }

    /// Takes the keys of a JWK set in place of the present ones, if there are any.
    fn adopt(&self, document: &[u8]) -> Result<(), JwksError> {
        let (keys, refused) = KeySet::from_jwks(document)?;
        let provider = &self.provider;
        for key in refused {
            tracing::warn!(%provider, position = key.position, kid = key.id, reason = %key.reason, "key not used");
        }
        if keys.len() == 0 {
            return Err(JwksError::NoKey);
        }
        let keys = match &*self.keys.load() {
            Some(previous) => keys.after(previous),
            None => keys,
        };
        tracing::debug!(%provider, keys = keys.len(), epoch = keys.epoch(), "keys loaded");
        self.keys.store(Some(Arc::new(keys)));
        self.ready.send_replace(true);
        Ok(())
    }

    fn record(&self, outcome: &Result<(), JwksError>) {
        let provider = self.provider.as_str().to_owned();
        let result = if outcome.is_ok() { "ok" } else { "error" };
        metrics::counter!("bartizan_jwks_refresh_total", "provider" => provider, "result" => result)
            .increment(1);
        if let Err(error) = outcome {
            let stale = self.keys.load().is_some();
            tracing::warn!(provider = %self.provider, %error, stale, "keys not refreshed");
        }
    }
}

async fn follow_url(shared: Arc<Shared>, fetcher: Fetcher, mut schedule: Schedule) {
    loop {
        let outcome = fetcher.fetch().await.and_then(|document| shared.adopt(&document));
        shared.record(&outcome);
        let pause = schedule.after(outcome.is_ok(), shared.keys.load().is_some());
        let due = Instant::now() + pause.longest;
        sleep(pause.shortest).await;
        tokio::select! {
            () = sleep_until(due) => {}
            () = shared.wanted.notified() => {}
        }
    }
}

async fn follow_file(shared: Arc<Shared>, path: PathBuf, mut known: Stamp) {
    loop {
        sleep(FILE_INTERVAL).await;
        let (path, before) = (path.clone(), known);
        let look = move || match Stamp::of(&path) {
            Ok(stamp) if stamp == before => Ok(None),
            Ok(stamp) => read(&path).map(|document| Some((stamp, document))),
            Err(error) => Err(error),
        };
        let outcome = match tokio::task::spawn_blocking(look).await {
            Ok(Ok(None)) | Err(_) => continue,
            Ok(Ok(Some((stamp, document)))) => {
                known = stamp;
                shared.adopt(&document)
            }
            Ok(Err(error)) => Err(JwksError::Read(error)),
        };
        shared.record(&outcome);
    }
}

/// Tells whether a file has changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self { modified: metadata.modified()?, length: metadata.len() })
    }
}

/// Reads a file of at most [`MAX_BYTES`].
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn unreadable(provider: &Name, path: &Path, source: std::io::Error) -> IdentityError {
    IdentityError::File { provider: provider.clone(), path: path.to_owned(), source }
}
