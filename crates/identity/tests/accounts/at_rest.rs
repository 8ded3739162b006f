//! What a thief of the store has: hashes, and what is sealed by a key of the configuration.

use bartizan_store::{Scoped, Statement, Store};

use super::{
    messages::{Post, from},
    tokens::{DOCUMENT, Issuing, refresh_of},
    *,
};

/// Every text that the store has, with its place.
async fn texts(location: &StoreLocation) -> Vec<(String, String)> {
    let sql = match location {
        StoreLocation::Sqlite(_) => {
            "SELECT m.name AS kept_in, c.name AS called FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.type = 'TEXT'"
        }
        StoreLocation::Postgres(_) => {
            "SELECT CAST(table_name AS TEXT) AS kept_in, CAST(column_name AS TEXT) AS called \
             FROM information_schema.columns WHERE table_schema = current_schema() \
             AND data_type = 'text'"
        }
    };
    let store: Scoped = Store::open(location).await.unwrap().everywhere();
    let mut found = Vec::new();
    for column in store.rows(Statement::new(sql)).await.unwrap() {
        let (table, column) = (column.text("kept_in").unwrap(), column.text("called").unwrap());
        let sql = format!("SELECT CAST({column} AS TEXT) AS kept FROM {table} WHERE {column} IS NOT NULL");
        for row in store.rows(Statement::new(String::leak(sql))).await.unwrap() {
            found.push((format!("{table}.{column}"), row.text("kept").unwrap()));
        }
    }
    found
}

/// What is random of a secret, as it might be kept: all of it, and a part that no other has. Its letters may be `_`, too.
fn recognised(secret: &SecretString) -> [String; 2] {
    let secret = secret.expose_secret();
    let random = secret.split('_').max_by_key(|piece| piece.len()).unwrap();
    let part = if random.len() > 24 { &random[5..20] } else { random };
    [secret.to_owned(), part.to_owned()]
}

/// Sessions, devices, codes, refresh tokens, tickets, links and codes on paper: all that opens something is kept as a hash, or
/// sealed.
async fn the_store_keeps_no_secret(location: &StoreLocation) {
    let post = Post::open(location, "").await;
    post.node.person("kept@shop.test", &["auditor"]).await;
    post.node.accounts.forgot_password("kept@shop.test", None, &from(1)).await.unwrap();
    let link = post.token("kept@shop.test").await;

    let gateway = Issuing::of(location, &DOCUMENT.replace("GRACE", "10s")).await;
    let begun = gateway.node.try_log_in("kept@shop.test", PASSWORD).await.unwrap();
    let unused = gateway.code(&begun.token, "reports:read").await;
    let first = gateway.issue(&begun.token, "reports:read").await;
    let second = gateway.refresh(refresh_of(&first)).await.unwrap();
    let (_, paper) = gateway.node.enrol(&begun.token).await;
    let login =
        Login { email: "kept@shop.test".into(), password: PASSWORD.into(), organization: None, device: None };
    let LoggedIn::SecondFactor(pending) = gateway.node.accounts.log_in(&login, &from(1)).await.unwrap()
    else {
        panic!("no second factor is asked for");
    };

    let kept = texts(location).await;
    assert!(kept.iter().any(|(_, text)| text == "kept@shop.test"), "what is no secret is found");
    for table in ["sessions", "authorization_codes", "refresh_tokens", "login_tickets", "one_time_links"] {
        assert!(kept.iter().any(|(place, _)| place.starts_with(table)), "nothing is in {table}");
    }
    let mut secrets = vec![
        PASSWORD.into(),
        begun.token.secret().clone(),
        begun.device,
        unused.into(),
        first.access_token.clone(),
        refresh_of(&first).clone(),
        refresh_of(&second).clone(),
        pending.ticket.secret().clone(),
        link,
    ];
    for code in paper {
        secrets.push(code.expose_secret().replace('-', "").into());
        secrets.push(code);
    }
    for secret in secrets.iter().flat_map(recognised) {
        let place = kept.iter().find(|(_, text)| text.contains(&secret));
        assert!(place.is_none(), "{secret} is in {place:?}");
    }
}

/// A login leaves a hash of the parameters in force, and a password that is right with it.
async fn a_login_hashes_anew(location: &StoreLocation) {
    let node = Node::open(location).await;
    let person = node.person("hashed@shop.test", &[]).await;
    let store = Store::open(location).await.unwrap();
    let hash = async || {
        let read = "SELECT hash FROM password_credentials WHERE user_id = $1";
        let row = store.row(Statement::new(read).text(person.id.as_str())).await.unwrap().unwrap();
        row.text("hash").unwrap()
    };
    let first = hash().await;
    assert!(first.contains("m=7168,t=5"), "{first}");
    node.log_in("hashed@shop.test").await;
    assert_eq!(hash().await, first, "the parameters are the same");

    let document = crate::DOCUMENT.replace("memory: 7MiB, iterations: 5", "memory: 9MiB, iterations: 4");
    let other = Node::open_with(location, &document).await;
    let wrong = other.try_log_in("hashed@shop.test", "wrong-wrong-wrong").await;
    assert!(matches!(wrong, Err(AccountError::WrongCredentials)));
    assert_eq!(hash().await, first, "the password was wrong");
    other.log_in("hashed@shop.test").await;
    let second = hash().await;
    assert!(second.contains("m=9216,t=4"), "{second}");
    other.log_in("hashed@shop.test").await;
    assert_eq!(hash().await, second);
}

/// People of another system log in with the password that they have, which is hashed as all others are from then on.
async fn a_hash_of_another_system_is_replaced(location: &StoreLocation) {
    let node = Node::open(location).await;
    let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let import = async |password: Option<&str>, hash: &str| {
        let password = password.map(SecretString::from);
        let new = NewPerson { email: "moved@shop.test".into(), name: "Ada".into(), password, roles: vec![] };
        node.accounts.import_person(new, &hash.into(), OPERATOR, &Visit::default()).await
    };
    for (password, hash) in [(None, "md5:abc"), (Some(PASSWORD), hash)] {
        let refused = import(password, hash).await;
        assert!(matches!(refused, Err(AccountError::Invalid(_))), "{refused:?}");
    }
    let person = import(None, hash).await.unwrap();
    let wrong = node.try_log_in("moved@shop.test", "U*U*").await;
    assert!(matches!(wrong, Err(AccountError::WrongCredentials)));
    node.try_log_in("moved@shop.test", "U*U").await.unwrap();
    let read = "SELECT hash FROM password_credentials WHERE user_id = $1";
    let store = Store::open(location).await.unwrap();
    let row = store.row(Statement::new(read).text(person.id.as_str())).await.unwrap().unwrap();
    assert!(row.text("hash").unwrap().starts_with("$argon2id$"));
    node.try_log_in("moved@shop.test", "U*U").await.unwrap();
}

pub(crate) async fn stories(location: &StoreLocation) {
    the_store_keeps_no_secret(location).await;
    a_login_hashes_anew(location).await;
    Box::pin(a_hash_of_another_system_is_replaced(location)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
