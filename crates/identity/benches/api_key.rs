//! What an API key of the store costs, among ten and among a hundred thousand, every key in turn; the same for its first
//! use; and a key that nobody has.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

use std::sync::Arc;

use aws_lc_rs::hmac;
use bartizan_config::{Config, Source, StoreLocation};
use bartizan_identity::{Authenticator, Presented, Selection, account::Accounts};
use bartizan_policy::PermissionIndex;
use bartizan_store::{Scoped, Statement, Store};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use divan::{Bencher, black_box};
use http::{HeaderValue, Request, request::Parts};
use tokio::runtime::Runtime;

const DOCUMENT: &str = r#"
version: 1
listen: { http: "127.0.0.1:0" }
accounts: {}
identity: { machines: { api_key: { store: true } } }
routes: [{ path: /orders, to: "http://localhost:1", auth: machines, require: ["orders:read"] }]
"#;
const COUNTS: [u32; 2] = [10, 100_000];

fn main() {
    divan::main();
}

/// The request is read a moment before, as in a gateway, so that what is far away in memory is the key and not the request.
#[divan::bench(args = COUNTS, sample_count = 1000, sample_size = 50)]
fn key_of_the_store(bencher: Bencher<'_, '_>, count: u32) {
    let shop = Shop::open(count);
    for head in &shop.heads {
        shop.authenticator.authenticate(&shop.machines, &presented(head)).unwrap();
    }
    let mut next = 0_usize;
    let read = || {
        // A stride that shares no factor with the number of keys comes by every one, far from the last.
        next = (next + 7919) % shop.heads.len();
        shop.heads[next].clone()
    };
    bencher.with_inputs(read).bench_local_refs(|head| {
        shop.authenticator.authenticate(&shop.machines, &presented(black_box(head))).unwrap()
    });
}

#[divan::bench(sample_count = 500, sample_size = 100)]
fn first_use_of_a_key(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(100_000);
    let mut heads = shop.heads.iter();
    bencher.with_inputs(|| heads.next().unwrap().clone()).bench_local_refs(|head| {
        shop.authenticator.authenticate(&shop.machines, &presented(black_box(head))).unwrap()
    });
}

#[divan::bench(args = COUNTS)]
fn key_that_nobody_has(bencher: Bencher<'_, '_>, count: u32) {
    let shop = Shop::open(count);
    let unknown = head("bzn_live_unknown0000000000000000000000000000000000000");
    bencher.bench_local(|| {
        shop.authenticator.authenticate(&shop.machines, &presented(black_box(&unknown))).unwrap_err()
    });
}

/// A gateway, and a request with each of its keys.
struct Shop {
    heads: Vec<Parts>,
    authenticator: Authenticator,
    machines: Selection,
    _folder: tempfile::TempDir,
    _runtime: Runtime,
    _accounts: Arc<Accounts>,
}

impl Shop {
    fn open(count: u32) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
        let config = Config::parse(DOCUMENT, &Source::text(".")).unwrap().config;
        let settings = config.accounts.as_ref().unwrap();
        let keys: Vec<String> = (0..count).map(|number| format!("bzn_live_{number:049}")).collect();
        let accounts = runtime.block_on(async {
            // The first opening makes the secret of the hashes.
            drop(Accounts::open(&location, settings, &config.roles).await.unwrap());
            fill(&Store::open(&location).await.unwrap().everywhere(), &keys).await;
            Accounts::open(&location, settings, &config.roles).await.unwrap()
        });
        let index = Arc::new(PermissionIndex::from_config(&config));
        let authenticator = {
            let _inside = runtime.enter();
            Authenticator::new(&config, &index, Some(accounts.sessions()), None).unwrap()
        };
        Self {
            heads: keys.iter().map(|key| head(key)).collect(),
            machines: authenticator.select(&["machines".parse().unwrap()], &[]).unwrap(),
            authenticator,
            _folder: folder,
            _runtime: runtime,
            _accounts: accounts,
        }
    }
}

/// Keys as `bartizan key create` leaves them, of an organisation.
async fn fill(store: &Scoped, keys: &[String]) {
    const SECRET: &str = "SELECT value FROM secrets WHERE name = 'machine_secrets'";
    const ORGANIZATION: &str = "INSERT INTO organizations (id, name, created_at) VALUES ('acme', 'Acme', 0)";
    const KEY: &str = "INSERT INTO api_keys (id, name, hint, organization_id, permissions, addresses, created_at, \
        created_by, suspended_because, use_count) VALUES ($1, 'key', '', 'acme', 'orders:*', '', 0, '', '', 0)";
    const HASH: &str = "INSERT INTO api_key_secrets (hash, key_id, created_at) VALUES ($1, $2, 0)";
    let secret = store.row(Statement::new(SECRET)).await.unwrap().unwrap().text("value").unwrap();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap());
    let mut transaction = store.begin().await.unwrap();
    transaction.execute(Statement::new(ORGANIZATION)).await.unwrap();
    for (number, key) in keys.iter().enumerate() {
        let id = format!("key-{number:06}");
        let hash = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, key.as_bytes()));
        transaction.execute(Statement::new(KEY).text(id.as_str())).await.unwrap();
        transaction.execute(Statement::new(HASH).text(hash).text(id)).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

fn head(key: &str) -> Parts {
    let key = HeaderValue::from_str(key).unwrap();
    Request::get("/orders").header("x-api-key", key).body(()).unwrap().into_parts().0
}

fn presented(head: &Parts) -> Presented<'_> {
    Presented { head, secure: true, address: None, client_certificate: None, content: None }
}
