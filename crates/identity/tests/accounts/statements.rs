//! Every statement about rows of organisations, tried in the scope of another one.
//!
//! All stories of this suite run on one PostgreSQL, which logs what it is asked. What it logs is held against the texts in
//! the sources, so a statement that no story sends fails here, and then sent again for another organisation: it must find
//! and change what it would if nobody else had any rows. So it must with the same rows on SQLite, if it says for which
//! organisation it is; what does not is listed ([`BY_ID`]).

mod log;
mod on_sqlite;
mod source;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{Arc, Mutex},
};

use bartizan_store::{Scoped, Statement, Store};
use log::{Scope, Sent};
use on_sqlite::SqliteCopy;

use crate::postgres_server::PostgresServer;

/// Tables whose rows belong to organisations, parents last.
const GUARDED: [&str; 15] = [
    "service_credentials",
    "service_roles",
    "api_key_secrets",
    "refresh_tokens",
    "role_bindings",
    "suspended_bindings",
    "sessions",
    "invitations",
    "api_keys",
    "custom_roles",
    "authorization_codes",
    "token_families",
    "audit_entries",
    "services",
    "organizations",
];
/// Everybody writes the trail.
const WRITES_THE_TRAIL: &str = "INSERT INTO audit_entries ";
/// Statements of the whole system: what happens before it is known for which organisation, and what is no organisation's
/// to do. Whoever adds one here says that it is to see every organisation's rows.
const EVERYWHERE: &str = include_str!("statements/everywhere.txt");
/// Statements in the scope of an organisation that SQLite does not hold to it, because they do not name it: they know the id
/// of a row that an earlier statement found in the organisation, or its secret.
const BY_ID: &str = include_str!("statements/by_id.txt");
/// What time alone brings about, for which no test waits. All of it is the whole system's.
const BY_TIME: [&str; 3] = [
    "DELETE FROM authorization_codes WHERE expires_at < $1",
    "DELETE FROM refresh_tokens WHERE expires_at < $1",
    "DELETE FROM token_families WHERE expires_at < $1",
];
/// What a login at another provider brings about, which the suite of providers tries on both databases. It is the whole system's:
/// it names the person, and each organisation where the provider's roles were.
const AT_PROVIDERS: [&str; 4] = [
    "SELECT organization_id, role FROM role_bindings WHERE user_id = $1 AND provider = $2 \
     UNION SELECT organization_id, role FROM suspended_bindings WHERE user_id = $1 AND provider = $2",
    "INSERT INTO role_bindings (user_id, organization_id, role, created_at, provider) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    "DELETE FROM role_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3 AND provider = $4",
    "DELETE FROM suspended_bindings WHERE user_id = $1 AND organization_id = $2 AND role = $3 AND provider = $4",
];
/// How often a statement is tried with values of its own.
const TRIES: usize = 12;
/// The same on SQLite, where each try forgets everything of everybody.
const TRIES_ON_SQLITE: usize = 3;

fn is_guarded(sql: &str) -> bool {
    let mut words = sql.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.any(|word| GUARDED.contains(&word))
}

/// Runs every story, each in a database of its own; the answer is what was sent.
async fn everything_that_is_sent() -> (PostgresServer, Vec<Sent>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let settings = &["log_statement=all", log::PREFIX];
    let server = PostgresServer::start_with(settings, Arc::new(move |line| log.lock().unwrap().push(line)));
    let maker = Store::open(&server.url().parse().unwrap()).await.unwrap();
    let in_its_own = async |name: &str| {
        maker.execute(statement(&format!("CREATE DATABASE {name}"))).await.unwrap();
        server.url().replace("/bartizan?", &format!("/{name}?")).parse().unwrap()
    };
    Box::pin(crate::stories(&in_its_own("lives").await)).await;
    Box::pin(crate::api_keys::stories(&in_its_own("keys").await)).await;
    Box::pin(crate::ageing::stories(&in_its_own("ageing").await)).await;
    Box::pin(crate::at_rest::stories(&in_its_own("rest").await)).await;
    Box::pin(crate::audit::stories(&in_its_own("trail").await)).await;
    Box::pin(crate::factors::second_factors(&in_its_own("factors").await)).await;
    Box::pin(crate::inventory::stories(&in_its_own("inventory").await)).await;
    Box::pin(crate::membership::stories(&in_its_own("membership").await)).await;
    Box::pin(crate::messages::stories(&in_its_own("messages").await)).await;
    Box::pin(crate::organization_machines::stories(&in_its_own("machines").await)).await;
    Box::pin(crate::organizations::stories(&in_its_own("organizations").await)).await;
    Box::pin(crate::passkeys::passkeys(&in_its_own("passkeys").await)).await;
    Box::pin(crate::protection::sessions_that_end(&in_its_own("protection").await)).await;
    Box::pin(crate::roles::stories(&in_its_own("roles").await)).await;
    Box::pin(crate::services::a_life_of_services(&in_its_own("services").await)).await;
    Box::pin(crate::telephones::telephones(&in_its_own("telephones").await)).await;
    Box::pin(crate::tokens::stories(&in_its_own("tokens").await)).await;
    let sent = log::read(&lines.lock().unwrap());
    let own = |sent: &Sent| is_guarded(&sent.sql) && !sent.sql.contains("row_level");
    (server, sent.into_iter().filter(own).collect())
}

/// Stories that stand in each other's futures take, without optimisation, more of a stack than a test is given.
const STACK: usize = 16 * 1024 * 1024;

#[test]
fn every_statement_keeps_to_its_organization() {
    let run = || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).thread_stack_size(STACK).enable_all().build().unwrap();
        runtime.block_on(try_every_statement_elsewhere());
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

async fn try_every_statement_elsewhere() {
    let (server, sent) = everything_that_is_sent().await;
    let texts: BTreeSet<&str> = sent.iter().map(|sent| sent.sql.as_str()).collect();
    let sources = source::statements(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 150, "{}", sources.len());
    let untried: Vec<&String> = sources
        .iter()
        .filter(|text| {
            is_guarded(text)
                && !BY_TIME.contains(&text.as_str())
                && !AT_PROVIDERS.contains(&text.as_str())
                && !texts.iter().any(|sent| sent.contains(text.as_str()))
        })
        .collect();
    assert!(untried.is_empty(), "statements that no story of this suite sends: {untried:#?}");
    let theirs = |sent: &&Sent| sources.iter().any(|text| sent.sql.starts_with(text.as_str()));
    let sent: Vec<&Sent> = sent.iter().filter(theirs).collect();

    let blind: BTreeSet<&str> = (sent.iter())
        .filter(|sent| sent.scope == Scope::Nobody && !sent.sql.starts_with(WRITES_THE_TRAIL))
        .map(|sent| sent.sql.as_str())
        .collect();
    assert!(blind.is_empty(), "statements that see nothing, for want of a scope: {blind:#?}");
    named(EVERYWHERE, "everywhere.txt", &|sent| sent.scope == Scope::Everything, &sent);
    named(BY_ID, "by_id.txt", &names_no_organization, &sent);

    let mut tried: HashMap<&str, usize> = HashMap::new();
    let mut stores: HashMap<&String, (Store, SqliteCopy)> = HashMap::new();
    let (mut on_sqlite, mut reaching) = (BTreeSet::new(), BTreeSet::new());
    for sent in &sent {
        let count = tried.entry(&sent.sql).or_default();
        *count += 1;
        if *count <= TRIES && !sent.sql.starts_with(WRITES_THE_TRAIL) {
            if !stores.contains_key(&sent.database) {
                let url = server.url().replace("/bartizan?", &format!("/{}?", sent.database));
                let store = Store::open(&url.parse().unwrap()).await.unwrap();
                let copy = SqliteCopy::of(&store).await;
                stores.insert(&sent.database, (store, copy));
            }
            let (store, copy) = &stores[&sent.database];
            try_elsewhere(store, sent).await;
            if *count > TRIES_ON_SQLITE {
                continue;
            }
            if let Some(reaches) = copy.tries(sent).await {
                on_sqlite.insert(sent.sql.as_str());
                reaching.extend(reaches.then_some(sent.sql.as_str()));
            }
        }
    }
    assert!(tried.len() > 100, "{}", tried.len());
    // Many reach something for their own organisation, so it means something that they reach nothing for another.
    assert!(on_sqlite.len() > 20 && reaching.len() > 5, "{} of {}", reaching.len(), on_sqlite.len());
}

/// Whether a statement in the scope of an organisation does not say which.
fn names_no_organization(sent: &Sent) -> bool {
    match &sent.scope {
        Scope::Organization(id) => {
            !sent.values.iter().any(|value| value.as_deref() == Some(id))
                && !sent.sql.contains("organization_id = ''")
                && !sent.sql.starts_with("INSERT INTO")
        }
        Scope::Nobody | Scope::Everything => false,
    }
}

/// Fails with the texts that are of this kind and not in the list.
fn named(list: &str, file: &str, is_so: &dyn Fn(&Sent) -> bool, sent: &[&Sent]) {
    let listed: BTreeSet<&str> = list.lines().collect();
    let found: BTreeSet<&str> =
        sent.iter().filter(|sent| is_so(sent)).map(|sent| sent.sql.as_str()).collect();
    let unlisted: Vec<&str> = found.difference(&listed).copied().collect();
    assert!(unlisted.is_empty(), "not in tests/accounts/statements/{file}:\n{}", unlisted.join("\n"));
}

/// Sends it again for an organisation that has nothing.
async fn try_elsewhere(store: &Store, sent: &Sent) {
    let sql = with_values(sent);
    for scope in [store.within("0198c1c5-0000-7000-8000-000000000000"), store.within("nobody's")] {
        if sent.sql.starts_with("SELECT") {
            let lines = format!("SELECT CAST(row_to_json(found) AS TEXT) AS line FROM ({sql}) found");
            assert_eq!(
                lines_of(&scope, &lines, false).await,
                lines_of(&store.everywhere(), &lines, true).await,
                "{sql}"
            );
        } else if sent.sql.starts_with("INSERT") {
            // What it would write is another organisation's.
            let mut transaction = scope.begin().await.unwrap();
            assert!(!matches!(transaction.execute(statement(&sql)).await, Ok(1..)), "{sql}");
        } else {
            let mut transaction = scope.begin().await.unwrap();
            assert_eq!(transaction.execute(statement(&sql)).await.unwrap(), 0, "{sql}");
        }
    }
}

/// What a query finds, or would find if no organisation had any rows.
async fn lines_of(scope: &Scoped, sql: &str, forget: bool) -> Vec<String> {
    let mut transaction = scope.begin().await.unwrap();
    if forget {
        for table in GUARDED {
            transaction.execute(statement(&format!("DELETE FROM {table}"))).await.unwrap();
        }
    }
    let rows = transaction.rows(statement(sql)).await.unwrap();
    rows.iter().map(|row| row.text("line").unwrap()).collect()
}

fn with_values(sent: &Sent) -> String {
    let mut sql = sent.sql.clone();
    for (index, value) in sent.values.iter().enumerate().rev() {
        let literal =
            value.as_ref().map_or("NULL".into(), |value| format!("'{}'", value.replace('\'', "''")));
        sql = sql.replace(&format!("${}", index + 1), &literal);
    }
    sql
}

fn statement(sql: &str) -> Statement {
    Statement::new(sql.to_owned().leak())
}
