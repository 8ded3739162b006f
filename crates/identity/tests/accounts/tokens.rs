//! Tokens that the gateway issues, on real databases.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bartizan_config::{Config, Source, StoreLocation, Tokens};
use bartizan_identity::{
    AuthenticationError, Authenticator, ClientCertificate, Identified, InvalidReason, Presented, SessionToken,
    account::{NewService, PersonId, Visit},
    authorization_server::{
        AuthorizationRequest, AuthorizationServer, ClientProof, Grant, OAuthError, Proofs, Revoked, TokenError,
        TokenRequest, TokenResponse,
    },
};
use bartizan_policy::PermissionIndex;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, Request, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Node, OPERATOR, postgres_server::PostgresServer, who};

const DOCUMENT: &str = r#"
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
      app: { redirect_uris: ["https://app.test/back"], scopes: ["reports:*", "user:read"] }
      bound: { redirect_uris: ["https://bound.test/back"], certificate_bound: true }
      other: { redirect_uris: ["https://other.test/back"] }
      watcher: { secret: "sha256:SECRET", permissions: ["reports:read", "users:*"], exchange: true }
identity: { own: { token: {} }, people: { session: {} } }
roles: { auditor: ["reports:read"], editor: ["reports:write", "invoices:write"] }
routes: [{ path: /reports, to: "http://localhost:1", auth: [own, people], require: ["reports:read"] }]
"#;
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "https://app.test/back";

/// One gateway's part in it.
struct Issuing {
    node: Node,
    server: Arc<AuthorizationServer>,
    authenticator: Authenticator,
    config: Config,
}

impl Issuing {
    async fn open(location: &StoreLocation) -> Self {
        Self::with(location, "10s").await
    }

    async fn with(location: &StoreLocation, grace: &str) -> Self {
        let secret: String = Sha256::digest("watcher").iter().map(|byte| format!("{byte:02x}")).collect();
        let text = DOCUMENT.replace("GRACE", grace).replace("SECRET", &secret);
        let config = Config::parse(&text, &Source::text(".")).unwrap().config;
        let node = Node::with(location, &text).await;
        let server = AuthorizationServer::open(&node.accounts, config.tokens.as_ref().unwrap()).await.unwrap();
        let index = Arc::new(PermissionIndex::new(config.routes.iter().map(|route| &route.require)));
        let authenticator =
            Authenticator::new(&config, &index, Some(node.accounts.sessions()), None).unwrap();
        Self { node, server, authenticator, config }
    }

    fn tokens(&self) -> &Tokens {
        self.config.tokens.as_ref().unwrap()
    }

    fn request(&self, scope: &str) -> AuthorizationRequest {
        AuthorizationRequest {
            client: "app".into(),
            redirect_uri: BACK.into(),
            response_type: "code".into(),
            scope: scope.into(),
            state: Some("a state&more".into()),
            code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
            code_challenge_method: "S256".into(),
            ..AuthorizationRequest::default()
        }
    }

    /// What the browser takes back to the client.
    async fn authorize(&self, request: &AuthorizationRequest, session: Option<&SessionToken>) -> String {
        self.server.authorize(request, session).await.unwrap().location
    }

    async fn code(&self, session: &SessionToken, scope: &str) -> String {
        let location = self.authorize(&self.request(scope), Some(session)).await;
        parameter(&location, "code").unwrap_or_else(|| panic!("{location}"))
    }

    async fn ask(&self, client: &str, grant: Grant) -> Result<TokenResponse, TokenError> {
        let client = ClientProof { id: client.into(), secret: None, assertion: None };
        let request = TokenRequest { client, grant, resources: Vec::new() };
        let headers = HeaderMap::new();
        let proofs = Proofs { headers: &headers, certificate: None };
        self.server.token(&request, &proofs, &Visit::default()).await
    }

    async fn exchange(&self, client: &str, code: &str) -> Result<TokenResponse, TokenError> {
        let (code, verifier) = (code.into(), VERIFIER.into());
        self.ask(client, Grant::AuthorizationCode { code, redirect_uri: BACK.into(), verifier }).await
    }

    async fn issue(&self, session: &SessionToken, scope: &str) -> TokenResponse {
        let code = self.code(session, scope).await;
        self.exchange("app", &code).await.unwrap()
    }

    async fn refresh(&self, token: &SecretString) -> Result<TokenResponse, TokenError> {
        self.ask("app", Grant::RefreshToken { token: token.clone(), scope: String::new() }).await
    }

    /// Tokens that are bound to the certificate of the connection.
    async fn bound(&self, session: &SessionToken, certificate: &ClientCertificate) -> TokenResponse {
        let back = "https://bound.test/back";
        let request =
            AuthorizationRequest { client: "bound".into(), redirect_uri: back.into(), ..self.request("reports:read") };
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
            let proofs = Proofs { headers: &HeaderMap::new(), certificate };
            self.server.token(&request, &proofs, &Visit::default()).await
        };
        is_refused(ask(None).await, OAuthError::InvalidRequest);
        ask(Some(certificate)).await.unwrap()
    }

    fn enter(&self, token: &SecretString) -> Result<Arc<Identified>, AuthenticationError> {
        self.enter_with(token, None)
    }

    /// What the road says of a token, over a connection with this certificate.
    fn enter_with(
        &self,
        token: &SecretString,
        client_certificate: Option<&ClientCertificate>,
    ) -> Result<Arc<Identified>, AuthenticationError> {
        let value = format!("Bearer {}", token.expose_secret());
        let (head, ()) = Request::get("/").header(header::AUTHORIZATION, value).body(()).unwrap().into_parts();
        let selection = self.authenticator.select(&["own".parse().unwrap()], &[]).unwrap();
        let presented =
            Presented { head: &head, secure: false, address: None, client_certificate, content: None };
        self.authenticator.authenticate(&selection, &presented).map(|proven| proven.identified)
    }

    fn is_revoked(&self, token: &SecretString) -> bool {
        matches!(self.enter(token), Err(AuthenticationError::Invalid { reason: InvalidReason::Revoked, .. }))
    }

    /// Waits until a token is refused; how long it took.
    async fn revoked(&self, token: &SecretString) -> Duration {
        let start = Instant::now();
        while !self.is_revoked(token) {
            assert!(start.elapsed() < Duration::from_secs(20), "it is still accepted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }
}

fn refresh_of(response: &TokenResponse) -> &SecretString {
    response.refresh_token.as_ref().unwrap()
}

fn claims(token: &SecretString) -> Value {
    let payload = token.expose_secret().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?').unwrap().1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))?.into())?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

fn is_refused<T: std::fmt::Debug>(outcome: Result<T, TokenError>, expected: OAuthError) {
    match outcome {
        Err(TokenError::Refused(error, _)) => assert_eq!(error, expected),
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    a_life_of_tokens(&location).await;
    everything_that_revokes(&location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_on_postgres() {
    let server = PostgresServer::start();
    let location = server.url().parse().unwrap();
    a_life_of_tokens(&location).await;
    everything_that_revokes(&location).await;
    two_gateways(&location).await;
}

async fn a_life_of_tokens(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let ada = gateway.node.person("ada@shop.test", &["auditor", "editor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;

    let location = gateway.authorize(&gateway.request("openid email reports:read"), Some(&session)).await;
    assert!(location.starts_with("https://app.test/back?code=btz"), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("a state&more"));
    assert_eq!(parameter(&location, "iss").as_deref(), Some("http://localhost:8080"), "RFC 9207");
    let code = parameter(&location, "code").unwrap();
    let first = gateway.exchange("app", &code).await.unwrap();
    assert_eq!((first.scope.as_str(), first.expires_in), ("email openid reports:read", Duration::from_mins(15)));

    // RFC 9068, and what the road makes of it.
    let said = claims(&first.access_token);
    assert_eq!((&said["iss"], &said["aud"]), (&"http://localhost:8080".into(), &"http://localhost:8080".into()));
    assert_eq!((&said["sub"], &said["client_id"]), (&ada.id.as_str().into(), &"app".into()));
    assert_eq!(said["permissions"], serde_json::json!(["reports:read"]), "scope and roles together");
    assert_eq!(said["roles"], serde_json::json!(["auditor", "editor"]));
    let identified = gateway.enter(&first.access_token).unwrap();
    assert_eq!((identified.principal.id.as_str(), identified.grants.to_str().unwrap()), (ada.id.as_str(), "reports:read"));
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
    gateway.node.accounts.remove_role(None, &who(&ada), "auditor", OPERATOR, &Visit::default()).await.unwrap();
    gateway.revoked(&second.access_token).await;
    let third = gateway.refresh(refresh_of(&second)).await.unwrap();
    assert_eq!(claims(&third.access_token)["permissions"], serde_json::json!([]));
    gateway.enter(&third.access_token).unwrap();

    gateway.node.accounts.add_role(None, &who(&ada), "auditor", OPERATOR, &Visit::default()).await.unwrap();
    machines(&gateway, &session).await;
    refused_requests(&gateway, &session, &code).await;
    at_once(&gateway, &session).await;
}

/// A service of an organisation, which operators know and the configuration does not.
async fn services(gateway: &Issuing) {
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    let organization = accounts.create_organization("Machines Ltd", OPERATOR, &visit).await.unwrap().id;
    let permissions = vec!["payment:read".into(), "payment:write".into()];
    let new = NewService { organization: organization.to_string(), name: "payment".into(), permissions };
    let (service, secret) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let ask = async |secret: &SecretString, grant: Grant| {
        let client = ClientProof { id: service.id.clone(), secret: Some(secret.clone()), assertion: None };
        let request = TokenRequest { client, grant, resources: Vec::new() };
        let headers = HeaderMap::new();
        let proofs = Proofs { headers: &headers, certificate: None };
        gateway.server.token(&request, &proofs, &Visit::default()).await
    };
    let own = |scope: &str| Grant::ClientCredentials { scope: scope.into() };
    let issued = ask(&secret, own("payment:read")).await.unwrap();
    let said = claims(&issued.access_token);
    assert_eq!((&said["sub"], &said["org_id"]), (&service.id.as_str().into(), &organization.as_str().into()));
    assert_eq!(gateway.enter(&issued.access_token).unwrap().grants.to_str().unwrap(), "payment:read");
    is_refused(ask(&secret, own("users:read")).await, OAuthError::InvalidScope);
    is_refused(ask(&"x".repeat(60).into(), own("")).await, OAuthError::InvalidClient);
    let exchange = Grant::TokenExchange { subject: issued.access_token.clone(), scope: String::new() };
    is_refused(ask(&secret, exchange).await, OAuthError::UnauthorizedClient);
    accounts.suspend_service(&service.id, Some("leaked"), OPERATOR, &visit).await.unwrap();
    gateway.revoked(&issued.access_token).await;
    is_refused(ask(&secret, own("")).await, OAuthError::InvalidClient);
}

/// A machine's own tokens, and those that it gets for tokens that it was called with.
async fn machines(gateway: &Issuing, session: &SessionToken) {
    let ask = async |id: &str, grant: Grant, resources: &[&str]| {
        let secret = (id == "watcher").then(|| "watcher".into());
        let resources = resources.iter().map(|resource| (*resource).to_owned()).collect();
        let request = TokenRequest { client: ClientProof { id: id.into(), secret, assertion: None }, grant, resources };
        let headers = HeaderMap::new();
        let proofs = Proofs { headers: &headers, certificate: None };
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

    services(gateway).await;
    let person = gateway.issue(session, "reports:read reports:write").await;
    let exchange = |scope: &str| {
        let subject = person.access_token.clone();
        Grant::TokenExchange { subject, scope: scope.into() }
    };
    let billing = "http://localhost:8080/billing";
    let next = ask("watcher", exchange("reports:read"), &[billing]).await.unwrap();
    let (before, after) = (claims(&person.access_token), claims(&next.access_token));
    assert_eq!((&after["sub"], &after["aud"], &after["sid"]), (&before["sub"], &billing.into(), &before["sid"]));
    assert_eq!(after["act"], serde_json::json!({ "sub": "watcher" }));
    assert_eq!(after["permissions"], serde_json::json!(["reports:read"]));
    assert!(after["exp"].as_i64() <= before["exp"].as_i64() && after["jti"] != before["jti"]);
    let again = Grant::TokenExchange { subject: next.access_token.clone(), scope: String::new() };
    let again = claims(&ask("watcher", again, &[]).await.unwrap().access_token);
    assert_eq!(again["act"], serde_json::json!({ "sub": "watcher", "act": { "sub": "watcher" } }));
    is_refused(ask("watcher", exchange("reports:*"), &[]).await, OAuthError::InvalidScope);
    is_refused(ask("app", exchange(""), &[]).await, OAuthError::UnauthorizedClient);
    is_refused(ask("watcher", exchange(""), &["https://elsewhere.test"]).await, OAuthError::InvalidTarget);
    let nonsense = Grant::TokenExchange { subject: "nonsense".into(), scope: String::new() };
    is_refused(ask("watcher", nonsense, &[]).await, OAuthError::InvalidRequest);

    // What ends the first ends the second; a token that is bound gives none that is not.
    let certificate = |byte| ClientCertificate { fingerprint: [byte; 32], ..ClientCertificate::default() };
    let bound = gateway.bound(session, &certificate(7)).await;
    let exchange = Grant::TokenExchange { subject: bound.access_token.clone(), scope: String::new() };
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

async fn refused_requests(gateway: &Issuing, session: &SessionToken, used: &str) {
    let good = gateway.request("reports:read");
    let told = async |request: AuthorizationRequest, session: Option<&SessionToken>| {
        parameter(&gateway.authorize(&request, session).await, "error").unwrap()
    };
    assert_eq!(told(good.clone(), None).await, "login_required");
    assert_eq!(told(AuthorizationRequest { response_type: "token".into(), ..good.clone() }, Some(session)).await, "unsupported_response_type");
    for method in ["", "plain"] {
        let request = AuthorizationRequest { code_challenge_method: method.into(), ..good.clone() };
        assert_eq!(told(request, Some(session)).await, "invalid_request");
    }
    assert_eq!(told(AuthorizationRequest { code_challenge: "short".into(), ..good.clone() }, Some(session)).await, "invalid_request");
    assert_eq!(told(gateway.request("invoices:write"), Some(session)).await, "invalid_scope");
    let target = AuthorizationRequest { resources: vec!["https://elsewhere.test".into()], ..good.clone() };
    assert_eq!(told(target, Some(session)).await, "invalid_target");
    // Nobody is sent where nobody registered.
    for uri in ["https://app.test/back/", "https://app.test/back?a", "https://evil.test/", ""] {
        let request = AuthorizationRequest { redirect_uri: uri.into(), ..good.clone() };
        is_refused(gateway.server.authorize(&request, Some(session)).await, OAuthError::InvalidRequest);
    }
    let unknown = AuthorizationRequest { client: "nobody".into(), ..good.clone() };
    is_refused(gateway.server.authorize(&unknown, Some(session)).await, OAuthError::InvalidClient);

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
    let answers = futures_of(gateway, refresh_of(&issued)).await;
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
    [first, second, third]
        .map(|answer| refresh_of(&answer.unwrap()).expose_secret().to_owned())
        .into()
}

async fn everything_that_revokes(location: &StoreLocation) {
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
    let stranger = ClientProof { id: "other".into(), secret: None, assertion: None };
    is_refused(gateway.server.revoke_own(&stranger, &one.access_token, &visit).await, OAuthError::InvalidGrant);
    gateway.server.revoke_own(&app(), &one.access_token, &visit).await.unwrap();
    gateway.revoked(&one.access_token).await;
    gateway.enter(&sibling.access_token).expect("the others go on");
    // A refresh token, and all that came of it.
    gateway.server.revoke_own(&app(), refresh_of(&sibling), &visit).await.unwrap();
    gateway.revoked(&sibling.access_token).await;
    is_refused(gateway.refresh(refresh_of(&sibling)).await, OAuthError::InvalidGrant);
    gateway.server.revoke_own(&app(), &"nonsense".into(), &visit).await.expect("RFC 7009, section 2.2");

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
        assert_eq!(gateway.refresh(refresh_of(&one)).await.is_ok(), matches!(what, Revoked::Token(_)), "{what:?}");
        let next = gateway.issue(&session, "reports:read").await;
        gateway.enter(&next.access_token).expect("what is issued afterwards counts");
    }

    // Introspection is for those with a secret.
    let session = gateway.node.log_in("bob@shop.test").await;
    let one = gateway.issue(&session, "reports:read").await;
    let watcher = ClientProof { id: "watcher".into(), secret: Some("watcher".into()), assertion: None };
    let told = gateway.server.introspect(&watcher, &one.access_token).await.unwrap();
    assert_eq!((&told["active"], &told["client_id"], &told["scope"]), (&true.into(), &"app".into(), &"reports:read".into()));
    assert_eq!(gateway.server.introspect(&watcher, refresh_of(&one)).await.unwrap()["active"], false, "another client's");
    is_refused(gateway.server.introspect(&app(), &one.access_token).await, OAuthError::InvalidClient);
    gateway.node.accounts.log_out(&session, &visit).await.unwrap();
    gateway.revoked(&one.access_token).await;
    let told = gateway.server.introspect(&watcher, &one.access_token).await.unwrap();
    assert_eq!(told, serde_json::json!({ "active": false }));
}

/// What one gateway issues the other accepts; what one revokes the other refuses within a second.
async fn two_gateways(location: &StoreLocation) {
    let (one, other) = tokio::join!(Issuing::open(location), Issuing::open(location));
    assert_eq!(one.server.jwks(), other.server.jwks(), "one transaction decides");
    assert_eq!(one.server.jwks()["keys"].as_array().unwrap().len(), 2);
    one.node.person("eve@shop.test", &["auditor"]).await;
    let session = one.node.log_in("eve@shop.test").await;
    let issued = one.issue(&session, "reports:read").await;
    other.enter(&issued.access_token).unwrap();
    one.server.revoke_own(&ClientProof { id: "app".into(), secret: None, assertion: None }, refresh_of(&issued), &Visit::default()).await.unwrap();
    let took = other.revoked(&issued.access_token).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    is_refused(other.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
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
    let gateway = Issuing::open(&server.url().parse().unwrap()).await;
    gateway.node.person("ada@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("ada@shop.test").await;
    let issued = gateway.issue(&session, "reports:read").await;
    server.halt();
    gateway.enter(&issued.access_token).expect("nobody needs to be asked");
    let error = gateway.refresh(refresh_of(&issued)).await.unwrap_err();
    assert!(matches!(error, TokenError::Store(_)), "{error}");
}

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
    let ids: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "next, active and retiring");
    let after = gateway.issue(&session, "reports:read").await;
    assert_ne!(key(&before.access_token), key(&after.access_token));
    for token in [&before.access_token, &after.access_token] {
        assert!(ids.contains(&key(token).as_str()));
        gateway.enter(token).unwrap();
    }
    gateway.server.rotate_keys_at(SystemTime::now() + 31 * day + Duration::from_hours(1)).await.unwrap();
    let error = gateway.enter(&before.access_token).unwrap_err();
    assert!(matches!(error, AuthenticationError::Invalid { reason: InvalidReason::UnknownKey, .. }), "{error}");
    gateway.enter(&after.access_token).unwrap();
}
