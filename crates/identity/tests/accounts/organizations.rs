//! Organisations that are given another name and forgotten, and what goes with them.

use bartizan_config::StoreLocation;
use bartizan_identity::{
    InvalidReason,
    account::{AccountError, Authority, Holdings, KeyOwner, MemberChange, NewService, RoleHolder, Visit},
    authorization_server::OAuthError,
};

use crate::{
    Node, OPERATOR,
    postgres_server::PostgresServer,
    roles::bound,
    soon::soon,
    tokens::{Issuing, is_refused, refresh_of},
    who,
};

async fn renamed(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let acme = accounts.create_organization("Before Ltd", OPERATOR, &visit).await.unwrap();
    accounts.create_organization("Other Ltd", OPERATOR, &visit).await.unwrap();
    let renamed = accounts.rename_organization("Before Ltd", "After Ltd", OPERATOR, &visit).await.unwrap();
    assert_eq!((renamed.id, renamed.name.as_str()), (acme.id.clone(), "After Ltd"));
    assert_eq!(accounts.organization("After Ltd").await.unwrap().id, acme.id);
    let gone = accounts.organization("Before Ltd").await.unwrap_err();
    assert!(matches!(gone, AccountError::Missing(_)), "{gone}");
    for (name, is_taken) in [("Other Ltd", true), (acme.id.as_str(), false), ("", false)] {
        let refused = accounts.rename_organization("After Ltd", name, OPERATOR, &visit).await.unwrap_err();
        assert_eq!(matches!(refused, AccountError::Taken(_)), is_taken, "{name}: {refused}");
    }
    let trail = accounts.audit(100).await.unwrap();
    let entry = trail.iter().find(|entry| entry.action == "organization.rename").unwrap();
    assert_eq!(
        (&entry.details["before"]["name"], &entry.details["after"]["name"]),
        (&"Before Ltd".into(), &"After Ltd".into())
    );
}

async fn forgotten(location: &StoreLocation) {
    let (gateway, node, other) =
        (Issuing::open(location).await, Node::open(location).await, Node::open(location).await);
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    accounts.create_organization("Gone Ltd", OPERATOR, &visit).await.unwrap();
    accounts.create_organization("Kept Ltd", OPERATOR, &visit).await.unwrap();
    let (ada, bob) = (node.person("gone@shop.test", &[]).await, node.person("bob@gone.test", &[]).await);
    for organization in ["Gone Ltd", "Kept Ltd"] {
        node.bind(organization, bound(&ada, "viewer"), &operator).await.unwrap();
    }
    node.bind("Gone Ltd", bound(&bob, "viewer"), &operator).await.unwrap();
    accounts
        .change_member("Gone Ltd", &who(&bob), MemberChange::Suspend("away"), &operator, &visit)
        .await
        .unwrap();
    let new = |organization: &str| NewService {
        organization: organization.into(),
        name: "reporter".into(),
        permissions: vec!["reports:read".into()],
        ..NewService::default()
    };
    let (service, _) = accounts.create_service(new("Gone Ltd"), OPERATOR, &visit).await.unwrap();
    let permissions = ["reports:read"];
    let (_, of_service) = node.key(KeyOwner::Service(service.id.clone()), &permissions).await;
    let (_, own) = node.key(KeyOwner::Organization("Gone Ltd".into()), &permissions).await;
    let (_, kept) = node.key(KeyOwner::Organization("Kept Ltd".into()), &permissions).await;
    let session = node.log_in_for("gone@shop.test", "Gone Ltd").await;
    let elsewhere = node.log_in_for("gone@shop.test", "Kept Ltd").await;
    let issued = gateway.issue(&session, "user:read").await;
    soon("the other gateway knows the keys", async || other.refusal(&own).is_none()).await;

    let (_, holdings) = accounts.holdings("Gone Ltd").await.unwrap();
    assert_eq!(holdings, Holdings { members: 2, services: 1, keys: 2 });
    let refused = accounts.delete_organization("Gone Ltd", false, OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(refused, AccountError::InUse(_)), "{refused}");
    assert_eq!((node.refusal(&own), accounts.holdings("Gone Ltd").await.unwrap().1), (None, holdings));

    accounts.delete_organization("Gone Ltd", true, OPERATOR, &visit).await.unwrap();
    for key in [&own, &of_service] {
        assert_eq!(node.refusal(key), Some(InvalidReason::UnknownApiKey));
        soon("the other gateway refuses the key", async || other.refusal(key).is_some()).await;
    }
    assert!(node.is_refused(&session).await);
    node.enter(&elsewhere).await.expect("for another organisation they act on");
    assert_eq!(node.refusal(&kept), None);
    gateway.revoked(&issued.access_token).await;
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
    let of_ada = RoleHolder::Person(who(&ada));
    let unbound = accounts.unbind_role("Gone Ltd", &of_ada, "viewer", &operator, &visit).await.unwrap_err();
    assert!(matches!(unbound, AccountError::Missing(_)), "{unbound}");

    // One that has nothing needs no force, and its name is free again.
    let again = accounts.create_organization("Gone Ltd", OPERATOR, &visit).await.unwrap();
    assert_eq!(accounts.holdings("Gone Ltd").await.unwrap().1, Holdings::default());
    accounts.delete_organization(again.id.as_str(), false, OPERATOR, &visit).await.unwrap();
}

pub(crate) async fn stories(location: &StoreLocation) {
    renamed(location).await;
    Box::pin(forgotten(location)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizations_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organizations_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
