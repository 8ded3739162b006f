//! How many notifications a route may still send, and what it has held back.

use bartizan_config::AlertRoute;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// The most titles that are told of what was held back.
const MOST_TITLES: usize = 10;

/// How many notifications a route may still send.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Allowance {
    /// When the time began that is counted.
    started: Option<Moment>,
    /// How many were sent in it.
    sent: u32,
    /// What was held back since the last one.
    held: HeldBack,
    /// How often what was held back has been told.
    round: u64,
}

/// Notifications that were held back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldBack {
    /// How many.
    pub count: u64,
    /// Of the first ones, what they were about.
    pub titles: Vec<String>,
}

impl Allowance {
    /// Room for one more, with what was held back before; `Err` is when there will be.
    pub(crate) fn take(&mut self, route: &AlertRoute, now: Moment) -> Result<HeldBack, Moment> {
        match self.started {
            // A clock that was set back begins anew, too.
            Some(started) if started <= now && now < started.after(route.limit_window) => {
                if self.sent >= route.limit.get() {
                    return Err(started.after(route.limit_window));
                }
            }
            _ => (self.started, self.sent) = (Some(now), 0),
        }
        self.sent += 1;
        self.round += 1;
        Ok(std::mem::take(&mut self.held))
    }

    /// Notes what is held back. It is told once the round is another.
    pub(crate) fn hold(&mut self, title: &str) -> u64 {
        self.held.count += 1;
        if self.held.titles.len() < MOST_TITLES {
            self.held.titles.push(title.to_owned());
        }
        self.round
    }

    pub(crate) fn round(&self) -> u64 {
        self.round
    }
}
