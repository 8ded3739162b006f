//! Logins at a provider for an organisation, and links that people make and remove.

use bartizan_model::OrganizationId;

use bartizan_store::{Statement, Store};

use super::{postgres_server::PostgresServer, *};
use crate::{SessionToken, account::NewSession};

const SETTINGS: &str = ", domains: [company.test], sign_up: true, organization: Company";
const OPERATOR: &str = Accounts::OPERATOR;

struct Place {
    fake: Fake,
    accounts: Arc<Accounts>,
    _directory: tempfile::TempDir,
}

impl Place {
    /// With the organisations `Other` and `Company`, the provider's.
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let location = StoreLocation::Sqlite(directory.path().join("bartizan.db"));
        Self::open_at(&location, SETTINGS, directory).await
    }

    async fn open_at(location: &StoreLocation, settings: &str, directory: tempfile::TempDir) -> Self {
        let fake = Fake::start().await;
        let config = fake.config(settings);
        let accounts = Accounts::open(location, config.accounts.as_ref().unwrap(), &[]).await.unwrap();
        for name in ["Other", "Company"] {
            accounts.create_organization(name, OPERATOR, &Visit::default()).await.unwrap();
        }
        Self { fake, accounts, _directory: directory }
    }

    async fn id(&self, organization: &str) -> OrganizationId {
        self.accounts.organization(organization).await.unwrap().id
    }

    async fn person(&self, email: &str) -> PersonId {
        let new =
            NewPerson { email: email.into(), name: "A".into(), password: None, roles: vec!["user".into()] };
        let made = self.accounts.create_person(new, OPERATOR, &Visit::default()).await.unwrap();
        PersonId(made.id.as_str().into())
    }

    /// The provider says that it is this subject with this address who comes back.
    fn says(&self, errand: &Errand, subject: &str, email: &str) -> String {
        let mut claims = self.fake.claims(errand);
        (claims["sub"], claims["email"]) = (json!(subject), json!(email));
        self.fake.say(self.fake.issuer.token(&claims));
        self.fake.query(errand)
    }

    async fn log_in(&self, errand: Errand, subject: &str, email: &str) -> Result<NewSession, AccountError> {
        let provider = self.accounts.provider("company").unwrap();
        let query = self.says(&errand, subject, email);
        self.accounts.log_in_from(&provider, &errand, &query, &Visit::default()).await
    }

    async fn link(&self, token: &SessionToken, subject: &str) -> Result<(), AccountError> {
        let (provider, visit) = (self.accounts.provider("company").unwrap(), Visit::default());
        let errand = Errand::begin("/").unwrap();
        let (errand, _) = self.accounts.begin_link(&provider, errand, token, &visit).await?;
        let query = self.says(&errand, subject, "whoever@else.test");
        self.accounts.link_from(&provider, (&errand, &query), token, &visit).await
    }
}

#[tokio::test]
async fn a_login_acts_for_the_organisation_that_is_asked_for() {
    let place = Place::open().await;
    let (accounts, visit) = (&place.accounts, Visit::default());
    let ada = place.person("ada@company.test").await;
    accounts.add_role(Some("Other"), &ada, "user", OPERATOR, &visit).await.unwrap();
    let login = async |organization: &str| {
        let errand = Errand::begin("/").unwrap().for_organization(organization);
        place.log_in(errand, "1", "ada@company.test").await
    };
    let other = place.id("Other").await;
    let company = place.id("Company").await;
    assert_eq!(login("").await.unwrap().organization.as_ref(), Some(&other), "the one joined first");
    assert!(matches!(login("Company").await, Err(AccountError::Missing(_))), "not one of theirs");
    accounts.add_role(Some("Company"), &ada, "user", OPERATOR, &visit).await.unwrap();
    assert_eq!(login("").await.unwrap().organization.as_ref(), Some(&company), "the provider's");
    assert_eq!(login("Other").await.unwrap().organization.as_ref(), Some(&other));
    let session = login(company.as_str()).await.unwrap();
    assert_eq!(session.organization.as_ref(), Some(&company));

    // They change it without another login, but not to one that is none of theirs.
    let switched = accounts.switch_organization(&session.token, "Other", &visit).await.unwrap();
    assert_eq!((switched.id.clone(), switched.organization.as_ref()), (session.id.clone(), Some(&other)));
    accounts.create_organization("Third", OPERATOR, &visit).await.unwrap();
    let refused = accounts.switch_organization(&session.token, "Third", &visit).await;
    assert!(matches!(refused, Err(AccountError::Missing(_))));
    let now = accounts.current_session(&session.token).await.unwrap();
    assert_eq!(now.organization.as_ref(), Some(&other));
}

#[tokio::test]
async fn an_organisation_whose_roles_ask_for_a_second_factor_is_not_switched_to_without() {
    let fake = Fake::start().await;
    let directory = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(directory.path().join("bartizan.db"));
    let config = fake.config(&format!("{SETTINGS} }} }}, second_factor: {{ roles: [org_admin], grace: 0s }}, password: {{ argon2: {{ memory: 7MiB, iterations: 5"));
    let settings = config.accounts.as_ref().unwrap();
    let accounts = Accounts::open(&location, settings, &[]).await.unwrap();
    let place = Place { fake, accounts, _directory: directory };
    let (accounts, visit) = (&place.accounts, Visit::default());
    for name in ["Other", "Company"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let ada = place.person("ada@company.test").await;
    accounts.add_role(Some("Other"), &ada, "user", OPERATOR, &visit).await.unwrap();
    accounts.add_role(Some("Company"), &ada, "org_admin", OPERATOR, &visit).await.unwrap();
    let errand = Errand::begin("/").unwrap().for_organization("Other");
    let session = place.log_in(errand, "1", "ada@company.test").await.unwrap();
    let refused = accounts.switch_organization(&session.token, "Company", &visit).await.unwrap_err();
    assert!(matches!(refused, AccountError::MustEnrol), "{refused}");
    let now = accounts.current_session(&session.token).await.unwrap();
    assert_eq!(now.organization, session.organization);
}

#[tokio::test]
async fn people_link_and_unlink_their_logins() {
    let place = Place::open().await;
    let (accounts, visit) = (&place.accounts, Visit::default());
    let ada = place.log_in(Errand::begin("/").unwrap(), "1", "ada@company.test").await.unwrap();
    let bob = place.log_in(Errand::begin("/").unwrap(), "2", "bob@company.test").await.unwrap();
    assert!(accounts.person(&PersonId("ada@company.test".into())).await.is_ok());
    let linked = accounts.own_identities(&ada.token).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!((linked[0].provider.as_deref(), linked[0].subject.as_str()), (Some("company"), "1"));

    // The only way in stays.
    let refused = accounts.unlink_own(&ada.token, &linked[0].id, &visit).await.unwrap_err();
    assert!(matches!(refused, AccountError::LastWayIn), "{refused}");
    assert_eq!(accounts.own_identities(&ada.token).await.unwrap(), linked, "nothing has happened");

    place.link(&ada.token, "3").await.unwrap();
    place.link(&ada.token, "3").await.unwrap();
    let refused = place.link(&ada.token, "2").await.unwrap_err();
    assert!(matches!(refused, AccountError::Taken(_)), "it is bob's: {refused}");
    let again = place.log_in(Errand::begin("/").unwrap(), "3", "whoever@else.test").await.unwrap();
    assert_eq!(again.user, ada.user);

    // What is bob's is not ada's to remove; what is hers ends what it may have begun.
    let bobs = accounts.own_identities(&bob.token).await.unwrap();
    let refused = accounts.unlink_own(&ada.token, &bobs[0].id, &visit).await.unwrap_err();
    assert!(matches!(refused, AccountError::Missing(_)), "{refused}");
    accounts.unlink_own(&ada.token, &linked[0].id, &visit).await.unwrap();
    assert!(accounts.current_session(&ada.token).await.is_ok());
    assert!(matches!(accounts.current_session(&again.token).await, Err(AccountError::NoSession)));

    // An operator removes the last one, too.
    let who = PersonId(ada.user.as_str().into());
    let left = accounts.identities(&who).await.unwrap();
    assert_eq!(left.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["3"]);
    accounts.unlink_person(&who, &left[0].id, OPERATOR, &visit).await.unwrap();
    assert!(matches!(accounts.current_session(&ada.token).await, Err(AccountError::NoSession)));
    assert!(accounts.identities(&who).await.unwrap().is_empty());
}

/// Whoever plants a cookie, or a way back of their own, is not linked to somebody else.
#[tokio::test]
async fn nobody_is_linked_to_a_session_that_did_not_ask_for_it() {
    let place = Place::open().await;
    let (accounts, visit) = (&place.accounts, Visit::default());
    let provider = accounts.provider("company").unwrap();
    let ada = place.log_in(Errand::begin("/").unwrap(), "1", "ada@company.test").await.unwrap();
    let eve = place.log_in(Errand::begin("/").unwrap(), "9", "eve@company.test").await.unwrap();
    let begun = accounts.begin_link(&provider, Errand::begin("/").unwrap(), &eve.token, &visit).await;
    let (eves, _) = begun.unwrap();
    for planted in [eves, Errand::begin("/").unwrap()] {
        let query = place.says(&planted, "8", "eve@else.test");
        let refused =
            accounts.link_from(&provider, (&planted, &query), &ada.token, &visit).await.unwrap_err();
        let is_stray = matches!(&refused, AccountError::Provider { error: OpenIdError::Stray, .. });
        assert!(is_stray, "{refused}");
    }
    assert_eq!(accounts.own_identities(&ada.token).await.unwrap().len(), 1);
}

/// A statement that fails in the midst of it, at its end, or a row that somebody else has written, leaves nothing of a first
/// login; and the next one finds no half of an account in its way.
async fn first_logins_that_fail(location: &StoreLocation, directory: tempfile::TempDir) {
    let place = Place::open_at(location, SETTINGS, directory).await;
    let store = Store::open(location).await.unwrap();
    let run = async |sql: &'static str| {
        store.execute(Statement::new(sql)).await.unwrap();
    };
    let log_in = async || place.log_in(Errand::begin("/").unwrap(), "1", "ada@company.test").await;
    let known = async || place.accounts.people(&Page::default()).await.unwrap().items.len();
    for (breaks, mends) in [
        (
            "ALTER TABLE role_bindings RENAME COLUMN created_at TO made_at",
            "ALTER TABLE role_bindings RENAME COLUMN made_at TO created_at",
        ),
        (
            "ALTER TABLE external_identities RENAME COLUMN created_at TO made_at",
            "ALTER TABLE external_identities RENAME COLUMN made_at TO created_at",
        ),
    ] {
        run(breaks).await;
        let failed = log_in().await.unwrap_err();
        assert!(matches!(failed, AccountError::Store(_)), "{failed}");
        run(mends).await;
        assert_eq!(known().await, 0, "{breaks}");
        let trail = place.accounts.audit(100).await.unwrap();
        assert!(!trail.iter().any(|entry| entry.action == "user.create"), "{breaks}");
    }
    let ada = log_in().await.unwrap();
    assert_eq!(ada.organization, Some(place.id("Company").await));
    assert_eq!(known().await, 1);
    let read = Statement::new("SELECT COUNT(*) AS count FROM users WHERE email_verified_at IS NOT NULL");
    assert_eq!(
        store.row(read).await.unwrap().unwrap().integer("count").unwrap(),
        1,
        "the provider vouches for it"
    );

    // The same subject, written by another gateway between the question who it is and the answer.
    let (provider, visit) = (place.accounts.provider("company").unwrap(), Visit::default());
    let proven = crate::openid::Proven {
        subject: "1".into(),
        verified_email: Some("late@company.test".into()),
        name: None,
        organization: None,
        roles: Vec::new(),
    };
    let same = place.accounts.acquainted(&provider, &proven, &visit).await.unwrap();
    assert_eq!(same, ada.user);
    assert_eq!(known().await, 1, "nothing is left of whom they would have become");
}

#[tokio::test]
async fn a_first_login_that_fails_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(directory.path().join("bartizan.db"));
    first_logins_that_fail(&location, directory).await;
}

#[tokio::test]
async fn a_first_login_that_fails_leaves_nothing_in_postgresql() {
    let server = PostgresServer::start();
    first_logins_that_fail(&server.url().parse().unwrap(), tempfile::tempdir().unwrap()).await;
}

/// Roles come and go with what the provider says at each login, never more than it may give, and nothing that was given here.
async fn roles_that_a_provider_names(location: &StoreLocation, directory: tempfile::TempDir) {
    const ROLES: &str = ", domains: [company.test], sign_up: true, organization: Company, \
        roles: [viewer, org_admin, unheard_of], claims: { roles: /realm/roles }";
    let place = Place::open_at(location, ROLES, directory).await;
    let (accounts, visit) = (&place.accounts, Visit::default());
    let log_in = async |roles: Value| {
        let errand = Errand::begin("/").unwrap();
        let mut claims = place.fake.claims(&errand);
        (claims["sub"], claims["email"], claims["realm"]) =
            (json!("1"), json!("ada@company.test"), json!({ "roles": roles }));
        place.fake.say(place.fake.issuer.token(&claims));
        let (provider, query) = (accounts.provider("company").unwrap(), place.fake.query(&errand));
        accounts.log_in_from(&provider, &errand, &query, &visit).await
    };
    let held = async || {
        let members = accounts.members("Company", &Page::default()).await.unwrap().items;
        let roles = members.iter().map(|member| (member.role.clone(), member.suspended.is_some()));
        roles.collect::<Vec<_>>()
    };
    let role = |name: &str| (name.to_owned(), false);

    // What is not in the list it does not give: `super_admin` neither.
    let session = log_in(json!(["viewer", "super_admin", "auditor", "unheard_of"])).await.unwrap();
    assert_eq!(held().await, [role("user"), role("viewer")]);
    let in_session = async |token: &SessionToken| {
        let mut roles = accounts.current_session(token).await.unwrap().roles;
        roles.sort_unstable();
        roles
    };
    assert_eq!(in_session(&session.token).await, ["user", "viewer"], "in the session that begins with it");
    let again = log_in(json!("viewer org_admin")).await.unwrap();
    assert_eq!(held().await, [role("org_admin"), role("user"), role("viewer")]);

    // What it names no longer is gone, for sessions that exist, too.
    log_in(json!(["viewer"])).await.unwrap();
    assert_eq!(held().await, [role("user"), role("viewer")]);
    assert_eq!(in_session(&again.token).await, ["user", "viewer"]);

    // Somebody who is suspended is not let in again by another house, and what goes meanwhile does not come back.
    let ada = PersonId(session.user.to_string());
    let suspend = MemberChange::Suspend("on leave");
    accounts.change_member("Company", &ada, suspend, &Authority::Operator, &visit).await.unwrap();
    let outside = log_in(json!(["viewer", "org_admin"])).await.unwrap();
    assert_eq!(outside.organization, None);
    assert_eq!(held().await, [("user".to_owned(), true)], "it named the other one for nothing");
    accounts
        .change_member("Company", &ada, MemberChange::Resume, &Authority::Operator, &visit)
        .await
        .unwrap();
    assert_eq!(held().await, [role("user")]);

    // What was given here stays.
    accounts.add_role(Some("Company"), &ada, "org_admin", OPERATOR, &visit).await.unwrap();
    log_in(json!(["org_admin"])).await.unwrap();
    log_in(Value::Null).await.unwrap();
    assert_eq!(held().await, [role("org_admin"), role("user")]);
    for nonsense in [json!(7), json!({ "viewer": true }), json!([["viewer"]])] {
        let refused = log_in(nonsense.clone()).await.unwrap_err();
        assert!(matches!(refused, AccountError::Provider { .. }), "{nonsense}: {refused}");
    }
    let trail = accounts.audit(1000).await.unwrap();
    let told = trail
        .iter()
        .filter(|entry| entry.details["provider"] == "company" && entry.action.starts_with("role."));
    let mut told: Vec<_> = told.map(|entry| format!("{} {}", entry.action, entry.details["role"])).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            r#"role.add "org_admin""#,
            r#"role.add "viewer""#,
            r#"role.remove "org_admin""#,
            r#"role.remove "viewer""#
        ]
    );
}

#[tokio::test]
async fn roles_come_and_go_with_what_a_provider_names() {
    let directory = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(directory.path().join("bartizan.db"));
    roles_that_a_provider_names(&location, directory).await;
}

#[tokio::test]
async fn roles_come_and_go_with_what_a_provider_names_in_postgresql() {
    let server = PostgresServer::start();
    roles_that_a_provider_names(&server.url().parse().unwrap(), tempfile::tempdir().unwrap()).await;
}
