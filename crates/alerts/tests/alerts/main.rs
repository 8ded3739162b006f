//! Alerts as their users see them: events in, notifications out to recording servers, over SQLite and PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so"
)]

mod channels;
mod delivery;
mod recorder;
mod together;

#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bartizan_alerts::{Alert, Alerts, Wanted};
use bartizan_config::{Config, Source, StoreLocation};
use bartizan_events::{Decision, Event, FindingDetails, Kind, Severity};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The configuration of `alerts`, as people write it.
pub(crate) fn config(alerts: &str) -> bartizan_config::Alerts {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n\
         alerts:\n{alerts}"
    );
    Config::parse(&text, &Source::text(".")).unwrap().config.alerts.unwrap()
}

pub(crate) fn sqlite(folder: &Path) -> StoreLocation {
    StoreLocation::Sqlite(folder.join("bartizan.db"))
}

pub(crate) async fn open(location: &StoreLocation, alerts: &str) -> Alerts {
    Alerts::open(location, &config(alerts), None).await.unwrap()
}

pub(crate) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_779 * Duration::from_hours(24)
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    start() + Duration::from_secs(seconds)
}

/// What a detection rule has found, with what strangers may write.
pub(crate) fn finding(address: &str, seconds: u64) -> Event {
    let message = "Passwords are tried <b>&\"x\" (user.uid ada, 20 times)";
    let mut event = Event::new(Kind::DetectionMatched, at(seconds), Decision::Observed, message);
    event.severity = Severity::High;
    event.address = Some(address.parse().unwrap());
    event.request = Some("request-7".into());
    event.rules = vec!["spraying".into()];
    event.details.finding = Some(Box::new(FindingDetails {
        title: "Passwords are <tried>".into(),
        author: Some("Ann Example".into()),
        count: 20,
        first: 1_795_305_540_000,
        last: 1_795_305_600_000,
        ..FindingDetails::default()
    }));
    event
}

pub(crate) async fn only(alerts: &Alerts) -> Alert {
    let page = alerts.list(&Wanted { limit: 10, ..Wanted::default() }).await.unwrap();
    let [alert] = page.alerts.as_slice() else { panic!("{page:?}") };
    alert.clone()
}

/// Everything that is due at this moment is done, and what is to go goes.
pub(crate) async fn turn(alerts: &Alerts, seconds: u64) {
    alerts.turn(at(seconds)).await.unwrap();
    alerts.deliver(at(seconds)).await.unwrap();
}
