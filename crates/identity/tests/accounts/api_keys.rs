//! API keys of the store, as the road sees them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    AuthenticationError, Identified, InvalidReason, Presented,
    account::{
        AccountError, ApiKey, KeyFilter, KeyHolder, KeyOwner, NewApiKey, NewService, Person, PersonId, Visit,
    },
};
use bartizan_model::Zone;
use bartizan_store::{Statement, Store};
use http::Request;
use secrecy::{ExposeSecret, SecretString};

use crate::{Node, OPERATOR, postgres_server::PostgresServer, soon::soon, who};

/// Someone whose session acts for no organisation.
fn nowhere(person: &Person) -> KeyHolder<'_> {
    KeyHolder { user: &person.id, organization: None }
}

impl Node {
    /// What the road says. It never asks the store.
    pub(crate) fn enter_with_key(
        &self,
        key: &SecretString,
        from: &str,
    ) -> Result<Arc<Identified>, AuthenticationError> {
        let (head, ()) =
            Request::get("/").header("x-api-key", key.expose_secret()).body(()).unwrap().into_parts();
        let selection = self.authenticator.select(&["machines".parse().unwrap()], &[]).unwrap();
        let address: Option<IpAddr> = Some(from.parse().unwrap());
        let presented =
            Presented { head: &head, secure: true, address, client_certificate: None, content: None };
        self.authenticator.authenticate(&selection, &presented).map(|proven| proven.identified)
    }

    pub(crate) fn refusal(&self, key: &SecretString) -> Option<InvalidReason> {
        match self.enter_with_key(key, "192.0.2.1") {
            Err(AuthenticationError::Invalid { reason, .. }) => Some(reason),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }

    pub(crate) async fn key(&self, owner: KeyOwner, permissions: &[&str]) -> (ApiKey, SecretString) {
        self.accounts.create_api_key(new(owner, permissions), OPERATOR, &Visit::default()).await.unwrap()
    }
}

pub(crate) fn new(owner: KeyOwner, permissions: &[&str]) -> NewApiKey {
    let permissions = permissions.iter().map(|text| (*text).to_owned()).collect();
    NewApiKey {
        name: "nightly".into(),
        owner,
        permissions,
        addresses: Vec::new(),
        rate: None,
        zone: None,
        expires: None,
    }
}

async fn a_life_of_keys(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let ada = node.person("keys@shop.test", &["auditor"]).await;
    let of_ada = || KeyOwner::Person(who(&ada), None);

    // A key may do what it was given, and no more than its owner.
    let (key, secret) = node.key(of_ada(), &["reports:*", "orders:read"]).await;
    assert!(secret.expose_secret().starts_with("bzn_live_"));
    assert!(key.hint.starts_with("bzn_live_") && key.hint.len() < 20, "{}", key.hint);
    let identified = node.enter_with_key(&secret, "192.0.2.1").unwrap();
    assert_eq!(identified.principal.id.as_str(), key.id);
    assert_eq!(identified.grants, "reports:read");
    assert!(node.may_read_reports(&identified));
    assert!(Arc::ptr_eq(&identified, &node.enter_with_key(&secret, "192.0.2.1").unwrap()));
    let (_, narrow) = node.key(of_ada(), &["orders:read"]).await;
    assert!(!node.may_read_reports(&node.enter_with_key(&narrow, "192.0.2.1").unwrap()));

    // What changes for the owner changes for the key.
    let may = || node.may_read_reports(&node.enter_with_key(&secret, "192.0.2.1").unwrap());
    accounts.remove_role(None, &who(&ada), "auditor", OPERATOR, &visit).await.unwrap();
    soon("the key still has a role that its owner lost", async || !may()).await;
    accounts.add_role(None, &who(&ada), "auditor", OPERATOR, &visit).await.unwrap();
    soon("the key has not got the role", async || may()).await;
    accounts.disable_person(&who(&ada), true, OPERATOR, &visit).await.unwrap();
    soon("the key of a disabled person works", async || node.refusal(&secret).is_some()).await;
    assert_eq!(node.refusal(&secret), Some(InvalidReason::KeyOwner));
    accounts.disable_person(&who(&ada), false, OPERATOR, &visit).await.unwrap();
    soon("the key does not work again", async || node.refusal(&secret).is_none()).await;

    // Rotation: both work for a while, the third ends the first.
    let (rotated, second) =
        accounts.rotate_api_key(&key.id, None, Duration::from_hours(1), OPERATOR, &visit).await.unwrap();
    assert!(rotated.overlap.is_some() && rotated.hint != key.hint);
    assert_eq!((node.refusal(&secret), node.refusal(&second)), (None, None));
    let (_, third) =
        accounts.rotate_api_key(&key.id, None, Duration::from_millis(300), OPERATOR, &visit).await.unwrap();
    assert_eq!(node.refusal(&secret), Some(InvalidReason::UnknownApiKey));
    assert_eq!((node.refusal(&second), node.refusal(&third)), (None, None));
    soon("the overlap does not end", async || node.refusal(&second) == Some(InvalidReason::KeyExpired)).await;
    let (_, fourth) = accounts.rotate_api_key(&key.id, None, Duration::ZERO, OPERATOR, &visit).await.unwrap();
    assert_eq!(node.refusal(&third), Some(InvalidReason::UnknownApiKey));

    // Suspended, resumed, revoked: at once on the gateway that was told.
    let suspended =
        accounts.suspend_api_key(&key.id, None, Some("too eager"), OPERATOR, &visit).await.unwrap();
    assert_eq!(suspended.suspended_because, "too eager");
    assert_eq!(node.refusal(&fourth), Some(InvalidReason::KeySuspended));
    accounts.suspend_api_key(&key.id, None, None, OPERATOR, &visit).await.unwrap();
    assert_eq!(node.refusal(&fourth), None);
    // A holder has a say in what they have suspended themselves, and in nothing else.
    let own = async |reason| {
        let holder = Some(nowhere(&ada));
        accounts.suspend_api_key(&key.id, holder, reason, ada.id.as_str(), &visit).await
    };
    own(Some("it may have leaked")).await.unwrap();
    assert_eq!(node.refusal(&fourth), Some(InvalidReason::KeySuspended));
    own(None).await.unwrap();
    assert_eq!(node.refusal(&fourth), None);
    accounts.suspend_api_key(&key.id, None, Some("too eager"), OPERATOR, &visit).await.unwrap();
    for reason in [None, Some("mine again")] {
        let refused = own(reason).await;
        assert!(matches!(refused, Err(AccountError::Forbidden(_))), "{refused:?}");
    }
    assert_eq!(node.refusal(&fourth), Some(InvalidReason::KeySuspended));
    accounts.suspend_api_key(&key.id, None, None, OPERATOR, &visit).await.unwrap();
    let other = node.person("other@shop.test", &[]).await;
    let theirs = accounts.revoke_api_key(&key.id, Some(nowhere(&other)), other.id.as_str(), &visit).await;
    assert!(matches!(theirs, Err(AccountError::Missing(_))), "a key of somebody else");
    accounts.revoke_api_key(&key.id, Some(nowhere(&ada)), OPERATOR, &visit).await.unwrap();
    assert_eq!(node.refusal(&fourth), Some(InvalidReason::UnknownApiKey));
    let again = accounts.suspend_api_key(&key.id, None, None, OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(again, AccountError::Missing(_)), "{again}");

    // The store knows neither secret, and the trail says what was changed.
    let mine = KeyFilter { user: Some(who(&ada)), ..KeyFilter::default() };
    assert_eq!(accounts.api_keys(&mine).await.unwrap().len(), 1);
    assert_eq!(accounts.api_keys(&KeyFilter { with_revoked: true, ..mine }).await.unwrap().len(), 2);
    let store = Store::open(location).await.unwrap().everywhere();
    let text =
        "SELECT hash || key_id AS text FROM api_key_secrets UNION ALL SELECT details FROM audit_entries";
    for row in store.rows(Statement::new(text)).await.unwrap() {
        let text = row.text("text").unwrap();
        for secret in [&secret, &narrow, &fourth] {
            let random = secret.expose_secret().strip_prefix("bzn_live_").unwrap();
            assert!(!text.contains(random) && !text.contains(&random[5..20]), "{text}");
        }
    }
    let trail = "SELECT details FROM audit_entries WHERE action = 'api_key.suspend'";
    let row = store.row(Statement::new(trail)).await.unwrap().unwrap();
    let details: serde_json::Value = serde_json::from_str(&row.text("details").unwrap()).unwrap();
    assert_eq!(details["before"]["suspended"], serde_json::Value::Null);
    assert_eq!(details["after"]["suspended"], "too eager");
}

async fn limits_of_a_key(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let acme = accounts.create_organization("Keys Ltd", OPERATOR, &visit).await.unwrap();
    let of_acme = || KeyOwner::Organization("Keys Ltd".into());

    let addresses = vec!["192.0.2.0/24".into(), "2001:db8::1".into()];
    let bound = NewApiKey { addresses, ..new(of_acme(), &["reports:read"]) };
    let (bound, secret) = accounts.create_api_key(bound, OPERATOR, &visit).await.unwrap();
    assert_eq!(bound.organization.as_deref(), Some(acme.id.as_str()));
    for (address, is_allowed) in [
        ("192.0.2.7", true),
        ("::ffff:192.0.2.7", true),
        ("2001:db8::1", true),
        ("192.0.3.1", false),
        ("2001:db8::2", false),
    ] {
        let entered = node.enter_with_key(&secret, address);
        assert_eq!(entered.is_ok(), is_allowed, "{address}: {entered:?}");
    }
    let quota = |secret: &SecretString| node.enter_with_key(secret, "192.0.2.7").unwrap().quota;
    assert_eq!(quota(&secret), None);
    let set =
        async |rate: Option<&str>| accounts.set_api_key_rate(&bound.id, None, rate, OPERATOR, &visit).await;
    let shown = set(Some("120/2h burst 7")).await.unwrap().rate.unwrap();
    assert_eq!((shown.to_string().as_str(), quota(&secret)), ("120/2h burst 7", shown.token_bucket().ok()));
    for nonsense in ["often", "0/s", "1/31d burst 2"] {
        let refused = set(Some(nonsense)).await.unwrap_err();
        assert!(matches!(refused, AccountError::Invalid(_)), "{refused}");
    }
    assert_eq!(set(None).await.unwrap().rate, None);
    assert_eq!(quota(&secret), None);
    let soon_over = SystemTime::now() + Duration::from_millis(400);
    let short = NewApiKey { expires: Some(soon_over), ..new(of_acme(), &["reports:read"]) };
    let (_, short) = accounts.create_api_key(short, OPERATOR, &visit).await.unwrap();
    assert!(node.may_read_reports(&node.enter_with_key(&short, "192.0.2.1").unwrap()));
    soon("the key does not end", async || node.refusal(&short) == Some(InvalidReason::KeyExpired)).await;

    let past = Some(SystemTime::now() - Duration::from_secs(1));
    let wrong = [
        NewApiKey { expires: past, ..new(of_acme(), &["reports:read"]) },
        new(of_acme(), &[]),
        new(of_acme(), &["reports"]),
        NewApiKey { addresses: vec!["192.0.2.0/33".into()], ..new(of_acme(), &["reports:read"]) },
    ];
    for wrong in wrong {
        let error = accounts.create_api_key(wrong, OPERATOR, &visit).await.unwrap_err();
        assert!(matches!(error, AccountError::Invalid(_)), "{error}");
    }
    let nobody = new(KeyOwner::Person(PersonId("nobody".into()), None), &["*"]);
    let nobody = accounts.create_api_key(nobody, OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(nobody, AccountError::Missing(_)), "{nobody}");

    // Nothing that only looks like a key opens anything.
    let text = secret.expose_secret();
    for wrong in [text.to_uppercase(), format!("{text}x"), "x".repeat(text.len()), text.replace("bzn", "bzm")]
    {
        assert_eq!(node.refusal(&wrong.into()), Some(InvalidReason::UnknownApiKey));
    }

    // A key of a service has its rights, and goes with it.
    let service = NewService {
        organization: "Keys Ltd".into(),
        name: "billing".into(),
        permissions: vec!["reports:read".into()],
        ..NewService::default()
    };
    let (service, _) = accounts.create_service(service, OPERATOR, &visit).await.unwrap();
    let (own, of_service) = node.key(KeyOwner::Service(service.id.clone()), &["*"]).await;
    assert_eq!(node.enter_with_key(&of_service, "192.0.2.1").unwrap().grants, "reports:read");
    // It calls from its provider's zone, until it has one of its own.
    let zone = |key: &SecretString| node.enter_with_key(key, "192.0.2.1").unwrap().caller.zone();
    assert_eq!(zone(&of_service), Zone::Public);
    accounts.set_api_key_zone(&own.id, Some(Zone::Services), OPERATOR, &visit).await.unwrap();
    assert_eq!(zone(&of_service), Zone::Services);
    accounts.set_api_key_zone(&own.id, None, OPERATOR, &visit).await.unwrap();
    assert_eq!(zone(&of_service), Zone::Public);
    let inside = NewApiKey { zone: Some(Zone::Data), ..new(KeyOwner::Service(service.id.clone()), &["*"]) };
    let (_, inside) = accounts.create_api_key(inside, OPERATOR, &visit).await.unwrap();
    assert_eq!(zone(&inside), Zone::Data);
    accounts.suspend_service(&service.id, Some("on holiday"), OPERATOR, &visit).await.unwrap();
    assert_eq!(node.refusal(&of_service), Some(InvalidReason::KeyOwner));

    // Uses are counted in the store within seconds.
    let before = node.accounts.api_key(&bound.id, None).await.unwrap().uses;
    let since = Instant::now();
    for _ in 0..7 {
        node.enter_with_key(&secret, "192.0.2.7").unwrap();
    }
    loop {
        let key = node.accounts.api_key(&bound.id, None).await.unwrap();
        if key.uses >= before + 7 {
            assert!(key.last_used.is_some());
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(15), "uses are not counted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let uses = node.accounts.api_key(&bound.id, None).await.unwrap().uses;
    assert!(uses <= 3 + 3 + 7, "refused uses do not count: {uses}");
}

/// What one gateway makes another accepts, what it ends another refuses.
async fn two_nodes(location: &StoreLocation) {
    let (one, other) = (Node::open(location).await, Node::open(location).await);
    let ada = one.person("two-keys@shop.test", &["auditor"]).await;
    let (key, secret) = one.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    soon("a key that was made elsewhere is unknown", async || other.refusal(&secret).is_none()).await;
    one.accounts.revoke_api_key(&key.id, None, OPERATOR, &Visit::default()).await.unwrap();
    soon("a key that was revoked elsewhere works", async || other.refusal(&secret).is_some()).await;
    // A third gateway reads everything at its start.
    let (_, second) = one.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    let third = Node::open(location).await;
    assert_eq!(third.enter_with_key(&second, "192.0.2.1").unwrap().grants, "reports:read");
    assert!(third.refusal(&secret).is_some());
    assert_eq!(third.accounts.keys().len(), one.accounts.keys().len());
}

/// A change by a gateway whose clock is minutes behind.
async fn late_clocks(location: &StoreLocation) {
    let node = Node::open(location).await;
    let ada = node.person("late@shop.test", &["auditor"]).await;
    let (key, secret) = node.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    let at = SystemTime::now() - Duration::from_mins(5);
    let at = i64::try_from(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let store = Store::open(location).await.unwrap().everywhere();
    let suspend = Statement::new("UPDATE api_keys SET suspended_at = $2 WHERE id = $1");
    store.execute(suspend.text(key.id.as_str()).integer(at)).await.unwrap();
    let tell = Statement::new("INSERT INTO session_changes (id, at, subject) VALUES ($1, $2, $3)");
    let tell = tell.text("late").integer(at).text(format!("key:{}", key.id));
    store.execute(tell).await.unwrap();
    soon("the change is missed", async || node.refusal(&secret) == Some(InvalidReason::KeySuspended)).await;
}

pub(crate) async fn stories(location: &StoreLocation) {
    a_life_of_keys(location).await;
    limits_of_a_key(location).await;
    two_nodes(location).await;
    late_clocks(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}

/// Wrong keys cost a hash and a look-up in memory: with the store gone they are refused all the same, and right ones go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_asks_the_store() {
    let mut server = PostgresServer::start();
    let node = Node::open(&server.url().parse().unwrap()).await;
    let ada = node.person("ada@shop.test", &["auditor"]).await;
    let (_, secret) = node.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    server.halt();
    assert_eq!(node.refusal(&secret), None);
    for number in 0..10_000 {
        let wrong = format!("bzn_live_{number:049}");
        assert_eq!(node.refusal(&wrong.into()), Some(InvalidReason::UnknownApiKey));
    }
}
