use bartizan_config::{Config, Source, StoreLocation};
use bartizan_store::Store;

use super::*;
use crate::account::{LinkToken, NewPerson, link::LinkPurpose};

const OLD: &str = "plum-Terrace-9-orbit";
const NEW: &str = "quartz-Lantern-4-violet";
const EMAIL: &str = "ada@shop.test";

/// A gateway on the store of a folder, whose new hashes have so many passes.
async fn open(folder: &tempfile::TempDir, passes: u32) -> std::sync::Arc<Accounts> {
    let document = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n\
         accounts: {{ password: {{ argon2: {{ memory: 7MiB, iterations: {passes} }} }} }}\n\
         identity: {{ people: {{ session: {{}} }} }}\n\
         routes: [{{ path: /, to: \"http://localhost:1\", auth: people }}]\n"
    );
    let config = Config::parse(&document, &Source::text(".")).unwrap().config;
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    Accounts::open(&location, config.accounts.as_ref().unwrap(), &config.roles).await.unwrap()
}

async fn ada(accounts: &Accounts) {
    let ada =
        NewPerson { email: EMAIL.into(), name: "Ada".into(), password: Some(OLD.into()), roles: vec![] };
    accounts.create_person(ada, Accounts::OPERATOR, &Visit::default()).await.unwrap();
}

fn login(password: &str) -> Login {
    Login { email: EMAIL.into(), password: password.into(), organization: None, device: None }
}

async fn reset(accounts: &Accounts, store: &Store) {
    let user = accounts.resolve(&PersonId(EMAIL.into())).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let token: LinkToken =
        Link::make(&mut transaction, LinkPurpose::ResetPassword, Some(user.as_str()), EMAIL).await.unwrap();
    transaction.commit().await.unwrap();
    accounts.reset_password(token.secret(), &NEW.into(), &Visit::default()).await.unwrap();
}

/// What hashing leaves time for: the password is looked at, another one is chosen, and only then is it let in.
#[tokio::test]
async fn a_password_that_was_right_opens_nothing_after_another_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let (accounts, email, visit) = (open(&folder, 5).await, EMAIL.parse().unwrap(), Visit::default());
    ada(&accounts).await;
    let known = accounts.credentials(&email).await.unwrap().unwrap();
    let (matches, _) =
        accounts.secrets.verify(Password::new(&OLD.into()).ok(), known.hash.as_deref()).await.unwrap();
    assert!(matches);
    let proven = known.proven();
    let Entered::In(LoggedIn::Session(_)) =
        accounts.let_in((&proven, &email), None, false, &visit).await.unwrap()
    else {
        panic!("nobody chose another one yet");
    };
    let factors = || vec![crate::account::FactorKind::Totp];
    assert!(accounts.pend(&proven, factors(), None, &visit).await.unwrap().is_some());

    reset(&accounts, &accounts.store).await;
    let entered = accounts.let_in((&proven, &email), None, false, &visit).await.unwrap();
    assert!(matches!(entered, Entered::Refused(RefusalReason::Wrong)));
    assert!(accounts.pend(&proven, factors(), None, &visit).await.unwrap().is_none());
    assert!(accounts.challenge(&proven, None, &visit).await.unwrap().is_none());
    for table in ["sessions", "login_tickets"] {
        let count = String::leak(format!("SELECT COUNT(*) AS count FROM {table}"));
        let row = accounts.store.everywhere().row(Statement::new(count)).await.unwrap().unwrap();
        assert_eq!(row.integer("count").unwrap(), 0, "{table}");
    }
}

/// The same of the hash that a login makes of the password it was shown.
#[tokio::test]
async fn a_hash_that_is_made_anew_brings_no_old_password_back() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = open(&folder, 5).await;
    ada(&earlier).await;
    let (accounts, email) = (open(&folder, 6).await, EMAIL.parse().unwrap());
    let known = accounts.credentials(&email).await.unwrap().unwrap();
    let (_, renewed) =
        accounts.secrets.verify(Password::new(&OLD.into()).ok(), known.hash.as_deref()).await.unwrap();
    reset(&earlier, &earlier.store).await;
    accounts.rehash(&known.proven(), &renewed.unwrap()).await.unwrap();

    let visit = Visit::default();
    let old = accounts.log_in(&login(OLD), &visit).await;
    assert!(matches!(old, Err(AccountError::WrongCredentials)), "{old:?}");
    assert!(matches!(accounts.log_in(&login(NEW), &visit).await.unwrap(), LoggedIn::Session(_)));
}
