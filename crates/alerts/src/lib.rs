//! Alerts: people are told of what happens, once, and again until somebody looks after it.
//!
//! Events come in one by one ([`Alerts::observe`], or all of a log with [`Alerts::run`]). The routes of the configuration
//! say which become alerts and what events of one alert have in common; [`Gathering`] counts them in memory. Once a second,
//! and whenever something has come, [`Alerts::turn`] writes what was gathered into the store, and does what is due: an
//! [`Alert`] is told after `wait`, again after every `repeat`, to others as `escalate` says, until somebody acknowledges it,
//! and is over when somebody says so or nothing more has come for `resolve_after`. Its course is pure: it is given the
//! moment, the route and what its route may still send, and says what to do.
//!
//! What is done and what is to be sent is written in one transaction, over the version of the alert that was read, so
//! gateways that share a store tell once. Notifications then wait in the store for their channel ([`Alerts::deliver`]): a
//! few at a time, tried ten times with growing waits, and kept for a person when they do not go.
//!
//! ```no_run
//! # async fn example(config: &bartizan_config::Alerts, location: &bartizan_config::StoreLocation,
//! #     log: bartizan_events::EventLog) -> Result<(), bartizan_alerts::AlertError> {
//! use bartizan_alerts::{Alerts, By, Wanted};
//!
//! let alerts = Alerts::open(location, config, Some(log.clone())).await?;
//! alerts.run(&log);
//! let page = alerts.list(&Wanted { limit: 50, ..Wanted::default() }).await?;
//! for alert in page.alerts {
//!     let by = By { who: "ann".into(), note: Some("looking".into()) };
//!     alerts.acknowledge(&alert.id, by, std::time::SystemTime::now()).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! - 10,000 groups are gathered at once and 10,000 alerts are not over at once; what is beyond is one alert for its route.
//! - 1000 notifications wait for one channel, 4 of it are on their way at once, 10,000 are kept that did not go.
//! - A notification may come twice, by the same id, when a gateway ends between sending it and noting that.
//! - Events that happen while no gateway runs, or that were not shown before it was killed, raise nothing.
//!
//! Metrics: `bartizan_alerts_raised_total{severity}`, `bartizan_alerts_overflow_total`, `bartizan_alerts_missed_events_total`,
//! `bartizan_alerts_store_failures_total`, `bartizan_alert_notifications_total{channel, result}` (`sent`, `failed`: tried
//! again, `dead`: kept), `bartizan_alert_notifications_waiting{channel}`.

mod alert;
mod alerts;
mod allowance;
mod channel;
mod delivery;
mod error;
mod follower;
mod gathering;
mod incident;
mod keeping;
mod moment;
mod notice;
mod records;
mod silence;
mod tally;
#[cfg(test)]
mod tests;
mod wanted;

pub use alert::{Alert, By, State};
pub use alerts::Alerts;
pub use allowance::{Allowance, HeldBack};
pub use error::AlertError;
pub use gathering::{Common, Gathered, Gathering};
pub use moment::Moment;
pub use notice::{Notice, Reason};
pub use silence::{Matcher, Silence};
pub use tally::{Example, Tally};
pub use wanted::{Entry, Page, Undelivered, Wanted};
