//! What is known of an export: counted, told and measured.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use bartizan_config::Export;
use metrics::{Counter, Gauge, counter, gauge};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::spool::{self, LeftOut};

/// How an export fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportStatus {
    /// Its name.
    pub name: String,
    /// What kind its receiver is of.
    pub kind: &'static str,
    /// How many bytes wait.
    pub waiting: u64,
    /// When the oldest event that waits has happened, as far as is known.
    pub oldest: Option<SystemTime>,
    /// How many events were delivered since the start.
    pub sent: u64,
    /// How many events the receiver will never take.
    pub refused: u64,
    /// How many events had no place to wait.
    pub left_out: u64,
    /// When something was delivered last.
    pub last_success: Option<SystemTime>,
    /// What went wrong last, and when. No secrets.
    pub last_error: Option<(SystemTime, String)>,
    /// Whether nothing was delivered since.
    pub is_failing: bool,
}

/// What the thread that writes and the task that sends have in common.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) directory: PathBuf,
    /// Something has come.
    pub(crate) come: Notify,
    told: Mutex<ExportStatus>,
    /// Whether it is known that there is no place, or no disk, so that it is said once.
    is_short: Mutex<bool>,
    meters: Meters,
}

#[derive(Debug)]
struct Meters {
    sent: Counter,
    refused: Counter,
    failures: Counter,
    left_out: [Counter; 3],
    waiting: Gauge,
    lag: Gauge,
}

impl State {
    pub(crate) fn new(export: &Export, directory: PathBuf) -> Self {
        let name = export.name.as_str().to_owned();
        let of = |reason: &'static str| counter!("bartizan_export_left_out_total", "export" => name.clone(), "reason" => reason);
        let meters = Meters {
            sent: counter!("bartizan_export_sent_total", "export" => name.clone()),
            refused: counter!("bartizan_export_refused_total", "export" => name.clone()),
            failures: counter!("bartizan_export_failures_total", "export" => name.clone()),
            left_out: ["low", "oldest", "disk"].map(of),
            waiting: gauge!("bartizan_export_waiting_bytes", "export" => name.clone()),
            lag: gauge!("bartizan_export_lag_seconds", "export" => name.clone()),
        };
        let told = ExportStatus {
            name,
            kind: export.receiver.kind(),
            waiting: 0,
            oldest: None,
            sent: 0,
            refused: 0,
            left_out: 0,
            last_success: None,
            last_error: None,
            is_failing: false,
        };
        Self { directory, come: Notify::new(), told: Mutex::new(told), is_short: Mutex::default(), meters }
    }

    pub(crate) fn status(&self) -> ExportStatus {
        let mut status = self.told.lock().clone();
        status.waiting = spool::waiting(&self.directory).unwrap_or(status.waiting);
        status
    }

    /// Of a batch so many were taken, and so many never will be.
    pub(crate) fn delivered(&self, sent: usize, refused: usize, answer: &str) {
        let (sent, refused) = (count(sent), count(refused));
        self.meters.sent.increment(sent);
        self.meters.refused.increment(refused);
        let mut told = self.told.lock();
        told.sent += sent;
        told.refused += refused;
        if sent > 0 {
            told.last_success = Some(SystemTime::now());
            if std::mem::take(&mut told.is_failing) {
                tracing::info!(export = told.name, "events are delivered again");
            }
        }
        if refused > 0 {
            tracing::warn!(export = told.name, events = refused, answer, "events are refused for good");
            told.last_error = Some((SystemTime::now(), answer.to_owned()));
        }
    }

    /// Nothing was taken, or not all; it will be tried again.
    pub(crate) fn failed(&self, reason: &str) {
        self.meters.failures.increment(1);
        let mut told = self.told.lock();
        if !std::mem::replace(&mut told.is_failing, true) {
            tracing::warn!(export = told.name, reason, "events are not delivered: they wait");
        }
        told.last_error = Some((SystemTime::now(), reason.to_owned()));
        drop(told);
        self.measure();
    }

    /// The oldest event that waits; `None`: none does.
    pub(crate) fn set_oldest(&self, oldest: Option<SystemTime>) {
        self.told.lock().oldest = oldest;
        self.measure();
    }

    /// Some events had no place.
    pub(crate) fn leave_out(&self, left_out: LeftOut) {
        let LeftOut { expendable, oldest } = left_out;
        self.meters.left_out[0].increment(expendable);
        self.meters.left_out[1].increment(oldest);
        let mut told = self.told.lock();
        told.left_out += expendable + oldest;
        let was_short = std::mem::replace(&mut *self.is_short.lock(), left_out != LeftOut::default());
        if left_out != LeftOut::default() && !was_short {
            let reason = "no place is left for events that wait: `spool` is full";
            tracing::warn!(export = told.name, low = expendable, oldest, "{reason}");
            told.last_error = Some((SystemTime::now(), reason.into()));
        }
    }

    /// Some events could not be written.
    pub(crate) fn lose(&self, events: usize, error: &std::io::Error) {
        let events = count(events);
        self.meters.left_out[2].increment(events);
        let mut told = self.told.lock();
        told.left_out += events;
        if !std::mem::replace(&mut *self.is_short.lock(), true) {
            tracing::error!(export = told.name, %error, "events that are to wait cannot be written");
        }
        told.last_error =
            Some((SystemTime::now(), format!("events that are to wait cannot be written: {error}")));
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of a disk are counted well enough by an f64")]
    fn measure(&self) {
        let age = |oldest: SystemTime| SystemTime::now().duration_since(oldest).unwrap_or_default();
        let lag = self.told.lock().oldest.map_or(Duration::ZERO, age);
        self.meters.lag.set(lag.as_secs_f64());
        if let Ok(waiting) = spool::waiting(&self.directory) {
            self.meters.waiting.set(waiting as f64);
        }
    }
}

fn count(events: usize) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX)
}
