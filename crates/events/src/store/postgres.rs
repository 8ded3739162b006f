//! The store that gateways share: a database of PostgreSQL, with a partition for each day (by UTC).
//!
//! An event's row has its id, so one that is written twice is there once, whoever writes it. Days are ranges of ids, as an id
//! begins with its moment: a question about a span looks at its days alone, and the order of ids is that of pages. Texts stand
//! as they are: numbers for them would cost every gateway a look at a table that all of them write to. A batch is one
//! statement: the events, the counts of their minutes, and a line that tells other gateways where to look.
//!
//! Rows of an organisation are seen in its scope and in that of the whole system, as the rest of the gateway's rows are
//! (`bartizan.scope`), by row-level security that is forced. Days cannot be asked past their parent: they have policies of
//! their own that show nothing.

mod driver;
mod others;
mod question;
mod read;
mod schema;
mod write;

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use self::driver::{Driver, Unanswered};
pub(super) use self::{read::Reader, write::Writer};
use super::Day;
use crate::{EventError, following::Followers};

/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long tables and days may take to be made or removed.
const PREPARED_WITHIN: Duration = Duration::from_secs(10);
const READERS: u32 = 8;
/// The thread that writes, and the look at what others have stored.
const WRITERS: u32 = 2;

/// A database of PostgreSQL that gateways share.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its URL, with credentials.
    pub url: SecretString,
    /// What it is called where people read it, without credentials.
    pub name: String,
}

/// The connections to the database.
#[derive(Debug)]
pub(super) struct Postgres {
    driver: Driver,
    /// Sees nothing until a transaction says whose rows.
    guarded: PgPool,
    /// Sees everything.
    everything: PgPool,
    name: String,
    /// Who has stored an event.
    gateway: String,
}

impl Postgres {
    /// What writes and what reads. Where the database does not answer now, it is tried again with what is to be stored.
    pub(super) fn open(
        database: &Database,
        followers: &Arc<Followers>,
        now: SystemTime,
    ) -> Result<(Writer, Reader), EventError> {
        let name = database.name.clone();
        let options: PgConnectOptions =
            database.url.expose_secret().parse().map_err(|_| EventError::Url { database: name.clone() })?;
        let driver = Driver::start()?;
        let pool = |size| PgPoolOptions::new().max_connections(size).acquire_timeout(PATIENCE);
        // Planned for its values each time: of what is asked, most of what there is to plan is which days.
        let guarded = options.clone().application_name("bartizan events");
        let guarded = guarded.options([("plan_cache_mode", "force_custom_plan")]);
        let everything = options.application_name("bartizan events of the whole system");
        let everything = everything.options([("bartizan.scope", "everything")]);
        let (guarded, everything) = driver.enter(|| {
            (pool(READERS).connect_lazy_with(guarded), pool(WRITERS).connect_lazy_with(everything))
        });
        let postgres = Arc::new(Self { driver, guarded, everything, name, gateway: gateway() });
        let watching =
            others::watch(postgres.everything.clone(), postgres.gateway.clone(), Arc::downgrade(followers));
        postgres.driver.spawn(watching);
        let mut writer = Writer::new(Arc::clone(&postgres));
        match writer.prepare(Day::of(now)) {
            Err(error @ (EventError::Bypasses { .. } | EventError::Format { .. })) => return Err(error),
            Err(error) => {
                tracing::error!(%error, "events cannot be stored: those of medium severity and above are spilled");
            }
            Ok(()) => {}
        }
        Ok((writer, Reader::new(postgres)))
    }

    fn failed(&self, unanswered: Unanswered) -> EventError {
        let source = match unanswered {
            Unanswered::Late => sqlx::Error::PoolTimedOut,
            Unanswered::Failed(source) => source,
        };
        EventError::Database { database: self.name.clone(), source }
    }
}

/// The name of this process among those that write: the machine's, and something that no other process has.
fn gateway() -> String {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine: String = machine.trim().chars().filter(char::is_ascii_graphic).take(64).collect();
    format!("{machine}/{}", Uuid::new_v4().simple())
}
