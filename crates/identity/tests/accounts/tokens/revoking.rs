//! What ends tokens before their time.

use bartizan_config::{Config, Source, StoreLocation};
use bartizan_identity::{
    account::{AccountError, Page, PersonId, Visit},
    authorization_server::{ClientProof, LogoutRequest, OAuthError, Revoked},
};
use secrecy::ExposeSecret;

use super::{DOCUMENT, Issuing, claims, is_refused, refresh_of};
use crate::{OPERATOR, who};

pub(super) async fn everything_that_revokes(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let visit = Visit::default();
    let bob = gateway.node.person("bob@shop.test", &["auditor"]).await;
    let acme = gateway.node.accounts.create_organization("Acme", OPERATOR, &visit).await.unwrap();
    gateway.node.accounts.add_role(Some("Acme"), &who(&bob), "viewer", OPERATOR, &visit).await.unwrap();
    let app = || ClientProof { id: "app".into(), secret: None, assertion: None };

    // One access token.
    let session = gateway.node.log_in("bob@shop.test").await;
    let one = gateway.issue(&session, "reports:read").await;
    assert_eq!(claims(&one.access_token)["org_id"], acme.id.as_str());
    let sibling = gateway.refresh(refresh_of(&one)).await.unwrap();
    let passed_on = gateway.exchange_token(&one.access_token).await.unwrap().access_token;
    let further = gateway.exchange_token(&passed_on).await.unwrap().access_token;
    gateway.enter(&further).unwrap();
    let stranger = ClientProof { id: "other".into(), secret: None, assertion: None };
    is_refused(
        gateway.server.revoke_own((&stranger, None), &one.access_token, &visit).await,
        OAuthError::InvalidGrant,
    );
    gateway.server.revoke_own((&app(), None), &one.access_token, &visit).await.unwrap();
    for ended in [&one.access_token, &passed_on, &further] {
        gateway.revoked(ended).await;
    }
    gateway.enter(&sibling.access_token).expect("the others go on");
    // A refresh token, and all that came of it.
    gateway.server.revoke_own((&app(), None), refresh_of(&sibling), &visit).await.unwrap();
    gateway.revoked(&sibling.access_token).await;
    is_refused(gateway.refresh(refresh_of(&sibling)).await, OAuthError::InvalidGrant);
    gateway
        .server
        .revoke_own((&app(), None), &"nonsense".into(), &visit)
        .await
        .expect("RFC 7009, section 2.2");

    // A session, a person, an organisation.
    let one = gateway.issue(&session, "reports:read").await;
    gateway.node.accounts.log_out(&session, &visit).await.unwrap();
    gateway.revoked(&one.access_token).await;
    is_refused(gateway.refresh(refresh_of(&one)).await, OAuthError::InvalidGrant);
    for what in [
        Revoked::Person(PersonId("bob@shop.test".into())),
        Revoked::Organization("Acme".into()),
        Revoked::Token(String::new()),
        Revoked::Authorization(String::new()),
    ] {
        let session = gateway.node.log_in("bob@shop.test").await;
        let one = gateway.issue(&session, "reports:read").await;
        let said = claims(&one.access_token);
        let what = match what {
            Revoked::Token(_) => Revoked::Token(said["jti"].as_str().unwrap().into()),
            Revoked::Authorization(_) => Revoked::Authorization(said["grant_id"].as_str().unwrap().into()),
            other => other,
        };
        gateway.server.revoke(&what, OPERATOR, &visit).await.unwrap();
        gateway.revoked(&one.access_token).await;
        assert_eq!(
            gateway.refresh(refresh_of(&one)).await.is_ok(),
            matches!(what, Revoked::Token(_)),
            "{what:?}"
        );
        let next = gateway.issue(&session, "reports:read").await;
        gateway.enter(&next.access_token).expect("what is issued afterwards counts");
    }

    // An application, by its person.
    let session = gateway.node.log_in("bob@shop.test").await;
    let (one, another) =
        (gateway.issue(&session, "reports:read").await, gateway.issue(&session, "user:read").await);
    let listed = gateway.node.accounts.applications(&session).await.unwrap();
    let told: Vec<_> =
        listed.iter().map(|application| (application.client.as_str(), application.scopes.len())).collect();
    assert_eq!(told, [("app", 2)]);
    let end = |client| gateway.node.accounts.end_application(&session, client, &visit);
    assert!(matches!(end("other").await, Err(AccountError::Missing(_))));
    end("app").await.unwrap();
    for issued in [&one, &another] {
        gateway.revoked(&issued.access_token).await;
        is_refused(gateway.refresh(refresh_of(issued)).await, OAuthError::InvalidGrant);
    }
    assert!(gateway.node.accounts.applications(&session).await.unwrap().is_empty());

    // Introspection is for those with a secret.
    let session = gateway.node.log_in("bob@shop.test").await;
    let one = gateway.issue(&session, "reports:read").await;
    let watcher = ClientProof { id: "watcher".into(), secret: Some("watcher".into()), assertion: None };
    let told = gateway.server.introspect((&watcher, None), &one.access_token, &visit).await.unwrap();
    assert_eq!(
        (&told["active"], &told["client_id"], &told["scope"]),
        (&true.into(), &"app".into(), &"reports:read".into())
    );
    assert_eq!(
        gateway.server.introspect((&watcher, None), refresh_of(&one), &visit).await.unwrap()["active"],
        false,
        "another client's"
    );
    is_refused(
        gateway.server.introspect((&app(), None), &one.access_token, &visit).await,
        OAuthError::InvalidClient,
    );
    gateway.node.accounts.log_out(&session, &visit).await.unwrap();
    gateway.revoked(&one.access_token).await;
    let told = gateway.server.introspect((&watcher, None), &one.access_token, &visit).await.unwrap();
    assert_eq!(told, serde_json::json!({ "active": false }));
}

/// What one gateway issues the other accepts; what one revokes the other refuses.
pub(super) async fn two_gateways(location: &StoreLocation) {
    let (one, other) = tokio::join!(Issuing::open(location), Issuing::open(location));
    assert_eq!(one.server.jwks(), other.server.jwks(), "one transaction decides");
    assert_eq!(one.server.jwks()["keys"].as_array().unwrap().len(), 2);
    one.node.person("eve@shop.test", &["auditor"]).await;
    let session = one.node.log_in("eve@shop.test").await;
    let issued = one.issue(&session, "reports:read").await;
    other.enter(&issued.access_token).unwrap();
    one.server
        .revoke_own(
            (&ClientProof { id: "app".into(), secret: None, assertion: None }, None),
            refresh_of(&issued),
            &Visit::default(),
        )
        .await
        .unwrap();
    other.revoked(&issued.access_token).await;
    is_refused(other.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
}

/// Logout that begins at a client ends the session that its ID token is from, and no other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_logs_somebody_out() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Issuing::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
    gateway.node.person("leaves@shop.test", &["auditor"]).await;
    let (session, other) =
        (gateway.node.log_in("leaves@shop.test").await, gateway.node.log_in("leaves@shop.test").await);
    let issued = gateway.issue(&session, "openid reports:read").await;
    let asked = LogoutRequest {
        id_token: issued.id_token.clone().unwrap(),
        client: Some("app".into()),
        redirect_uri: Some("https://app.test/bye?a=b".into()),
        state: Some("x&y".into()),
    };
    let end = async |request: LogoutRequest| gateway.server.end_session(&request, &Visit::default()).await;
    let forged = format!("{}A", asked.id_token.expose_secret());
    for wrong in [
        LogoutRequest { id_token: forged.into(), ..asked.clone() },
        LogoutRequest { id_token: issued.access_token.clone(), ..asked.clone() },
        LogoutRequest { client: Some("other".into()), ..asked.clone() },
        LogoutRequest { redirect_uri: Some("https://evil.test/".into()), ..asked.clone() },
    ] {
        is_refused(end(wrong).await, OAuthError::InvalidRequest);
    }
    gateway.node.enter(&session).await.expect("nothing was ended");
    let location = end(asked.clone()).await.unwrap();
    assert_eq!(location.as_deref(), Some("https://app.test/bye?a=b&state=x%26y"));
    assert!(gateway.node.is_refused(&session).await);
    gateway.revoked(&issued.access_token).await;
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
    gateway.node.enter(&other).await.expect("another session of the same person goes on");
    let again = LogoutRequest { redirect_uri: None, state: None, client: None, ..asked };
    assert_eq!(end(again).await.unwrap(), None, "it has ended already");
}

/// A changed configuration that takes a permission from a role ends the tokens of those who have it, and nobody else's.
pub(super) async fn roles_that_grant_less(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let accounts = &gateway.node.accounts;
    gateway.node.person("narrow@shop.test", &["auditor"]).await;
    gateway.node.person("wide@shop.test", &["editor"]).await;
    let narrow = gateway.issue(&gateway.node.log_in("narrow@shop.test").await, "reports:*").await;
    let wide = gateway.issue(&gateway.node.log_in("wide@shop.test").await, "reports:*").await;
    let configured = |auditor: &str, editor: &str| {
        let roles = DOCUMENT
            .replace("auditor: [\"reports:read\"]", &format!("auditor: [{auditor}]"))
            .replace("\"reports:write\", \"invoices:write\"", editor);
        Config::parse(&roles.replace("GRACE", "10s"), &Source::text(".")).unwrap().config
    };
    // More for both ends nothing.
    let more = "\"reports:*\", \"invoices:*\"";
    for roles in [more, "\"reports:list\""] {
        accounts.take_over(accounts.prepare(&configured(roles, more)).unwrap().unwrap());
    }
    gateway.revoked(&narrow.access_token).await;
    assert!(!gateway.server.authorizations(None, &Page::default()).await.unwrap().items.is_empty());
    gateway.enter(&wide.access_token).expect("its role has lost nothing");
    let trail = accounts.audit(100).await.unwrap();
    let narrowed: Vec<_> = trail.iter().filter(|entry| entry.action == "role.narrow").collect();
    assert_eq!(narrowed.len(), 1);
    assert_eq!(narrowed[0].subject, "auditor");
}
