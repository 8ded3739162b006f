//! Who is removed from an organisation, or whose role there has ended, acts for it no longer.

use std::time::{Duration, SystemTime};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    InvalidReason,
    account::{AccountError, Authority, KeyOwner, NewBinding, RoleHolder, Visit},
    authorization_server::OAuthError,
};

use crate::{
    Node, OPERATOR, PASSWORD,
    api_keys::{new, soon},
    postgres_server::PostgresServer,
    roles::bound,
    tokens::{Issuing, is_refused, refresh_of},
    who,
};

/// Their session and their key, which something else lets them keep.
async fn removed_members(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    accounts.create_organization("Left Ltd", OPERATOR, &visit).await.unwrap();
    let ada = node.person("left@shop.test", &["auditor"]).await;
    let in_it = || KeyOwner::Person(who(&ada), Some("Left Ltd".into()));
    let stranger = accounts.create_api_key(new(in_it(), &["*"]), OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(stranger, AccountError::Invalid(_)), "{stranger}");

    node.bind("Left Ltd", bound(&ada, "viewer"), &operator).await.unwrap();
    let token = node.log_in_for("left@shop.test", "Left Ltd").await;
    assert!(node.enter(&token).await.unwrap().principal.organization.is_some());
    let (_, inside) = node.key(in_it(), &["*"]).await;
    let (_, outside) = node.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    assert_eq!(node.refusal(&inside), None);
    let holder = RoleHolder::Person(who(&ada));
    accounts.unbind_role("Left Ltd", &holder, "viewer", &operator, &visit).await.unwrap();
    assert_eq!(node.refusal(&inside), Some(InvalidReason::KeyOwner));
    assert_eq!(node.refusal(&outside), None);
    let identified = node.enter(&token).await.unwrap();
    assert_eq!(identified.principal.organization, None);
    assert_eq!(identified.grants, "reports:read", "what they are everywhere");
    assert_eq!(accounts.current_session(&token).await.unwrap().organization, None);
    let (current, next) = (PASSWORD.into(), "quartz-Lantern-4-violet".into());
    let changed = accounts.change_password(&token, &current, &next, &visit).await.unwrap();
    assert_eq!(changed.organization, None);

    // Neither does a role that ends by itself, without anybody telling.
    let soon_over = Some(SystemTime::now() + Duration::from_millis(500));
    let ending = NewBinding { expires: soon_over, ..bound(&ada, "viewer") };
    node.bind("Left Ltd", ending, &operator).await.unwrap();
    assert_eq!(node.refusal(&inside), None);
    soon("a member acts on", || node.refusal(&inside) == Some(InvalidReason::KeyOwner)).await;
}

/// Their refresh token.
async fn removed_clients(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    accounts.create_organization("Gone Ltd", OPERATOR, &visit).await.unwrap();
    let ada = gateway.node.person("gone@shop.test", &["auditor"]).await;
    accounts.add_role(Some("Gone Ltd"), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    let session = gateway.node.log_in_for("gone@shop.test", "Gone Ltd").await;
    let issued = gateway.issue(&session, "reports:read").await;
    let issued = gateway.refresh(refresh_of(&issued)).await.unwrap();
    accounts.remove_role(Some("Gone Ltd"), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
}

/// Nobody is left who may do everything.
async fn last_administrators(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let ada = node.person("last@shop.test", &["super_admin"]).await;
    let is_spared =
        |error: AccountError| assert!(matches!(error, AccountError::LastAdministrator), "{error}");
    is_spared(accounts.disable_person(&who(&ada), true, OPERATOR, &visit).await.unwrap_err());
    is_spared(accounts.delete_person(&who(&ada), OPERATOR, &visit).await.unwrap_err());
    is_spared(accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap_err());
    let bob = node.person("next@shop.test", &["super_admin"]).await;
    accounts.disable_person(&who(&bob), true, OPERATOR, &visit).await.unwrap();
    is_spared(accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap_err());
    accounts.disable_person(&who(&bob), false, OPERATOR, &visit).await.unwrap();
    accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap();
    accounts.delete_person(&who(&ada), OPERATOR, &visit).await.unwrap();
}

pub(crate) async fn stories(location: &StoreLocation) {
    removed_members(location).await;
    removed_clients(location).await;
    last_administrators(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn membership_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn membership_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
