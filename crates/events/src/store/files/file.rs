//! The file of one day, and the one connection that writes to it.
//!
//! An event's row has the place that its id says, so one that is written twice is there once. What is looked for has a
//! column: texts that many events share are numbers of `words`, addresses are their four or sixteen bytes. Everything
//! else is JSON, in `details`. `minutes` counts every event of every minute, in the transaction that stores it.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use crate::{
    Event, EventError, Kind, Severity,
    query::bytes,
    store::{Day, MINUTE, Uncounted},
};

/// The version of the format, kept as `user_version`.
const VERSION: i64 = 1;
/// That of a file that nothing has been written into.
pub(super) const UNWRITTEN: i64 = 0;
/// How long a transaction waits for that of another process, which is there for a moment after a restart.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most words that are remembered; beyond that they are looked up.
const MOST_WORDS: usize = 65_536;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS events (
    key INTEGER PRIMARY KEY,
    tail INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    decision INTEGER NOT NULL,
    address BLOB,
    user INTEGER REFERENCES words (id),
    organization INTEGER REFERENCES words (id),
    route INTEGER REFERENCES words (id),
    request TEXT,
    rules TEXT,
    message TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_address ON events (address) WHERE address IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_by_user ON events (user) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_by_organization ON events (organization) WHERE organization IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_by_request ON events (request) WHERE request IS NOT NULL;
CREATE TABLE IF NOT EXISTS minutes (
    minute INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (minute, kind, severity)
) WITHOUT ROWID;
PRAGMA user_version = 1;
";

const INSERT: &str = "INSERT OR IGNORE INTO events \
    (key, tail, kind, severity, decision, address, user, organization, route, request, rules, message, details) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const COUNT: &str = "INSERT INTO minutes (minute, kind, severity, count) VALUES (?1, ?2, ?3, ?4) \
    ON CONFLICT (minute, kind, severity) DO UPDATE SET count = count + excluded.count";

#[derive(Debug)]
pub(super) struct DayFile {
    day: Day,
    path: PathBuf,
    connection: Connection,
    words: HashMap<String, i64>,
}

impl DayFile {
    /// Opens the file of a day, or makes it.
    pub(super) fn open(directory: &Path, day: Day) -> Result<Self, EventError> {
        let path = day.path(directory);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                return Err(EventError::Directory { path, source });
            }
            _ => {}
        }
        let connection = connect(&path)?;
        let prepare = || {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // A batch that was acknowledged outlives a power failure.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "cache_size", -16_384)?;
            if version(&connection)? == UNWRITTEN {
                connection.execute_batch(&format!("BEGIN IMMEDIATE;{SCHEMA}COMMIT;"))?;
            }
            Ok(())
        };
        prepare().map_err(|source| EventError::Store { path: path.clone(), source })?;
        check(&connection, &path)?;
        Ok(Self { day, path, connection, words: HashMap::new() })
    }

    pub(super) fn day(&self) -> Day {
        self.day
    }

    /// Stores and counts in one transaction.
    pub(super) fn append<'a>(
        &mut self,
        events: impl Iterator<Item = &'a Event>,
        uncounted: impl Iterator<Item = &'a Uncounted>,
    ) -> Result<(), EventError> {
        if self.words.len() > MOST_WORDS {
            self.words.clear();
        }
        let Self { connection, words, path, .. } = self;
        let write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut counts: HashMap<(u64, Kind, Severity), u64> = HashMap::new();
            for event in events {
                if insert(&transaction, words, event)? {
                    let minute = event.id.milliseconds() / MINUTE;
                    *counts.entry((minute, event.kind, event.severity)).or_default() += 1;
                }
            }
            for Uncounted { at, kind, count } in uncounted {
                *counts.entry((at / MINUTE, *kind, kind.severity())).or_default() += count;
            }
            let mut statement = transaction.prepare_cached(COUNT)?;
            for ((minute, kind, severity), count) in counts {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                statement.execute(params![number(minute), kind.code(), severity.number(), count])?;
            }
            drop(statement);
            transaction.commit()
        };
        let written = write();
        if let Err(source) = written {
            // Words that were undone have no number any more.
            self.words.clear();
            return Err(EventError::Store { path: path.clone(), source });
        }
        Ok(())
    }
}

/// Whether it is new.
fn insert(
    transaction: &Transaction<'_>,
    words: &mut HashMap<String, i64>,
    event: &Event,
) -> rusqlite::Result<bool> {
    let mut word =
        |text: &Option<String>| text.as_deref().map(|text| number_of(transaction, words, text)).transpose();
    let (user, organization, route) = (word(&event.user)?, word(&event.organization)?, word(&event.route)?);
    let details = serde_json::to_string(&event.details)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    // With the end of a line on either side, so that one can be found by its text between two.
    let rules = (!event.rules.is_empty()).then(|| format!("\n{}\n", event.rules.join("\n")));
    let inserted = transaction.prepare_cached(INSERT)?.execute(params![
        number(event.id.key()),
        number(event.id.tail()),
        event.kind.code(),
        event.severity.number(),
        event.decision.code(),
        event.address.map(bytes),
        user,
        organization,
        route,
        event.request,
        rules,
        event.message,
        details,
    ])?;
    Ok(inserted > 0)
}

fn number_of(
    transaction: &Transaction<'_>,
    words: &mut HashMap<String, i64>,
    text: &str,
) -> rusqlite::Result<i64> {
    if let Some(id) = words.get(text) {
        return Ok(*id);
    }
    transaction.prepare_cached("INSERT OR IGNORE INTO words (text) VALUES (?1)")?.execute([text])?;
    let id = transaction
        .prepare_cached("SELECT id FROM words WHERE text = ?1")?
        .query_row([text], |row| row.get(0))?;
    words.insert(text.into(), id);
    Ok(id)
}

/// Places have 63 bits, counts fewer.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A connection to a file that is there.
pub(super) fn connect(path: &Path) -> Result<Connection, EventError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    };
    open().map_err(|source| EventError::Store { path: path.into(), source })
}

/// What another release has written is left alone.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), EventError> {
    let found = version(connection).map_err(|source| EventError::Store { path: path.into(), source })?;
    if found == VERSION {
        Ok(())
    } else {
        Err(EventError::Version { path: path.into(), found, known: VERSION })
    }
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
