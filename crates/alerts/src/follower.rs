//! Follows the log of events: every event once it is stored, and those that were missed read again.

use std::time::{Duration, SystemTime};

use bartizan_events::{Event, EventLog, Filter, Order, Severity, Span};
use metrics::counter;
use tokio::sync::broadcast::error::RecvError;

use crate::Alerts;

/// The most events that are read again at once, and how long that may take.
const PAGE: usize = 1000;
const WITHIN: Duration = Duration::from_secs(5);
/// Events of one batch may stand in the log in any order: so much is read again of what was seen.
const OVERLAP: Duration = Duration::from_secs(2);

pub(crate) fn start(alerts: &Alerts, log: EventLog) {
    let Some(mut events) = log.follow() else { return };
    let alerts = alerts.clone();
    tokio::spawn(async move {
        let mut last = SystemTime::now();
        loop {
            match events.recv().await {
                Ok(event) => {
                    last = last.max(event.id.moment());
                    alerts.observe(&event);
                }
                Err(RecvError::Lagged(missed)) => {
                    counter!("bartizan_alerts_missed_events_total").increment(missed);
                    tracing::warn!(missed, "alerts could not keep up with events: they are read again");
                    // What comes from now on is not missed again.
                    events = events.resubscribe();
                    last = catch_up(&alerts, &log, last).await;
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
}

/// Shows the alerts what they have missed of this gateway's: others have theirs. Some events are counted twice; none that matters is left out.
async fn catch_up(alerts: &Alerts, log: &EventLog, last: SystemTime) -> SystemTime {
    let lowest = alerts.shared.in_use.load().config.routes.iter().map(|route| route.severity as u8).min();
    let filter = Filter {
        span: Span::new(last.checked_sub(OVERLAP), None),
        severity: lowest.and_then(Severity::from_number),
        ..Filter::default()
    };
    let (mut cursor, mut last) = (None, last);
    loop {
        let (log, filter) = (log.clone(), filter.clone());
        let asked = tokio::task::spawn_blocking(move || {
            log.own().page(&filter, Order::OldestFirst, cursor, PAGE, WITHIN)
        });
        let page = match asked.await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => {
                tracing::error!(%error, "events that alerts have missed cannot be read");
                return last;
            }
            Err(_) => return last,
        };
        page.events.iter().for_each(|event: &Event| alerts.observe(event));
        last = page.events.last().map_or(last, |event| last.max(event.id.moment()));
        cursor = page.next;
        if cursor.is_none() {
            return last;
        }
    }
}
