//! Writing: a batch is one statement, and so one transaction and one round trip.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use sqlx::PgPool;

use super::{
    PREPARED_WITHIN, Postgres, Unanswered,
    schema::{self, FORMAT, Found},
};
use crate::{
    Event, EventError,
    store::{Day, Uncounted},
};

/// How long a batch may take. The queue has room for what comes meanwhile.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// What PostgreSQL says where there is no partition for a row.
const NO_DAY: &str = "23514";

/// The events, the counts of their minutes, and a line for other gateways. Of events that are there already nothing is
/// written and nothing counted. Counts are added in one order, so that gateways which add to the same minute wait for each
/// other in one order.
const APPEND: &str = "
WITH written AS (
    INSERT INTO events (id, at, batch, gateway, kind, severity, decision, address, user_id, organization_id, route, request,
        rules, message, details)
    SELECT CAST(id AS UUID), at, CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT), $14, kind, severity, decision,
        CAST(address AS INET), user_id, organization_id, route, request, rules, message, details
    FROM unnest($1::TEXT[], $2::BIGINT[], $3::SMALLINT[], $4::SMALLINT[], $5::SMALLINT[], $6::TEXT[], $7::TEXT[],
        $8::TEXT[], $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[])
        AS new (id, at, kind, severity, decision, address, user_id, organization_id, route, request, rules, message, details)
    ON CONFLICT (id) DO NOTHING
    RETURNING at, kind, severity
), told AS (
    INSERT INTO event_batches (batch, gateway, first, last)
    SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT), $14, CAST($15 AS UUID), CAST($16 AS UUID)
    WHERE EXISTS (SELECT 1 FROM written)
)
INSERT INTO event_minutes AS known (minute, kind, severity, count)
SELECT minute, kind, severity, sum(count)
FROM (
    SELECT at / 60000 AS minute, kind, severity, 1 AS count FROM written
    UNION ALL
    SELECT at / 60000, kind, severity, count
    FROM unnest($17::BIGINT[], $18::SMALLINT[], $19::SMALLINT[], $20::BIGINT[]) AS only_counted (at, kind, severity, count)
) AS counted
GROUP BY minute, kind, severity
ORDER BY minute, kind, severity
ON CONFLICT (minute, kind, severity) DO UPDATE SET count = known.count + excluded.count
";

/// What writes to the database.
#[derive(Debug)]
pub(crate) struct Writer {
    postgres: Arc<Postgres>,
    /// Whether the tables were found to be there.
    is_prepared: bool,
    /// Days that are there.
    days: BTreeSet<Day>,
}

impl Writer {
    pub(super) fn new(postgres: Arc<Postgres>) -> Self {
        Self { postgres, is_prepared: false, days: BTreeSet::new() }
    }

    /// Sees to it that the tables are there, and the days from `today` on.
    pub(super) fn prepare(&mut self, today: Day) -> Result<(), EventError> {
        let Postgres { driver, everything, name, .. } = &*self.postgres;
        let found = driver.wait(PREPARED_WITHIN, schema::prepare(everything.clone(), today));
        let database = || name.clone();
        match found.map_err(|error| self.postgres.failed(error))? {
            Found::Ready => {
                self.is_prepared = true;
                Ok(())
            }
            Found::Bypassing(role) => Err(EventError::Bypasses { database: database(), role }),
            Found::Other(found) => Err(EventError::Format { database: database(), found, known: FORMAT }),
        }
    }

    pub(crate) fn append(&mut self, events: &[Event], uncounted: &[Uncounted]) -> Result<(), EventError> {
        let today = Day::of(SystemTime::now());
        if !self.is_prepared {
            self.prepare(today)?;
        }
        let batch = Batch::of(events, uncounted);
        let days: BTreeSet<Day> = events.iter().map(Day::of_event).collect();
        if !days.is_subset(&self.days) {
            self.make_days(days.clone(), today)?;
        }
        match self.write(batch.clone()) {
            // Another gateway keeps events for a shorter time than this one, and has removed the day.
            Err(Unanswered::Failed(error)) if is_without_day(&error) => {
                self.days.clear();
                self.make_days(days, today)?;
                self.write(batch).map_err(|error| self.postgres.failed(error))
            }
            written => written.map_err(|error| self.postgres.failed(error)),
        }
    }

    /// Removes the days that ended before the retention began, and makes those to come.
    pub(crate) fn tidy(&mut self, retention: Duration, now: SystemTime) -> Result<Vec<Day>, EventError> {
        if !self.is_prepared {
            return Ok(Vec::new());
        }
        self.make_days(BTreeSet::new(), Day::of(now))?;
        let Some(first) = now.checked_sub(retention).map(Day::of) else { return Ok(Vec::new()) };
        let Postgres { driver, everything, .. } = &*self.postgres;
        let gone = driver.wait(PREPARED_WITHIN, schema::remove_days(everything.clone(), first));
        let gone = gone.map_err(|error| self.postgres.failed(error))?;
        self.days.retain(|day| *day >= first);
        Ok(gone)
    }

    fn make_days(&mut self, days: BTreeSet<Day>, today: Day) -> Result<(), EventError> {
        let Postgres { driver, everything, .. } = &*self.postgres;
        let made = driver.wait(PREPARED_WITHIN, schema::make_days(everything.clone(), days, today));
        self.days.extend(made.map_err(|error| self.postgres.failed(error))?);
        Ok(())
    }

    fn write(&self, batch: Batch) -> Result<(), Unanswered> {
        let Postgres { driver, everything, gateway, .. } = &*self.postgres;
        driver.wait(WRITTEN_WITHIN, batch.write(everything.clone(), gateway.clone()))
    }
}

fn is_without_day(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some(NO_DAY)
}

/// A batch by its columns.
#[derive(Debug, Clone, Default)]
struct Batch {
    ids: Vec<String>,
    at: Vec<i64>,
    kinds: Vec<i16>,
    severities: Vec<i16>,
    decisions: Vec<i16>,
    addresses: Vec<Option<String>>,
    users: Vec<Option<String>>,
    organizations: Vec<Option<String>>,
    routes: Vec<Option<String>>,
    requests: Vec<Option<String>>,
    rules: Vec<Option<String>>,
    messages: Vec<String>,
    details: Vec<String>,
    /// The first and the last id.
    between: Option<(String, String)>,
    counted: Counted,
}

/// What is only counted.
#[derive(Debug, Clone, Default)]
struct Counted {
    at: Vec<i64>,
    kinds: Vec<i16>,
    severities: Vec<i16>,
    counts: Vec<i64>,
}

impl Batch {
    fn of(events: &[Event], uncounted: &[Uncounted]) -> Self {
        let mut batch = Self::default();
        let ids = || events.iter().map(|event| event.id);
        batch.between =
            ids().min().zip(ids().max()).map(|(first, last)| (first.to_string(), last.to_string()));
        for event in events {
            batch.add(event);
        }
        for Uncounted { at, kind, count } in uncounted {
            let counted = &mut batch.counted;
            counted.at.push(number(*at));
            counted.kinds.push(kind.code().into());
            counted.severities.push(kind.severity().number().into());
            counted.counts.push(number(*count));
        }
        batch
    }

    fn add(&mut self, event: &Event) {
        let text = |text: &Option<String>| text.as_deref().map(without_nul);
        self.ids.push(event.id.to_string());
        self.at.push(number(event.id.milliseconds()));
        self.kinds.push(event.kind.code().into());
        self.severities.push(event.severity.number().into());
        self.decisions.push(event.decision.code().into());
        self.addresses
            .push(event.address.as_ref().map(IpAddr::to_canonical).map(|address| address.to_string()));
        self.users.push(text(&event.user));
        self.organizations.push(text(&event.organization));
        self.routes.push(text(&event.route));
        self.requests.push(text(&event.request));
        // With the end of a line on either side, so that one can be found by its text between two.
        let rules = (!event.rules.is_empty()).then(|| format!("\n{}\n", event.rules.join("\n")));
        self.rules.push(text(&rules));
        self.messages.push(without_nul(&event.message));
        // Numbers, words and lists of ours: they are JSON. Of JSON a NUL is written as an escape.
        self.details.push(serde_json::to_string(&event.details).unwrap_or_else(|_| "{}".into()));
    }

    async fn write(self, pool: PgPool, gateway: String) -> Result<(), sqlx::Error> {
        let Self { counted, between, .. } = self;
        let (first, last) = between.unzip();
        sqlx::query(APPEND)
            .bind(self.ids)
            .bind(self.at)
            .bind(self.kinds)
            .bind(self.severities)
            .bind(self.decisions)
            .bind(self.addresses)
            .bind(self.users)
            .bind(self.organizations)
            .bind(self.routes)
            .bind(self.requests)
            .bind(self.rules)
            .bind(self.messages)
            .bind(self.details)
            .bind(gateway)
            .bind(first)
            .bind(last)
            .bind(counted.at)
            .bind(counted.kinds)
            .bind(counted.severities)
            .bind(counted.counts)
            .execute(&pool)
            .await?;
        Ok(())
    }
}

/// PostgreSQL has no NUL in texts, and would refuse the whole batch for the text of a stranger.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Moments and counts have fewer bits.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
