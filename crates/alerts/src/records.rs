//! Every statement about alerts. Rows change by their version: whoever comes second begins again, so that several gateways
//! on one store do everything once.

use bartizan_store::{Row, Statement, Store, StoreError, Transaction};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Alert, Entry, Moment, Notice, Page, Silence, State, Undelivered, Wanted, allowance::Allowance};

/// An alert and the version of its row.
pub(crate) struct Versioned<T> {
    pub(crate) value: T,
    pub(crate) version: i64,
}

/// A notification that somebody may send.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) attempts: u32,
    pub(crate) notice: Notice,
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Nonsense { what: "an alert" })
}

fn read<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    serde_json::from_str(&row.text("document")?).map_err(|_| StoreError::Nonsense { what: "an alert" })
}

fn versioned(row: &Row) -> Result<Versioned<Alert>, StoreError> {
    Ok(Versioned { value: read(row)?, version: row.integer("version")? })
}

/// The alert of a group that is not over.
pub(crate) async fn open(
    transaction: &mut Transaction,
    key: &str,
) -> Result<Option<Versioned<Alert>>, StoreError> {
    let open = "SELECT document, version FROM alerts WHERE open_key = $1";
    let found = transaction.row(Statement::new(open).text(key));
    found.await?.as_ref().map(versioned).transpose()
}

pub(crate) async fn find(store: &Store, id: &str) -> Result<Option<Versioned<Alert>>, StoreError> {
    let found = store.row(Statement::new("SELECT document, version FROM alerts WHERE id = $1").text(id));
    found.await?.as_ref().map(versioned).transpose()
}

pub(crate) async fn count_open(transaction: &mut Transaction) -> Result<i64, StoreError> {
    let count = "SELECT COUNT(*) AS count FROM alerts WHERE open_key IS NOT NULL";
    transaction.row(Statement::new(count)).await?.map_or(Ok(0), |row| row.integer("count"))
}

/// A new alert; `false`: its group has one by now.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    key: &str,
    alert: &Alert,
    due: Option<Moment>,
) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO alerts (id, open_key, route, state, severity, organization, rule, raised_at, \
        touched_at, due_at, version, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11) \
        ON CONFLICT (open_key) DO NOTHING";
    let example = &alert.tally.example;
    let statement = Statement::new(INSERT)
        .text(&alert.id)
        .text(key)
        .text(&alert.route)
        .text(alert.state.as_str())
        .integer(alert.severity().number())
        .text(example.organization.as_deref().unwrap_or_default())
        .text(example.rule.as_deref().unwrap_or_default())
        .integer(alert.raised.0)
        .integer(alert.touched.0)
        .optional_integer(due.map(|due| due.0))
        .text(json(alert)?);
    Ok(transaction.execute(statement).await? == 1)
}

/// Writes an alert over the version that was read; `false`: somebody else was first.
pub(crate) async fn update(
    transaction: &mut Transaction,
    Versioned { value: alert, version }: &Versioned<Alert>,
    due: Option<Moment>,
) -> Result<bool, StoreError> {
    const UPDATE: &str = "UPDATE alerts SET state = $3, severity = $4, touched_at = $5, due_at = $6, document = $7, \
        version = version + 1, open_key = CASE WHEN $3 = 'resolved' THEN NULL ELSE open_key END \
        WHERE id = $1 AND version = $2";
    let statement = Statement::new(UPDATE)
        .text(&alert.id)
        .integer(*version)
        .text(alert.state.as_str())
        .integer(alert.severity().number())
        .integer(alert.touched.0)
        .optional_integer(due.map(|due| due.0))
        .text(json(alert)?);
    Ok(transaction.execute(statement).await? == 1)
}

/// Alerts with something due, the longest overdue first.
pub(crate) async fn due(store: &Store, now: Moment, most: u32) -> Result<Vec<Versioned<Alert>>, StoreError> {
    let due = "SELECT document, version FROM alerts WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    let rows = store.rows(Statement::new(due).integer(now.0).integer(most)).await?;
    rows.iter().map(versioned).collect()
}

/// Alerts that nobody has acknowledged are looked at now: a silence has ended.
pub(crate) async fn look_at_open(store: &Store, now: Moment) -> Result<(), StoreError> {
    let look = "UPDATE alerts SET due_at = $1 WHERE state = 'open' AND (due_at IS NULL OR due_at > $1)";
    store.execute(Statement::new(look).integer(now.0)).await.map(drop)
}

/// Alerts that pass, the newest first.
pub(crate) async fn list(store: &Store, wanted: &Wanted) -> Result<Page, StoreError> {
    // Version 7 of ids: their order is that of time.
    const LIST: &str = "SELECT document, version FROM alerts WHERE ($1 = '' OR state = $1) AND severity >= $2 \
        AND ($3 = '' OR route = $3) AND ($4 = '' OR organization = $4) AND ($5 = '' OR rule = $5) \
        AND ($6 = '' OR id < $6) ORDER BY id DESC LIMIT $7";
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let statement = Statement::new(LIST)
        .text(wanted.state.map_or("", State::as_str))
        .integer(wanted.severity.map_or(0, bartizan_events::Severity::number))
        .text(text(&wanted.route))
        .text(text(&wanted.organization))
        .text(text(&wanted.rule))
        .text(text(&wanted.after))
        .integer(wanted.limit.saturating_add(1));
    let rows = store.rows(statement).await?;
    let mut alerts: Vec<Alert> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let next = (alerts.len() > limit).then(|| alerts.truncate(limit)).and_then(|()| alerts.last());
    Ok(Page { next: next.map(|last| last.id.clone()), alerts })
}

/// Alerts that were over before `moment` are forgotten, and silences that have ended.
pub(crate) async fn forget(store: &Store, moment: Moment, now: Moment) -> Result<(), StoreError> {
    let alerts = "DELETE FROM alerts WHERE state = 'resolved' AND touched_at < $1";
    store.execute(Statement::new(alerts).integer(moment.0)).await?;
    let silences = "DELETE FROM alert_silences WHERE until_at < $1";
    store.execute(Statement::new(silences).integer(moment.0.min(now.0))).await?;
    Ok(())
}

pub(crate) async fn note(
    transaction: &mut Transaction,
    alert: &str,
    entry: &Entry,
) -> Result<(), StoreError> {
    const NOTE: &str =
        "INSERT INTO alert_history (id, alert, at, what, who, note) VALUES ($1, $2, $3, $4, $5, $6)";
    let statement = Statement::new(NOTE)
        .text(Uuid::now_v7().to_string())
        .text(alert)
        .integer(entry.at.0)
        .text(&entry.what)
        .text(&entry.who)
        .text(&entry.note);
    transaction.execute(statement).await.map(drop)
}

/// What became of an alert, the first 200 entries.
pub(crate) async fn history(store: &Store, alert: &str) -> Result<Vec<Entry>, StoreError> {
    let history = "SELECT at, what, who, note FROM alert_history WHERE alert = $1 ORDER BY id LIMIT 200";
    let rows = store.rows(Statement::new(history).text(alert)).await?;
    let entry = |row: &Row| {
        Ok(Entry {
            at: Moment(row.integer("at")?),
            what: row.text("what")?,
            who: row.text("who")?,
            note: row.text("note")?,
        })
    };
    rows.iter().map(entry).collect()
}

pub(crate) async fn allowance(
    transaction: &mut Transaction,
    route: &str,
) -> Result<Versioned<Allowance>, StoreError> {
    let read_one = "SELECT document, version FROM alert_allowances WHERE route = $1";
    match transaction.row(Statement::new(read_one).text(route)).await? {
        Some(row) => Ok(Versioned { value: read(&row)?, version: row.integer("version")? }),
        None => Ok(Versioned { value: Allowance::default(), version: 0 }),
    }
}

/// Writes an allowance over the version that was read; `false`: somebody else was first.
pub(crate) async fn set_allowance(
    transaction: &mut Transaction,
    route: &str,
    Versioned { value, version }: &Versioned<Allowance>,
) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO alert_allowances (route, version, document) VALUES ($1, 1, $2) \
        ON CONFLICT (route) DO NOTHING";
    const UPDATE: &str =
        "UPDATE alert_allowances SET version = version + 1, document = $3 WHERE route = $1 AND version = $2";
    let document = json(value)?;
    let statement = match *version {
        0 => Statement::new(INSERT).text(route).text(document),
        version => Statement::new(UPDATE).text(route).integer(version).text(document),
    };
    Ok(transaction.execute(statement).await? == 1)
}

pub(crate) async fn silences(store: &Store, now: Moment) -> Result<Vec<Silence>, StoreError> {
    let silences = "SELECT document FROM alert_silences WHERE until_at > $1 ORDER BY id LIMIT 1000";
    store.rows(Statement::new(silences).integer(now.0)).await?.iter().map(read).collect()
}

pub(crate) async fn insert_silence(store: &Store, silence: &Silence) -> Result<(), StoreError> {
    let insert = "INSERT INTO alert_silences (id, until_at, document) VALUES ($1, $2, $3)";
    let statement = Statement::new(insert).text(&silence.id).integer(silence.until.0).text(json(silence)?);
    store.execute(statement).await.map(drop)
}

/// Ends a silence; `false`: there is none.
pub(crate) async fn end_silence(store: &Store, id: &str, now: Moment) -> Result<bool, StoreError> {
    let end = "DELETE FROM alert_silences WHERE id = $1 AND until_at > $2";
    Ok(store.execute(Statement::new(end).text(id).integer(now.0)).await? == 1)
}

/// How many notifications wait for each channel.
pub(crate) async fn waiting(store: &Store) -> Result<Vec<(String, i64)>, StoreError> {
    let count =
        "SELECT channel, COUNT(*) AS count FROM alert_notifications WHERE state = 'waiting' GROUP BY channel";
    let rows = store.rows(Statement::new(count)).await?;
    rows.iter().map(|row| Ok((row.text("channel")?, row.integer("count")?))).collect()
}

/// A notification that is to go; one for whose channel too many wait already is kept for a person.
pub(crate) async fn enqueue(
    transaction: &mut Transaction,
    channel: &str,
    notice: &Notice,
    most: i64,
) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO alert_notifications (id, alert, channel, state, attempts, made_at, due_at, \
        claimed_until, reason, document) VALUES ($1, $2, $3, $4, 0, $5, $5, 0, $6, $7)";
    let count = "SELECT COUNT(*) AS count FROM alert_notifications WHERE state = 'waiting' AND channel = $1";
    let row = transaction.row(Statement::new(count).text(channel)).await?;
    let has_room = row.map_or(Ok(0), |row| row.integer("count"))? < most;
    let statement = Statement::new(INSERT)
        .text(&notice.id)
        .text(&notice.alert.id)
        .text(channel)
        .text(if has_room { "waiting" } else { "dead" })
        .integer(notice.made.0)
        .text(if has_room { "" } else { "too many wait for this channel already" })
        .text(json(notice)?);
    transaction.execute(statement).await?;
    Ok(has_room)
}

/// Notifications for a channel that may go now: of each alert the first, so that none overtakes another.
pub(crate) async fn ready(
    store: &Store,
    channel: &str,
    now: Moment,
    most: u32,
) -> Result<Vec<Waiting>, StoreError> {
    const READY: &str = "SELECT id, channel, attempts, document FROM alert_notifications n WHERE state = 'waiting' \
        AND channel = $1 AND due_at <= $2 AND claimed_until <= $2 AND NOT EXISTS (SELECT 1 FROM \
        alert_notifications o WHERE o.alert = n.alert AND o.channel = n.channel AND o.state = 'waiting' \
        AND o.id < n.id) ORDER BY due_at LIMIT $3";
    let rows = store.rows(Statement::new(READY).text(channel).integer(now.0).integer(most)).await?;
    let waiting = |row: &Row| {
        Ok(Waiting {
            id: row.text("id")?,
            channel: row.text("channel")?,
            attempts: u32::try_from(row.integer("attempts")?).unwrap_or(u32::MAX),
            notice: read(row)?,
        })
    };
    rows.iter().map(waiting).collect()
}

/// Takes a notification for this gateway, for a time; `false`: another has it.
pub(crate) async fn claim(store: &Store, id: &str, now: Moment, until: Moment) -> Result<bool, StoreError> {
    const CLAIM: &str = "UPDATE alert_notifications SET claimed_until = $3, attempts = attempts + 1 \
        WHERE id = $1 AND state = 'waiting' AND due_at <= $2 AND claimed_until <= $2";
    Ok(store.execute(Statement::new(CLAIM).text(id).integer(now.0).integer(until.0)).await? == 1)
}

/// It went.
pub(crate) async fn delivered(store: &Store, id: &str) -> Result<(), StoreError> {
    store.execute(Statement::new("DELETE FROM alert_notifications WHERE id = $1").text(id)).await.map(drop)
}

/// It is tried again at `due`; `None`: it is kept for a person.
pub(crate) async fn failed(
    store: &Store,
    id: &str,
    due: Option<Moment>,
    reason: &str,
) -> Result<(), StoreError> {
    const FAILED: &str = "UPDATE alert_notifications SET state = $2, due_at = $3, claimed_until = 0, reason = $4 \
        WHERE id = $1";
    let statement = Statement::new(FAILED)
        .text(id)
        .text(if due.is_some() { "waiting" } else { "dead" })
        .integer(due.map_or(0, |due| due.0))
        .text(reason);
    store.execute(statement).await.map(drop)
}

/// Notifications that are kept for a person, the newest first, behind `after`.
pub(crate) async fn dead(
    store: &Store,
    after: Option<&str>,
    most: u32,
) -> Result<Vec<Undelivered>, StoreError> {
    const DEAD: &str = "SELECT id, channel, attempts, reason, document FROM alert_notifications \
        WHERE state = 'dead' AND ($1 = '' OR id < $1) ORDER BY id DESC LIMIT $2";
    let rows = store.rows(Statement::new(DEAD).text(after.unwrap_or_default()).integer(most)).await?;
    let undelivered = |row: &Row| {
        let notice: Notice = read(row)?;
        Ok(Undelivered {
            id: row.text("id")?,
            channel: row.text("channel")?,
            alert: notice.alert.id.clone(),
            reason: notice.reason,
            summary: notice.summary(),
            made: notice.made,
            attempts: u32::try_from(row.integer("attempts")?).unwrap_or(u32::MAX),
            failure: row.text("reason")?,
        })
    };
    rows.iter().map(undelivered).collect()
}

/// A kept notification is tried again, or every one of them.
pub(crate) async fn retry(store: &Store, id: Option<&str>, now: Moment) -> Result<u64, StoreError> {
    const RETRY: &str = "UPDATE alert_notifications SET state = 'waiting', attempts = 0, due_at = $2, \
        claimed_until = 0 WHERE state = 'dead' AND ($1 = '' OR id = $1)";
    store.execute(Statement::new(RETRY).text(id.unwrap_or_default()).integer(now.0)).await
}

pub(crate) async fn discard(store: &Store, id: &str) -> Result<u64, StoreError> {
    let discard = "DELETE FROM alert_notifications WHERE state = 'dead' AND id = $1";
    store.execute(Statement::new(discard).text(id)).await
}

/// Of kept notifications only so many stay, the newest; says how many went.
pub(crate) async fn trim_dead(store: &Store, most: u32) -> Result<u64, StoreError> {
    const TRIM: &str = "DELETE FROM alert_notifications WHERE state = 'dead' AND id < (SELECT MIN(id) FROM (SELECT id \
        FROM alert_notifications WHERE state = 'dead' ORDER BY id DESC LIMIT $1) AS newest)";
    store.execute(Statement::new(TRIM).integer(most)).await
}
