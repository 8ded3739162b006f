//! What grants leave in the audit trail, and who somebody is by what was granted.

use bartizan_config::StoreLocation;
use bartizan_identity::{
    ClientCertificate, SessionToken,
    account::Visit,
    authorization_server::{ClientProof, Grant, Userinfo, UserinfoError, UserinfoRequest},
};
use bartizan_store::{Statement, Store};
use http::{HeaderMap, Request, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Issuing, claims, refresh_of};
use crate::{OPERATOR, who};

async fn ask(
    gateway: &Issuing,
    headers: HeaderMap,
    certificate: Option<&ClientCertificate>,
) -> Result<Userinfo, UserinfoError> {
    let (mut head, ()) = Request::get("/userinfo").body(()).unwrap().into_parts();
    head.headers = headers;
    gateway.server.userinfo(&UserinfoRequest { head: &head, certificate }).await
}

fn authorization(scheme: &str, token: &SecretString) -> HeaderMap {
    let value = format!("{scheme} {}", token.expose_secret());
    HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
}

async fn bearer(gateway: &Issuing, token: &SecretString) -> Result<Userinfo, UserinfoError> {
    ask(gateway, authorization("Bearer", token), None).await
}

/// What the userinfo endpoint tells, and to whom.
pub(super) async fn who_somebody_is(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let ada = gateway.node.person("info@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("info@shop.test").await;
    let subject = ada.id.to_string();
    for (scope, name, email) in [
        ("openid", None, None),
        ("openid profile reports:read", Some("Ada"), None),
        ("openid email", None, Some("info@shop.test")),
        ("openid email profile", Some("Ada"), Some("info@shop.test")),
    ] {
        let tokens = gateway.issue(&session, scope).await;
        let told = bearer(&gateway, &tokens.access_token).await.unwrap();
        let expected = Userinfo {
            subject: subject.clone(),
            name: name.map(Into::into),
            email: email.map(Into::into),
            email_verified: email.map(|_| false),
        };
        assert_eq!(told, expected, "{scope}");
    }
    // Nobody has read mail to an address that an administrator has typed.
    let said = async || {
        let tokens = gateway.issue(&session, "openid email").await;
        let told = bearer(&gateway, &tokens.access_token).await.unwrap().email_verified;
        (claims(tokens.id_token.as_ref().unwrap())["email_verified"].as_bool(), told)
    };
    assert_eq!(said().await, (Some(false), Some(false)));
    let read = "UPDATE users SET email_verified_at = 1 WHERE id = $1";
    let store = Store::open(location).await.unwrap();
    store.execute(Statement::new(read).text(subject.as_str())).await.unwrap();
    assert_eq!(said().await, (Some(true), Some(true)));
    what_is_told_to_nobody(&gateway, &session).await;

    let last = gateway.issue(&session, "openid profile").await;
    gateway.node.accounts.disable_person(&who(&ada), true, OPERATOR, &Visit::default()).await.unwrap();
    let refused = bearer(&gateway, &last.access_token).await;
    assert!(matches!(refused, Err(UserinfoError::Token)), "{refused:?}");
    gateway.node.accounts.disable_person(&who(&ada), false, OPERATOR, &Visit::default()).await.unwrap();
    what_grants_leave(&gateway, &ada.id.to_string()).await;
}

async fn what_is_told_to_nobody(gateway: &Issuing, session: &SessionToken) {
    let plain = gateway.issue(session, "reports:read email").await;
    let refused = bearer(gateway, &plain.access_token).await;
    assert!(matches!(refused, Err(UserinfoError::Scope)), "{refused:?}");

    let person = gateway.issue(session, "openid").await;
    let refused = bearer(gateway, refresh_of(&person)).await;
    assert!(matches!(refused, Err(UserinfoError::Token)), "a refresh token: {refused:?}");
    let downgraded = ask(gateway, authorization("DPoP", &person.access_token), None).await;
    assert!(matches!(downgraded, Err(UserinfoError::Unproven(_))), "bound to nothing: {downgraded:?}");
    assert!(matches!(ask(gateway, HeaderMap::new(), None).await, Err(UserinfoError::Missing)));
    let basic = ask(gateway, authorization("Basic", &person.access_token), None).await;
    assert!(matches!(basic, Err(UserinfoError::Missing)), "{basic:?}");
    let mut both = authorization("Bearer", &person.access_token);
    both.append(header::AUTHORIZATION, "Bearer x".parse().unwrap());
    assert!(matches!(ask(gateway, both, None).await, Err(UserinfoError::Ambiguous)));

    // A machine is nobody, whatever words its scope has.
    let watcher =
        ClientProof { id: "watcher".into(), secret: Some("watcher".into()), ..ClientProof::default() };
    let grant = Grant::ClientCredentials { scope: "openid email".into() };
    let machine = gateway.ask_as(watcher, grant, &[]).await.unwrap();
    let refused = bearer(gateway, &machine.access_token).await;
    assert!(matches!(refused, Err(UserinfoError::Token)), "{refused:?}");

    let certificate = ClientCertificate { fingerprint: [7; 32], ..ClientCertificate::default() };
    let other = ClientCertificate { fingerprint: [8; 32], ..ClientCertificate::default() };
    let bound = gateway.bound(session, "openid", &certificate).await;
    for (shown, is_told) in [(None, false), (Some(&other), false), (Some(&certificate), true)] {
        let told = ask(gateway, authorization("Bearer", &bound.access_token), shown).await;
        assert_eq!(told.is_ok(), is_told, "{told:?}");
    }
}

async fn what_grants_leave(gateway: &Issuing, user: &str) {
    let session = gateway.node.log_in("info@shop.test").await;
    let first = gateway.issue(&session, "openid reports:read reports:write").await;
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    let exchanged = gateway.exchange_token(&second.access_token).await.unwrap();
    let watcher =
        ClientProof { id: "watcher".into(), secret: Some("watcher".into()), ..ClientProof::default() };
    let grant = Grant::ClientCredentials { scope: "reports:read".into() };
    let own = gateway.ask_as(watcher, grant, &[]).await.unwrap();

    let trail = gateway.node.accounts.audit(4).await.unwrap();
    let family = claims(&first.access_token)["grant_id"].clone();
    let expected = [
        (
            "token.issue",
            "watcher",
            "watcher",
            json!({ "grant_type": "client_credentials", "client": "watcher", "scope": "reports:read" }),
        ),
        (
            "token.exchange",
            "watcher",
            user,
            json!({ "grant_type": "token-exchange", "client": "watcher", "scope": "openid reports:read" }),
        ),
        (
            "token.refresh",
            user,
            user,
            json!({ "grant_type": "refresh_token", "client": "app", "grant": family, "scope": "openid reports:read" }),
        ),
        (
            "token.issue",
            user,
            user,
            json!({ "grant_type": "authorization_code", "client": "app", "grant": family, "scope": "openid reports:read" }),
        ),
    ];
    for (entry, (action, actor, subject, details)) in trail.iter().zip(expected) {
        assert_eq!(
            (entry.action.as_str(), entry.actor.as_str(), entry.subject.as_str()),
            (action, actor, subject)
        );
        assert_eq!(entry.details, details, "{action}");
    }
    let everything = format!("{:?}", gateway.node.accounts.audit(1000).await.unwrap());
    for secret in [
        &first.access_token,
        refresh_of(&first),
        &second.access_token,
        refresh_of(&second),
        &exchanged.access_token,
        &own.access_token,
    ] {
        assert!(!everything.contains(secret.expose_secret()), "the trail holds a token");
    }
}
