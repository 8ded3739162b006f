//! Silences: for a time nobody is told of what they match.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{Alert, AlertError, Moment};

/// The most conditions of one silence.
const MOST_MATCHERS: usize = 16;
/// The longest reason and the longest value, in bytes.
const LONGEST: usize = 512;
const YEAR: i64 = 366 * 24 * 60 * 60 * 1000;

/// For a time nobody is told of what it matches. Alerts are raised all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which one.
    pub id: String,
    /// All of them hold for what is silenced.
    pub matchers: Vec<Matcher>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub author: String,
    /// When it was made.
    pub made: Moment,
    /// When it ends.
    pub until: Moment,
}

/// A condition on what the events of an alert have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// `rule`, `kind`, `address`, `user`, `organization`, `route`, or `alert_route`, the name of the route under `alerts`.
    pub by: String,
    /// The value; of an address a prefix, too.
    pub value: String,
}

const KNOWN: [&str; 7] = ["rule", "kind", "address", "user", "organization", "route", "alert_route"];

impl Silence {
    /// Whether all of it is there and makes sense.
    pub(crate) fn check(&self) -> Result<(), AlertError> {
        let refuse = |reason: String| Err(AlertError::Silence { reason });
        if self.matchers.is_empty() || self.matchers.len() > MOST_MATCHERS {
            return refuse(format!("it needs 1 to {MOST_MATCHERS} conditions"));
        }
        if self.reason.trim().is_empty() || self.reason.len() > LONGEST {
            return refuse(format!("it needs a reason of at most {LONGEST} bytes"));
        }
        if self.until <= self.made || self.until.0 - self.made.0 > YEAR {
            return refuse("it ends in the future, within a year".into());
        }
        for matcher in &self.matchers {
            if !KNOWN.contains(&matcher.by.as_str()) {
                return refuse(format!(
                    "`{}` is no condition: write one of `{}`",
                    matcher.by,
                    KNOWN.join("`, `")
                ));
            }
            if matcher.value.is_empty() || matcher.value.len() > LONGEST {
                return refuse(format!("the value of `{}` has 1 to {LONGEST} bytes", matcher.by));
            }
            if matcher.by == "address" && network(&matcher.value).is_none() {
                return refuse(format!("`{}` is neither an address nor a prefix", matcher.value));
            }
        }
        Ok(())
    }

    /// Whether it silences this alert now. It goes by what all events of the alert have in common: what is true of one of them
    /// alone silences nothing.
    pub(crate) fn silences(&self, alert: &Alert, now: Moment) -> bool {
        now < self.until && self.matchers.iter().all(|matcher| matcher.holds(alert))
    }
}

impl Matcher {
    fn holds(&self, alert: &Alert) -> bool {
        if self.by == "alert_route" {
            return alert.route == self.value;
        }
        let common = alert.group.iter().find(|common| common.by == self.by);
        let Some(value) = common.and_then(|common| common.value.as_deref()) else { return false };
        if self.by == "address" {
            let address = value.parse::<std::net::IpAddr>().ok();
            return address
                .zip(network(&self.value))
                .is_some_and(|(address, network)| network.contains(&address));
        }
        value == self.value
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<std::net::IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())))
}

/// Until when an alert is silenced, if it is.
pub(crate) fn silenced(silences: &[Silence], alert: &Alert, now: Moment) -> Option<Moment> {
    silences.iter().filter(|silence| silence.silences(alert, now)).map(|silence| silence.until).max()
}
