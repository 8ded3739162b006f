//! Tokens that the gateway issues, on real databases.

mod authentication;
mod granting;
mod keys;
mod machines;
mod refusals;
mod revoking;
mod second_factors;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_config::{Config, Source, StoreLocation, Tokens};
use bartizan_identity::{
    AuthenticationError, Authenticator, ClientCertificate, Identified, InvalidReason, Presented,
    SessionToken,
    account::Visit,
    authorization_server::{
        AuthorizationRequest, AuthorizationServer, ClientProof, Grant, OAuthError, Proofs, Revoked,
        TokenEndpoint, TokenError, TokenRequest, TokenResponse,
    },
};
use bartizan_policy::PermissionIndex;
use bartizan_store::{Statement, Store};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Request, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{Node, OPERATOR, postgres_server::PostgresServer, soon::soon, who};

pub(crate) const DOCUMENT: &str = r#"
version: 1
listen: { http: "127.0.0.1:0" }
accounts:
  password: { argon2: { memory: 7MiB, iterations: 5 } }
  tokens:
    issuer: "http://localhost:8080"
    secret: "0123456789abcdef0123456789abcdef"
    resources: ["http://localhost:8080", "http://localhost:8080/billing"]
    grace: GRACE
    at_most: 2
    clients:
      app: { redirect_uris: ["https://app.test/back"], post_logout_redirect_uris: ["https://app.test/bye?a=b"], scopes: ["reports:*", "user:read"] }
      bound: { redirect_uris: ["https://bound.test/back"], certificate_bound: true }
      other: { redirect_uris: ["https://other.test/back"] }
      watcher: { secret: "sha256:0e7f3c5c909ce8afb978a208d639e85af2171df2ec0003a07f13ad97878ef053", scopes: ["reports:read"], permissions: ["reports:read", "users:*"], exchange: true }
identity: { own: { token: {} }, people: { session: {} } }
roles: { auditor: ["reports:read"], editor: ["reports:write", "invoices:write"] }
routes: [{ path: /reports, to: "http://localhost:1", auth: [own, people], require: ["reports:read"] }]
"#;
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "https://app.test/back";

/// One gateway's part in it.
pub(crate) struct Issuing {
    pub(crate) node: Node,
    pub(crate) server: Arc<AuthorizationServer>,
    authenticator: Authenticator,
    config: Config,
}

impl Issuing {
    pub(crate) async fn open(location: &StoreLocation) -> Self {
        Self::with(location, "10s").await
    }

    pub(crate) async fn with(location: &StoreLocation, grace: &str) -> Self {
        Self::of(location, &DOCUMENT.replace("GRACE", grace)).await
    }

    pub(crate) async fn of(location: &StoreLocation, text: &str) -> Self {
        let config = Config::parse(text, &Source::text(".")).unwrap().config;
        let node = Node::open_with(location, text).await;
        let server =
            AuthorizationServer::open(&node.accounts, config.tokens.as_ref().unwrap()).await.unwrap();
        let index = Arc::new(PermissionIndex::new(config.routes.iter().map(|route| &route.require)));
        let authenticator =
            Authenticator::new(&config, &index, Some(node.accounts.sessions()), None).unwrap();
        Self { node, server, authenticator, config }
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        self.config.tokens.as_ref().unwrap()
    }

    /// What the browser takes back to the client.
    pub(crate) async fn authorize(
        &self,
        request: &AuthorizationRequest,
        session: Option<&SessionToken>,
    ) -> String {
        self.authorize_from(&Visit::default(), request, session).await
    }

    pub(crate) async fn authorize_from(
        &self,
        visit: &Visit,
        request: &AuthorizationRequest,
        session: Option<&SessionToken>,
    ) -> String {
        self.server.authorize(request, session, visit).await.unwrap().location
    }

    pub(crate) async fn code(&self, session: &SessionToken, scope: &str) -> String {
        let location = self.authorize(&request(scope), Some(session)).await;
        parameter(&location, "code").unwrap_or_else(|| panic!("{location}"))
    }

    pub(crate) async fn ask(&self, client: &str, grant: Grant) -> Result<TokenResponse, TokenError> {
        self.ask_for(client, grant, &[]).await
    }

    pub(crate) async fn ask_for(
        &self,
        client: &str,
        grant: Grant,
        resources: &[String],
    ) -> Result<TokenResponse, TokenError> {
        self.ask_as(ClientProof { id: client.into(), ..ClientProof::default() }, grant, resources).await
    }

    /// What the client `watcher` gets for a token that it was called with.
    pub(crate) async fn exchange_token(&self, subject: &SecretString) -> Result<TokenResponse, TokenError> {
        let watcher =
            ClientProof { id: "watcher".into(), secret: Some("watcher".into()), ..ClientProof::default() };
        let grant = Grant::TokenExchange { subject: subject.clone(), actor: None, scope: String::new() };
        self.ask_as(watcher, grant, &[]).await
    }

    pub(crate) async fn ask_as(
        &self,
        client: ClientProof,
        grant: Grant,
        resources: &[String],
    ) -> Result<TokenResponse, TokenError> {
        let request = TokenRequest { client, grant, resources: resources.to_vec() };
        let headers = HeaderMap::new();
        let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &headers, certificate: None };
        self.server.token(&request, &proofs, &Visit::default()).await
    }

    pub(crate) async fn exchange(&self, client: &str, code: &str) -> Result<TokenResponse, TokenError> {
        let (code, verifier) = (code.into(), VERIFIER.into());
        self.ask(client, Grant::AuthorizationCode { code, redirect_uri: BACK.into(), verifier }).await
    }

    pub(crate) async fn issue(&self, session: &SessionToken, scope: &str) -> TokenResponse {
        let code = self.code(session, scope).await;
        self.exchange("app", &code).await.unwrap()
    }

    pub(crate) async fn issue_for(
        &self,
        session: &SessionToken,
        scope: &str,
        resources: &[String],
    ) -> TokenResponse {
        let request = AuthorizationRequest { resources: resources.to_vec(), ..request(scope) };
        let code = parameter(&self.authorize(&request, Some(session)).await, "code").unwrap();
        self.exchange("app", &code).await.unwrap()
    }

    pub(crate) async fn refresh(&self, token: &SecretString) -> Result<TokenResponse, TokenError> {
        self.ask("app", Grant::RefreshToken { token: token.clone(), scope: String::new() }).await
    }

    /// Tokens that are bound to the certificate of the connection.
    pub(crate) async fn bound(
        &self,
        session: &SessionToken,
        scope: &str,
        certificate: &ClientCertificate,
    ) -> TokenResponse {
        let back = "https://bound.test/back";
        let request =
            AuthorizationRequest { client: "bound".into(), redirect_uri: back.into(), ..request(scope) };
        let code = parameter(&self.authorize(&request, Some(session)).await, "code").unwrap();
        let code = SecretString::from(code);
        let ask = async |certificate| {
            let grant = Grant::AuthorizationCode {
                code: code.clone(),
                redirect_uri: back.into(),
                verifier: VERIFIER.into(),
            };
            let client = ClientProof { id: "bound".into(), secret: None, assertion: None };
            let request = TokenRequest { client, grant, resources: Vec::new() };
            let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &HeaderMap::new(), certificate };
            self.server.token(&request, &proofs, &Visit::default()).await
        };
        is_refused(ask(None).await, OAuthError::InvalidRequest);
        ask(Some(certificate)).await.unwrap()
    }

    pub(crate) fn enter(&self, token: &SecretString) -> Result<Arc<Identified>, AuthenticationError> {
        self.enter_with(token, None)
    }

    /// What the road says of a token, over a connection with this certificate.
    pub(crate) fn enter_with(
        &self,
        token: &SecretString,
        client_certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Identified>, AuthenticationError> {
        let value = format!("Bearer {}", token.expose_secret());
        let (head, ()) =
            Request::get("/").header(header::AUTHORIZATION, value).body(()).unwrap().into_parts();
        let selection = self.authenticator.select(&["own".parse().unwrap()], &[]).unwrap();
        let presented =
            Presented { head: &head, secure: false, address: None, client_certificate, content: None };
        self.authenticator.authenticate(&selection, &presented).map(|proven| proven.identified)
    }

    pub(crate) fn is_revoked(&self, token: &SecretString) -> bool {
        matches!(self.enter(token), Err(AuthenticationError::Invalid { reason: InvalidReason::Revoked, .. }))
    }

    /// Waits until a token is refused.
    pub(crate) async fn revoked(&self, token: &SecretString) {
        let start = Instant::now();
        while !self.is_revoked(token) {
            assert!(start.elapsed() < Duration::from_secs(20), "it is still accepted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn request(scope: &str) -> AuthorizationRequest {
    AuthorizationRequest {
        client: "app".into(),
        redirect_uri: BACK.into(),
        response_type: "code".into(),
        scope: scope.into(),
        state: Some("a state&more".into()),
        code_challenge: CHALLENGE.into(),
        code_challenge_method: "S256".into(),
        ..AuthorizationRequest::default()
    }
}

pub(crate) fn refresh_of(response: &TokenResponse) -> &SecretString {
    response.refresh_token.as_ref().unwrap()
}

pub(crate) fn claims(token: &SecretString) -> Value {
    let payload = token.expose_secret().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?').unwrap().1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))?.into())?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

pub(crate) fn is_refused<T: std::fmt::Debug>(outcome: Result<T, TokenError>, expected: OAuthError) {
    match outcome {
        Err(TokenError::Refused(error, _)) => assert_eq!(error, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

pub(crate) async fn stories(location: &StoreLocation) {
    Box::pin(a_life_of_tokens(location)).await;
    Box::pin(revoking::everything_that_revokes(location)).await;
    Box::pin(revoking::two_gateways(location)).await;
    Box::pin(revoking::roles_that_grant_less(location)).await;
    Box::pin(granting::who_somebody_is(location)).await;
    Box::pin(second_factors::what_a_factor_is_worth(location)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}

async fn a_life_of_tokens(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let ada = gateway.node.person("ada@shop.test", &["auditor", "editor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;

    let location = gateway.authorize(&request("openid email reports:read"), Some(&session)).await;
    assert!(location.starts_with("https://app.test/back?code=btz"), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("a state&more"));
    assert_eq!(parameter(&location, "iss").as_deref(), Some("http://localhost:8080"), "RFC 9207");
    let code = parameter(&location, "code").unwrap();
    let first = gateway.exchange("app", &code).await.unwrap();
    assert_eq!(
        (first.scope.as_str(), first.expires_in),
        ("email openid reports:read", Duration::from_mins(15))
    );

    // RFC 9068, and what the road makes of it.
    let said = claims(&first.access_token);
    assert_eq!(
        (&said["iss"], &said["aud"]),
        (&"http://localhost:8080".into(), &"http://localhost:8080".into())
    );
    assert_eq!((&said["sub"], &said["client_id"]), (&ada.id.as_str().into(), &"app".into()));
    assert_eq!(said["permissions"], serde_json::json!(["reports:read"]), "scope and roles together");
    assert_eq!(said["roles"], serde_json::json!(["auditor", "editor"]));
    let identified = gateway.enter(&first.access_token).unwrap();
    assert_eq!(
        (identified.principal.id.as_str(), identified.grants.to_str().unwrap()),
        (ada.id.as_str(), "reports:read")
    );
    assert!(Arc::ptr_eq(&identified, &gateway.enter(&first.access_token).unwrap()), "verified once");
    let id_token = claims(first.id_token.as_ref().unwrap());
    assert_eq!((&id_token["aud"], &id_token["email"]), (&"app".into(), &"ada@shop.test".into()));
    assert!(gateway.enter(first.id_token.as_ref().unwrap()).is_err(), "an ID token opens nothing");

    // A refresh gives another pair; the old one is of no use but for its answer, once more.
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    assert_ne!(claims(&second.access_token)["jti"], said["jti"]);
    assert_ne!(refresh_of(&second).expose_secret(), refresh_of(&first).expose_secret());
    let lost = gateway.refresh(refresh_of(&first)).await.unwrap();
    assert_eq!(refresh_of(&lost).expose_secret(), refresh_of(&second).expose_secret(), "the same successor");
    assert_ne!(claims(&lost.access_token)["jti"], claims(&second.access_token)["jti"]);
    let others = Grant::RefreshToken { token: refresh_of(&second).clone(), scope: String::new() };
    is_refused(gateway.ask("other", others).await, OAuthError::InvalidGrant);
    let wider = Grant::RefreshToken { token: refresh_of(&second).clone(), scope: "reports:write".into() };
    is_refused(gateway.ask("app", wider).await, OAuthError::InvalidScope);

    // Roles are looked at again, and tokens from before end.
    gateway
        .node
        .accounts
        .remove_role(None, &who(&ada), "auditor", OPERATOR, &Visit::default())
        .await
        .unwrap();
    gateway.revoked(&second.access_token).await;
    let third = gateway.refresh(refresh_of(&second)).await.unwrap();
    assert_eq!(claims(&third.access_token)["permissions"], serde_json::json!([]));
    gateway.enter(&third.access_token).unwrap();

    gateway.node.accounts.add_role(None, &who(&ada), "auditor", OPERATOR, &Visit::default()).await.unwrap();
    Box::pin(machines::machines(&gateway, &session)).await;
    Box::pin(refused_requests(&gateway, &session, &code)).await;
    Box::pin(at_once(&gateway, &session)).await;
}

async fn refused_requests(gateway: &Issuing, session: &SessionToken, used: &str) {
    let good = request("reports:read");
    let told = async |request: AuthorizationRequest, session: Option<&SessionToken>| {
        parameter(&gateway.authorize(&request, session).await, "error").unwrap()
    };
    assert_eq!(told(good.clone(), None).await, "login_required");
    assert_eq!(
        told(AuthorizationRequest { response_type: "token".into(), ..good.clone() }, Some(session)).await,
        "unsupported_response_type"
    );
    for method in ["", "plain"] {
        let request = AuthorizationRequest { code_challenge_method: method.into(), ..good.clone() };
        assert_eq!(told(request, Some(session)).await, "invalid_request");
    }
    assert_eq!(
        told(AuthorizationRequest { code_challenge: "short".into(), ..good.clone() }, Some(session)).await,
        "invalid_request"
    );
    assert_eq!(told(request("invoices:write"), Some(session)).await, "invalid_scope");
    let target = AuthorizationRequest { resources: vec!["https://elsewhere.test".into()], ..good.clone() };
    assert_eq!(told(target, Some(session)).await, "invalid_target");
    // Nobody is sent where nobody registered.
    for uri in ["https://app.test/back/", "https://app.test/back?a", "https://evil.test/", ""] {
        let request = AuthorizationRequest { redirect_uri: uri.into(), ..good.clone() };
        let refused = gateway.server.authorize(&request, Some(session), &Visit::default()).await;
        is_refused(refused, OAuthError::InvalidRequest);
    }
    let unknown = AuthorizationRequest { client: "nobody".into(), ..good.clone() };
    let refused = gateway.server.authorize(&unknown, Some(session), &Visit::default()).await;
    is_refused(refused, OAuthError::InvalidClient);

    let code = gateway.code(session, "reports:read").await;
    let with = |verifier: &str, redirect_uri: &str| Grant::AuthorizationCode {
        code: code.as_str().into(),
        redirect_uri: redirect_uri.into(),
        verifier: verifier.into(),
    };
    is_refused(gateway.ask("app", with("wrong", BACK)).await, OAuthError::InvalidGrant);
    is_refused(gateway.ask("app", with(VERIFIER, "https://app.test/")).await, OAuthError::InvalidGrant);
    is_refused(gateway.ask("other", with(VERIFIER, BACK)).await, OAuthError::InvalidGrant);
    is_refused(gateway.ask("watcher", with(VERIFIER, BACK)).await, OAuthError::InvalidClient);
    let issued = gateway.ask("app", with(VERIFIER, BACK)).await.unwrap();
    // A code that comes twice ends what came of it.
    is_refused(gateway.exchange("app", &code).await, OAuthError::InvalidGrant);
    gateway.revoked(&issued.access_token).await;
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
    is_refused(gateway.exchange("app", used).await, OAuthError::InvalidGrant);
    is_refused(gateway.refresh(&"btz_refresh_invented".into()).await, OAuthError::InvalidGrant);
}

/// Requests at the same time get the same successor, and a third authorisation ends the oldest.
async fn at_once(gateway: &Issuing, session: &SessionToken) {
    let issued = gateway.issue(session, "reports:read").await;
    let answers = Box::pin(futures_of(gateway, refresh_of(&issued))).await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "one successor for all");
    let second = gateway.issue(session, "reports:read").await;
    let third = gateway.issue(session, "reports:read").await;
    gateway.revoked(&issued.access_token).await;
    assert!(!gateway.is_revoked(&second.access_token) && !gateway.is_revoked(&third.access_token));
    let last = SecretString::from(answers[0].as_str());
    is_refused(gateway.refresh(&last).await, OAuthError::InvalidGrant);
}

async fn futures_of(gateway: &Issuing, token: &SecretString) -> Vec<String> {
    let (first, second, third) =
        tokio::join!(gateway.refresh(token), gateway.refresh(token), gateway.refresh(token));
    [first, second, third].map(|answer| refresh_of(&answer.unwrap()).expose_secret().to_owned()).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_comes_back_late_ends_the_authorisation() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let gateway = Issuing::with(&location, "1ms").await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let first = gateway.issue(&session, "reports:read").await;
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    is_refused(gateway.refresh(refresh_of(&first)).await, OAuthError::InvalidGrant);
    is_refused(gateway.refresh(refresh_of(&second)).await, OAuthError::InvalidGrant);
    gateway.revoked(&second.access_token).await;
    let audit = gateway.node.accounts.audit(10).await.unwrap();
    assert!(audit.iter().any(|entry| entry.action == "token.reuse"), "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_gone_does_not_say_that_a_token_is_wrong() {
    let mut server = PostgresServer::start();
    let document = DOCUMENT.replace("grace: GRACE", "stale_after: 5s");
    let gateway = Issuing::of(&server.url().parse().unwrap(), &document).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let issued = gateway.issue(&session, "reports:read").await;
    let watcher = ClientProof { id: "watcher".into(), secret: Some("watcher".into()), assertion: None };
    let introspect =
        async || gateway.server.introspect((&watcher, None), &issued.access_token, &Visit::default()).await;
    assert_eq!(introspect().await.unwrap()["active"], true);
    server.halt();
    gateway.enter(&issued.access_token).expect("nobody needs to be asked");
    let error = gateway.refresh(refresh_of(&issued)).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(_)), "{error}");
    // By then it may have been revoked at another gateway.
    let is_doubted =
        || matches!(gateway.enter(&issued.access_token), Err(AuthenticationError::Unavailable { .. }));
    soon("a token still counts that may have been revoked", async || is_doubted()).await;
    let told = introspect().await;
    assert!(matches!(told, Err(TokenError::Unavailable)), "{told:?}");
    assert!(!gateway.is_revoked(&issued.access_token), "nor is it said to have been");
}

/// Upkeep that waits for the store holds up nobody who is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_heard_while_keys_wait_for_the_store() {
    const WAITS: &str = "SELECT COUNT(*) AS count FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
        WHERE c.relname = 'signing_keys' AND NOT l.granted";
    let server = PostgresServer::start();
    let location: StoreLocation = server.url().parse().unwrap();
    let gateway = Issuing::open(&location).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let issued = gateway.issue(&session, "reports:read").await;
    let store = Store::open(&location).await.unwrap();
    let mut holding = store.begin().await.unwrap();
    holding.execute(Statement::new("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    soon("the keys are never looked at", async || {
        store.row(Statement::new(WAITS)).await.unwrap().unwrap().integer("count").unwrap() > 0
    })
    .await;
    let jti = claims(&issued.access_token)["jti"].as_str().unwrap().to_owned();
    gateway.server.revoke(&Revoked::Token(jti), OPERATOR, &Visit::default()).await.unwrap();
    soon("a revocation waits for the keys", async || gateway.is_revoked(&issued.access_token)).await;
    drop(holding);
}
