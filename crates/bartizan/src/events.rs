//! The events of one running system: which of what happens becomes one, and where they go.
//!
//! Three kinds of things happen: requests are decided about, entries of the audit trail are written, configurations are
//! taken over. Each is turned into an event here; none waits for it. Detection rules look at all of them, and what they
//! find is an event, too.

mod audited;
mod decided;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use bartizan_config::{Config, EventStore, PathPattern, StoreLocation};
use bartizan_events::{Database, Decision, Event, EventLog, Kind, Outcome, QueueBounds, Settings, Tap};
use bartizan_export::{Exports, Plan};
use bartizan_identity::account::Accounts;
use bartizan_pipeline::{Record, Records};

use self::decided::Decided;
use crate::{
    detection::{Detection, Rules},
    state::StateDirectory,
};

/// The events of one running system. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    log: EventLog,
    sample: Arc<ArcSwap<Sample>>,
    detection: Detection,
    exports: Exports,
}

/// Which of the requests that were served are kept.
#[derive(Debug)]
struct Sample {
    one_of: NonZeroU32,
    always: Vec<PathPattern>,
    served: AtomicU64,
}

impl Events {
    /// Opens the log that `config` asks for, with `rules` that look at what comes, and `exports` that are shown it.
    pub(crate) fn open(
        config: &Config,
        rules: Rules,
        exports: &Exports,
        state: &StateDirectory,
    ) -> Result<Self> {
        let events = &config.events;
        let settings = Settings {
            directory: events.directory.clone().unwrap_or_else(|| state.events_path()),
            retention: events.retention,
            queue: QueueBounds {
                events: usize::try_from(events.queue.get()).unwrap_or(usize::MAX),
                bytes: events.queue_bytes,
            },
            spill: events.spill,
        };
        let exports = exports.clone();
        let tap = Some(Arc::new(exports.clone()) as Arc<dyn Tap>);
        let log = EventLog::open_in(settings, database(config).as_ref(), tap)
            .context("nothing of what happens could be kept")?;
        let detection = Detection::start(rules, log.clone())?;
        Ok(Self { log, sample: Arc::new(ArcSwap::from_pointee(Sample::of(events))), detection, exports })
    }

    /// Where they are kept.
    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    /// The rules that look at them.
    pub(crate) fn detection(&self) -> &Detection {
        &self.detection
    }

    /// Where they go besides.
    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Makes events of what is decided about requests from now on. Of those that were served the rules see others than
    /// those that are kept: many more.
    pub(crate) fn observe(&self, records: &Records) {
        let Self { log, sample, detection, .. } = self.clone();
        let is_first = records.observe(move |record| {
            let kind = decided::kind(record);
            let is_served = kind == Kind::RequestAllowed;
            let is_kept = !is_served || sample.load().takes(record);
            let is_shown = !is_served || detection.takes_served(record.arrived);
            if is_kept || is_shown {
                let decided = Decided::new(kind, record);
                if is_shown {
                    detection.show(decided.clone());
                }
                if is_kept {
                    return log.record(decided);
                }
            }
            log.count(kind);
        });
        debug_assert!(is_first, "there is room for those who observe requests");
    }

    /// Makes events of what is written into the audit trail from now on.
    pub(crate) fn observe_audit(&self, accounts: &Accounts) {
        let events = self.clone();
        let is_first = accounts.observe_audit(move |entry, organization| {
            for event in audited::events(entry, organization) {
                events.tell(event);
            }
        });
        debug_assert!(is_first, "nobody else observes the audit trail");
    }

    /// Shows the rules what has happened, and keeps it.
    fn tell(&self, event: Event) {
        self.detection.show(event.clone());
        self.log.record(event);
    }

    /// Goes by another configuration from now on, whose rules are `rules`, with `exports`. Where events are kept does not
    /// change, nor how many may wait.
    pub(crate) fn follow(&self, config: &Config, rules: Rules, exports: Plan) {
        self.exports.follow(exports);
        self.detection.follow(rules);
        self.log.set_retention(config.events.retention);
        self.sample.store(Arc::new(Sample::of(&config.events)));
    }

    /// A changed configuration is in use, or why it is not.
    pub(crate) fn record_reload(&self, revision: &str, outcome: Result<bool, &str>) {
        let now = SystemTime::now();
        let mut event = match outcome {
            Ok(false) => return,
            Ok(true) => {
                let message = format!("the configuration {revision} is in use");
                Event::new(Kind::ConfigurationChanged, now, Decision::Allowed, message)
            }
            Err(reason) => {
                let message = format!("a changed configuration was refused; {revision} stays in use");
                let mut event = Event::new(Kind::ConfigurationRefused, now, Decision::Refused, message);
                event.details.explanation = Some(reason.to_owned());
                event
            }
        };
        let outcome = if outcome.is_ok() { Outcome::Success } else { Outcome::Failure };
        event.details.outcome = Some(outcome);
        event.details.reason = Some("configuration.reload".into());
        event.details.subject = Some(revision.to_owned());
        self.tell(event);
    }

    /// Shows events to organisations no more, so that their streams hold up no stop.
    pub(crate) fn dismiss_organizations(&self) {
        self.log.dismiss_organizations();
    }

    /// Shows events to nobody any more, so that those who follow come to an end.
    pub(crate) fn dismiss_followers(&self) {
        self.log.dismiss_followers();
    }

    /// Looks at what waits, writes it and stops.
    pub(crate) async fn finish(&self) {
        let Self { log, detection, .. } = self.clone();
        let finish = move || {
            // What rules find at the end is written, too.
            detection.finish();
            log.finish();
        };
        if tokio::task::spawn_blocking(finish).await.is_err() {
            tracing::error!("the last events could not be written");
        }
        self.exports.finish().await;
    }
}

impl Sample {
    fn of(events: &bartizan_config::Events) -> Self {
        Self { one_of: events.sample, always: events.always.clone(), served: AtomicU64::new(0) }
    }

    /// Whether this one is kept. The first is, and then every so many.
    fn takes(&self, record: &Record) -> bool {
        let served = self.served.fetch_add(1, Ordering::Relaxed);
        served.is_multiple_of(self.one_of.get().into())
            || self.always.iter().any(|pattern| pattern.matches(&record.path))
    }
}

/// The database that gateways share, where events are kept in one.
fn database(config: &Config) -> Option<Database> {
    match (config.events.store, &config.store) {
        (EventStore::Postgres, Some(location @ StoreLocation::Postgres(postgres))) => {
            Some(Database { url: postgres.url().clone(), name: location.to_string() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
