//! The tables, and the days: made ahead of their time, removed whole.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::{
    EventId,
    store::{Day, MINUTE},
};

/// The version of the tables.
pub(super) const FORMAT: i64 = 1;
/// How many days are made ahead of their time.
const AHEAD: u64 = 2;
/// Who makes or removes something waits for others who do; `events` read as ASCII.
const LOCK: i64 = 0x6576_656e_7473;
/// How long whoever removes a day keeps others waiting at most.
const BRIEFLY: &str = "SET LOCAL lock_timeout = '2s'";
/// How long others may look for a batch, in SQL.
const REMEMBERED: &str = "interval '1 hour'";

const TABLES: &str = "
CREATE TABLE event_format (version BIGINT NOT NULL);
INSERT INTO event_format (version) VALUES (1);

CREATE TABLE events (
    id UUID PRIMARY KEY,
    at BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    kind SMALLINT NOT NULL,
    severity SMALLINT NOT NULL,
    decision SMALLINT NOT NULL,
    address INET,
    user_id TEXT,
    organization_id TEXT,
    route TEXT,
    request TEXT,
    rules TEXT,
    message TEXT NOT NULL,
    details TEXT NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX events_by_time ON events USING BRIN (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX events_by_address ON events (address, id) WHERE address IS NOT NULL;
CREATE INDEX events_by_user ON events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX events_by_organization ON events (organization_id, id) WHERE organization_id IS NOT NULL;
CREATE INDEX events_by_request ON events (request) WHERE request IS NOT NULL;

CREATE TABLE event_minutes (
    minute BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    severity SMALLINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (minute, kind, severity)
) WITH (fillfactor = 50);

-- Where others have stored something: by the number of its transaction, so that none is passed over that ends late.
CREATE TABLE event_batches (
    batch BIGINT PRIMARY KEY,
    gateway TEXT NOT NULL,
    first UUID NOT NULL,
    last UUID NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY in_scope ON events
    USING (
        (SELECT current_setting('bartizan.scope', true)) = 'everything'
        OR (SELECT current_setting('bartizan.scope', true)) = 'organization:' || organization_id
    )
    WITH CHECK ((SELECT current_setting('bartizan.scope', true)) = 'everything');
ALTER TABLE event_minutes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_whole_system ON event_minutes
    USING ((SELECT current_setting('bartizan.scope', true)) = 'everything');
ALTER TABLE event_batches ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_the_whole_system ON event_batches
    USING ((SELECT current_setting('bartizan.scope', true)) = 'everything');
";

/// What was found where the tables are, or are to be.
#[derive(Debug)]
pub(super) enum Found {
    /// The tables of this release, and the first days.
    Ready,
    /// The role would see every organisation's rows.
    Bypassing(String),
    /// Tables of another release.
    Other(i64),
}

/// Makes the tables, if they are not there, and the days from `today` on.
pub(super) async fn prepare(pool: PgPool, today: Day) -> Result<Found, sqlx::Error> {
    const BYPASSING: &str = "SELECT CAST(rolname AS TEXT) FROM pg_roles \
        WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
    if let Some(role) = sqlx::query_scalar(BYPASSING).fetch_optional(&pool).await? {
        return Ok(Found::Bypassing(role));
    }
    let mut open = pool.begin().await?;
    lock(&mut open).await?;
    if is_there(&mut open, "event_format").await? {
        let version = "SELECT version FROM event_format ORDER BY version DESC LIMIT 1";
        let found: i64 = sqlx::query_scalar(version).fetch_one(&mut *open).await?;
        if found != FORMAT {
            return Ok(Found::Other(found));
        }
    } else {
        sqlx::raw_sql(TABLES).execute(&mut *open).await?;
    }
    for day in ahead(today) {
        make_day(&mut open, day).await?;
    }
    open.commit().await?;
    Ok(Found::Ready)
}

/// The days that are to be there.
fn ahead(today: Day) -> impl Iterator<Item = Day> {
    (today.0..=today.0 + AHEAD).map(Day)
}

/// Makes days that are not there, and those ahead of `today`.
pub(super) async fn make_days(
    pool: PgPool,
    days: BTreeSet<Day>,
    today: Day,
) -> Result<BTreeSet<Day>, sqlx::Error> {
    let days: BTreeSet<Day> = days.into_iter().chain(ahead(today)).collect();
    let mut open = pool.begin().await?;
    lock(&mut open).await?;
    for day in &days {
        make_day(&mut open, *day).await?;
    }
    open.commit().await?;
    Ok(days)
}

/// A table that becomes a day at its end, which holds up neither readers nor writers. It shows nothing by itself.
async fn make_day(open: &mut PgConnection, day: Day) -> Result<(), sqlx::Error> {
    let name = table(day);
    if is_there(open, &name).await? {
        return Ok(());
    }
    let (first, end) = (EventId::before(day.start()), EventId::before(Day(day.0 + 1).start()));
    let sql = format!(
        "CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}');"
    );
    // Of a number alone.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(open).await?;
    Ok(())
}

/// Removes the days before `first`, with their counts, unless another gateway is about it.
pub(super) async fn remove_days(pool: PgPool, first: Day) -> Result<Vec<Day>, sqlx::Error> {
    const DAYS: &str = "SELECT CAST(child.relname AS TEXT) FROM pg_inherits \
        JOIN pg_class child ON child.oid = pg_inherits.inhrelid \
        WHERE pg_inherits.inhparent = to_regclass('events')";
    let mut open = pool.begin().await?;
    let is_mine: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK).fetch_one(&mut *open).await?;
    if !is_mine {
        return Ok(Vec::new());
    }
    let names: Vec<String> = sqlx::query_scalar(DAYS).fetch_all(&mut *open).await?;
    let mut gone: Vec<Day> =
        names.iter().filter_map(|name| day_of(name)).filter(|day| *day < first).collect();
    gone.sort_unstable();
    sqlx::query(BRIEFLY).execute(&mut *open).await?;
    for day in &gone {
        // Of a number alone.
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {}", table(*day)))).execute(&mut *open).await?;
    }
    let minute = i64::try_from(first.start() / MINUTE).unwrap_or(i64::MAX);
    sqlx::query("DELETE FROM event_minutes WHERE minute < $1").bind(minute).execute(&mut *open).await?;
    let batches = format!("DELETE FROM event_batches WHERE stored_at < now() - {REMEMBERED}");
    sqlx::query(AssertSqlSafe(batches)).execute(&mut *open).await?;
    open.commit().await?;
    Ok(gone)
}

async fn lock(open: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(open).await?;
    Ok(())
}

async fn is_there(open: &mut PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(open).await
}

/// The name of a day's table, as in `events_2026_11_22`.
fn table(day: Day) -> String {
    format!("events_{}", day.to_string().replace('-', "_"))
}

/// The day of a table with this name; `None`: it is another's.
fn day_of(table: &str) -> Option<Day> {
    Day::named(&table.strip_prefix("events_")?.replace('_', "-"))
}
