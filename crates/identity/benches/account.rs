//! Logins, refreshed tokens and ended sessions, with what the store does for them, on SQLite and PostgreSQL; and what a
//! session costs the road, among ten and among ten thousand. A login's hash is made with 7 MiB and five
//! iterations, the least that the configuration takes, so that the store shows beside it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot start shall stop")]

#[path = "../../store/tests/store/postgres_server.rs"]
mod postgres_server;

use std::{cell::RefCell, fmt, sync::Arc};

use bartizan_config::{Config, Source, StoreLocation};
use bartizan_identity::{
    AuthenticationError, Authenticator, Presented, SessionToken,
    account::{Accounts, LoggedIn, Login, NewPerson, NewSession, Visit},
    authorization_server::{
        AuthorizationRequest, AuthorizationServer, ClientProof, Grant, Proofs, Revoked, TokenEndpoint,
        TokenRequest, TokenResponse,
    },
};
use bartizan_policy::PermissionIndex;
use bartizan_store::{Statement, Store};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use divan::{Bencher, black_box};
use http::{HeaderMap, Request, header, request::Parts};
use postgres_server::PostgresServer;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const DOCUMENT: &str = r#"
version: 1
listen: { http: "127.0.0.1:0" }
accounts:
  password: { argon2: { memory: 7MiB, iterations: 5 } }
  tokens:
    issuer: "http://localhost:8080"
    secret: "0123456789abcdef0123456789abcdef"
    resources: ["http://localhost:8080"]
    clients: { app: { redirect_uris: ["https://app.test/back"], scopes: ["reports:read"] } }
identity: { own: { token: {} }, people: { session: {} } }
roles: { auditor: ["reports:read"] }
routes: [{ path: /reports, to: "http://localhost:1", auth: [own, people], require: ["reports:read"] }]
"#;
const EMAIL: &str = "ada@shop.test";
const PASSWORD: &str = "plum-Terrace-9-orbit";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "https://app.test/back";

fn main() {
    divan::main();
}

#[derive(Clone, Copy)]
enum Database {
    Sqlite,
    Postgres,
}

const DATABASES: [Database; 2] = [Database::Sqlite, Database::Postgres];
const READ: [(Database, usize); 4] = [
    (Database::Sqlite, 10),
    (Database::Sqlite, 10_000),
    (Database::Postgres, 10),
    (Database::Postgres, 10_000),
];

#[divan::bench(args = DATABASES, sample_count = 50, sample_size = 1)]
fn log_in(bencher: Bencher<'_, '_>, database: Database) {
    let shop = Shop::open(database);
    bencher.bench_local(|| shop.log_in());
}

#[divan::bench(args = DATABASES, sample_count = 100, sample_size = 1)]
fn revoke_a_session(bencher: Bencher<'_, '_>, database: Database) {
    let shop = Shop::open(database);
    bencher.with_inputs(|| shop.log_in()).bench_local_values(|session| {
        let revoke = shop.accounts.revoke_session(session.id.as_str(), None, "bench", &shop.visit);
        shop.runtime.block_on(revoke).unwrap();
    });
}

/// An authorisation with all that was issued by it: its refresh token, and by another epoch its access tokens.
#[divan::bench(args = DATABASES, sample_count = 100, sample_size = 1)]
fn revoke_an_authorization(bencher: Bencher<'_, '_>, database: Database) {
    let shop = Shop::open(database);
    let issued = || grant_of(shop.issue(&shop.log_in().token).access_token.expose_secret());
    bencher.with_inputs(issued).bench_local_values(|grant| {
        let what = Revoked::Authorization(grant);
        let revoke = shop.server.revoke(&what, "bench", &shop.visit);
        shop.runtime.block_on(revoke).unwrap();
    });
}

#[divan::bench(args = DATABASES, sample_count = 100, sample_size = 1)]
fn refresh(bencher: Bencher<'_, '_>, database: Database) {
    let shop = Shop::open(database);
    let last = RefCell::new(shop.issue(&shop.log_in().token));
    bencher.bench_local(|| {
        let token = last.borrow().refresh_token.clone().unwrap();
        let next = shop.ask(Grant::RefreshToken { token, scope: String::new() });
        last.replace(next);
    });
}

#[divan::bench(args = [10, 10_000])]
fn session_that_is_remembered(bencher: Bencher<'_, '_>, count: usize) {
    let (shop, heads) = Shop::with_sessions(Database::Sqlite, count);
    for head in &heads {
        shop.look_up(head);
    }
    let mut next = 0_usize;
    bencher.bench_local(|| {
        next = (next + 7919) % heads.len();
        shop.remembered(black_box(&heads[next])).unwrap();
    });
}

/// A session that was not asked for lately, and its person: two reads.
#[divan::bench(args = READ, sample_count = 100, sample_size = 1)]
fn session_that_is_read(bencher: Bencher<'_, '_>, (database, count): (Database, usize)) {
    let (shop, heads) = Shop::with_sessions(database, count);
    let tokens: Vec<_> = heads.iter().map(|head| shop.accounts.presented(&head.headers).unwrap()).collect();
    let mut next = 0_usize;
    bencher.bench_local(|| {
        next = (next + 7919) % tokens.len();
        let token = black_box(&tokens[next]);
        shop.runtime.block_on(shop.accounts.current_session(token)).unwrap()
    });
}

/// A gateway with one person.
struct Shop {
    accounts: Arc<Accounts>,
    server: Arc<AuthorizationServer>,
    authenticator: Authenticator,
    visit: Visit,
    location: StoreLocation,
    runtime: Runtime,
    _folder: TempDir,
    _postgres: Option<PostgresServer>,
}

impl Shop {
    fn open(database: Database) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (location, postgres) = match database {
            Database::Sqlite => (StoreLocation::Sqlite(folder.path().join("bartizan.db")), None),
            Database::Postgres => {
                let server = PostgresServer::start();
                (server.url().parse().unwrap(), Some(server))
            }
        };
        let config = Config::parse(DOCUMENT, &Source::text(".")).unwrap().config;
        let (accounts, server) = runtime.block_on(async {
            let settings = config.accounts.as_ref().unwrap();
            let accounts = Accounts::open(&location, settings, &config.roles).await.unwrap();
            let (email, name) = (EMAIL.into(), "Ada".into());
            let new =
                NewPerson { email, name, password: Some(PASSWORD.into()), roles: vec!["auditor".into()] };
            accounts.create_person(new, "bench", &Visit::default()).await.unwrap();
            let server = AuthorizationServer::open(&accounts, config.tokens.as_ref().unwrap()).await.unwrap();
            (accounts, server)
        });
        let index = Arc::new(PermissionIndex::from_config(&config));
        let authenticator = {
            let _inside = runtime.enter();
            Authenticator::new(&config, &index, Some(accounts.sessions()), None).unwrap()
        };
        let visit = Visit::default();
        Self {
            accounts,
            server,
            authenticator,
            visit,
            location,
            runtime,
            _folder: folder,
            _postgres: postgres,
        }
    }

    /// With so many sessions, of as many people, and a request with each.
    fn with_sessions(database: Database, count: usize) -> (Self, Vec<Parts>) {
        const PERSON: &str =
            "INSERT INTO users (id, email, name, created_at) VALUES ($1, $1 || '@shop.test', 'A', 0)";
        const SESSION: &str = "INSERT INTO sessions (id, token_hash, user_id, organization_id, created_at, renewed_at, \
            expires_at, seen_at, address, client, proven_at, methods) \
            VALUES ($1, $2, $1, '', $3, $3, $4, $3, '', '', $3, 'pwd')";
        let shop = Self::open(database);
        let tokens: Vec<String> = (0..count).map(|number| format!("{number:043}")).collect();
        shop.runtime.block_on(async {
            let store = Store::open(&shop.location).await.unwrap().everywhere();
            let mut transaction = store.begin().await.unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let now = i64::try_from(now.as_millis()).unwrap();
            for token in &tokens {
                let id = format!("bench-{token}");
                transaction.execute(Statement::new(PERSON).text(id.as_str())).await.unwrap();
                let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
                let session = Statement::new(SESSION).text(id).text(hash).integer(now);
                transaction.execute(session.integer(now + 3_600_000)).await.unwrap();
            }
            transaction.commit().await.unwrap();
        });
        let heads = tokens.iter().map(|token| head(token)).collect();
        (shop, heads)
    }

    fn remembered(&self, head: &Parts) -> Result<(), AuthenticationError> {
        let selection = self.authenticator.select(&["people".parse().unwrap()], &[]).unwrap();
        let presented =
            Presented { head, secure: false, address: None, client_certificate: None, content: None };
        self.authenticator.authenticate(&selection, &presented).map(drop)
    }

    fn look_up(&self, head: &Parts) {
        match self.remembered(head) {
            Ok(()) => {}
            Err(AuthenticationError::Unread(session)) => {
                drop(self.runtime.block_on(self.authenticator.look_up(&session)).unwrap());
            }
            Err(error) => unreachable!("{error}"),
        }
    }

    fn log_in(&self) -> NewSession {
        let login =
            Login { email: EMAIL.into(), password: PASSWORD.into(), organization: None, device: None };
        match self.runtime.block_on(self.accounts.log_in(&login, &self.visit)).unwrap() {
            LoggedIn::Session(session) => session,
            LoggedIn::SecondFactor(_) => unreachable!("nobody has a second factor"),
        }
    }

    fn issue(&self, session: &SessionToken) -> TokenResponse {
        let request = AuthorizationRequest {
            client: "app".into(),
            redirect_uri: BACK.into(),
            response_type: "code".into(),
            scope: "reports:read".into(),
            code_challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
            code_challenge_method: "S256".into(),
            ..AuthorizationRequest::default()
        };
        let answer =
            self.runtime.block_on(self.server.authorize(&request, Some(session), &Visit::default())).unwrap();
        let code = answer.location.split("code=").nth(1).unwrap().split('&').next().unwrap();
        let code = SecretString::from(code.replace("%5F", "_"));
        self.ask(Grant::AuthorizationCode { code, redirect_uri: BACK.into(), verifier: VERIFIER.into() })
    }

    fn ask(&self, grant: Grant) -> TokenResponse {
        let client = ClientProof { id: "app".into(), secret: None, assertion: None };
        let request = TokenRequest { client, grant, resources: Vec::new() };
        let headers = HeaderMap::new();
        let proofs = Proofs { endpoint: TokenEndpoint::Token, headers: &headers, certificate: None };
        self.runtime.block_on(self.server.token(&request, &proofs, &self.visit)).unwrap()
    }
}

/// The authorisation that an access token belongs to.
fn grant_of(access_token: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(access_token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims["grant_id"].as_str().unwrap().to_owned()
}

fn head(token: &str) -> Parts {
    let cookie = format!("bartizan={token}");
    Request::get("/reports").header(header::COOKIE, cookie).body(()).unwrap().into_parts().0
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
