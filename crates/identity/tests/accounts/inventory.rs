//! What there is of people, keys and invitations, and what of it somebody should look at.

use std::time::{Duration, SystemTime};

use bartizan_config::StoreLocation;
use bartizan_identity::account::{InventoryBounds, KeyOwner, NewApiKey, NewService, Some20, Visit};
use bartizan_store::{Statement, Store};

use crate::{Node, OPERATOR, postgres_server::PostgresServer, who};

const DAY: Duration = Duration::from_hours(24);
const BOUNDS: InventoryBounds = InventoryBounds {
    stale: Duration::from_hours(90 * 24),
    soon: Duration::from_hours(14 * 24),
    old_invitation: Duration::from_hours(3 * 24),
};

pub(crate) async fn stories(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, now) = (&node.accounts, Visit::default(), SystemTime::now());
    let empty = accounts.inventory(BOUNDS, now).await.unwrap();
    assert_eq!((empty.people, empty.administrators, empty.keys), (0, 0, 0));

    let ada = node.person("ada@shop.test", &["super_admin"]).await;
    node.person("bob@shop.test", &[]).await;
    accounts
        .disable_person(&who(&node.person("eve@shop.test", &["org_admin"]).await), true, OPERATOR, &visit)
        .await
        .unwrap();
    node.log_in("ada@shop.test").await;
    accounts.create_organization("Shop", OPERATOR, &visit).await.unwrap();
    let service = NewService { organization: "Shop".into(), name: "billing".into(), ..NewService::default() };
    let (service, _) = accounts.create_service(service, OPERATOR, &visit).await.unwrap();
    let key = |name: &str, expires| NewApiKey {
        name: name.into(),
        owner: KeyOwner::Person(who(&ada), None),
        permissions: vec!["reports:read".into()],
        addresses: Vec::new(),
        rate: None,
        zone: None,
        expires,
    };
    accounts.create_api_key(key("lasting", None), OPERATOR, &visit).await.unwrap();
    accounts.create_api_key(key("ending", Some(now + 7 * DAY)), OPERATOR, &visit).await.unwrap();
    // A secret with another beside it that lasts is about to be replaced, and nobody's worry.
    accounts.rotate_service_secret(&service.id, DAY, OPERATOR, &visit).await.unwrap();

    let today = accounts.inventory(BOUNDS, now).await.unwrap();
    assert_eq!((today.people, today.disabled, today.with_strong_factor, today.keys), (3, 1, 0, 2));
    assert_eq!(today.administrators, 1, "who may not log in administers nothing");
    let ada_alone = Some20 { count: 1, examples: vec!["ada@shop.test".into()] };
    assert_eq!(today.administrators_without_factor, ada_alone);
    let names: Vec<_> = today.doubtful_keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(
        (names, &today.never_used, &today.stale),
        (vec!["ending"], &Some20::default(), &Some20::default())
    );
    assert!(today.ending_credentials.is_empty(), "{today:?}");
    assert!(today.clock_ahead.abs() < 1000, "the same machine: {}", today.clock_ahead);

    // All of a service's secrets end soon.
    let store = Store::open(location).await.unwrap();
    let end = i64::try_from((now + DAY).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let ends = Statement::new("UPDATE service_credentials SET expires_at = $1").integer(end);
    store.everywhere().execute(ends).await.unwrap();
    let ending = accounts.inventory(BOUNDS, now).await.unwrap().ending_credentials;
    assert!(ending.len() == 2 && ending.iter().all(|ending| ending.name == "billing"), "{ending:?}");

    let later = accounts.inventory(BOUNDS, now + 91 * DAY).await.unwrap();
    assert_eq!((later.never_used.examples, later.stale), (vec!["bob@shop.test".to_owned()], ada_alone));
    let names: Vec<_> = later.doubtful_keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!((names, later.keys), (vec!["lasting"], 1), "what has ended is nobody's worry any more");
}

#[tokio::test]
async fn what_there_is_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test]
async fn what_there_is_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
