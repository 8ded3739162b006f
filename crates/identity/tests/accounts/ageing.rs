//! What time alone brings about. Nobody waits for it: rows are made older.

use std::time::{SystemTime, UNIX_EPOCH};

use bartizan_identity::authorization_server::OAuthError;
use bartizan_store::{Row, Scoped, Statement, Store};

use super::{
    tokens::{Issuing, claims, is_refused, refresh_of},
    *,
};

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
/// How much later than now a moment may be that was noted just now.
const A_WHILE: i64 = HOUR / 60;

/// The store of a gateway, and the row of a session in it.
struct Aged {
    store: Scoped,
    session: NewSession,
}

impl Aged {
    async fn new(node: &Node, location: &StoreLocation) -> Self {
        let session = node.try_log_in("old@shop.test", PASSWORD).await.unwrap();
        Self { store: Store::open(location).await.unwrap().everywhere(), session }
    }

    /// The session began, was renewed and was seen so much earlier.
    async fn by(&self, time: i64) {
        const AGE: &str = "UPDATE sessions SET created_at = created_at - $2, renewed_at = renewed_at - $2, \
            expires_at = expires_at - $2, seen_at = seen_at - $2 WHERE id = $1";
        self.change(AGE, time).await;
    }

    async fn change(&self, sql: &'static str, value: i64) {
        let change = Statement::new(sql).text(self.session.id.as_str()).integer(value);
        assert_eq!(self.store.execute(change).await.unwrap(), 1);
    }

    async fn moment(&self, name: &str) -> i64 {
        let read = Statement::new("SELECT * FROM sessions WHERE id = $1").text(self.session.id.as_str());
        self.store.row(read).await.unwrap().unwrap().integer(name).unwrap()
    }

    /// Uses the session, until that is noted.
    async fn used(&self, node: &Node) {
        node.enter(&self.session.token).await.unwrap();
        soon("the use of a session was never noted", async || now() - self.moment("seen_at").await < A_WHILE)
            .await;
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub(crate) async fn stories(location: &StoreLocation) {
    sessions_grow_old(location).await;
    refresh_tokens_grow_old(location).await;
}

/// A session in use is renewed once a day, for seven days, until thirty are over.
async fn sessions_grow_old(location: &StoreLocation) {
    let document = DOCUMENT.replace(", session: { at_most: 3 }", "");
    let node = Node::open_with(location, &document).await;
    node.person("old@shop.test", &[]).await;

    let young = Aged::new(&node, location).await;
    assert!((6 * DAY..=7 * DAY).contains(&(young.moment("expires_at").await - now())));
    young.by(23 * HOUR).await;
    let (renewed, expires) = (young.moment("renewed_at").await, young.moment("expires_at").await);
    young.used(&node).await;
    assert_eq!((young.moment("renewed_at").await, young.moment("expires_at").await), (renewed, expires));

    let old = Aged::new(&node, location).await;
    old.by(25 * HOUR).await;
    old.used(&node).await;
    let renewed = old.moment("renewed_at").await;
    assert!((0..A_WHILE).contains(&(now() - renewed)));
    assert_eq!(old.moment("expires_at").await, renewed + 7 * DAY);

    let last = Aged::new(&node, location).await;
    last.by(29 * DAY).await;
    last.change("UPDATE sessions SET expires_at = $2 WHERE id = $1", now() + HOUR).await;
    last.used(&node).await;
    assert_eq!(last.moment("expires_at").await, last.moment("created_at").await + 30 * DAY);

    let lapsed = Aged::new(&node, location).await;
    lapsed.by(7 * DAY).await;
    assert!(node.is_refused(&lapsed.session.token).await, "not used for seven days");
    let ended = Aged::new(&node, location).await;
    ended.by(30 * DAY).await;
    assert!(node.is_refused(&ended.session.token).await);
}

/// A refresh token ends by itself where it is not used, and with its authorisation where it is.
async fn refresh_tokens_grow_old(location: &StoreLocation) {
    const READ: &str = "SELECT t.expires_at, f.expires_at AS ends_at FROM refresh_tokens t \
        JOIN token_families f ON f.id = t.family_id WHERE f.id = $1 AND t.used_at IS NULL";
    let gateway = Issuing::open(location).await;
    let store = Store::open(location).await.unwrap().everywhere();
    gateway.node.person("late@shop.test", &["auditor"]).await;
    let session = gateway.node.log_in("late@shop.test").await;
    let span = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    let row =
        async |family: &str| -> Row { store.row(Statement::new(READ).text(family)).await.unwrap().unwrap() };
    let change = async |sql: &'static str, family: &str, at: i64| {
        assert_eq!(store.execute(Statement::new(sql).text(family).integer(at)).await.unwrap(), 1);
    };

    let unused = gateway.issue(&session, "reports:read").await;
    let family = claims(&unused.access_token)["grant_id"].as_str().unwrap().to_owned();
    let (ends, family_ends) =
        (row(&family).await.integer("expires_at"), row(&family).await.integer("ends_at"));
    let (ends, family_ends) = (ends.unwrap() - now(), family_ends.unwrap() - now());
    let (refresh, absolute) = (span(gateway.tokens().refresh), span(gateway.tokens().absolute));
    assert!((refresh - A_WHILE..=refresh).contains(&ends), "{ends}");
    assert!((absolute - A_WHILE..=absolute).contains(&family_ends), "{family_ends}");
    change("UPDATE refresh_tokens SET expires_at = $2 WHERE family_id = $1", &family, now() - 1).await;
    is_refused(gateway.refresh(refresh_of(&unused)).await, OAuthError::InvalidGrant);

    let used = gateway.issue(&session, "reports:read").await;
    let family = claims(&used.access_token)["grant_id"].as_str().unwrap().to_owned();
    let end = now() + A_WHILE;
    change("UPDATE token_families SET expires_at = $2 WHERE id = $1", &family, end).await;
    let successor = gateway.refresh(refresh_of(&used)).await.unwrap();
    assert_eq!(row(&family).await.integer("expires_at").unwrap(), end, "not another seven days");
    change("UPDATE token_families SET expires_at = $2 WHERE id = $1", &family, now() - 1).await;
    is_refused(gateway.refresh(refresh_of(&successor)).await, OAuthError::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_grows_old_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_grows_old_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
