//! Notifications go their way: a few at a time for each channel, tried again with growing waits, kept for a person when they
//! do not go. A notification is claimed before it is sent, so that of several gateways one sends it; a claim that was left
//! behind ends by itself.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use uuid::Uuid;

use crate::{
    AlertError, Alerts, Moment,
    channel::{Channel, NotDelivered},
    records::{self, Waiting},
};

/// Of one channel, on their way at once.
const AT_ONCE: usize = 4;
/// How long a claim holds: longer than any time-out.
const CLAIM: Duration = Duration::from_mins(3);
/// The tries of one notification.
const MOST_ATTEMPTS: u32 = 10;
/// The wait before the second try; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// The places of each channel, by its name.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Places {
    fn of(&self, channel: &str) -> Arc<Semaphore> {
        let mut places = self.0.lock();
        Arc::clone(places.entry(channel.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
    }
}

/// Begins to send what may go, and does not wait for it.
pub(crate) async fn begin(alerts: &Alerts) -> Result<(), AlertError> {
    for (channel, waiting, place) in claimed(alerts, SystemTime::now()).await? {
        let alerts = alerts.clone();
        tokio::spawn(async move {
            attempt(&alerts, &channel, waiting, SystemTime::now()).await;
            drop(place);
            // There is room for the next one.
            alerts.shared.work.notify_one();
        });
    }
    Ok(())
}

/// Sends what may go at `now`, and waits for it.
pub(crate) async fn deliver(alerts: &Alerts, now: SystemTime) -> Result<(), AlertError> {
    loop {
        let claimed = claimed(alerts, now).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let mut sending = JoinSet::new();
        for (channel, waiting, place) in claimed {
            let alerts = alerts.clone();
            sending.spawn(async move {
                attempt(&alerts, &channel, waiting, now).await;
                drop(place);
            });
        }
        while sending.join_next().await.is_some() {}
    }
}

type Claimed = (Arc<Channel>, Waiting, OwnedSemaphorePermit);

/// Notifications that this gateway may send now, as many as there are places.
async fn claimed(alerts: &Alerts, now: SystemTime) -> Result<Vec<Claimed>, AlertError> {
    let (store, moment) = (&alerts.shared.store, Moment::from(now));
    let in_use = alerts.shared.in_use.load_full();
    let mut claimed = Vec::new();
    let waiting = records::waiting(store).await?;
    for name in in_use.channels.keys() {
        let count = waiting.iter().find(|(channel, _)| channel == name).map_or(0, |(_, count)| *count);
        #[expect(clippy::cast_precision_loss, reason = "there are a thousand at most")]
        gauge!("bartizan_alert_notifications_waiting", "channel" => name.clone()).set(count as f64);
    }
    for (name, _) in waiting {
        let Some(channel) = in_use.channels.get(&name) else {
            give_up(alerts, &name, moment).await?;
            continue;
        };
        let places = alerts.shared.places.of(&name);
        let most = u32::try_from(places.available_permits()).unwrap_or(0);
        if most == 0 {
            continue;
        }
        for waiting in records::ready(store, &name, moment, most).await? {
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
            if records::claim(store, &waiting.id, moment, moment.after(CLAIM)).await? {
                claimed.push((Arc::clone(channel), waiting, place));
            }
        }
    }
    Ok(claimed)
}

/// The configuration has no such channel any more.
async fn give_up(alerts: &Alerts, channel: &str, now: Moment) -> Result<(), AlertError> {
    for waiting in records::ready(&alerts.shared.store, channel, now, u32::from(u8::MAX)).await? {
        let reason = "the configuration has no such channel any more";
        records::failed(&alerts.shared.store, &waiting.id, None, reason).await?;
    }
    Ok(())
}

/// One try, and what comes of it.
async fn attempt(alerts: &Alerts, channel: &Channel, waiting: Waiting, now: SystemTime) {
    let Waiting { id, channel: name, attempts, notice } = waiting;
    let store = &alerts.shared.store;
    let count = |result: &'static str| {
        counter!("bartizan_alert_notifications_total", "channel" => name.clone(), "result" => result)
            .increment(1);
    };
    let noted = match channel.deliver(&notice, now).await {
        Ok(()) => {
            count("sent");
            records::delivered(store, &id).await
        }
        Err(failed) => {
            let next = next_try(&failed, attempts + 1, Uuid::new_v4().as_u64_pair().0);
            let reason = failed.reason;
            if let Some(wait) = next {
                count("failed");
                tracing::warn!(channel = name, reason, ?wait, "a notification is tried again");
            } else {
                count("dead");
                tracing::error!(channel = name, reason, alert = notice.alert.id, "a notification did not go");
            }
            records::failed(store, &id, next.map(|wait| Moment::from(now).after(wait)), &reason).await
        }
    };
    if let Err(error) = noted {
        // Its claim ends by itself; then it is sent another time, by the same name.
        tracing::error!(%error, channel = name, "it could not be noted what came of a notification");
    }
}

/// How long to wait before the next try; `None`: there is none. Half of it is left to chance, so that gateways and
/// notifications do not all come at once.
fn next_try(failed: &NotDelivered, attempts: u32, chance: u64) -> Option<Duration> {
    if !failed.again || attempts >= MOST_ATTEMPTS {
        return None;
    }
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_WAIT);
    let half = u64::try_from(doubled.as_millis() / 2).unwrap_or(u64::MAX).max(1);
    let wait = Duration::from_millis(half + chance % half);
    Some(failed.put_off.map_or(wait, |put_off| wait.max(put_off)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(again: bool, put_off: Option<u64>) -> NotDelivered {
        NotDelivered { reason: "no".into(), again, put_off: put_off.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_by_chance_and_end() {
        for (attempts, least, most) in [(1, 2500, 5000), (2, 5000, 10_000), (9, 450_000, 900_000)] {
            for chance in [0, 1, 77, u64::MAX] {
                let wait = next_try(&failed(true, None), attempts, chance).unwrap().as_millis();
                assert!((least..most).contains(&wait), "{attempts}: {wait}");
            }
        }
        assert_eq!(next_try(&failed(true, None), MOST_ATTEMPTS, 0), None);
        assert_eq!(next_try(&failed(false, None), 1, 0), None);
        assert_eq!(next_try(&failed(true, Some(120)), 1, 0), Some(Duration::from_mins(2)));
    }
}
