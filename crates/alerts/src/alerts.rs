//! Alerts as the rest of the house sees them: shown events, asked by people, told when time has passed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bartizan_config::{AlertRoute, StoreLocation};
use bartizan_events::{Event, EventLog, Kind};
use bartizan_model::Name;
use bartizan_store::{Store, Transaction};
use metrics::counter;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    Alert, AlertError, By, Entry, Gathering, Moment, Notice, Page, Reason, Silence, Undelivered, Wanted,
    alert::Step,
    allowance::HeldBack,
    channel::Channel,
    delivery, follower, incident,
    records::{self, Versioned},
    silence::silenced,
};

/// How often others may be first before it is given up.
pub(crate) const REPETITIONS: usize = 20;
/// The most alerts that one turn looks at.
const MOST_DUE: u32 = 500;
/// The most notifications that wait for one channel.
const MOST_WAITING: i64 = 1000;
/// The most notifications that are kept for a person.
const MOST_DEAD: u32 = 10_000;
/// How often what is old is forgotten.
const TIDY: Duration = Duration::from_hours(1);
/// The longest note, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Alerts of one gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alerts {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) in_use: ArcSwap<InUse>,
    pub(crate) gathering: Mutex<Gathering>,
    /// Where it is recorded what becomes of alerts; `None`: nowhere.
    log: Option<EventLog>,
    /// Something is to be looked at, or sent.
    pub(crate) work: Notify,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) places: delivery::Places,
    tidied: Mutex<Option<Moment>>,
}

/// A configuration, with its channels ready to be used.
#[derive(Debug)]
pub(crate) struct InUse {
    pub(crate) config: Arc<bartizan_config::Alerts>,
    pub(crate) channels: BTreeMap<String, Arc<Channel>>,
}

impl InUse {
    fn new(config: bartizan_config::Alerts) -> Result<Self, AlertError> {
        let channels = config
            .channels
            .iter()
            .map(|settings| Channel::new(settings).map(|channel| (channel.name.clone(), channel)));
        Ok(Self { channels: channels.collect::<Result<_, _>>()?, config: Arc::new(config) })
    }

    pub(crate) fn route(&self, name: &str) -> Option<&AlertRoute> {
        self.config.routes.iter().find(|route| route.name.as_str() == name)
    }

    /// The channels that names lead to at this moment, each once.
    fn resolve(&self, names: &[Name], now: Moment) -> BTreeSet<String> {
        let mut channels = BTreeSet::new();
        for name in names {
            match self.config.rotations.iter().find(|rotation| rotation.name == *name) {
                Some(rotation) => {
                    channels.extend(rotation.on_call(now.into()).iter().map(ToString::to_string));
                }
                None => drop(channels.insert(name.to_string())),
            }
        }
        channels
    }
}

impl Alerts {
    /// Opens the store. What becomes of alerts is recorded in `log`. A tokio runtime must be running.
    pub async fn open(
        location: &StoreLocation,
        config: &bartizan_config::Alerts,
        log: Option<EventLog>,
    ) -> Result<Self, AlertError> {
        let in_use = InUse::new(config.clone())?;
        let store = Store::open(location).await?;
        let gathering = Mutex::new(Gathering::new(Arc::clone(&in_use.config)));
        let shared = Shared {
            store,
            gathering,
            in_use: ArcSwap::from_pointee(in_use),
            log,
            work: Notify::new(),
            stop: watch::Sender::new(false),
            places: delivery::Places::default(),
            tidied: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Goes by another configuration from now on. Alerts stay; one whose route is gone is told no more.
    pub fn follow(&self, config: &bartizan_config::Alerts) -> Result<(), AlertError> {
        let in_use = InUse::new(config.clone())?;
        self.shared.gathering.lock().follow(Arc::clone(&in_use.config));
        self.shared.in_use.store(Arc::new(in_use));
        Ok(())
    }

    /// Looks at every event of `log` from now on, and tells people, until [`Alerts::finish`].
    pub fn run(&self, log: &EventLog) {
        follower::start(self, log.clone());
        let alerts = self.clone();
        tokio::spawn(async move { alerts.attend().await });
    }

    /// Takes an event into account. It is told by the next [`Alerts::turn`].
    pub fn observe(&self, event: &Event) {
        self.shared.gathering.lock().observe(event);
    }

    /// What was gathered becomes alerts, and whatever is due at `now` is done. Notifications then wait to be sent.
    pub async fn turn(&self, now: SystemTime) -> Result<(), AlertError> {
        let now = Moment::from(now);
        self.keep_gathered(now).await?;
        let silences = records::silences(&self.shared.store, now).await?;
        for due in records::due(&self.shared.store, now, MOST_DUE).await? {
            self.advance(due, &silences, now).await?;
        }
        self.tidy(now).await
    }

    /// Sends what waits and may go at `now`; done when all of it has gone or failed.
    pub async fn deliver(&self, now: SystemTime) -> Result<(), AlertError> {
        delivery::deliver(self, now).await
    }

    /// Stops. What is gathered becomes alerts; what waits to be sent is sent by the next process or another gateway.
    pub async fn finish(&self) {
        self.shared.stop.send_replace(true);
        if let Err(error) = self.turn(SystemTime::now()).await {
            tracing::error!(%error, "the last events raise no alerts");
        }
        self.shared.store.close().await;
    }

    async fn attend(self) {
        let mut stop = self.shared.stop.subscribe();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = tick.tick() => {}
                () = self.shared.work.notified() => {}
            }
            if let Err(error) = self.turn(SystemTime::now()).await {
                counter!("bartizan_alerts_store_failures_total").increment(1);
                tracing::error!(%error, "alerts wait for their store");
                continue;
            }
            if let Err(error) = delivery::begin(&self).await {
                tracing::error!(%error, "notifications wait for the store");
            }
        }
    }

    /// Does what is due of one alert, in one transaction: whoever else had the same in mind finds it done.
    async fn advance(
        &self,
        mut due: Versioned<Alert>,
        silences: &[Silence],
        now: Moment,
    ) -> Result<(), AlertError> {
        let in_use = self.shared.in_use.load_full();
        let route_name = due.value.route.clone();
        let route = in_use.route(&route_name);
        let put_off = silenced(silences, &due.value, now);
        let mut transaction = self.shared.store.begin().await?;
        let mut allowance = records::allowance(&mut transaction, &route_name).await?;
        let before = allowance.value.clone();
        let (mut waiting, mut kinds) = (Vec::new(), Vec::new());
        while let Some(step) = due.value.advance(route, put_off, &mut allowance.value, now) {
            kinds.extend(step.kind());
            waiting.extend(self.take(step, &mut due.value, &in_use, &mut transaction, now).await?);
        }
        let next = due.value.due(route, put_off);
        if !records::update(&mut transaction, &due, next).await?
            || (allowance.value != before
                && !records::set_allowance(&mut transaction, &route_name, &allowance).await?)
        {
            // Another gateway was first; what is left to do is found by the next turn.
            return Ok(());
        }
        enqueue(&mut transaction, waiting).await?;
        transaction.commit().await?;
        self.shared.work.notify_one();
        for kind in kinds {
            self.record(kind, &due.value);
        }
        Ok(())
    }

    /// Notes a step, and makes its notifications.
    async fn take(
        &self,
        step: Step,
        alert: &mut Alert,
        in_use: &InUse,
        transaction: &mut Transaction,
        now: Moment,
    ) -> Result<Vec<(String, Notice)>, AlertError> {
        let (reason, channels, held) = match step {
            Step::Tell { again, to, held } => {
                let reason = if again { Reason::Repeated } else { Reason::Raised };
                (reason, in_use.resolve(&to, now), held)
            }
            Step::Escalate { to } => (Reason::Escalated, in_use.resolve(&to, now), HeldBack::default()),
            Step::Resolve => (Reason::Resolved, alert.told.clone(), HeldBack::default()),
        };
        let told = channels.iter().cloned().collect::<Vec<_>>().join(", ");
        let what = if reason == Reason::Raised { "told" } else { reason.as_str() };
        let entry = Entry { at: now, what: what.into(), who: String::new(), note: told };
        records::note(transaction, &alert.id, &entry).await?;
        alert.told.extend(channels.iter().cloned());
        Ok(notices(in_use, alert, reason, channels, &held, now))
    }

    /// Somebody looks after it.
    pub async fn acknowledge(&self, id: &str, by: By, now: SystemTime) -> Result<Alert, AlertError> {
        self.decide(id, Reason::Acknowledged, by, now.into()).await
    }

    /// Somebody says that it is over.
    pub async fn resolve(&self, id: &str, by: By, now: SystemTime) -> Result<Alert, AlertError> {
        self.decide(id, Reason::Resolved, by, now.into()).await
    }

    async fn decide(&self, id: &str, reason: Reason, by: By, now: Moment) -> Result<Alert, AlertError> {
        let by = By { note: by.note.map(|note| note.chars().take(LONGEST_NOTE).collect()), ..by };
        let Shared { store, in_use, .. } = &*self.shared;
        let in_use = in_use.load_full();
        for _ in 0..REPETITIONS {
            let found = records::find(store, id).await?;
            let mut known = found.ok_or_else(|| AlertError::Unknown { what: "alert", id: id.into() })?;
            let kind = if reason == Reason::Acknowledged {
                known.value.acknowledge(by.clone())?;
                Kind::AlertAcknowledged
            } else {
                known.value.resolve(Some(by.clone()))?;
                Kind::AlertResolved
            };
            let due = known.value.due(in_use.route(&known.value.route), None);
            let mut transaction = store.begin().await?;
            if !records::update(&mut transaction, &known, due).await? {
                continue;
            }
            let note = by.note.clone().unwrap_or_default();
            let entry = Entry { at: now, what: reason.as_str().into(), who: by.who.clone(), note };
            records::note(&mut transaction, id, &entry).await?;
            let (alert, told) = (&known.value, known.value.told.clone());
            let waiting = notices(&in_use, alert, reason, told, &HeldBack::default(), now);
            enqueue(&mut transaction, waiting).await?;
            transaction.commit().await?;
            self.shared.work.notify_one();
            self.record(kind, &known.value);
            return Ok(known.value);
        }
        Err(AlertError::Busy)
    }

    /// Alerts that pass, the newest first.
    pub async fn list(&self, wanted: &Wanted) -> Result<Page, AlertError> {
        Ok(records::list(&self.shared.store, wanted).await?)
    }

    /// One alert, and what became of it.
    pub async fn show(&self, id: &str) -> Result<(Alert, Vec<Entry>), AlertError> {
        let found = records::find(&self.shared.store, id).await?;
        let known = found.ok_or_else(|| AlertError::Unknown { what: "alert", id: id.into() })?;
        Ok((known.value, records::history(&self.shared.store, id).await?))
    }

    /// Silences that hold.
    pub async fn silences(&self, now: SystemTime) -> Result<Vec<Silence>, AlertError> {
        Ok(records::silences(&self.shared.store, now.into()).await?)
    }

    /// Tells nobody of what `silence` matches, until it ends. Its id is given here.
    pub async fn silence(&self, silence: Silence) -> Result<Silence, AlertError> {
        silence.check()?;
        let silence = Silence { id: Uuid::now_v7().to_string(), ..silence };
        records::insert_silence(&self.shared.store, &silence).await?;
        Ok(silence)
    }

    /// Ends a silence.
    pub async fn unsilence(&self, id: &str, now: SystemTime) -> Result<(), AlertError> {
        let now = Moment::from(now);
        if !records::end_silence(&self.shared.store, id, now).await? {
            return Err(AlertError::Unknown { what: "silence", id: id.into() });
        }
        records::look_at_open(&self.shared.store, now).await?;
        self.shared.work.notify_one();
        Ok(())
    }

    /// Notifications that did not go for good, the newest first, behind the one with the id `after`.
    pub async fn undelivered(&self, after: Option<&str>, limit: u32) -> Result<Vec<Undelivered>, AlertError> {
        Ok(records::dead(&self.shared.store, after, limit).await?)
    }

    /// Tries notifications again that did not go: one, or all. Says how many.
    pub async fn retry(&self, id: Option<&str>, now: SystemTime) -> Result<u64, AlertError> {
        // To the statement nothing is everything.
        let is_nothing = id.is_some_and(str::is_empty);
        let count = if is_nothing { 0 } else { records::retry(&self.shared.store, id, now.into()).await? };
        self.shared.work.notify_one();
        match id {
            Some(id) if count == 0 => {
                Err(AlertError::Unknown { what: "undelivered notification", id: id.into() })
            }
            _ => Ok(count),
        }
    }

    /// Forgets a notification that did not go.
    pub async fn discard(&self, id: &str) -> Result<(), AlertError> {
        match records::discard(&self.shared.store, id).await? {
            0 => Err(AlertError::Unknown { what: "undelivered notification", id: id.into() }),
            _ => Ok(()),
        }
    }

    /// The names of the channels.
    pub fn channels(&self) -> Vec<String> {
        self.shared.in_use.load().channels.keys().cloned().collect()
    }

    /// Sends a notification that is none by a channel, at once, and says what came of it.
    pub async fn test(&self, channel: &str, who: &str, now: SystemTime) -> Result<(), AlertError> {
        let in_use = self.shared.in_use.load_full();
        let unknown = || AlertError::Unknown { what: "channel", id: channel.into() };
        let channel = in_use.channels.get(channel).ok_or_else(unknown)?;
        let notice = incident::test_notice(who, now.into());
        let sent = channel.deliver(&notice, now).await;
        sent.map_err(|failed| AlertError::NotDelivered { reason: failed.reason })
    }

    async fn tidy(&self, now: Moment) -> Result<(), AlertError> {
        let is_due = |tidied: Option<Moment>| tidied.is_none_or(|tidied| now >= tidied.after(TIDY));
        if !is_due(*self.shared.tidied.lock()) {
            return Ok(());
        }
        *self.shared.tidied.lock() = Some(now);
        let retention = self.shared.in_use.load().config.retention;
        records::forget(&self.shared.store, now.before(retention), now).await?;
        let gone = records::trim_dead(&self.shared.store, MOST_DEAD).await?;
        if gone > 0 {
            tracing::warn!(gone, "undelivered notifications were discarded: too many are kept");
        }
        Ok(())
    }

    pub(crate) fn record(&self, kind: Kind, alert: &Alert) {
        if let Some(log) = &self.shared.log {
            log.record(incident::event(kind, alert));
        }
    }
}

async fn enqueue(transaction: &mut Transaction, waiting: Vec<(String, Notice)>) -> Result<(), AlertError> {
    for (channel, notice) in waiting {
        if !records::enqueue(transaction, &channel, &notice, MOST_WAITING).await? {
            counter!("bartizan_alert_notifications_total", "channel" => channel, "result" => "dead")
                .increment(1);
        }
    }
    Ok(())
}

/// One notification for each channel that wants to hear of this.
fn notices(
    in_use: &InUse,
    alert: &Alert,
    reason: Reason,
    channels: BTreeSet<String>,
    held: &HeldBack,
    now: Moment,
) -> Vec<(String, Notice)> {
    let link = in_use.config.link.as_ref().zip(alert.tally.requests.last());
    let link = link.map(|(link, request)| incident::link(link, request));
    let of = |channel: String| {
        let known = in_use.channels.get(&channel)?;
        let id = Uuid::now_v7().to_string();
        let (alert, held, link) = (alert.clone(), held.clone(), link.clone());
        let notice = Notice { id, reason, alert, held, link, made: now };
        known.takes(&notice).then_some((channel, notice))
    };
    channels.into_iter().filter_map(of).collect()
}
