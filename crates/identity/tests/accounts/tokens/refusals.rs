//! Codes and refresh tokens that come twice, late, or for more than there is.

use std::sync::Arc;

use bartizan_config::{Config, Source, StoreLocation};
use bartizan_identity::{
    AuthenticationError, Authenticator, IdentityError, InvalidReason, SessionToken,
    account::Visit,
    authorization_server::{ClientProof, Grant, OAuthError, Revoked, TokenResponse},
};
use bartizan_policy::PermissionIndex;
use bartizan_store::{Statement, Store};
use secrecy::{ExposeSecret, SecretString};

use super::{BACK, DOCUMENT, Issuing, VERIFIER, claims, is_refused, refresh_of};
use crate::OPERATOR;

/// A gateway of which only this test knows, and somebody who has logged in there.
async fn gateway(folder: &tempfile::TempDir) -> (Issuing, SessionToken) {
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::open(&location).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    (gateway, session)
}

pub(super) fn config(text: &str) -> Config {
    Config::parse(&text.replace("GRACE", "10s"), &Source::text(".")).unwrap().config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_walks_behind_a_refresh_token_ends_the_authorisation() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let first = gateway.issue(&session, "reports:read").await;
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    let third = gateway.refresh(refresh_of(&second)).await.unwrap();
    is_refused(gateway.refresh(refresh_of(&first)).await, OAuthError::InvalidGrant);
    is_refused(gateway.refresh(refresh_of(&third)).await, OAuthError::InvalidGrant);
    gateway.revoked(&third.access_token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_ends_with_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let code = gateway.code(&session, "reports:read").await;
    // A code that is stored while the session ends is not seen by its end.
    let store = Store::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await.unwrap();
    assert_eq!(store.execute(Statement::new("DELETE FROM sessions")).await.unwrap(), 1);
    is_refused(gateway.exchange("app", &code).await, OAuthError::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_comes_twice_at_once_gives_nothing_that_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let code = gateway.code(&session, "reports:read").await;
    let (one, other) = tokio::join!(gateway.exchange("app", &code), gateway.exchange("app", &code));
    assert!(one.is_err() || other.is_err());
    for issued in [one, other].into_iter().flatten() {
        is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
        gateway.revoked(&issued.access_token).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_that_was_not_granted_does_not_use_the_code_up() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let code = gateway.code(&session, "reports:read").await;
    let grant = || Grant::AuthorizationCode {
        code: code.as_str().into(),
        redirect_uri: BACK.into(),
        verifier: VERIFIER.into(),
    };
    let billing = ["http://localhost:8080/billing".to_owned()];
    is_refused(gateway.ask_for("app", grant(), &billing).await, OAuthError::InvalidTarget);
    gateway.ask("app", grant()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_gives_what_the_client_may_have_now() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let issued = gateway.issue(&session, "reports:*").await;
    assert_eq!(issued.scope, "reports:read", "a scope says what the person may do");
    assert_eq!(claims(&issued.access_token)["scope"], "reports:read");
    gateway.server.reconfigure(&config(&DOCUMENT.replace("\"reports:*\", \"user:read\"", "\"user:read\"")));
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidScope);
    gateway.server.reconfigure(&config(DOCUMENT));
    gateway.refresh(refresh_of(&issued)).await.expect("it was not used up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_ends_every_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, _) = gateway(&folder).await;
    for (from, to, expected) in [
        ("http://localhost:8080\"\n", "http://localhost:8081\"\n", "issuer"),
        ("0123456789abcdef0123", "1123456789abcdef0123", "secret"),
    ] {
        let other = config(&DOCUMENT.replacen(from, to, 1));
        let index = Arc::new(PermissionIndex::new(other.routes.iter().map(|route| &route.require)));
        let sessions = gateway.node.accounts.sessions();
        let refused = Authenticator::new(&other, &index, Some(sessions), None).unwrap_err();
        assert!(matches!(refused, IdentityError::TokensChanged(what) if what == expected), "{refused}");
    }
}

/// Says what `one` says, with the signature of `other`.
fn forged(one: &TokenResponse, other: &TokenResponse) -> SecretString {
    let (said, _) = one.access_token.expose_secret().rsplit_once('.').unwrap();
    let (_, signature) = other.access_token.expose_secret().rsplit_once('.').unwrap();
    format!("{said}.{signature}").into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_token_is_refused_for_its_signature_and_revokes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session) = gateway(&folder).await;
    let (revoked, live) =
        (gateway.issue(&session, "reports:read").await, gateway.issue(&session, "reports:read").await);
    let id = claims(&revoked.access_token)["jti"].as_str().unwrap().to_owned();
    gateway.server.revoke(&Revoked::Token(id), OPERATOR, &Visit::default()).await.unwrap();
    gateway.revoked(&revoked.access_token).await;
    let refused = gateway.enter(&forged(&revoked, &live)).unwrap_err();
    assert!(
        matches!(refused, AuthenticationError::Invalid { reason: InvalidReason::Signature, .. }),
        "nothing is looked up by an id that nobody has vouched for: {refused}"
    );

    let app = ClientProof { id: "app".into(), secret: None, assertion: None };
    let revoke = async |token: &SecretString| {
        gateway.server.revoke_own((&app, None), token, &Visit::default()).await.unwrap();
    };
    revoke(&forged(&live, &revoked)).await;
    let sibling = gateway.refresh(refresh_of(&live)).await.unwrap();
    revoke(&sibling.access_token).await;
    gateway.revoked(&sibling.access_token).await;
    gateway.enter(&live.access_token).expect("what was revoked before it would have been seen by now");
}
