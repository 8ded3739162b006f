//! Reading: pages, counts, rankings; each within a deadline, each over the files of the days that it concerns.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant, UNIX_EPOCH},
};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, Row, params_from_iter, types::Value};

use super::{
    days,
    file::{UNWRITTEN, check, connect, number, version},
    statement::Conditions,
};
use crate::{
    Bucket, Counts, Decision, Dimension, Event, EventError, EventId, Filter, Kind, Order, Page, Ranked,
    Ranking, Severity, Span, Unreadable,
    id::COUNTER_BITS,
    query::address,
    store::{Counted, Day, MINUTE, Wanted},
};

/// Connections that wait for the next question.
const MOST_IDLE: usize = 8;
/// How many steps of SQLite's machine lie between two looks at the clock.
const STEPS: i32 = 2000;
/// The most values of a day that a ranking tells apart.
const MOST_VALUES: usize = 10_000;

const COLUMNS: &str = "e.key, e.tail, e.kind, e.severity, e.decision, e.address, u.text, o.text, r.text, \
    e.request, e.rules, e.message, e.details FROM events e LEFT JOIN words u ON u.id = e.user \
    LEFT JOIN words o ON o.id = e.organization LEFT JOIN words r ON r.id = e.route";

/// What the store is read with. Every method works for a while: none belongs on a thread that others wait for.
#[derive(Debug)]
pub(crate) struct Reader {
    directory: PathBuf,
    idle: Mutex<Vec<(Day, Connection)>>,
}

impl Reader {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, idle: Mutex::default() }
    }

    /// Events that pass, at most `limit`, behind `cursor` in the order that is asked for.
    pub(crate) fn page(
        &self,
        wanted: &Wanted,
        order: Order,
        cursor: Option<EventId>,
        limit: usize,
        within: Duration,
    ) -> Result<Page, EventError> {
        let (filter, deadline) = (&wanted.filter, Instant::now() + within);
        let mut days = self.days_of(filter.span)?;
        if order == Order::NewestFirst {
            days.reverse();
        }
        let is_behind = |day: &Day| match (cursor, order) {
            (None, _) => true,
            (Some(cursor), Order::NewestFirst) => day.0 <= cursor.day(),
            (Some(cursor), Order::OldestFirst) => day.0 >= cursor.day(),
        };
        let mut unreadable = Unreadable::default();
        let mut rows: Vec<(EventId, Option<Event>)> = Vec::new();
        for day in days.into_iter().filter(is_behind) {
            // One more than asked for tells whether there is another page.
            let most = limit + 1 - rows.len();
            let mut conditions = Conditions::of(wanted, day);
            if let Some(cursor) = cursor.filter(|cursor| cursor.day() == day.0) {
                let sql = if order == Order::NewestFirst { "e.key < ?" } else { "e.key > ?" };
                conditions.add(sql, [Value::Integer(number(cursor.key()))]);
            }
            let direction = if order == Order::NewestFirst { "DESC" } else { "ASC" };
            let sql =
                format!("SELECT {COLUMNS} WHERE {} ORDER BY e.key {direction} LIMIT {most}", conditions.sql);
            let read = |row: &Row<'_>| Ok((id(row, day)?, event(row, day)));
            let found =
                self.ask_if_readable(day, deadline, &sql, conditions.values, read, &mut unreadable)?;
            let broken = found.iter().find_map(|(id, event)| Some((id, event.as_ref().err()?)));
            if let Some((id, what)) = broken {
                tracing::warn!(%day, %id, what, "this event cannot be read, and perhaps others");
            }
            rows.extend(found.into_iter().map(|(id, event)| (id, event.ok())));
            if rows.len() > limit {
                break;
            }
        }
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|(id, _)| *id);
        unreadable.events = rows.iter().filter(|(_, event)| event.is_none()).count();
        unreadable.days.sort_unstable();
        Ok(Page { events: rows.into_iter().filter_map(|(_, event)| event).collect(), next, unreadable })
    }

    /// How many events of each kind each piece of so many minutes had. Of the filter the span, kinds, classes and the
    /// severity count; where only those that were kept are counted, all of it does.
    pub(crate) fn counts(
        &self,
        wanted: &Wanted,
        counted: Counted,
        minutes: u32,
        within: Duration,
    ) -> Result<Counts, EventError> {
        let (filter, deadline) = (&wanted.filter, Instant::now() + within);
        let mut unreadable = Unreadable::default();
        let size = u64::from(minutes.max(1));
        let mut counts: BTreeMap<(u64, Kind, Severity), u64> = BTreeMap::new();
        for day in self.days_of(filter.span)? {
            let (sql, values) = match counted {
                Counted::All => all_counts(filter),
                Counted::Kept => kept_counts(wanted, day),
            };
            let read = |row: &Row<'_>| {
                let (minute, kind, severity, count): (i64, u8, u8, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok((minute, Kind::from_code(kind), Severity::from_number(severity), count))
            };
            let rows = self.ask_if_readable(day, deadline, &sql, values, read, &mut unreadable)?;
            for (minute, kind, severity, count) in rows {
                let (Some(kind), Some(severity)) = (kind, severity) else { continue };
                let is_wanted = (filter.kinds.is_empty() || filter.kinds.contains(&kind))
                    && (filter.classes.is_empty() || filter.classes.contains(&kind.class()))
                    && filter.severity.is_none_or(|least| severity >= least);
                let minute = u64::try_from(minute).unwrap_or_default();
                if is_wanted {
                    let count = u64::try_from(count).unwrap_or_default();
                    *counts.entry((minute / size * size, kind, severity)).or_default() += count;
                }
            }
        }
        let bucket = |((minute, kind, severity), count)| Bucket {
            start: UNIX_EPOCH + Duration::from_millis(minute * MINUTE),
            kind,
            severity,
            count,
        };
        Ok(Counts { buckets: counts.into_iter().map(bucket).collect(), unreadable })
    }

    /// The values that most of the events which pass have, the most frequent first. Beyond ten thousand values a day it
    /// is an estimate.
    pub(crate) fn top(
        &self,
        wanted: &Wanted,
        dimension: Dimension,
        limit: usize,
        within: Duration,
    ) -> Result<Ranking, EventError> {
        let (filter, deadline) = (&wanted.filter, Instant::now() + within);
        let mut unreadable = Unreadable::default();
        let mut counts: HashMap<String, u64> = HashMap::new();
        let (column, join) = match dimension {
            Dimension::Address => ("e.address", ""),
            Dimension::User => ("w.text", "JOIN words w ON w.id = e.user"),
            Dimension::Organization => ("w.text", "JOIN words w ON w.id = e.organization"),
            Dimension::Route => ("w.text", "JOIN words w ON w.id = e.route"),
            Dimension::Kind => ("e.kind", ""),
            Dimension::Rule => ("e.rules", ""),
        };
        for day in self.days_of(filter.span)? {
            let conditions = Conditions::of(wanted, day);
            let mut sql = format!("SELECT {column} AS value, COUNT(*) AS count FROM events e {join} WHERE ");
            // Writing to a text does not fail.
            let _ = write!(
                sql,
                "{} AND {column} IS NOT NULL GROUP BY value ORDER BY count DESC LIMIT {MOST_VALUES}",
                conditions.sql
            );
            let read = |row: &Row<'_>| Ok((row.get::<_, Value>(0)?, row.get::<_, i64>(1)?));
            let rows = self.ask_if_readable(day, deadline, &sql, conditions.values, read, &mut unreadable)?;
            for (value, count) in rows {
                let count = u64::try_from(count).unwrap_or_default();
                let value = match value {
                    Value::Text(rules) if dimension == Dimension::Rule => {
                        for rule in rules.split('\n').filter(|rule| !rule.is_empty()) {
                            *counts.entry(rule.to_owned()).or_default() += count;
                        }
                        None
                    }
                    Value::Text(text) => Some(text),
                    Value::Blob(bytes) => address(&bytes).map(|address| address.to_string()),
                    Value::Integer(code) => {
                        u8::try_from(code).ok().and_then(Kind::from_code).map(|kind| kind.to_string())
                    }
                    Value::Null | Value::Real(_) => None,
                };
                if let Some(value) = value {
                    *counts.entry(value).or_default() += count;
                }
            }
        }
        let mut ranked: Vec<_> = counts.into_iter().map(|(value, count)| Ranked { value, count }).collect();
        ranked.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value)));
        ranked.truncate(limit);
        Ok(Ranking { values: ranked, unreadable })
    }

    /// Files that are gone are asked no more.
    pub(crate) fn forget(&self, gone: &[Day]) {
        self.idle.lock().retain(|(day, _)| !gone.contains(day));
    }

    fn days_of(&self, span: Span) -> Result<Vec<Day>, EventError> {
        let (first, last) =
            (Day::of_milliseconds(span.since), Day::of_milliseconds(span.until.saturating_sub(1)));
        let mut days = days(&self.directory)?;
        days.retain(|day| (first..=last).contains(day));
        Ok(days)
    }

    /// The rows that a day's file answers with; none, and the day is noted, where it cannot.
    fn ask_if_readable<T>(
        &self,
        day: Day,
        deadline: Instant,
        sql: &str,
        values: Vec<Value>,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        unreadable: &mut Unreadable,
    ) -> Result<Vec<T>, EventError> {
        match self.ask(day, deadline, sql, values, read) {
            Err(error @ (EventError::Store { .. } | EventError::Version { .. })) => {
                tracing::warn!(%day, %error, "the events of a day cannot be read");
                unreadable.days.push(day.to_string());
                Ok(Vec::new())
            }
            answer => answer,
        }
    }

    /// The rows that a day's file answers with.
    fn ask<T>(
        &self,
        day: Day,
        deadline: Instant,
        sql: &str,
        values: Vec<Value>,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, EventError> {
        if Instant::now() >= deadline {
            return Err(EventError::Deadline);
        }
        let path = day.path(&self.directory);
        let Some(connection) = self.connection(day, &path)? else { return Ok(Vec::new()) };
        let answer = || {
            connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline))?;
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| read(row))?;
            rows.collect::<Result<Vec<T>, _>>()
        };
        let answer = answer();
        if answer.is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < MOST_IDLE {
                idle.push((day, connection));
            }
        }
        answer.map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => EventError::Deadline,
            _ => EventError::Store { path, source },
        })
    }

    /// `None`: the file has been removed since it was listed, or nothing was ever written into it.
    fn connection(&self, day: Day, path: &Path) -> Result<Option<Connection>, EventError> {
        let mut idle = self.idle.lock();
        if let Some(index) = idle.iter().position(|(of, _)| *of == day) {
            return Ok(Some(idle.swap_remove(index).1));
        }
        drop(idle);
        if !path.exists() {
            return Ok(None);
        }
        let connection = connect(path)?;
        let error = |source| EventError::Store { path: path.into(), source };
        connection.pragma_update(None, "query_only", true).map_err(error)?;
        if version(&connection).map_err(error)? == UNWRITTEN {
            return Ok(None);
        }
        check(&connection, path)?;
        Ok(Some(connection))
    }
}

/// What asks for every event of every minute.
fn all_counts(filter: &Filter) -> (String, Vec<Value>) {
    let (first, end) = (filter.span.since / MINUTE, filter.span.until.div_ceil(MINUTE));
    let sql = "SELECT minute, kind, severity, count FROM minutes WHERE minute >= ? AND minute < ?";
    (sql.into(), vec![Value::Integer(number(first)), Value::Integer(number(end))])
}

/// What asks for those that were kept and pass.
fn kept_counts(wanted: &Wanted, day: Day) -> (String, Vec<Value>) {
    let conditions = Conditions::of(wanted, day);
    let start = day.start() / MINUTE;
    let sql = format!(
        "SELECT {start} + (e.key >> {COUNTER_BITS}) / {MINUTE} AS minute, e.kind, e.severity, COUNT(*) FROM events e \
         WHERE {} GROUP BY 1, 2, 3",
        conditions.sql
    );
    (sql, conditions.values)
}

/// The id of a row's event, whatever else is wrong with it.
fn id(row: &Row<'_>, day: Day) -> rusqlite::Result<EventId> {
    let tail: i64 = row.get(1).unwrap_or_default();
    Ok(EventId::at_place(day.0, row.get::<_, i64>(0)?.cast_unsigned(), tail.cast_unsigned()))
}

/// The event of a row, or what is wrong with it.
fn event(row: &Row<'_>, day: Day) -> Result<Event, String> {
    let unknown = |what: &str, code: u8| format!("the number {code} is no {what}");
    let (kind, severity, decision) = (number_at(row, 2)?, number_at(row, 3)?, number_at(row, 4)?);
    let text = |column| row.get::<_, Option<String>>(column).map_err(|error| error.to_string());
    let bytes: Option<Vec<u8>> = row.get(5).map_err(|error| error.to_string())?;
    let rules = text(10)?.unwrap_or_default();
    let details = text(12)?.unwrap_or_default();
    Ok(Event {
        id: id(row, day).map_err(|error| error.to_string())?,
        kind: Kind::from_code(kind).ok_or_else(|| unknown("kind of event", kind))?,
        severity: Severity::from_number(severity).ok_or_else(|| unknown("severity", severity))?,
        decision: Decision::from_code(decision).ok_or_else(|| unknown("decision", decision))?,
        message: text(11)?.unwrap_or_default(),
        address: bytes.as_deref().and_then(address),
        user: text(6)?,
        organization: text(7)?,
        route: text(8)?,
        request: text(9)?,
        rules: rules.split('\n').filter(|rule| !rule.is_empty()).map(str::to_owned).collect(),
        details: serde_json::from_str(&details).map_err(|error| format!("its details: {error}"))?,
    })
}

fn number_at(row: &Row<'_>, column: usize) -> Result<u8, String> {
    row.get(column).map_err(|error| error.to_string())
}
