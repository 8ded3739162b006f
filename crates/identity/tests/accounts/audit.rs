//! The audit trail: what it says, what it is asked, and how long it goes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bartizan_config::StoreLocation;
use bartizan_identity::account::{AuditFilter, Visit};
use bartizan_store::{Statement, Store};
use serde_json::Value;

use crate::{Node, OPERATOR, PASSWORD, postgres_server::PostgresServer, who};

async fn a_trail(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let ada = node.person("audit@shop.test", &["viewer"]).await;
    accounts.create_organization("Audited", OPERATOR, &visit).await.unwrap();
    accounts.add_role(Some("Audited"), &who(&ada), "user", OPERATOR, &visit).await.unwrap();
    accounts.disable_person(&who(&ada), true, OPERATOR, &visit).await.unwrap();
    accounts.disable_person(&who(&ada), false, OPERATOR, &visit).await.unwrap();
    accounts.set_password(&who(&ada), &"quartz-Lantern-4-violet".into(), OPERATOR, &visit).await.unwrap();
    node.try_log_in("audit@shop.test", PASSWORD).await.unwrap_err();

    // What is no address may be a password.
    node.try_log_in("typed-into-the-wrong-field", "x").await.unwrap_err();
    let typed = AuditFilter { action: Some("login".into()), limit: 1, ..AuditFilter::default() };
    let typed = accounts.audit_trail(&typed).await.unwrap();
    assert_eq!((typed[0].outcome.as_str(), typed[0].subject.as_str()), ("refused", ""));

    let wanted = |change: fn(&mut AuditFilter)| {
        let mut filter = AuditFilter { limit: 100, ..AuditFilter::default() };
        change(&mut filter);
        filter
    };
    let actions = async |filter: AuditFilter| {
        let entries = accounts.audit_trail(&filter).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect::<Vec<_>>()
    };
    let of_user = actions(wanted(|filter| filter.action = Some("user".into()))).await;
    assert_eq!(of_user, ["user.set_password", "user.enable", "user.disable", "user.create"]);
    assert_eq!(actions(wanted(|filter| filter.action = Some("user.create".into()))).await, ["user.create"]);
    assert!(actions(wanted(|filter| filter.action = Some("use".into()))).await.is_empty());
    let refused = actions(wanted(|filter| filter.outcome = Some("refused".into()))).await;
    assert_eq!(refused, ["login", "login"]);
    // By address: what was done to the person, and what failed under that address.
    let about = actions(wanted(|filter| filter.subject = Some("audit@shop.test".into()))).await;
    assert_eq!(about.len(), 6, "{about:?}");
    let by = actions(wanted(|filter| filter.actor = Some("nobody@shop.test".into()))).await;
    assert!(by.is_empty());
    assert!(actions(wanted(|filter| filter.until = Some(UNIX_EPOCH))).await.is_empty());
    let since = wanted(|filter| filter.since = Some(SystemTime::now() + Duration::from_hours(1)));
    assert!(actions(since).await.is_empty());

    // Page by page it is the same.
    let all = accounts.audit(100).await.unwrap();
    let first = accounts.audit(3).await.unwrap();
    let after = Some(first.last().unwrap().id.clone());
    let rest = AuditFilter { after, limit: 100, ..AuditFilter::default() };
    let rest = accounts.audit_trail(&rest).await.unwrap();
    assert_eq!([first, rest].concat(), all);

    // Before and after, and nothing secret.
    let details = |action: &str| {
        let entry = all.iter().find(|entry| entry.action == action).unwrap();
        (entry.details["before"].clone(), entry.details["after"].clone())
    };
    let (before, after) = details("user.disable");
    assert_eq!((&before["disabled"], &after["disabled"]), (&Value::Bool(false), &Value::Bool(true)));
    let (before, after) = details("user.create");
    assert_eq!((before, &after["email"]), (Value::Null, &Value::from("audit@shop.test")));
    assert_eq!(details("role.add"), (Value::Null, "user".into()));
    assert_eq!(details("user.set_password").1["password"], "***");
    for entry in &all {
        let text = entry.details.to_string();
        assert!(!text.contains("argon2") && !text.contains("quartz"), "{text}");
    }
}

/// What is older than the retention goes when a gateway starts, and every ten minutes.
async fn retention(location: &StoreLocation) {
    let store = Store::open(location).await.unwrap().everywhere();
    let day = 86_400_000;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for (id, age) in [("0-old", 91 * day), ("0-young", 89 * day)] {
        let write = "INSERT INTO audit_entries (id, at, action, outcome, actor, subject, address, client, \
            request_id, details) VALUES ($1, $2, 'ancient', 'done', '', '', '', '', '', 'null')";
        store.execute(Statement::new(write).text(id).integer(now - age)).await.unwrap();
    }
    let node = Node::open(location).await;
    let ancient = AuditFilter { action: Some("ancient".into()), limit: 10, ..AuditFilter::default() };
    for _ in 0..100 {
        let left = node.accounts.audit_trail(&ancient).await.unwrap();
        if left.len() == 1 {
            assert_eq!(left[0].id, "0-young");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("what is older than 90 days is still there");
}

pub(crate) async fn stories(location: &StoreLocation) {
    a_trail(location).await;
    retention(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
