//! The scan: what is weak about the gateway, and what to do about it. Pure: facts go in, with the time.
//!
//! One file for each kind of facts: what the configuration says, what its certificates do, what the accounts hold, how the
//! process fares.

mod accounts;
mod certificates;
mod check;
mod running;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::Config;
use bartizan_events::{LogHealth, Severity};
use bartizan_identity::account::{Inventory, InventoryBounds};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::check::Check;
use crate::{Moment, Part};

/// Something weak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Weakness {
    /// Which one: the same for as long as it is there.
    #[schema(example = "firewall_off:/api/**")]
    pub id: String,
    /// What was looked for.
    #[schema(value_type = String, example = "firewall_off")]
    pub check: Check,
    /// How bad it is.
    #[schema(value_type = String, example = "medium")]
    pub severity: Severity,
    /// Whom or what it concerns.
    #[schema(example = "/api/**")]
    pub subject: String,
    /// What it means.
    pub said: String,
    /// The setting to change, or the command to run.
    pub recommendation: String,
    /// Since when it is known.
    pub since: Moment,
    /// Some of the people it concerns, by their e-mail address; twenty at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}

/// What the scan looks at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The configuration in use.
    pub config: Arc<Config>,
    /// What there is of people, keys and invitations, or why it cannot be read; `None`: there are no accounts.
    pub inventory: Option<Result<Inventory, String>>,
    /// When the keys that sign tokens rotate, or why they cannot be read; `None`: no tokens are signed.
    pub signing_keys: Option<Result<SystemTime, String>>,
    /// The parts of the gateway.
    pub parts: Vec<Part>,
    /// How the log of events fares.
    pub log: LogHealth,
    /// Why the configuration on disk is not in use: rules that could not be loaded, for example.
    pub configuration_failure: Option<String>,
    /// The disk of the state directory.
    pub disk: Option<Disk>,
    /// How long the process has been running.
    pub uptime: Duration,
}

/// The disk that something lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What lies there.
    pub path: String,
    /// Bytes that can still be written.
    pub free: u64,
    /// All of them.
    pub size: u64,
}

impl Disk {
    /// The disk of a directory; `None` where the system does not say.
    pub fn of(path: &Path) -> Option<Self> {
        let told = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Some(Self {
            path: path.display().to_string(),
            free: bytes(told.f_bavail),
            size: bytes(told.f_blocks),
        })
    }
}

const DAY: Duration = Duration::from_hours(24);
/// The most weaknesses of one kind; what is beyond is told as one.
const MOST: usize = 50;

impl Facts {
    /// What the inventory is taken with.
    pub const BOUNDS: InventoryBounds = InventoryBounds {
        stale: Duration::from_hours(90 * 24),
        soon: Duration::from_hours(14 * 24),
        old_invitation: Duration::from_hours(3 * 24),
    };
}

/// Everything that is weak, the worst first. Reads certificates: not for a thread that others wait for.
pub fn weaknesses(facts: &Facts, now: SystemTime) -> Vec<Weakness> {
    let mut found = Found::new(now);
    settings::look(&facts.config, &mut found);
    certificates::look(&facts.config, &mut found);
    accounts::look(facts, &mut found);
    running::look(facts, &mut found);
    found.finish()
}

/// What is weak about a configuration and its certificates by themselves, the worst first. Reads certificates: not for a
/// thread that others wait for.
pub fn configured(config: &Config, now: SystemTime) -> Vec<Weakness> {
    let mut found = Found::new(now);
    settings::look(config, &mut found);
    certificates::look(config, &mut found);
    found.finish()
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    now: SystemTime,
    weaknesses: Vec<Weakness>,
    /// Of each check, how many were too many.
    counts: HashMap<Check, usize>,
}

impl Found {
    pub(crate) fn new(now: SystemTime) -> Self {
        Self { now, weaknesses: Vec::new(), counts: HashMap::new() }
    }

    /// Notes a weakness, as bad as such ones are.
    fn add(&mut self, check: Check, subject: &str, said: String, recommendation: impl Into<String>) {
        self.add_as(check, check.severity(), subject, said, recommendation);
    }

    /// The same, as bad as this.
    fn add_as(
        &mut self,
        check: Check,
        severity: Severity,
        subject: &str,
        said: String,
        recommendation: impl Into<String>,
    ) {
        let id = format!("{}:{subject}", check.as_str());
        // What several settings share is weak once.
        if self.weaknesses.iter().any(|known| known.id == id) {
            return;
        }
        let count = self.counts.entry(check).or_default();
        *count += 1;
        if *count > MOST {
            return;
        }
        self.weaknesses.push(Weakness {
            id,
            check,
            severity,
            subject: subject.into(),
            said,
            recommendation: recommendation.into(),
            since: self.now.into(),
            people: Vec::new(),
        });
    }

    /// Says whom the last one concerns.
    fn concerning(&mut self, people: &[String]) {
        if let Some(last) = self.weaknesses.last_mut() {
            last.people = people.to_vec();
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Weakness> {
        for (check, count) in std::mem::take(&mut self.counts) {
            if let Some(more) = count.checked_sub(MOST).filter(|more| *more > 0) {
                let said = format!("{more} more: {}", check.title());
                self.add(check, "further ones", said, "mend those that are shown: then these are");
            }
        }
        // What was added at the last is the least of its kind.
        self.weaknesses.sort_by(|one, other| {
            let worst = other.severity.cmp(&one.severity);
            worst
                .then_with(|| one.check.as_str().cmp(other.check.as_str()))
                .then_with(|| one.id.cmp(&other.id))
        });
        self.weaknesses
    }
}

/// As in `3 days`.
fn days(duration: Duration) -> String {
    match duration.as_secs() / DAY.as_secs() {
        0 => "less than a day".into(),
        1 => "a day".into(),
        days => format!("{days} days"),
    }
}
