//! The same rows on SQLite, where no row-level security helps: what a statement says of its organisation must do.

use bartizan_config::StoreLocation;
use bartizan_store::{Store, StoreError, Transaction};
use serde_json::Value;

use super::{GUARDED, log::Scope, log::Sent, statement};

/// An organisation that has nothing.
const NOBODY: &str = "0198c1c5-0000-7000-8000-000000000000";

/// A database of PostgreSQL, copied.
pub(super) struct SqliteCopy {
    store: Store,
    _folder: tempfile::TempDir,
}

impl SqliteCopy {
    pub(super) async fn of(original: &Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
        let store = Store::open(&location).await.unwrap();
        let mut transaction = store.everywhere().begin().await.unwrap();
        transaction.execute(statement("PRAGMA defer_foreign_keys = ON")).await.unwrap();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
            AND name NOT LIKE '%migrations%'";
        for table in names(&mut transaction, tables).await {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = names(&mut transaction, &columns).await;
            let columns = columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let rows = format!("SELECT CAST(json_build_array({columns}) AS TEXT) AS line FROM {table}");
            for row in original.everywhere().rows(statement(&rows)).await.unwrap() {
                let values: Vec<Value> = serde_json::from_str(&row.text("line").unwrap()).unwrap();
                let values = values.iter().map(written).collect::<Vec<_>>().join(", ");
                let insert = format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({values})");
                transaction.execute(statement(&insert)).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
        Self { store, _folder: folder }
    }

    /// Sends a statement again for an organisation that has nothing, if it says for which it is; whether it finds or changes
    /// something for its own.
    pub(super) async fn tries(&self, sent: &Sent) -> Option<bool> {
        let Scope::Organization(id) = &sent.scope else { return None };
        let says_which = !id.is_empty() && sent.values.iter().flatten().any(|value| value == id);
        if !says_which || sent.sql.starts_with("INSERT") {
            return None;
        }
        let sql = |id_is: &str| {
            let mut sql = sent.sql.clone();
            for (index, value) in sent.values.iter().enumerate().rev() {
                let value = value.as_ref().map(|value| if value == id { id_is } else { value });
                sql = sql.replace(&format!("${}", index + 1), &literal(value));
            }
            sql
        };
        assert_eq!(
            self.reaches(&sql(NOBODY)).await,
            0,
            "reaches what is another organisation's: {}",
            sent.sql
        );
        Some(self.reaches(&sql(id)).await > 0)
    }

    /// How many rows of organisations a statement changes, or how much of what it finds would not be there without them.
    async fn reaches(&self, sql: &str) -> u64 {
        let mut transaction = self.store.everywhere().begin().await.unwrap();
        if !sql.starts_with("SELECT") {
            return match transaction.execute(statement(sql)).await {
                // It was sent before: what it would write is there, so it has found its row.
                Err(StoreError::Duplicate) => 1,
                changed => changed.unwrap(),
            };
        }
        transaction.execute(statement(&format!("CREATE TEMP TABLE found AS {sql}"))).await.unwrap();
        transaction.execute(statement("PRAGMA defer_foreign_keys = ON")).await.unwrap();
        for table in GUARDED {
            transaction.execute(statement(&format!("DELETE FROM {table}"))).await.unwrap();
        }
        let more = |one: &str, other: &str| {
            format!("(SELECT COUNT(*) FROM (SELECT * FROM {one} EXCEPT SELECT * FROM {other}))")
        };
        let (found, left) = ("found", format!("({sql})"));
        let count = format!("SELECT {} + {} AS count", more(found, &left), more(&left, found));
        let rows = transaction.rows(statement(&count)).await.unwrap();
        u64::try_from(rows[0].integer("count").unwrap()).unwrap()
    }
}

async fn names(transaction: &mut Transaction, sql: &str) -> Vec<String> {
    let rows = transaction.rows(statement(sql)).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).collect()
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => literal(Some(text)),
        Value::Null => literal(None),
        other => other.to_string(),
    }
}

/// Numbers as numbers: what stands alone has no affinity.
fn literal(value: Option<&str>) -> String {
    match value {
        None => "NULL".into(),
        Some(number)
            if number.len() < 19
                && number.parse::<i64>().is_ok_and(|parsed| parsed.to_string() == number) =>
        {
            number.into()
        }
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    }
}
