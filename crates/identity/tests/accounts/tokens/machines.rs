//! Tokens of machines, and those that they get for tokens that they were called with.

use std::time::Duration;

use bartizan_identity::{
    AuthenticationError, ClientCertificate, InvalidReason, SessionToken,
    account::{AuditFilter, NewService, Visit},
    authorization_server::{ClientProof, Grant, OAuthError, Proofs, Revoked, TokenEndpoint, TokenRequest},
};
use bartizan_model::{CallerType, Zone};
use http::HeaderMap;
use secrecy::SecretString;

use super::{Issuing, claims, is_refused};
use crate::{OPERATOR, who};

/// A service of an organisation, which operators know and the configuration does not.
async fn services(gateway: &Issuing) {
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    let organization = accounts.create_organization("Machines Ltd", OPERATOR, &visit).await.unwrap().id;
    let permissions = vec!["payment:read".into(), "payment:write".into()];
    let new = NewService {
        organization: organization.to_string(),
        name: "payment".into(),
        permissions,
        ..NewService::default()
    };
    let (service, secret) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let ask = async |secret: &SecretString, grant: Grant| {
        let client = ClientProof { id: service.id.clone(), secret: Some(secret.clone()), assertion: None };
        let request = TokenRequest { client, grant, resources: Vec::new() };
        let headers = HeaderMap::new();
        let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &headers, certificate: None };
        gateway.server.token(&request, &proofs, &Visit::default()).await
    };
    let own = |scope: &str| Grant::ClientCredentials { scope: scope.into() };
    let issued = ask(&secret, own("payment:read")).await.unwrap();
    let said = claims(&issued.access_token);
    assert_eq!((&said["sub"], &said["org_id"]), (&service.id.as_str().into(), &organization.as_str().into()));
    assert_eq!(gateway.enter(&issued.access_token).unwrap().grants.to_str().unwrap(), "payment:read");
    is_refused(ask(&secret, own("users:read")).await, OAuthError::InvalidScope);
    is_refused(ask(&"x".repeat(60).into(), own("")).await, OAuthError::InvalidClient);
    let exchange =
        Grant::TokenExchange { subject: issued.access_token.clone(), actor: None, scope: String::new() };
    is_refused(ask(&secret, exchange).await, OAuthError::UnauthorizedClient);

    // Another secret, or more permissions, end no tokens; fewer do.
    let (_, second) =
        accounts.rotate_service_secret(&service.id, Duration::from_hours(1), OPERATOR, &visit).await.unwrap();
    let more: Vec<String> = ["payment:read", "payment:write", "users:read"].map(Into::into).into();
    accounts.set_service_permissions(&service.id, &more, OPERATOR, &visit).await.unwrap();
    let later = ask(&second, own("payment:read")).await.unwrap();
    // Whatever had been revoked by now would be seen before this.
    let last = ask(&second, own("payment:read")).await.unwrap();
    let client = ClientProof { id: service.id.clone(), secret: Some(second.clone()), assertion: None };
    gateway.server.revoke_own((&client, None), &last.access_token, &visit).await.unwrap();
    gateway.revoked(&last.access_token).await;
    gateway.enter(&issued.access_token).unwrap();
    accounts.set_service_permissions(&service.id, &more[..1], OPERATOR, &visit).await.unwrap();
    gateway.revoked(&later.access_token).await;
    let issued = ask(&secret, own("payment:read")).await.unwrap();
    about_its_tokens(gateway, &service.id, &secret, &issued.access_token).await;
    let issued = ask(&secret, own("payment:read")).await.unwrap();
    let new = NewService {
        organization: organization.to_string(),
        name: "idle".into(),
        permissions: vec![],
        ..NewService::default()
    };
    let (idle, secret_of_idle) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let client = ClientProof { id: idle.id, secret: Some(secret_of_idle), assertion: None };
    let request = TokenRequest { client, grant: own(""), resources: Vec::new() };
    let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &HeaderMap::new(), certificate: None };
    let nothing = gateway.server.token(&request, &proofs, &visit).await;
    is_refused(nothing, OAuthError::UnauthorizedClient);
    // A secret that goes at once takes along what it got.
    let (_, third) =
        accounts.rotate_service_secret(&service.id, Duration::ZERO, OPERATOR, &visit).await.unwrap();
    gateway.revoked(&issued.access_token).await;
    is_refused(ask(&secret, own("")).await, OAuthError::InvalidClient);
    let issued = ask(&third, own("payment:read")).await.unwrap();
    accounts.suspend_service(&service.id, Some("leaked"), OPERATOR, &visit).await.unwrap();
    gateway.revoked(&issued.access_token).await;
    is_refused(ask(&third, own("")).await, OAuthError::InvalidClient);
}

/// A service calls on for the people of its organisation, as far as its record says, and until that says less.
async fn services_that_call_on(gateway: &Issuing) {
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    let organization = accounts.create_organization("Relay Ltd", OPERATOR, &visit).await.unwrap().id;
    accounts.create_organization("Elsewhere Ltd", OPERATOR, &visit).await.unwrap();
    let ada = gateway.node.person("relay@shop.test", &["auditor"]).await;
    for place in ["Relay Ltd", "Elsewhere Ltd"] {
        accounts.add_role(Some(place), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    }
    let issue_in = async |organization: &str| {
        let session = gateway.node.log_in_for("relay@shop.test", organization).await;
        gateway.issue(&session, "reports:read user:read").await
    };
    let (issued, issued_elsewhere) = (issue_in("Relay Ltd").await, issue_in("Elsewhere Ltd").await);
    let new = NewService {
        organization: organization.to_string(),
        name: "relay".into(),
        permissions: vec!["payment:read".into()],
        exchange: vec!["reports:*".into()],
        zone: Some(Zone::Services),
    };
    let (service, secret) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let call_on = async |subject: &SecretString, scope: &str| {
        let client = ClientProof { id: service.id.clone(), secret: Some(secret.clone()), assertion: None };
        let grant = Grant::TokenExchange { subject: subject.clone(), actor: None, scope: scope.into() };
        gateway.ask_as(client, grant, &[]).await
    };

    // For the person, with no more than the record says, in the name of the service.
    let next = call_on(&issued.access_token, "").await.unwrap();
    let said = claims(&next.access_token);
    assert_eq!((&said["sub"], &said["org_id"]), (&ada.id.as_str().into(), &organization.as_str().into()));
    assert_eq!(said["act"], serde_json::json!({ "sub": service.id }));
    assert_eq!(said["permissions"], serde_json::json!(["reports:read"]), "not what else the person may read");
    let identified = gateway.enter(&next.access_token).unwrap();
    assert_eq!(identified.caller.caller_type(), CallerType::User);
    assert_eq!(identified.caller.zone(), Zone::Public, "the zone of the service is not the person's");
    is_refused(call_on(&issued.access_token, "user:read").await, OAuthError::InvalidScope);
    is_refused(call_on(&issued.access_token, "reports:*").await, OAuthError::InvalidScope);
    // Tokens that were issued for another organisation are none of its.
    gateway.enter(&issued_elsewhere.access_token).unwrap();
    is_refused(call_on(&issued_elsewhere.access_token, "").await, OAuthError::InvalidRequest);
    let after_next = gateway.exchange_token(&next.access_token).await.unwrap();

    // Its own token says its zone, and a change of that ends it.
    let own = Grant::ClientCredentials { scope: String::new() };
    let client = ClientProof { id: service.id.clone(), secret: Some(secret.clone()), assertion: None };
    let own = gateway.ask_as(client, own, &[]).await.unwrap();
    assert_eq!(gateway.enter(&own.access_token).unwrap().caller.zone(), Zone::Services);

    // Another end of what it may carry on ends what it has carried on, also what came of that.
    accounts.set_service_exchange(&service.id, &[], OPERATOR, &visit).await.unwrap();
    gateway.revoked(&next.access_token).await;
    gateway.revoked(&after_next.access_token).await;
    gateway.enter(&issued.access_token).unwrap();
    is_refused(call_on(&issued.access_token, "").await, OAuthError::UnauthorizedClient);
    accounts.set_service_exchange(&service.id, &["*".into()], OPERATOR, &visit).await.unwrap();
    let again = call_on(&issued.access_token, "").await.unwrap();
    assert_eq!(again.scope, "reports:read user:read", "no more than the token allowed");
    gateway.enter(&again.access_token).unwrap();
    accounts.set_service_zone(&service.id, None, OPERATOR, &visit).await.unwrap();
    gateway.revoked(&again.access_token).await;
    let client = ClientProof { id: service.id.clone(), secret: Some(secret.clone()), assertion: None };
    let own = Grant::ClientCredentials { scope: String::new() };
    let own = gateway.ask_as(client, own, &[]).await.unwrap();
    assert_eq!(gateway.enter(&own.access_token).unwrap().caller.zone(), Zone::Public);
}

/// Whoever calls on with a service's token, it is a service's.
async fn stays_a_machine(gateway: &Issuing) {
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    let organization = accounts.create_organization("Reports Ltd", OPERATOR, &visit).await.unwrap().id;
    let permissions = vec!["reports:read".into()];
    let new = NewService {
        organization: organization.to_string(),
        name: "reader".into(),
        permissions,
        ..NewService::default()
    };
    let (service, secret) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let client = ClientProof { id: service.id.clone(), secret: Some(secret), assertion: None };
    let grant = Grant::ClientCredentials { scope: String::new() };
    let own = gateway.ask_as(client, grant, &[]).await.unwrap();
    // Another organisation's services learn nothing of it.
    accounts.create_organization("Rivals Ltd", OPERATOR, &visit).await.unwrap();
    let new = NewService {
        organization: "Rivals Ltd".into(),
        name: "curious".into(),
        permissions: vec![],
        ..NewService::default()
    };
    let (rival, secret) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let rival = ClientProof { id: rival.id, secret: Some(secret), assertion: None };
    let told = gateway.server.introspect((&rival, None), &own.access_token, &visit).await.unwrap();
    assert_eq!(told, serde_json::json!({ "active": false }));
    let next = gateway.exchange_token(&own.access_token).await.unwrap();
    let after_next = gateway.exchange_token(&next.access_token).await.unwrap();
    for token in [&own.access_token, &next.access_token, &after_next.access_token] {
        let identified = gateway.enter(token).unwrap();
        assert_eq!(identified.caller.caller_type(), CallerType::Service);
        assert_eq!(identified.principal.id.to_string(), service.id);
    }
}

/// How many of this kind the audit trail has about this client.
async fn entries(gateway: &Issuing, client: &str, action: &str, outcome: &str) -> usize {
    let filter = AuditFilter {
        action: Some(action.into()),
        subject: Some(client.into()),
        outcome: Some(outcome.into()),
        limit: 100,
        ..AuditFilter::default()
    };
    gateway.node.accounts.audit_trail(&filter).await.unwrap().len()
}

/// A service may ask about tokens and end its own, but only with its secret.
async fn about_its_tokens(gateway: &Issuing, id: &str, secret: &SecretString, token: &SecretString) {
    let (server, visit) = (&gateway.server, Visit::default());
    let proof = |secret: Option<&SecretString>| ClientProof {
        id: id.into(),
        secret: secret.cloned(),
        assertion: None,
    };
    let own = proof(Some(secret));
    let proven = entries(gateway, id, "service.authenticate", "done").await;
    assert_eq!(server.introspect((&own, None), token, &visit).await.unwrap()["active"], true);
    for wrong in [proof(None), proof(Some(&"x".repeat(60).into()))] {
        is_refused(server.introspect((&wrong, None), token, &visit).await, OAuthError::InvalidClient);
        is_refused(server.revoke_own((&wrong, None), token, &visit).await, OAuthError::InvalidClient);
    }
    assert_eq!(entries(gateway, id, "service.authenticate", "done").await, proven, "it may ask often");
    server.revoke_own((&own, None), token, &visit).await.unwrap();
    gateway.revoked(token).await;
    assert_eq!(server.introspect((&own, None), token, &visit).await.unwrap()["active"], false);
}

/// A machine's own tokens, and those that it gets for tokens that it was called with.
pub(super) async fn machines(gateway: &Issuing, session: &SessionToken) {
    let ask = async |id: &str, grant: Grant, resources: &[&str]| {
        let secret = (id == "watcher").then(|| "watcher".into());
        let resources = resources.iter().map(|resource| (*resource).to_owned()).collect();
        let request =
            TokenRequest { client: ClientProof { id: id.into(), secret, assertion: None }, grant, resources };
        let headers = HeaderMap::new();
        let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &headers, certificate: None };
        gateway.server.token(&request, &proofs, &Visit::default()).await
    };
    let own = |scope: &str| Grant::ClientCredentials { scope: scope.into() };
    let machine = ask("watcher", own("reports:read users:read"), &[]).await.unwrap();
    let said = claims(&machine.access_token);
    assert_eq!((&said["sub"], &said["client_id"]), (&"watcher".into(), &"watcher".into()));
    assert_eq!(said["permissions"], serde_json::json!(["reports:read", "users:read"]));
    assert!(machine.refresh_token.is_none());
    let identified = gateway.enter(&machine.access_token).unwrap();
    assert_eq!(identified.grants.to_str().unwrap(), "reports:read users:read");
    is_refused(ask("watcher", own("invoices:write"), &[]).await, OAuthError::InvalidScope);
    is_refused(ask("app", own(""), &[]).await, OAuthError::UnauthorizedClient);
    let wrong = ClientProof { id: "watcher".into(), secret: Some("wrong".into()), assertion: None };
    is_refused(gateway.ask_as(wrong, own(""), &[]).await, OAuthError::InvalidClient);
    assert_eq!(entries(gateway, "watcher", "client.authenticate", "refused").await, 1);

    services(gateway).await;
    services_that_call_on(gateway).await;
    stays_a_machine(gateway).await;
    let billing = "http://localhost:8080/billing";
    let resources = ["http://localhost:8080".to_owned(), billing.to_owned()];
    let person = gateway.issue_for(session, "reports:read reports:write", &resources).await;
    let exchange = |scope: &str| {
        let subject = person.access_token.clone();
        Grant::TokenExchange { subject, actor: None, scope: scope.into() }
    };
    let next = ask("watcher", exchange("reports:read"), &[billing]).await.unwrap();
    let (before, after) = (claims(&person.access_token), claims(&next.access_token));
    assert_eq!(
        (&after["sub"], &after["aud"], &after["sid"]),
        (&before["sub"], &billing.into(), &before["sid"])
    );
    assert_eq!(after["act"], serde_json::json!({ "sub": "watcher" }));
    assert_eq!(after["permissions"], serde_json::json!(["reports:read"]));
    assert!(after["exp"].as_i64() <= before["exp"].as_i64() && after["jti"] != before["jti"]);
    let again =
        Grant::TokenExchange { subject: next.access_token.clone(), actor: None, scope: String::new() };
    let again = claims(&ask("watcher", again, &[]).await.unwrap().access_token);
    assert_eq!(again["aud"], billing, "no audience is added");
    assert_eq!(again["act"], serde_json::json!({ "sub": "watcher", "act": { "sub": "watcher" } }));
    let all = ask("watcher", exchange(""), &[]).await.unwrap();
    assert_eq!(all.scope, "reports:read", "the client may have no more");
    assert_eq!(claims(&all.access_token)["aud"], before["aud"]);
    let again =
        Grant::TokenExchange { subject: next.access_token.clone(), actor: None, scope: String::new() };
    is_refused(ask("watcher", again, &["http://localhost:8080"]).await, OAuthError::InvalidTarget);
    is_refused(ask("watcher", exchange("reports:write"), &[]).await, OAuthError::InvalidScope);
    is_refused(ask("watcher", exchange("reports:*"), &[]).await, OAuthError::InvalidScope);
    is_refused(ask("app", exchange(""), &[]).await, OAuthError::UnauthorizedClient);
    is_refused(ask("watcher", exchange(""), &["https://elsewhere.test"]).await, OAuthError::InvalidTarget);
    let nonsense = Grant::TokenExchange { subject: "nonsense".into(), actor: None, scope: String::new() };
    is_refused(ask("watcher", nonsense, &[]).await, OAuthError::InvalidRequest);

    // Whoever acts may say so by a token of its own, and by no other.
    let acting = |actor: &SecretString| Grant::TokenExchange {
        subject: person.access_token.clone(),
        actor: Some(actor.clone()),
        scope: String::new(),
    };
    let itself = ask("watcher", own(""), &[]).await.unwrap().access_token;
    let acted = claims(&ask("watcher", acting(&itself), &[]).await.unwrap().access_token);
    assert_eq!(acted["act"], serde_json::json!({ "sub": "watcher" }));
    for other in [&person.access_token, &next.access_token, &"nonsense".into()] {
        is_refused(ask("watcher", acting(other), &[]).await, OAuthError::InvalidRequest);
    }

    // What ends the first ends the second; a token that is bound gives none that is not.
    let certificate = |byte| ClientCertificate { fingerprint: [byte; 32], ..ClientCertificate::default() };
    let bound = gateway.bound(session, "reports:read", &certificate(7)).await;
    let exchange =
        Grant::TokenExchange { subject: bound.access_token.clone(), actor: None, scope: String::new() };
    is_refused(ask("watcher", exchange, &[]).await, OAuthError::InvalidRequest);
    assert!(matches!(
        gateway.enter(&bound.access_token),
        Err(AuthenticationError::Invalid { reason: InvalidReason::OtherCertificate, .. })
    ));
    gateway.enter_with(&bound.access_token, Some(&certificate(7))).expect("with its certificate");
    assert!(gateway.enter_with(&bound.access_token, Some(&certificate(8))).is_err());
    let family = before["grant_id"].as_str().unwrap().to_owned();
    gateway.server.revoke(&Revoked::Authorization(family), OPERATOR, &Visit::default()).await.unwrap();
    gateway.revoked(&next.access_token).await;
}
