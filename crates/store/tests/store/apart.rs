//! Organisations are kept apart by PostgreSQL itself.

use bartizan_config::StoreLocation;
use bartizan_store::{Statement, Store, StoreError};

use crate::{organization, postgres_server::PostgresServer};

const ORGANIZED: &str = "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.columns \
    WHERE table_schema = current_schema() AND column_name = 'organization_id'";
/// Tables without that column that are an organisation's all the same.
const REACHED: [&str; 5] =
    ["organizations", "service_credentials", "service_roles", "api_key_secrets", "refresh_tokens"];
const FORCED: &str =
    "SELECT CAST(relname AS TEXT) AS name FROM pg_class WHERE relrowsecurity AND relforcerowsecurity";

async fn names(store: &Store, sql: &'static str) -> Vec<String> {
    let rows = store.rows(Statement::new(sql)).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).collect()
}

fn role(user: &str, organization: &str) -> Statement {
    const BIND: &str =
        "INSERT INTO role_bindings (user_id, organization_id, role, created_at) VALUES ($1, $2, 'viewer', 1)";
    Statement::new(BIND).text(user).text(organization)
}

async fn open(server: &PostgresServer) -> Store {
    let location: StoreLocation = server.url().parse().unwrap();
    Store::open(&location).await.unwrap()
}

#[tokio::test]
async fn every_table_of_organizations_is_guarded() {
    let server = PostgresServer::start();
    let store = open(&server).await;
    let forced = names(&store, FORCED).await;
    let mut expected = names(&store, ORGANIZED).await;
    expected.extend(REACHED.map(str::to_owned));
    assert!(expected.len() > 10, "{expected:?}");
    for table in expected {
        assert!(forced.contains(&table), "`{table}` belongs to organisations and has no forced policy");
    }
}

#[tokio::test]
async fn a_scope_sees_its_organization_alone_and_none_sees_nothing() {
    let server = PostgresServer::start();
    let store = open(&server).await;
    let user = "INSERT INTO users (id, email, name, created_at) VALUES ('ada', 'ada@shop.test', 'Ada', 1)";
    store.execute(Statement::new(user)).await.unwrap();
    for id in ["a", "b"] {
        store.within(id).execute(organization(id, id)).await.unwrap();
        store.within(id).execute(role("ada", id)).await.unwrap();
    }
    store.within("").execute(role("ada", "")).await.unwrap();
    let read = || Statement::new("SELECT organization_id AS name FROM role_bindings ORDER BY 1");
    let seen = |rows: Vec<bartizan_store::Row>| -> Vec<String> {
        rows.iter().map(|row| row.text("name").unwrap()).collect()
    };
    assert_eq!(seen(store.everywhere().rows(read()).await.unwrap()), ["", "a", "b"]);
    assert_eq!(seen(store.within("a").rows(read()).await.unwrap()), ["a"]);
    assert_eq!(seen(store.within("").rows(read()).await.unwrap()), [""]);
    assert!(store.rows(read()).await.unwrap().is_empty(), "no scope");
    // A scope ends with its transaction, on every connection.
    for _ in 0..32 {
        assert!(store.rows(read()).await.unwrap().is_empty(), "no scope");
    }

    let forget = || Statement::new("DELETE FROM role_bindings WHERE organization_id = 'a'");
    assert_eq!(store.execute(forget()).await.unwrap(), 0);
    assert_eq!(store.within("b").execute(forget()).await.unwrap(), 0);
    for (store, what) in [(store.within("b"), "another's"), (store.within(""), "nobody's")] {
        let error = store.execute(role("ada", "c")).await.unwrap_err();
        assert!(matches!(error, StoreError::Statement { .. }), "{what}: {error}");
        let steal = Statement::new("UPDATE role_bindings SET organization_id = 'a'");
        let error = store.execute(steal).await.unwrap_err();
        assert!(matches!(error, StoreError::Statement { .. }), "{what}: {error}");
    }
    assert!(store.execute(role("ada", "c")).await.is_err(), "no scope");
    assert_eq!(seen(store.everywhere().rows(read()).await.unwrap()), ["", "a", "b"]);

    // What goes with a person goes in every organisation.
    store.execute(Statement::new("DELETE FROM users WHERE id = 'ada'")).await.unwrap();
    assert!(store.everywhere().rows(read()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_role_that_bypasses_policies_migrates_and_serves_nobody() {
    let server = PostgresServer::start();
    let superuser: StoreLocation = server.url_of("postgres").parse().unwrap();
    Store::migrate(&superuser).await.unwrap();
    let refused = Store::open(&superuser).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Bypasses { role, .. } if role == "postgres"), "{refused}");
    assert!(refused.to_string().contains("NOBYPASSRLS"), "{refused}");
}

/// One role owns the tables and changes them, another one works with them.
#[tokio::test]
async fn who_serves_need_not_own_the_tables() {
    let server = PostgresServer::start();
    let owner = open(&server).await;
    let make = "CREATE ROLE clerk LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'correct-horse'";
    owner.execute(Statement::new(make)).await.unwrap();
    let clerk: StoreLocation = server.url_of("clerk").parse().unwrap();
    let stranger = Store::open(&clerk).await.unwrap_err();
    assert!(matches!(stranger, StoreError::Statement { .. }), "{stranger}");
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk";
    owner.execute(Statement::new(grant)).await.unwrap();
    let store = Store::open(&clerk).await.unwrap();
    store.within("a").execute(organization("a", "a")).await.unwrap();
    assert_eq!(names(&store, "SELECT name FROM organizations").await, Vec::<String>::new());
    for change in
        ["ALTER TABLE organizations DISABLE ROW LEVEL SECURITY", "DROP POLICY in_scope ON organizations"]
    {
        assert!(store.execute(Statement::new(change)).await.is_err(), "{change}");
    }
}
