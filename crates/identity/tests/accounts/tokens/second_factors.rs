//! Sessions that lack a second factor, or have moved, get no tokens that say otherwise.

use bartizan_config::StoreLocation;
use bartizan_identity::{
    SessionToken, Visitor,
    account::{StepUp, Visit},
    authorization_server::{AuthorizationRequest, OAuthError},
};
use http::HeaderMap;
use serde_json::json;

use super::{DOCUMENT, Issuing, claims, is_refused, parameter, refresh_of, request};
use crate::{messages::from, soon::soon};

const ELSEWHERE: [u8; 4] = [198, 51, 100, 7];

pub(super) async fn what_a_factor_is_worth(location: &StoreLocation) {
    a_role_asks_for_one(location).await;
    a_session_that_has_moved(location).await;
    one_is_removed(location).await;
}

async fn told(gateway: &Issuing, session: &SessionToken, visit: &Visit) -> Option<String> {
    let location = gateway.authorize_from(visit, &request("reports:read"), Some(session)).await;
    parameter(&location, "error")
}

/// The same people at a gateway where a role asks for a second factor, at once.
async fn asking(location: &StoreLocation, grace: &str) -> Issuing {
    let asking = format!("accounts:\n  second_factor: {{ roles: [auditor], grace: {grace} }}");
    let text = DOCUMENT.replace("GRACE", "10s").replacen("accounts:", &asking, 1);
    Issuing::of(location, &text).await
}

async fn a_role_asks_for_one(location: &StoreLocation) {
    let before = Issuing::open(location).await;
    before.node.person("asked@shop.test", &["auditor"]).await;
    before.node.person("unasked@shop.test", &["editor"]).await;
    let session = before.node.log_in("asked@shop.test").await;
    let weak = before.issue(&session, "reports:read").await;
    let code = before.code(&session, "reports:read").await;
    let lenient = asking(location, "30d").await;
    let weak = lenient.refresh(refresh_of(&weak)).await.unwrap();
    assert_eq!(told(&lenient, &session, &from(1)).await, None);

    let strict = asking(location, "0s").await;
    let unmet = Some("unmet_authentication_requirements");
    assert_eq!(told(&strict, &session, &from(1)).await.as_deref(), unmet);
    is_refused(strict.exchange("app", &code).await, OAuthError::InvalidGrant);
    is_refused(strict.refresh(refresh_of(&weak)).await, OAuthError::InvalidGrant);
    let unasked = strict.node.log_in("unasked@shop.test").await;
    let unasked = strict.issue(&unasked, "openid").await;
    strict.refresh(refresh_of(&unasked)).await.unwrap();

    // To have one is not to have shown it.
    let other = strict.node.log_in("asked@shop.test").await;
    strict.node.enrol(&session).await;
    assert_eq!(told(&strict, &other, &from(1)).await.as_deref(), Some("login_required"));
    is_refused(strict.refresh(refresh_of(&weak)).await, OAuthError::InvalidGrant);
    let strong = strict.issue(&session, "reports:read").await;
    strict.refresh(refresh_of(&strong)).await.unwrap();
}

async fn a_session_that_has_moved(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    gateway.node.person("moved@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("moved@shop.test").await;
    let there = Visit { address: Some(ELSEWHERE.into()), ..Visit::default() };
    assert_eq!(told(&gateway, &session, &there).await, None, "one factor is asked for nowhere");
    let (app, _) = gateway.node.enrol(&session).await;
    assert_eq!(told(&gateway, &session, &from(200)).await, None);
    assert_eq!(told(&gateway, &session, &there).await.as_deref(), Some("login_required"));

    // Marked as moved, it gets none at home either, until its person is proven.
    let identified = gateway.node.enter(&session).await.unwrap();
    let headers = HeaderMap::new();
    let visitor = Visitor { address: ELSEWHERE.into(), headers: &headers, request_id: "there" };
    gateway.node.authenticator.follow(&identified, visitor);
    soon("it was never marked", async || told(&gateway, &session, &from(1)).await.is_some()).await;
    gateway.node.accounts.step_up(&session, &StepUp::Factor(app.now()), &there).await.unwrap();
    assert_eq!(told(&gateway, &session, &there).await, None);
    // Where it was proven before it is at home, too.
    let silent = AuthorizationRequest { prompt: "none".into(), ..request("openid") };
    let location = gateway.authorize_from(&from(1), &silent, Some(&session)).await;
    assert_eq!(parameter(&location, "error"), None);
    // A third network is not.
    let further = Visit { address: Some([203, 0, 113, 9].into()), ..Visit::default() };
    let location = gateway.authorize_from(&further, &silent, Some(&session)).await;
    assert_eq!(parameter(&location, "error").as_deref(), Some("login_required"));
}

async fn one_is_removed(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    gateway.node.person("removed@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("removed@shop.test").await;
    gateway.node.enrol(&session).await;
    let strong = gateway.issue(&session, "reports:read").await;
    let code = gateway.code(&session, "reports:read").await;
    assert_eq!(claims(&strong.access_token)["amr"], json!(["pwd", "otp", "mfa"]));
    let factor = gateway.node.accounts.factors(&session).await.unwrap().factors[0].id.clone();
    gateway.node.accounts.remove_factor(&session, &factor, &from(1)).await.unwrap();
    for issued in
        [gateway.refresh(refresh_of(&strong)).await.unwrap(), gateway.exchange("app", &code).await.unwrap()]
    {
        let said = claims(&issued.access_token);
        assert_eq!((&said["amr"], said.get("acr")), (&json!(["pwd"]), None));
    }
}
