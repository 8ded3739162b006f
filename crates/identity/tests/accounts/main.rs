//! Accounts on real databases, and the road's view of their sessions.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so"
)]
#![expect(clippy::large_futures, reason = "stories are long")]

mod ageing;
mod api_keys;
mod at_rest;
mod audit;
#[path = "../../src/passkey/tests/authenticator.rs"]
mod authenticator;
mod inventory;
#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;
mod protection;
mod refused_attempts;
mod roles;
mod services;
mod shown_factors;
mod soon;
mod statements;
mod tokens;

mod factors;
mod membership;
mod messages;
mod organization_machines;
mod organizations;
mod passkeys;
mod telephones;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_config::{Config, Source, StoreLocation};
use bartizan_identity::{
    AuthenticationError, Authenticator, Identified, InvalidReason, Presented, SessionToken,
    account::{
        AccountError, Accounts, LoggedIn, Login, NewPerson, NewSession, Page, Person, PersonId, Visit,
    },
};
use bartizan_policy::{Decision, PermissionIndex};
use http::{Method, Request, header};
use postgres_server::PostgresServer;
use secrecy::{ExposeSecret, SecretString};
use soon::soon;

const DOCUMENT: &str = r#"
version: 1
listen: { http: "127.0.0.1:0" }
accounts: { password: { argon2: { memory: 7MiB, iterations: 5 } }, session: { at_most: 3 } }
identity: { people: { session: {} }, machines: { api_key: { store: true } } }
roles: { auditor: ["reports:read"], restricted: [] }
routes: [{ path: /reports, to: "http://localhost:1", auth: people, require: ["reports:read"] }]
"#;
const PASSWORD: &str = "plum-Terrace-9-orbit";
const OPERATOR: &str = Accounts::OPERATOR;

/// One gateway's part in it.
struct Node {
    accounts: Arc<Accounts>,
    authenticator: Authenticator,
    config: Config,
    index: Arc<PermissionIndex>,
}

impl Node {
    async fn open(location: &StoreLocation) -> Self {
        Self::open_with(location, DOCUMENT).await
    }

    async fn open_with(location: &StoreLocation, document: &str) -> Self {
        let config = Config::parse(document, &Source::text(".")).unwrap().config;
        let settings = config.accounts.as_ref().unwrap();
        let accounts = Accounts::open(location, settings, &config.roles).await.unwrap();
        let index = Arc::new(PermissionIndex::new(config.routes.iter().map(|route| &route.require)));
        let authenticator = Authenticator::new(&config, &index, Some(accounts.sessions()), None).unwrap();
        Self { accounts, authenticator, config, index }
    }

    async fn person(&self, email: &str, roles: &[&str]) -> Person {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let new =
            NewPerson { email: email.into(), name: "Ada".into(), password: Some(PASSWORD.into()), roles };
        self.accounts.create_person(new, OPERATOR, &Visit::default()).await.unwrap()
    }

    async fn try_log_in(&self, email: &str, password: &str) -> Result<NewSession, AccountError> {
        let login =
            Login { email: email.into(), password: password.into(), organization: None, device: None };
        self.accounts.log_in(&login, &Visit::default()).await.map(session)
    }

    async fn log_in(&self, email: &str) -> SessionToken {
        self.try_log_in(email, PASSWORD).await.unwrap().token
    }

    /// What the road says without asking the store.
    fn remembered(&self, token: &SessionToken) -> Result<Arc<Identified>, AuthenticationError> {
        let cookie = format!("bartizan={}", token.secret().expose_secret());
        let (head, ()) = Request::get("/").header(header::COOKIE, cookie).body(()).unwrap().into_parts();
        let selection = self.authenticator.select(&["people".parse().unwrap()], &[]).unwrap();
        let presented =
            Presented { head: &head, secure: false, address: None, client_certificate: None, content: None };
        self.authenticator.authenticate(&selection, &presented).map(|proven| proven.identified)
    }

    async fn enter(&self, token: &SessionToken) -> Result<Arc<Identified>, AuthenticationError> {
        match self.remembered(token) {
            Err(AuthenticationError::Unread(session)) => self.authenticator.look_up(&session).await,
            decided => decided,
        }
    }

    async fn is_refused(&self, token: &SessionToken) -> bool {
        matches!(
            self.enter(token).await,
            Err(AuthenticationError::Invalid { reason: InvalidReason::UnknownSession, .. })
        )
    }

    fn may_read_reports(&self, identified: &Identified) -> bool {
        let policy = self.index.compile(&self.config.routes[0].require);
        policy.decide(&Method::GET, &identified.permissions) == Decision::Permitted
    }
}

/// What a login leads to for whoever has no second factor.
fn session(logged_in: LoggedIn) -> NewSession {
    match logged_in {
        LoggedIn::Session(session) => session,
        LoggedIn::SecondFactor(pending) => panic!("a second factor is asked for: {pending:?}"),
    }
}

fn who(person: &Person) -> PersonId {
    PersonId(person.id.as_str().into())
}

async fn a_life(location: &StoreLocation) {
    let node = Node::open(location).await;
    let visit = Visit::default();
    let ada = node.person("Ada@Shop.test", &["viewer"]).await;
    assert_eq!(ada.email, "ada@shop.test");
    let second = NewPerson { email: "ada@shop.test".into(), name: "A".into(), password: None, roles: vec![] };
    let error = node.accounts.create_person(second, OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(error, AccountError::Taken(_)), "{error}");

    // Read once, then remembered.
    let token = node.log_in(" ADA@shop.test ").await;
    assert!(matches!(node.remembered(&token), Err(AuthenticationError::Unread(_))));
    let first = node.enter(&token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &node.remembered(&token).unwrap()));
    assert_eq!(first.principal.id.as_str(), ada.id.as_str());
    assert_eq!(first.grants, "api_key:read metrics:read user:read");
    assert!(!node.may_read_reports(&first));

    // Roles count at once, in an organisation for the sessions that act for it.
    node.accounts.add_role(None, &who(&ada), "auditor", OPERATOR, &visit).await.unwrap();
    assert!(node.may_read_reports(&node.enter(&token).await.unwrap()));
    node.accounts.remove_role(None, &who(&ada), "auditor", OPERATOR, &visit).await.unwrap();
    assert!(!node.may_read_reports(&node.enter(&token).await.unwrap()));
    let acme = node.accounts.create_organization("Acme", OPERATOR, &visit).await.unwrap();
    node.accounts.add_role(Some("Acme"), &who(&ada), "auditor", OPERATOR, &visit).await.unwrap();
    assert!(!node.may_read_reports(&node.enter(&token).await.unwrap()), "this session acts for nobody");
    let inside = node.log_in("ada@shop.test").await;
    let identified = node.enter(&inside).await.unwrap();
    assert_eq!(identified.principal.organization.as_ref().unwrap().as_str(), acme.id.as_str());
    assert!(node.may_read_reports(&identified));
    let unknown = node.accounts.add_role(None, &who(&ada), "root", OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(unknown, AccountError::UnknownRole(_)), "{unknown}");

    // What no database takes is no failure of it.
    let login = Login {
        email: "ada@shop.test".into(),
        password: PASSWORD.into(),
        organization: Some("Ac\0me".into()),
        device: None,
    };
    let nul = node.accounts.log_in(&login, &visit).await.unwrap_err();
    assert!(matches!(nul, AccountError::Missing(_)), "{nul}");
    let nul = node.accounts.organization("Ac\0me").await.unwrap_err();
    assert!(matches!(nul, AccountError::Missing(_)), "{nul}");

    // The oldest makes room: three at most here.
    let third = node.log_in("ada@shop.test").await;
    let fourth = node.log_in("ada@shop.test").await;
    assert!(node.is_refused(&token).await);
    for kept in [&inside, &third, &fourth] {
        node.enter(kept).await.unwrap();
    }
    assert_eq!(node.accounts.sessions_of(Some(&ada.id), &Page::default()).await.unwrap().items.len(), 3);

    // An operator ends one of them; nobody ends another's.
    let ended = node.accounts.current_session(&fourth).await.unwrap().id;
    let other = node.person("stranger@shop.test", &[]).await;
    let theirs = node.accounts.revoke_session(ended.as_str(), Some(&other.id), "", &visit).await;
    assert!(matches!(theirs, Err(AccountError::Missing(_))), "{theirs:?}");
    node.enter(&fourth).await.unwrap();
    node.accounts.revoke_session(ended.as_str(), None, OPERATOR, &visit).await.unwrap();
    assert!(node.is_refused(&fourth).await);
    let fourth = node.log_in("ada@shop.test").await;
    node.accounts.delete_person(&who(&other), OPERATOR, &visit).await.unwrap();

    // Logout, another password, a closed account.
    node.accounts.log_out(&third, &visit).await.unwrap();
    assert!(node.is_refused(&third).await);
    let new: SecretString = "quartz-Lantern-4-violet".into();
    let change = |current: &str| {
        let current: SecretString = current.into();
        let (accounts, fourth, new, visit) = (&node.accounts, &fourth, &new, &visit);
        async move { accounts.change_password(fourth, &current, new, visit).await }
    };
    assert!(matches!(change("wrong-wrong-wrong").await, Err(AccountError::WrongCredentials)));
    let changed = change(PASSWORD).await.unwrap().token;
    for ended in [&inside, &fourth] {
        assert!(node.is_refused(ended).await);
    }
    node.enter(&changed).await.unwrap();
    assert!(matches!(node.try_log_in("ada@shop.test", PASSWORD).await, Err(AccountError::WrongCredentials)));
    node.accounts.disable_person(&who(&ada), true, OPERATOR, &visit).await.unwrap();
    assert!(node.is_refused(&changed).await);
    let closed = node.try_log_in("ada@shop.test", new.expose_secret()).await;
    assert!(matches!(closed, Err(AccountError::WrongCredentials)));
    node.accounts.disable_person(&who(&ada), false, OPERATOR, &visit).await.unwrap();
    node.try_log_in("ada@shop.test", new.expose_secret()).await.unwrap();
    node.accounts.delete_person(&who(&ada), OPERATOR, &visit).await.unwrap();
    assert!(node.accounts.people(&Page::default()).await.unwrap().items.is_empty());

    let trail = node.accounts.audit(1000).await.unwrap();
    let refused = trail.iter().filter(|entry| entry.action == "login" && entry.outcome == "refused");
    assert_eq!(refused.count(), 3);
    for action in ["logout", "password.change", "user.delete", "organization.create", "role.remove"] {
        assert!(trail.iter().any(|entry| entry.action == action), "{action}");
    }
}

/// What one gateway ends, another refuses.
async fn two_nodes(location: &StoreLocation) {
    let (one, other) = (Node::open(location).await, Node::open(location).await);
    let ada = one.person("two@shop.test", &[]).await;
    let (first, second) = (one.log_in("two@shop.test").await, one.log_in("two@shop.test").await);
    other.enter(&first).await.unwrap();
    other.enter(&second).await.unwrap();
    one.accounts.log_out(&first, &Visit::default()).await.unwrap();
    refused_soon(&other, &first).await;
    other.enter(&second).await.unwrap();
    one.accounts.disable_person(&who(&ada), true, OPERATOR, &Visit::default()).await.unwrap();
    refused_soon(&other, &second).await;
}

async fn refused_soon(node: &Node, token: &SessionToken) {
    soon("the end of a session was never heard of", async || node.is_refused(token).await).await;
}

async fn stories(location: &StoreLocation) {
    a_life(location).await;
    two_nodes(location).await;
    logins_at_once(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_of_accounts_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_of_accounts_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}

/// Logins of one person happen one after the other, also where the store has many writers. More than five at once would be
/// taken for guesses.
async fn logins_at_once(location: &StoreLocation) {
    let node = Node::open(location).await;
    let ada = node.person("once@shop.test", &[]).await;
    let log_in = || {
        let accounts = Arc::clone(&node.accounts);
        let login = Login {
            email: "once@shop.test".into(),
            password: PASSWORD.into(),
            organization: None,
            device: None,
        };
        tokio::spawn(async move { accounts.log_in(&login, &Visit::default()).await })
    };
    let logins: Vec<_> = std::iter::repeat_with(log_in).take(5).collect();
    for login in logins {
        login.await.unwrap().unwrap();
    }
    assert_eq!(node.accounts.sessions_of(Some(&ada.id), &Page::default()).await.unwrap().items.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_can_pause_strangers_but_not_a_device_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
    let ada = node.person("ada@shop.test", &[]).await;
    let visit = |last: u8| Visit { address: Some([192, 0, 2, last].into()), ..Visit::default() };
    let log_in = async |password: &str, device: Option<SecretString>, last: u8| {
        let (email, password) = ("ada@shop.test".into(), password.into());
        let login = Login { email, password, organization: None, device };
        node.accounts.log_in(&login, &visit(last)).await.map(session)
    };
    let device = log_in(PASSWORD, None, 1).await.unwrap().device;
    for _ in 0..5 {
        let wrong = log_in("wrong-wrong-wrong", None, 2).await;
        assert!(matches!(wrong, Err(AccountError::WrongCredentials)));
    }
    assert!(matches!(log_in(PASSWORD, None, 3).await, Err(AccountError::Paused(_))), "right, but a stranger");
    log_in(PASSWORD, Some(device.clone()), 1).await.unwrap();
    let forged: SecretString = "A".repeat(device.expose_secret().len()).into();
    assert!(matches!(log_in(PASSWORD, Some(forged), 3).await, Err(AccountError::Paused(_))));
    node.accounts.unlock_person(&who(&ada), OPERATOR, &Visit::default()).await.unwrap();
    log_in(PASSWORD, None, 3).await.unwrap();
    // Nobody learns from it who has an account.
    for _ in 0..5 {
        let guess = Login {
            email: "nobody@shop.test".into(),
            password: "wrong-wrong-wrong".into(),
            organization: None,
            device: None,
        };
        assert!(matches!(node.accounts.log_in(&guess, &visit(4)).await, Err(AccountError::WrongCredentials)));
    }
    let nobody = node.try_log_in("nobody@shop.test", PASSWORD).await;
    assert!(matches!(nobody, Err(AccountError::Paused(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_gone_is_no_refusal() {
    let mut server = PostgresServer::start();
    let node = Node::open(&server.url().parse().unwrap()).await;
    node.person("ada@shop.test", &[]).await;
    let (known, cold) = (node.log_in("ada@shop.test").await, node.log_in("ada@shop.test").await);
    node.enter(&known).await.unwrap();
    server.halt();
    node.enter(&known).await.unwrap();
    let error = node.enter(&cold).await.unwrap_err();
    assert!(matches!(error, AuthenticationError::Unavailable { .. }), "{error}");
    let error = node.try_log_in("ada@shop.test", PASSWORD).await.unwrap_err();
    assert!(matches!(error, AccountError::Store(_)), "{error}");
}

#[tokio::test]
async fn without_a_store_nobody_is_let_in() {
    let config = Config::parse(DOCUMENT, &Source::text(".")).unwrap().config;
    let authenticator = Authenticator::new(&config, &Arc::new(PermissionIndex::new([])), None, None).unwrap();
    let selection = authenticator.select(&["people".parse().unwrap()], &[]).unwrap();
    let (head, ()) = Request::get("/").body(()).unwrap().into_parts();
    let presented =
        Presented { head: &head, secure: false, address: None, client_certificate: None, content: None };
    let error = authenticator.authenticate(&selection, &presented).unwrap_err();
    assert!(matches!(error, AuthenticationError::Unavailable { .. }), "{error}");
}
