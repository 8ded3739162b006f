//! All exports of one gateway.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use bartizan_config::{Export, ExportReceiver, ExportTls, PersonalFields};
use bartizan_events::{Decision, Event, Kind, Outcome, Tap, write_frame};
use bartizan_model::Line;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    ExportError, ExportStatus, Shown,
    filter::Filter,
    receiver::{Receiver, Refused},
    sending::{Phase, Sending},
    spool::{Framed, Writer},
    state::State,
};

/// How long the last events may take at the end.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a test may take: whoever asks for one waits for it.
const TEST: Duration = Duration::from_secs(20);

/// What a configuration asks for, understood: every receiver is ready to be connected to.
#[derive(Debug, Default)]
pub struct Plan(Vec<Planned>);

#[derive(Debug)]
struct Planned {
    export: Export,
    filter: Filter,
    receiver: Receiver,
}

/// Why an export cannot be used, and where it is written.
#[derive(Debug)]
pub struct Unusable {
    /// Its name.
    pub name: String,
    /// Where.
    pub line: Line,
    /// Why.
    pub error: ExportError,
}

impl Plan {
    /// Understands exports and reads what they name, or says what is wrong with each.
    pub fn new(exports: &[Export]) -> Result<Self, Vec<Unusable>> {
        let (mut planned, mut unusable) = (Vec::new(), Vec::new());
        for export in exports {
            match Planned::new(export) {
                Ok(made) => planned.push(made),
                Err(error) => {
                    let line = match &error {
                        ExportError::UnknownType(unknown) => {
                            let named = export.only.types.iter().find(|(name, _)| name == unknown);
                            named.map_or(export.line, |(_, line)| *line)
                        }
                        _ => export.line,
                    };
                    unusable.push(Unusable { name: export.name.as_str().into(), line, error });
                }
            }
        }
        if unusable.is_empty() { Ok(Self(planned)) } else { Err(unusable) }
    }
}

impl Planned {
    fn new(export: &Export) -> Result<Self, ExportError> {
        if export.name.as_str().starts_with('.') {
            return Err(ExportError::Name);
        }
        let filter = Filter::new(&export.only)?;
        Ok(Self { export: export.clone(), filter, receiver: Receiver::new(export)? })
    }
}

/// All exports of one gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exports {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    running: ArcSwap<Vec<Arc<Running>>>,
}

/// An export that runs.
#[derive(Debug)]
struct Running {
    export: Export,
    filter: Filter,
    writer: Mutex<Writer>,
    state: Arc<State>,
    phase: watch::Sender<Phase>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What a receiver said to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Whether it has taken the event.
    pub is_delivered: bool,
    /// What it said. No secrets.
    pub answer: String,
}

impl Exports {
    /// Starts what `plan` asks for. Events wait in `directory`, each export's in a folder of its own. Needs a runtime.
    pub fn start(directory: PathBuf, plan: Plan) -> Result<Self, ExportError> {
        let running = plan.0.into_iter().map(|planned| Running::start(&directory, planned));
        let running = running.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { shared: Arc::new(Shared { directory, running: ArcSwap::from_pointee(running) }) })
    }

    /// Goes by another plan from now on. What has not changed goes on; what is gone leaves what waits where it is.
    pub fn follow(&self, plan: Plan) {
        let before = self.shared.running.load_full();
        let mut unchanged: HashMap<_, _> =
            before.iter().map(|running| (running.export.name.as_str(), running)).collect();
        let mut running = Vec::new();
        for planned in plan.0 {
            let same = unchanged
                .get(planned.export.name.as_str())
                .filter(|old| is_same(&old.export, &planned.export));
            if let Some(same) = same.map(|same| Arc::clone(same)) {
                unchanged.remove(planned.export.name.as_str());
                running.push(same);
                continue;
            }
            match Running::start(&self.shared.directory, planned) {
                Ok(started) => running.push(started),
                Err(error) => tracing::error!(%error, "an export is not started"),
            }
        }
        self.shared.running.store(Arc::new(running));
        for gone in unchanged.into_values() {
            gone.phase.send_replace(Phase::Stopping);
        }
    }

    /// How each fares, in the order of the configuration.
    pub fn status(&self) -> Vec<ExportStatus> {
        self.shared.running.load().iter().map(|running| running.state.status()).collect()
    }

    /// Sends one event that says that it is a test, over a connection of its own. `None`: there is no such export.
    pub async fn test(&self, name: &str) -> Option<Tested> {
        let running = self.shared.running.load_full();
        let export =
            running.iter().map(|running| &running.export).find(|export| export.name.as_str() == name)?;
        let event = [Shown::new(&test_event(name), export.personal == PersonalFields::Mask)];
        let sent = match Receiver::new(export) {
            Ok(mut receiver) => {
                let sent = timeout(TEST, receiver.send(&event)).await;
                sent.unwrap_or_else(|_| Err(Refused::now(format!("no answer within {TEST:?}"))))
            }
            Err(error) => Err(Refused::now(error.to_string())),
        };
        Some(match sent {
            Ok(sent) => {
                Tested { is_delivered: sent.again.is_empty() && sent.refused == 0, answer: sent.answer }
            }
            Err(refused) => Tested { is_delivered: false, answer: refused.to_string() },
        })
    }

    /// Sends what waits, as far as that goes quickly, and stops; the rest waits for the next start. Nothing may come any more.
    pub async fn finish(&self) {
        let running = self.shared.running.load_full();
        let until = Instant::now() + FAREWELL;
        for running in running.iter() {
            running.phase.send_replace(Phase::Draining);
        }
        for running in running.iter() {
            let task = running.task.lock().take();
            if let Some(mut task) = task
                && timeout_at(until, &mut task).await.is_err()
            {
                running.phase.send_replace(Phase::Stopping);
                let _ = task.await;
            }
        }
    }
}

impl Tap for Exports {
    fn take(&self, events: &[Event]) {
        let running = self.shared.running.load_full();
        if running.is_empty() {
            return;
        }
        // Written once, however many want it.
        let (mut bytes, mut ends) =
            (Vec::with_capacity(events.len() * 1024), Vec::with_capacity(events.len()));
        for event in events {
            let start = bytes.len();
            if running.iter().any(|running| running.filter.passes(event))
                && let Err(error) = write_frame(event, &mut bytes)
            {
                tracing::error!(%error, id = %event.id, "an event cannot be written for exports");
                bytes.truncate(start);
            }
            ends.push(start..bytes.len());
        }
        for running in running.iter() {
            let wanted = events
                .iter()
                .zip(&ends)
                .filter(|(event, range)| !range.is_empty() && running.filter.passes(event));
            let frames: Vec<_> = wanted
                .map(|(event, range)| Framed {
                    bytes: &bytes[range.clone()],
                    is_expendable: event.severity.is_expendable(),
                })
                .collect();
            running.take(&frames);
        }
    }
}

impl Running {
    fn start(directory: &std::path::Path, planned: Planned) -> Result<Arc<Self>, ExportError> {
        let Planned { export, filter, receiver } = planned;
        let path = directory.join(export.name.as_str());
        let writer = Writer::open(path.clone(), export.spool)
            .map_err(|source| ExportError::Spool { path: path.clone(), source })?;
        let state = Arc::new(State::new(&export, path));
        let (phase, of_task) = watch::channel(Phase::Running);
        let sending = Sending { export: export.clone(), receiver, state: Arc::clone(&state), phase: of_task };
        let task = Mutex::new(Some(tokio::spawn(sending.run())));
        Ok(Arc::new(Self { export, filter, writer: Mutex::new(writer), state, phase, task }))
    }

    fn take(&self, frames: &[Framed<'_>]) {
        if frames.is_empty() {
            return;
        }
        match self.writer.lock().append(frames) {
            Ok(left_out) => self.state.leave_out(left_out),
            Err(error) => self.state.lose(frames.len(), &error),
        }
        self.state.come.notify_one();
    }
}

/// Whether an export may go on as it is. One that names files is begun anew: they may hold something else by now.
fn is_same(old: &Export, new: &Export) -> bool {
    let tls = match &new.receiver {
        ExportReceiver::Syslog(receiver) => receiver.tls.as_ref(),
        ExportReceiver::Splunk(receiver) => Some(&receiver.tls),
        ExportReceiver::Elastic(receiver) => Some(&receiver.tls),
        ExportReceiver::Otlp(receiver) => Some(&receiver.tls),
        ExportReceiver::File(_) => None,
    };
    let names_files = tls.is_some_and(|tls| *tls != ExportTls::default());
    let moved = Export { line: new.line, ..old.clone() };
    !names_files && moved == *new
}

/// An event that nobody takes for one.
fn test_event(name: &str) -> Event {
    let message = format!("a test of the export `{name}`: nothing has happened");
    let mut event = Event::new(Kind::AdministrativeAction, SystemTime::now(), Decision::Observed, message);
    event.details.outcome = Some(Outcome::Success);
    event.details.reason = Some("export.test".into());
    event.details.tags = vec!["test".into()];
    event
}
