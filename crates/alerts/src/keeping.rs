//! What was gathered becomes alerts in the store.

use bartizan_events::Kind;
use bartizan_store::Transaction;
use metrics::counter;

use crate::{Alert, AlertError, Alerts, Entry, Gathered, Moment, alerts::REPETITIONS, records};

/// What is gathered is kept in transactions of so many groups.
const CHUNK: usize = 64;
/// The most alerts that are not over. Beyond, what comes is gathered in one alert for its route.
const MOST_OPEN: i64 = 10_000;

impl Alerts {
    /// Makes alerts of what was gathered, some at a time. What could not be kept is gathered again: nothing is lost.
    pub(crate) async fn keep_gathered(&self, now: Moment) -> Result<(), AlertError> {
        let mut gathered = self.shared.gathering.lock().take();
        // All gateways take the rows of one transaction in the same order, so that none waits for another's.
        gathered.sort_unstable_by_key(|one| one.key);
        let mut done = 0;
        let mut result = Ok(());
        for chunk in gathered.chunks(CHUNK) {
            result = self.keep_chunk(chunk, now).await;
            if result.is_err() {
                break;
            }
            done += chunk.len();
        }
        let mut gathering = self.shared.gathering.lock();
        gathered.drain(done..).for_each(|one| gathering.give_back(one));
        result
    }

    async fn keep_chunk(&self, chunk: &[Gathered], now: Moment) -> Result<(), AlertError> {
        for _ in 0..REPETITIONS {
            let mut transaction = self.shared.store.begin().await?;
            let mut raised = Vec::new();
            let mut room = MOST_OPEN - records::count_open(&mut transaction).await?;
            let mut is_kept = true;
            for gathered in chunk {
                is_kept = self.keep(gathered, &mut transaction, &mut raised, &mut room, now).await?;
                if !is_kept {
                    break;
                }
            }
            if !is_kept {
                // Another gateway was first with one of them: nothing of this has happened.
                continue;
            }
            transaction.commit().await?;
            for alert in &raised {
                counter!("bartizan_alerts_raised_total", "severity" => alert.severity().as_str())
                    .increment(1);
                self.record(Kind::AlertRaised, alert);
            }
            return Ok(());
        }
        Err(AlertError::Busy)
    }

    /// Makes an alert of one group, or adds to the one that there is; `false`: somebody else was first.
    async fn keep(
        &self,
        gathered: &Gathered,
        transaction: &mut Transaction,
        raised: &mut Vec<Alert>,
        room: &mut i64,
        now: Moment,
    ) -> Result<bool, AlertError> {
        let in_use = self.shared.in_use.load_full();
        let mut gathered = gathered.clone();
        let mut known = records::open(transaction, &gathered.key.to_string()).await?;
        if known.is_none() && *room <= 0 && !gathered.is_overflow() {
            counter!("bartizan_alerts_overflow_total").increment(1);
            gathered = gathered.into_overflow();
            known = records::open(transaction, &gathered.key.to_string()).await?;
        }
        if let Some(mut known) = known {
            known.value.add(gathered.tally, now);
            let due = known.value.due(in_use.route(&known.value.route), None);
            return Ok(records::update(transaction, &known, due).await?);
        }
        let alert = Alert::raise(&gathered, now);
        let due = alert.due(in_use.route(&alert.route), None);
        if !records::insert(transaction, &gathered.key.to_string(), &alert, due).await? {
            return Ok(false);
        }
        let entry = Entry { at: now, what: "raised".into(), who: String::new(), note: String::new() };
        records::note(transaction, &alert.id, &entry).await?;
        *room -= 1;
        raised.push(alert);
        Ok(true)
    }
}
