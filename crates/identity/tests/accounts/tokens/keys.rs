//! The keys that sign.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{StoreLocation, Tokens};
use bartizan_identity::{
    AuthenticationError, InvalidReason,
    authorization_server::{AuthorizationServer, TokenError},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::Issuing;

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

/// The keys of a month: each verifies as long as a token of it may live, and then no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_sign_no_more_still_verify() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::open(&location).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let before = gateway.issue(&session, "reports:read").await;
    let key = |token: &SecretString| {
        let header = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
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
