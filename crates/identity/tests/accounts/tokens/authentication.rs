//! How and when the person behind a token was proven, and what clients may ask of it.

use std::time::{Duration, Instant, SystemTime};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    Lease, SessionToken,
    account::Visit,
    authorization_server::{AuthorizationRequest, Grant, OAuthError, RequestObject, Revoked},
};
use bartizan_store::{Statement, Store};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Issuing, VERIFIER, claims, is_refused, parameter, refresh_of, refusals::config, request};
use crate::{OPERATOR, tokens::DOCUMENT};

const CLASS: &str = "http://schemas.openid.net/pape/policies/2007/06/multi-factor";

/// A gateway with a page to log in on, and its store.
async fn gateway(folder: &tempfile::TempDir) -> (Issuing, SessionToken, Store) {
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::open(&location).await;
    let page = "login_page: \"https://shop.test/login\"\n    clients:";
    let native = "native: { redirect_uris: [\"http://127.0.0.1/back\"] }\n      other:";
    let document = DOCUMENT.replace("clients:", page).replace("other:", native);
    gateway.server.reconfigure(&config(&document));
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    (gateway, session, Store::open(&location).await.unwrap())
}

/// The same request, as the person comes back with it from the login.
fn returning(location: &str, request: &AuthorizationRequest) -> AuthorizationRequest {
    assert!(location.starts_with("https://shop.test/login?return_to="), "{location}");
    let return_to = parameter(location, "return_to").unwrap();
    let login_demanded = parameter(&return_to, "login_demanded").unwrap();
    AuthorizationRequest { login_demanded, ..request.clone() }
}

async fn age(store: &Store, milliseconds: i64) {
    const AGE: &str = "UPDATE sessions SET proven_at = proven_at - $1, created_at = created_at - $1";
    store.execute(Statement::new(AGE).integer(milliseconds)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_say_how_and_when_their_person_was_proven() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, store) = gateway(&folder).await;
    let said = |token: &_| {
        let claims = claims(token);
        (claims["amr"].clone(), claims["acr"].clone(), claims["auth_time"].as_i64().unwrap())
    };
    age(&store, 3_600_000).await;
    let weak = gateway.issue(&session, "openid reports:read").await;
    let (amr, acr, at) = said(&weak.access_token);
    assert_eq!((amr, acr), (json!(["pwd"]), Value::Null));
    assert!(!gateway.enter(&weak.access_token).unwrap().principal.multi_factor);

    // A factor that is shown later counts for what is authorised from then on.
    let again = gateway.node.log_in("ada@shop.test").await;
    gateway.node.enrol(&again).await;
    let strong = gateway.issue(&again, "openid reports:read").await;
    let (methods, class, later) = said(&strong.access_token);
    assert_eq!((&methods, &class), (&json!(["pwd", "otp", "mfa"]), &json!(CLASS)));
    assert!(later >= at + 3600, "{at} {later}");
    assert_eq!(said(strong.id_token.as_ref().unwrap()), (methods.clone(), class.clone(), later));
    let identified = gateway.enter(&strong.access_token).unwrap();
    assert!(identified.principal.multi_factor && identified.proof.at.is_some());

    // RFC 9068, section 2.2.1: what came of one authorisation goes on saying the same.
    let next = gateway.refresh(refresh_of(&weak)).await.unwrap();
    assert_eq!(said(&next.access_token), (json!(["pwd"]), Value::Null, at));
    let next = gateway.refresh(refresh_of(&strong)).await.unwrap();
    assert_eq!(said(&next.access_token), (methods.clone(), class.clone(), later));
    let exchanged = gateway.exchange_token(&next.access_token).await.unwrap();
    assert_eq!(said(&exchanged.access_token), (methods, class, later));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_want_its_person_proven_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, store) = gateway(&folder).await;
    let good = request("openid");
    let code = async |request: &AuthorizationRequest, session: &SessionToken| {
        let location = gateway.authorize(request, Some(session)).await;
        parameter(&location, "code").ok_or(location)
    };
    let hour = AuthorizationRequest { max_age: Some(3600), ..good.clone() };
    code(&hour, &session).await.unwrap();
    age(&store, 3_601_000).await;
    for wanted in [
        hour,
        AuthorizationRequest { max_age: Some(0), ..good.clone() },
        AuthorizationRequest { prompt: "login".into(), ..good.clone() },
        AuthorizationRequest { prompt: "consent login".into(), ..good.clone() },
    ] {
        let location = code(&wanted, &session).await.unwrap_err();
        let back = returning(&location, &wanted);
        code(&back, &session).await.expect_err("nobody was proven in between");
        let other =
            AuthorizationRequest { code_challenge: good.code_challenge.replace('E', "F"), ..back.clone() };
        // It is the login that counts, not how long ago it was.
        let again = gateway.node.log_in("ada@shop.test").await;
        code(&back, &again).await.unwrap();
        if wanted.max_age != Some(3600) {
            code(&other, &again).await.expect_err("what was demanded for another request");
            code(&wanted, &again).await.expect_err("a login that nobody has demanded");
        }
        gateway.node.accounts.log_out(&again, &Visit::default()).await.unwrap();
    }
    let told = async |prompt: &str, max_age| {
        let request = AuthorizationRequest { prompt: prompt.into(), max_age, ..good.clone() };
        parameter(&gateway.authorize(&request, Some(&session)).await, "error")
    };
    assert_eq!(told("none", None).await, None);
    assert_eq!(told("none", Some(1)).await.as_deref(), Some("login_required"));
    assert_eq!(told("none login", None).await.as_deref(), Some("invalid_request"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlives_a_request_ends_with_its_token_or_session() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, _) = gateway(&folder).await;
    let ended = async |lease: &mut Lease| {
        let start = Instant::now();
        while lease.counts(SystemTime::now()).await {
            assert!(start.elapsed() < Duration::from_secs(20), "it goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let issued = gateway.issue(&session, "reports:read").await;
    let identified = gateway.enter(&issued.access_token).unwrap();
    let (mut lease, mut lapsing) = (identified.lease(), identified.lease());
    assert!(lease.counts(SystemTime::now()).await);
    assert!(!lapsing.counts(SystemTime::now() + Duration::from_mins(16)).await, "a token lapses");
    let token = claims(&issued.access_token)["jti"].as_str().unwrap().to_owned();
    gateway.server.revoke(&Revoked::Token(token), OPERATOR, &Visit::default()).await.unwrap();
    ended(&mut lease).await;

    let (one, other) =
        (gateway.node.log_in("ada@shop.test").await, gateway.node.log_in("ada@shop.test").await);
    let (mut lease, mut stays) =
        (gateway.node.enter(&one).await.unwrap().lease(), gateway.node.enter(&other).await.unwrap().lease());
    assert!(lease.counts(SystemTime::now()).await && stays.counts(SystemTime::now()).await);
    gateway.node.accounts.log_out(&one, &Visit::default()).await.unwrap();
    ended(&mut lease).await;
    assert!(stays.counts(SystemTime::now()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_want_several_factors() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, _) = gateway(&folder).await;
    let wanted = AuthorizationRequest { acr_values: format!("urn:other {CLASS}"), ..request("openid") };
    let location = gateway.authorize(&wanted, Some(&session)).await;
    let back = returning(&location, &wanted);
    let weak = gateway.node.log_in("ada@shop.test").await;
    let told = parameter(&gateway.authorize(&back, Some(&weak)).await, "error");
    assert_eq!(told.as_deref(), Some("unmet_authentication_requirements"), "nobody is sent in a circle");
    gateway.node.enrol(&session).await;
    assert!(parameter(&gateway.authorize(&wanted, Some(&session)).await, "code").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_objects_are_refused_and_the_metadata_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, _) = gateway(&folder).await;
    for (object, error) in [
        (RequestObject::Value, "request_not_supported"),
        (RequestObject::Reference, "request_uri_not_supported"),
    ] {
        let request = AuthorizationRequest { request_object: Some(object), ..request("openid") };
        let location = gateway.authorize(&request, Some(&session)).await;
        assert_eq!(parameter(&location, "error").as_deref(), Some(error));
    }
    let metadata = gateway.server.metadata();
    for name in ["request_parameter_supported", "request_uri_parameter_supported"] {
        assert_eq!(metadata[name], false, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_application_gets_its_code_on_any_port() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, session, _) = gateway(&folder).await;
    let back = "http://127.0.0.1:51004/back";
    let request =
        AuthorizationRequest { client: "native".into(), redirect_uri: back.into(), ..request("openid") };
    let location = gateway.authorize(&request, Some(&session)).await;
    assert!(location.starts_with("http://127.0.0.1:51004/back?code="), "{location}");
    let code = parameter(&location, "code").unwrap();
    let with = |redirect_uri: &str| Grant::AuthorizationCode {
        code: code.as_str().into(),
        redirect_uri: redirect_uri.into(),
        verifier: VERIFIER.into(),
    };
    is_refused(gateway.ask("native", with("http://127.0.0.1/back")).await, OAuthError::InvalidGrant);
    let issued = gateway.ask("native", with(back)).await.unwrap();
    assert!(!issued.access_token.expose_secret().is_empty());
}
