//! A running gateway, looked at all the time: events are counted every five seconds, everything else every five minutes.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bartizan_events::{EventLog, Kind, Severity};
use metrics::gauge;
use tokio::{
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Assessment, EventStatistics, Facts, Meter, Posture, PostureError, Pulse, Weakness, assess,
    assessed::{self, Usual},
    memory, recorded, scan,
    standing::recommendations,
    threat::ONE_CLIENT,
};

/// How often events are counted.
const COUNT: Duration = Duration::from_secs(5);
/// How often everything else is looked at.
const SCAN: Duration = Duration::from_mins(5);
/// How often what is usual is counted again.
const USUAL: Duration = Duration::from_mins(5);
/// Who asks more often is told the same.
const FRESH: Duration = Duration::from_secs(1);

/// What [`Surveyed::pulse`] returns.
pub type PulseFuture<'a> = Pin<Box<dyn Future<Output = Pulse> + Send + 'a>>;
/// What [`Surveyed::survey`] returns.
pub type SurveyFuture<'a> = Pin<Box<dyn Future<Output = Facts> + Send + 'a>>;

/// The running system, as the monitor sees it. Every answer must come within seconds, also where something fails.
pub trait Surveyed: Send + Sync + 'static {
    /// What is known from one moment to the next.
    fn pulse(&self) -> PulseFuture<'_>;

    /// What the scan looks at.
    fn survey(&self) -> SurveyFuture<'_>;
}

/// Looks at a running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
}

struct Shared {
    log: EventLog,
    system: Box<dyn Surveyed>,
    /// What keeps the weaknesses that are known.
    memory: PathBuf,
    /// One look at a time.
    state: Mutex<State>,
    /// One scan at a time: two at once would both tell of what is new.
    scanning: Mutex<()>,
    /// The newest, with its number; `None`: nobody has looked yet.
    told: watch::Sender<Option<(u64, Arc<Posture>)>>,
}

struct State {
    meter: Meter,
    /// What is usual, and when that was counted.
    usual: Option<(Instant, Usual)>,
    weaknesses: Vec<Weakness>,
    scanned: Option<SystemTime>,
    looked: Option<Instant>,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Monitor {
    /// Of the system whose events are in `log`. The file `memory` keeps the weaknesses that are known from one start to
    /// the next.
    pub fn new(log: EventLog, system: impl Surveyed, memory: PathBuf) -> Self {
        let state = State {
            meter: Meter::new(SystemTime::now()),
            usual: None,
            weaknesses: Vec::new(),
            scanned: None,
            looked: None,
        };
        let told = watch::Sender::new(None);
        let (system, state) = (Box::new(system), Mutex::new(state));
        Self { shared: Arc::new(Shared { log, system, memory, state, scanning: Mutex::default(), told }) }
    }

    /// The log that it counts.
    pub fn log(&self) -> &EventLog {
        &self.shared.log
    }

    /// Looks until it is dropped.
    pub async fn run(self) {
        let (mut count, mut scan) = (interval(COUNT), interval(SCAN));
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let looked = tokio::select! {
                biased;
                _ = scan.tick() => self.scan().await.map(|_| ()),
                _ = count.tick() => self.look(SystemTime::now()).await.map(|_| ()),
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "it cannot be said how threatened the gateway is");
            }
        }
    }

    /// How the gateway stands now.
    pub async fn now(&self) -> Result<Arc<Posture>, PostureError> {
        let told = self.shared.told.borrow().clone();
        let is_fresh = self.shared.state.lock().await.looked.is_some_and(|looked| looked.elapsed() < FRESH);
        match told {
            Some((_, posture)) if is_fresh => Ok(posture),
            _ => self.look(SystemTime::now()).await,
        }
    }

    /// Scans now, and says how the gateway stands.
    pub async fn scan(&self) -> Result<Arc<Posture>, PostureError> {
        let _scanning = self.shared.scanning.lock().await;
        let now = SystemTime::now();
        let facts = self.shared.system.survey().await;
        let is_first = self.shared.state.lock().await.scanned.is_none();
        let memory = self.shared.memory.clone();
        let work = move || {
            let known = is_first.then(|| memory::read(&memory));
            (scan::weaknesses(&facts, now), known)
        };
        let (found, known) = spawn_blocking(work).await.map_err(|_| PostureError::Inside)?;
        if let Some(changed) = self.take(found, known, now).await {
            let memory = self.shared.memory.clone();
            let kept = spawn_blocking(move || memory::write(&memory, &changed)).await;
            kept.map_err(|_| PostureError::Inside)?;
        }
        self.look(now).await
    }

    /// Follows how the gateway stands. The number grows with everything new.
    pub fn follow(&self) -> watch::Receiver<Option<(u64, Arc<Posture>)>> {
        self.shared.told.subscribe()
    }

    /// Takes over what a scan has found, where `known` is what was known at the start. What is new and what is gone are
    /// events. The answer is what is known now, if that is something else.
    async fn take(
        &self,
        mut found: Vec<Weakness>,
        known: Option<Vec<Weakness>>,
        now: SystemTime,
    ) -> Option<Vec<Weakness>> {
        let mut state = self.shared.state.lock().await;
        let before = known.unwrap_or_else(|| std::mem::take(&mut state.weaknesses));
        let mut has_changed = false;
        for weakness in &mut found {
            if let Some(known) = before.iter().find(|known| known.id == weakness.id) {
                weakness.since = known.since;
            } else {
                has_changed = true;
                self.shared.log.record(recorded::weakness(Kind::WeaknessFound, weakness, now));
            }
        }
        let is_gone = |known: &&Weakness| !found.iter().any(|weakness| weakness.id == known.id);
        for gone in before.iter().filter(is_gone) {
            has_changed = true;
            self.shared.log.record(recorded::weakness(Kind::WeaknessGone, gone, now));
        }
        for severity in Severity::ALL {
            let count = found.iter().filter(|weakness| weakness.severity == severity).count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!("bartizan_weaknesses", "severity" => severity.as_str()).set(f64::from(count));
        }
        (state.weaknesses, state.scanned) = (found, Some(now));
        has_changed.then(|| state.weaknesses.clone())
    }

    /// Counts what has happened until a moment, and says how the gateway stands.
    pub(crate) async fn look(&self, now: SystemTime) -> Result<Arc<Posture>, PostureError> {
        let pulse = self.shared.system.pulse().await;
        let mut state = self.shared.state.lock().await;
        let usual = state.usual.take().filter(|(counted, _)| counted.elapsed() < USUAL);
        let extra = Extra::of(&pulse, &state.weaknesses);
        let log = self.shared.log.clone();
        let counted = spawn_blocking(move || count(&log, usual, extra, now)).await;
        let Counted { assessment, usual, hour } = counted.map_err(|_| PostureError::Inside)??;
        let day = usual.1.day.clone();
        state.usual = Some(usual);
        gauge!("bartizan_threat_score").set(f64::from(assessment.score));
        let before = state.meter.read(assessment.score, now);
        let threat = state.meter.threat(assessment);
        if let Some(before) = before {
            tracing::warn!(level = %threat.level, score = threat.score, "the threat level was {before}");
            self.shared.log.record(recorded::level(before, &threat, now));
        }
        state.looked = Some(Instant::now());
        let posture = Posture {
            at: now.into(),
            recommendations: recommendations(&threat, &state.weaknesses),
            threat,
            hour,
            day,
            limits: pulse.limits,
            open_alerts: pulse.open_alerts.map(|counts| counts.iter().sum()),
            parts: pulse.parts,
            weaknesses: state.weaknesses.clone(),
            scanned: state.scanned.map(Into::into),
        };
        Ok(self.tell(posture))
    }

    fn tell(&self, posture: Posture) -> Arc<Posture> {
        let posture = Arc::new(posture);
        let mut newest = Arc::clone(&posture);
        self.shared.told.send_if_modified(|told| {
            let differs = told.as_ref().is_none_or(|(_, before)| posture.differs(before));
            let number = told.as_ref().map_or(0, |(number, _)| *number) + u64::from(differs);
            newest = Arc::clone(&posture);
            *told = Some((number, posture));
            differs
        });
        newest
    }
}

/// What is assessed beside events.
#[derive(Clone, Copy)]
struct Extra {
    alerts: [u64; 5],
    failing_parts: u64,
    weaknesses: [u64; 5],
}

impl Extra {
    fn of(pulse: &Pulse, weaknesses: &[Weakness]) -> Self {
        let failing = pulse.parts.iter().filter(|part| part.health == crate::PartHealth::Failing).count();
        let mut counts = [0; 5];
        // Parts that fail count by themselves.
        for weakness in weaknesses.iter().filter(|weakness| weakness.check != crate::Check::PartFailing) {
            counts[usize::from(weakness.severity.number() - 1)] += 1;
        }
        Self {
            alerts: pulse.open_alerts.unwrap_or_default(),
            failing_parts: u64::try_from(failing).unwrap_or(u64::MAX),
            weaknesses: counts,
        }
    }
}

struct Counted {
    assessment: Assessment,
    usual: (Instant, Usual),
    hour: EventStatistics,
}

/// Works for a while.
fn count(
    log: &EventLog,
    usual: Option<(Instant, Usual)>,
    extra: Extra,
    now: SystemTime,
) -> Result<Counted, PostureError> {
    let usual = match usual {
        Some(usual) => usual,
        None => (Instant::now(), Usual::count(log, now)?),
    };
    let (mut inputs, hour) = assessed::count(log, &usual.1, now)?;
    let Extra { alerts, failing_parts, weaknesses } = extra;
    (inputs.alerts, inputs.failing_parts, inputs.weaknesses) = (alerts, failing_parts, weaknesses);
    // Nobody is looked for who would make no difference.
    let mut assessment = assess(&inputs);
    if u64::from(assessment.score) > ONE_CLIENT {
        assessed::find_noisiest(log, &mut inputs, now);
        assessment = assess(&inputs);
    }
    Ok(Counted { assessment, usual, hour })
}
