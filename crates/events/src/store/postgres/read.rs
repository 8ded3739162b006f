//! Reading: pages, counts, rankings; each within a deadline that PostgreSQL knows, each in the scope of whoever asks.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use sqlx::{PgPool, QueryBuilder, Row as _, postgres::PgRow};

use super::{
    Postgres, Unanswered,
    question::{By, restrict, restrict_kinds},
};
use crate::{
    Bucket, Counts, Decision, Dimension, Event, EventError, EventId, Kind, Order, Page, Ranked, Ranking,
    Severity, Unreadable,
    store::{Counted, MINUTE, Scope, Wanted},
};

type Question = QueryBuilder<sqlx::Postgres>;

pub(super) const COLUMNS: &str = "SELECT CAST(id AS TEXT), kind, severity, decision, host(address), user_id, \
    organization_id, route, request, rules, message, details FROM events WHERE TRUE";
/// A row for each rule of an event: they stand between the ends of lines.
const EACH_RULE: &str =
    " CROSS JOIN LATERAL unnest(string_to_array(btrim(rules, E'\\n'), E'\\n')) AS matched (rule)";
/// What PostgreSQL says where it was stopped at the deadline.
const STOPPED: &str = "57014";

/// What the database is read with.
#[derive(Debug)]
pub(crate) struct Reader {
    postgres: Arc<Postgres>,
}

impl Reader {
    pub(super) fn new(postgres: Arc<Postgres>) -> Self {
        Self { postgres }
    }

    pub(crate) fn page(
        &self,
        scope: &Scope,
        wanted: &Wanted,
        order: Order,
        cursor: Option<EventId>,
        limit: usize,
        within: Duration,
    ) -> Result<Page, EventError> {
        let mut question = Question::new(COLUMNS);
        restrict(&mut question, wanted, By::Id);
        self.restrict_own(&mut question, scope);
        let (behind, direction) = match order {
            Order::NewestFirst => (" AND id < CAST(", " ORDER BY id DESC LIMIT "),
            Order::OldestFirst => (" AND id > CAST(", " ORDER BY id LIMIT "),
        };
        if let Some(cursor) = cursor {
            question.push(behind).push_bind(cursor.to_string()).push(" AS UUID)");
        }
        // One more than asked for tells whether there is another page.
        question.push(direction).push_bind(i64::try_from(limit + 1).unwrap_or(i64::MAX));
        let mut rows = self.ask(scope, question, within)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = match rows.last().filter(|_| has_more) {
            Some(last) => Some(id(last).map_err(|error| self.postgres.failed(Unanswered::Failed(error)))?),
            None => None,
        };
        let (events, unreadable) = events(&rows);
        Ok(Page { events, next, unreadable: Unreadable { days: Vec::new(), events: unreadable } })
    }

    pub(crate) fn counts(
        &self,
        scope: &Scope,
        wanted: &Wanted,
        counted: Counted,
        minutes: u32,
        within: Duration,
    ) -> Result<Counts, EventError> {
        let size = i64::from(minutes.max(1));
        let (mut question, sum, table) = match counted {
            Counted::All => {
                (Question::new("SELECT minute / "), "CAST(sum(count) AS BIGINT)", "event_minutes")
            }
            Counted::Kept => (Question::new("SELECT at / 60000 / "), "count(*)", "events"),
        };
        question.push_bind(size).push(" * ").push_bind(size).push(", kind, severity, ").push(sum);
        question.push(" FROM ").push(table).push(" WHERE TRUE");
        if counted == Counted::Kept {
            restrict(&mut question, wanted, By::Time);
        } else {
            let filter = &wanted.filter;
            let (first, end) = (filter.span.since / MINUTE, filter.span.until.div_ceil(MINUTE));
            let number = |minute| i64::try_from(minute).unwrap_or(i64::MAX);
            question.push(" AND minute >= ").push_bind(number(first));
            question.push(" AND minute < ").push_bind(number(end));
            restrict_kinds(&mut question, filter);
            if let Some(severity) = filter.severity {
                question.push(" AND severity >= ").push_bind(i16::from(severity.number()));
            }
        }
        question.push(" GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
        let rows = self.ask(scope, question, within)?;
        let buckets = rows.iter().filter_map(|row| bucket(row).transpose()).collect::<Result<_, _>>();
        let buckets = buckets.map_err(|error| self.postgres.failed(Unanswered::Failed(error)))?;
        Ok(Counts { buckets, unreadable: Unreadable::default() })
    }

    pub(crate) fn top(
        &self,
        scope: &Scope,
        wanted: &Wanted,
        dimension: Dimension,
        limit: usize,
        within: Duration,
    ) -> Result<Ranking, EventError> {
        // Values of the same count stand in the order of their bytes, whatever the database's language.
        let (value, column, order) = match dimension {
            Dimension::Address => ("host(address)", "address", "address"),
            Dimension::User => ("user_id", "user_id", "user_id COLLATE \"C\""),
            Dimension::Organization => {
                ("organization_id", "organization_id", "organization_id COLLATE \"C\"")
            }
            Dimension::Route => ("route", "route", "route COLLATE \"C\""),
            Dimension::Kind => ("CAST(kind AS TEXT)", "kind", "kind"),
            Dimension::Rule => ("rule", "rule", "rule COLLATE \"C\""),
        };
        let mut question = Question::new("SELECT ");
        question.push(value).push(", count(*) FROM events");
        if dimension == Dimension::Rule {
            question.push(EACH_RULE);
        }
        question.push(" WHERE ").push(column).push(" IS NOT NULL");
        restrict(&mut question, wanted, By::Time);
        self.restrict_own(&mut question, scope);
        question.push(" GROUP BY ").push(column).push(" ORDER BY count(*) DESC, ").push(order);
        question.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.ask(scope, question, within)?;
        let ranked = |row: &PgRow| -> Result<Option<Ranked>, sqlx::Error> {
            let (value, count): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let value = match dimension {
                Dimension::Kind => value.parse().ok().and_then(Kind::from_code).map(|kind| kind.to_string()),
                _ => Some(value),
            };
            let count = u64::try_from(count).unwrap_or_default();
            Ok(value.map(|value| Ranked { value, count }))
        };
        let values = rows.iter().filter_map(|row| ranked(row).transpose()).collect::<Result<_, _>>();
        let values = values.map_err(|error| self.postgres.failed(Unanswered::Failed(error)))?;
        Ok(Ranking { values, unreadable: Unreadable::default() })
    }

    fn restrict_own(&self, question: &mut Question, scope: &Scope) {
        if *scope == Scope::Own {
            question.push(" AND gateway = ").push_bind(self.postgres.gateway.clone());
        }
    }

    fn ask(&self, scope: &Scope, question: Question, within: Duration) -> Result<Vec<PgRow>, EventError> {
        if within.is_zero() {
            return Err(EventError::Deadline);
        }
        let Postgres { driver, guarded, .. } = &*self.postgres;
        let scope = match scope {
            Scope::Everything | Scope::Own => "everything".to_owned(),
            Scope::Organization(id) => format!("organization:{id}"),
        };
        driver.wait(within, answer(guarded.clone(), scope, question, within)).map_err(|unanswered| {
            let code = match &unanswered {
                Unanswered::Late => return EventError::Deadline,
                Unanswered::Failed(error) => {
                    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
                }
            };
            if code.as_deref() == Some(STOPPED) {
                return EventError::Deadline;
            }
            self.postgres.failed(unanswered)
        })
    }
}

/// The rows that one scope sees. The scope ends with the transaction, on whichever connection.
async fn answer(
    pool: PgPool,
    scope: String,
    mut question: Question,
    within: Duration,
) -> Result<Vec<PgRow>, sqlx::Error> {
    const SET: &str = "SELECT set_config('bartizan.scope', $1, true), set_config('statement_timeout', $2, true), \
        set_config('transaction_read_only', 'on', true)";
    let mut open = pool.begin().await?;
    let timeout = within.as_millis().clamp(1, 3_600_000).to_string();
    sqlx::query(SET).bind(scope).bind(timeout).execute(&mut *open).await?;
    let rows = question.build().fetch_all(&mut *open).await?;
    open.commit().await?;
    Ok(rows)
}

/// The events of rows, and how many cannot be read.
pub(super) fn events(rows: &[PgRow]) -> (Vec<Event>, usize) {
    let (mut events, mut unreadable) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        match event(row) {
            Ok(event) => events.push(event),
            Err(what) => {
                if unreadable == 0 {
                    tracing::warn!(what, "an event cannot be read, and perhaps others");
                }
                unreadable += 1;
            }
        }
    }
    (events, unreadable)
}

fn id(row: &PgRow) -> Result<EventId, sqlx::Error> {
    let text: String = row.try_get(0)?;
    text.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))
}

/// The event of a row, or what is wrong with it.
fn event(row: &PgRow) -> Result<Event, String> {
    let unknown = |what: &str, code: u8| format!("the number {code} is no {what}");
    let number = |column: usize| -> Result<u8, String> {
        let number: i16 = row.try_get(column).map_err(|error| error.to_string())?;
        u8::try_from(number).map_err(|_| format!("the number {number}"))
    };
    let text = |column: usize| row.try_get::<Option<String>, _>(column).map_err(|error| error.to_string());
    let (kind, severity, decision) = (number(1)?, number(2)?, number(3)?);
    let (rules, details) = (text(9)?.unwrap_or_default(), text(11)?.unwrap_or_default());
    Ok(Event {
        id: id(row).map_err(|error| error.to_string())?,
        kind: Kind::from_code(kind).ok_or_else(|| unknown("kind of event", kind))?,
        severity: Severity::from_number(severity).ok_or_else(|| unknown("severity", severity))?,
        decision: Decision::from_code(decision).ok_or_else(|| unknown("decision", decision))?,
        message: text(10)?.unwrap_or_default(),
        address: text(4)?.and_then(|address| address.parse().ok()),
        user: text(5)?,
        organization: text(6)?,
        route: text(7)?,
        request: text(8)?,
        rules: rules.split('\n').filter(|rule| !rule.is_empty()).map(str::to_owned).collect(),
        details: serde_json::from_str(&details).map_err(|error| format!("its details: {error}"))?,
    })
}

/// `None`: of a kind that this release does not know.
fn bucket(row: &PgRow) -> Result<Option<Bucket>, sqlx::Error> {
    let (minute, kind, severity, count): (i64, i16, i16, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let kind = u8::try_from(kind).ok().and_then(Kind::from_code);
    let severity = u8::try_from(severity).ok().and_then(Severity::from_number);
    let minute = u64::try_from(minute).unwrap_or_default();
    let count = u64::try_from(count).unwrap_or_default();
    let start = UNIX_EPOCH + Duration::from_millis(minute * MINUTE);
    Ok(kind.zip(severity).map(|(kind, severity)| Bucket { start, kind, severity, count }))
}
