//! The keys that sign.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{StoreLocation, Tokens};
use bartizan_identity::{
    AuthenticationError, InvalidReason,
    account::Visit,
    authorization_server::{AuthorizationServer, KeyChange, KeyState, TokenError},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Issuing, refresh_of};
use crate::OPERATOR;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_has_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::open(&location).await;
    let other = Tokens { secret: "fedcba9876543210fedcba9876543210".into(), ..gateway.tokens().clone() };
    let error = AuthorizationServer::open(&gateway.node.accounts, &Arc::new(other)).await.unwrap_err();
    assert!(matches!(error, TokenError::Sealed), "{error}");
    let stored = std::fs::read(folder.path().join("bartizan.db")).unwrap();
    let private = b"MC4CAQAwBQYDK2VwBCIEI";
    assert!(!stored.windows(private.len()).any(|window| window == private));
}

/// The `kid` of what signed a token.
fn key(token: &SecretString) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// What an operator does after a leak, or before one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_change_when_an_operator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let (gateway, other) = (Issuing::open(&location).await, Issuing::open(&location).await);
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let change =
        async |change| gateway.server.change_keys(change, OPERATOR, &Visit::default()).await.unwrap();
    let first = gateway.issue(&session, "reports:read").await;
    let known = gateway.server.signing_keys().await.unwrap();
    let next = known.published.iter().find(|key| key.state == KeyState::Next).unwrap().id.clone();

    let rotated = change(KeyChange::Rotate).await;
    assert_eq!((known.active, &rotated.active), (key(&first.access_token), &next));
    let states: Vec<_> = rotated.published.iter().map(|key| key.state).collect();
    assert!(states.len() == 3 && states.contains(&KeyState::Retiring), "{states:?}");
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    assert_eq!(key(&second.access_token), next);
    other.server.rotate_keys_at(SystemTime::now()).await.unwrap();
    for node in [&gateway, &other] {
        node.enter(&first.access_token).expect("it still counts");
        node.enter(&second.access_token).unwrap();
    }

    let renewed = change(KeyChange::Revoke).await;
    assert_eq!(renewed.published.len(), 2);
    assert!(rotated.published.iter().all(|old| renewed.published.iter().all(|new| new.id != old.id)));
    other.server.rotate_keys_at(SystemTime::now()).await.unwrap();
    for node in [&gateway, &other] {
        for token in [&first.access_token, &second.access_token] {
            let error = node.enter(token).unwrap_err();
            let reason = InvalidReason::UnknownKey;
            assert!(
                matches!(error, AuthenticationError::Invalid { reason: found, .. } if found == reason),
                "{error}"
            );
        }
    }
    let third = gateway.refresh(refresh_of(&second)).await.expect("refresh tokens go on");
    other.enter(&third.access_token).unwrap();
    let trail = gateway.node.accounts.audit(10).await.unwrap();
    for action in ["token.rotate_keys", "token.revoke_keys"] {
        let entry = trail.iter().find(|entry| entry.action == action).unwrap();
        assert_ne!(entry.details["before"]["active"], entry.details["after"]["active"], "{entry:?}");
    }
}

/// The keys of a month: each verifies as long as a token of it may live, and then no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_sign_no_more_still_verify() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::open(&location).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let before = gateway.issue(&session, "reports:read").await;
    let day = Duration::from_hours(24);
    gateway.server.rotate_keys_at(SystemTime::now() + 31 * day).await.unwrap();
    let published = gateway.server.jwks();
    let ids: Vec<_> =
        published["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "next, active and retiring");
    let after = gateway.issue(&session, "reports:read").await;
    assert_ne!(key(&before.access_token), key(&after.access_token));
    for token in [&before.access_token, &after.access_token] {
        assert!(ids.contains(&key(token).as_str()));
        gateway.enter(token).unwrap();
    }
    gateway.server.rotate_keys_at(SystemTime::now() + 31 * day + Duration::from_hours(2)).await.unwrap();
    let error = gateway.enter(&before.access_token).unwrap_err();
    assert!(
        matches!(error, AuthenticationError::Invalid { reason: InvalidReason::UnknownKey, .. }),
        "{error}"
    );
    gateway.enter(&after.access_token).unwrap();
}
