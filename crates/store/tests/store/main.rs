//! The store against real databases: SQLite in a file, and a private PostgreSQL.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

mod apart;
mod conflicts;
mod postgres_server;

use std::{os::unix::fs::PermissionsExt, path::Path, time::UNIX_EPOCH};

use bartizan_config::StoreLocation;
use bartizan_store::{Migration, Statement, Store, StoreError};
use postgres_server::PostgresServer;

const INSERT: &str = "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)";
const FIND: &str = "SELECT id, name, created_at FROM organizations WHERE name = $2 AND id = $1";

fn sqlite(folder: &Path) -> StoreLocation {
    StoreLocation::Sqlite(folder.join("bartizan.db"))
}

fn organization(id: &str, name: &str) -> Statement {
    Statement::new(INSERT).text(id).text(name).integer(7)
}

async fn count(store: &Store) -> i64 {
    let row = store
        .everywhere()
        .row(Statement::new("SELECT COUNT(*) AS count FROM organizations"))
        .await
        .unwrap()
        .unwrap();
    row.integer("count").unwrap()
}

/// What is the same on both databases.
async fn keeps_what_it_is_told(location: &StoreLocation) {
    let before = Store::migrations(location).await.unwrap();
    assert!(before.iter().all(|status| !status.applied));
    // Gateways that start at the same time migrate once.
    let (store, second) = tokio::join!(Store::open(location), Store::open(location));
    let (store, second) = (store.unwrap(), second.unwrap());
    let after = Store::migrations(location).await.unwrap();
    assert!(after.iter().all(|status| status.applied));
    assert_eq!(after.len(), Migration::ALL.len());

    assert_eq!(store.everywhere().execute(organization("1", "Äcme 🏰")).await.unwrap(), 1);
    let found =
        second.everywhere().row(Statement::new(FIND).text("1").text("Äcme 🏰")).await.unwrap().unwrap();
    assert_eq!(found.text("name").unwrap(), "Äcme 🏰");
    assert_eq!(found.integer("created_at").unwrap(), 7);
    assert!(matches!(found.text("created_at"), Err(StoreError::Column { .. })));
    assert!(
        store.everywhere().row(Statement::new(FIND).text("1").text("' OR 1=1 --")).await.unwrap().is_none()
    );

    let twice = store.everywhere().execute(organization("1", "other")).await.unwrap_err();
    assert!(matches!(twice, StoreError::Duplicate), "{twice}");

    let orphan = "INSERT INTO password_credentials (user_id, hash, changed_at) VALUES ($1, $2, $3)";
    let orphan = store.execute(Statement::new(orphan).text("nobody").text("x").integer(0)).await.unwrap_err();
    assert!(matches!(orphan, StoreError::Statement { .. }), "{orphan}");

    let mut dropped = store.everywhere().begin().await.unwrap();
    dropped.execute(organization("2", "second")).await.unwrap();
    drop(dropped);
    assert_eq!(count(&store).await, 1, "what was not committed has not happened");
    let mut committed = store.everywhere().begin().await.unwrap();
    committed.execute(organization("2", "second")).await.unwrap();
    committed.execute(organization("3", "third")).await.unwrap();
    committed.commit().await.unwrap();
    assert_eq!(count(&store).await, 3);

    let nulls = "INSERT INTO users (id, email, name, created_at, disabled_at, last_login_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let user = Statement::new(nulls).text("1").text("a@b.test").text("A").integer(1);
    store.execute(user.optional_integer(None::<i64>).optional_integer(Some(3))).await.unwrap();
    let user =
        store.row(Statement::new("SELECT disabled_at, last_login_at FROM users")).await.unwrap().unwrap();
    assert_eq!(user.optional_integer("disabled_at").unwrap(), None);
    assert_eq!(user.optional_integer("last_login_at").unwrap(), Some(3));

    // Both run on this machine: asked between two looks at its clock, the database says something between them.
    let now = || i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let (before, theirs, after) = (now(), store.clock().await.unwrap(), now());
    assert!((before - 1..=after + 1).contains(&theirs), "{before} {theirs} {after}");
}

/// A schema that is not this release's is left alone.
async fn refuses_other_schemas(location: &StoreLocation) {
    let store = Store::open(location).await.unwrap();
    store
        .execute(Statement::new("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1"))
        .await
        .unwrap();
    let altered = Store::open(location).await.unwrap_err();
    assert!(matches!(altered, StoreError::Altered { version: 1, .. }), "{altered}");
    store.execute(Statement::new("UPDATE schema_migrations SET version = version + 998")).await.unwrap();
    let newer = Store::open(location).await.unwrap_err();
    assert!(matches!(newer, StoreError::Newer { found: 999, .. }), "{newer}");
}

#[tokio::test]
async fn sqlite_keeps_what_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let location = sqlite(folder.path());
    keeps_what_it_is_told(&location).await;
    let mode = folder.path().join("bartizan.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    refuses_other_schemas(&location).await;
}

#[tokio::test]
async fn postgres_keeps_what_it_is_told() {
    let server = PostgresServer::start();
    let location: StoreLocation = server.url().parse().unwrap();
    keeps_what_it_is_told(&location).await;
    refuses_other_schemas(&location).await;
}

#[tokio::test]
async fn a_dry_run_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let location = sqlite(folder.path());
    assert!(!Store::migrations(&location).await.unwrap().is_empty());
    assert!(!folder.path().join("bartizan.db").exists());
}

#[tokio::test]
async fn a_sqlite_reader_does_not_wait_for_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&sqlite(folder.path())).await.unwrap();
    let mut writing = store.everywhere().begin().await.unwrap();
    writing.execute(organization("1", "first")).await.unwrap();
    assert_eq!(count(&store).await, 0);
    writing.commit().await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Store::open(&sqlite(&folder.path().join("nowhere"))).await.unwrap_err();
    assert!(matches!(missing, StoreError::Create { .. }), "{missing}");
    let url = format!("postgres://bartizan:hunter2@localhost/shop?host={}", folder.path().display());
    let gone = Store::open(&url.parse().unwrap()).await.unwrap_err().to_string();
    assert!(gone.starts_with("the store postgres://localhost/shop cannot be used: "), "{gone}");
    assert!(!gone.contains("hunter2"));
}
