//! The keys that sign.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{StoreLocation, Tokens};
use bartizan_identity::{
    AuthenticationError, InvalidReason,
    account::Visit,
    authorization_server::{
        AuthorizationRequest, AuthorizationServer, Grant, KeyChange, KeyState, TokenError,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{DOCUMENT, Issuing, VERIFIER, parameter, refresh_of, request};
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

/// Another secret takes the place of one, and the keys stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_changes_while_the_earlier_one_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let first = Issuing::open(&location).await;
    let keys = first.server.jwks();
    let old = "0123456789abcdef0123456789abcdef";
    let document = DOCUMENT.replace("GRACE", "10s");
    let quoted = |secret: &str| format!("\"{secret}\"");
    let new = "fedcba9876543210fedcba9876543210";
    let listed = format!("[{new}, {old}]");
    for secret in [&listed, new] {
        let gateway = Issuing::of(&location, &document.replace(&quoted(old), secret)).await;
        assert_eq!(gateway.server.jwks(), keys, "{secret}");
    }
    let error = AuthorizationServer::open(&first.node.accounts, &Arc::new(first.tokens().clone())).await;
    assert!(matches!(error, Err(TokenError::Sealed)), "the old one opens nothing any more");
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

/// What a token is signed with.
fn algorithm(token: &SecretString) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["alg"].as_str().unwrap().to_owned()
}

/// One client and one resource know other algorithms only; their keys stand beside the others, and rotate with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_needs_another_algorithm_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let billing = "http://localhost:8080/billing";
    let text = DOCUMENT
        .replace("GRACE", "10s")
        .replace(
            "    at_most: 2",
            &format!("    resource_algorithms: {{ \"{billing}\": ES256 }}\n    at_most: 5"),
        )
        .replace("\"https://other.test/back\"]", "\"https://other.test/back\"], algorithm: RS256");
    let gateway = Issuing::of(&location, &text).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let plain = gateway.issue(&session, "openid reports:read").await;
    let for_billing = gateway.issue_for(&session, "openid reports:read", &[billing.to_owned()]).await;
    let back = "https://other.test/back";
    let request = AuthorizationRequest {
        client: "other".into(),
        redirect_uri: back.into(),
        ..request("openid reports:read")
    };
    let code = parameter(&gateway.authorize(&request, Some(&session)).await, "code").unwrap();
    let grant =
        Grant::AuthorizationCode { code: code.into(), redirect_uri: back.into(), verifier: VERIFIER.into() };
    let for_other = gateway.ask("other", grant).await.unwrap();
    let issued = [&plain, &for_billing, &for_other];
    let signed =
        issued.map(|issued| (algorithm(&issued.access_token), algorithm(issued.id_token.as_ref().unwrap())));
    let expected = [("EdDSA", "EdDSA"), ("ES256", "EdDSA"), ("RS256", "RS256")];
    assert_eq!(signed.each_ref().map(|(access, id)| (access.as_str(), id.as_str())), expected);
    for issued in issued {
        gateway.enter(&issued.access_token).unwrap();
    }
    let supported = gateway.server.metadata()["id_token_signing_alg_values_supported"].clone();
    assert_eq!(supported, serde_json::json!(["EdDSA", "RS256", "ES256"]));

    // Each has what signs and what signs next, and each changes by hand. What was signed still counts.
    let standing = async || {
        let keys = gateway.server.signing_keys().await.unwrap().published;
        let of = |algorithm: &str, state| {
            keys.iter().filter(|key| key.algorithm == algorithm && key.state == state).count()
        };
        ["EdDSA", "ES256", "RS256"]
            .map(|name| [KeyState::Active, KeyState::Next, KeyState::Retiring].map(|state| of(name, state)))
    };
    assert_eq!(standing().await, [[1, 1, 0]; 3]);
    let kinds = gateway.server.jwks()["keys"].as_array().unwrap().len();
    assert_eq!(kinds, 6);
    gateway.server.change_keys(KeyChange::Rotate, OPERATOR, &Visit::default()).await.unwrap();
    assert_eq!(standing().await, [[1, 1, 1]; 3]);
    let again = gateway.issue_for(&session, "reports:read", &[billing.to_owned()]).await;
    assert_eq!(algorithm(&again.access_token), "ES256");
    assert_ne!(key(&again.access_token), key(&for_billing.access_token));
    for issued in [&plain, &for_billing, &for_other, &again] {
        gateway.enter(&issued.access_token).unwrap();
    }
    gateway.server.change_keys(KeyChange::Revoke, OPERATOR, &Visit::default()).await.unwrap();
    assert_eq!(standing().await, [[1, 1, 0]; 3]);
    for issued in [&plain, &for_billing, &for_other, &again] {
        gateway.enter(&issued.access_token).unwrap_err();
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
