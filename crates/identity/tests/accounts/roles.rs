//! Roles of organisations' own, bindings with a scope and an end, and who may give them.

use std::time::{Duration, SystemTime};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    SessionToken,
    account::{
        AccountError, AuditFilter, Authority, KeyOwner, Login, NewBinding, NewOwnKey, NewService, Page,
        Person, RoleHolder, Visit,
    },
};

use crate::{Node, OPERATOR, PASSWORD, postgres_server::PostgresServer, session, who};

impl Node {
    /// What this session may do.
    pub(crate) async fn grants(&self, token: &SessionToken) -> String {
        self.enter(token).await.unwrap().grants.to_str().unwrap().to_owned()
    }

    pub(crate) async fn log_in_for(&self, email: &str, organization: &str) -> SessionToken {
        let login = Login {
            email: email.into(),
            password: PASSWORD.into(),
            organization: Some(organization.into()),
            device: None,
        };
        session(self.accounts.log_in(&login, &Visit::default()).await.unwrap()).token
    }

    pub(crate) async fn bind(
        &self,
        organization: &str,
        new: NewBinding,
        authority: &Authority<'_>,
    ) -> Result<(), AccountError> {
        self.accounts.bind_role(organization, &new, authority, &Visit::default()).await
    }
}

pub(crate) fn bound(person: &Person, role: &str) -> NewBinding {
    NewBinding {
        holder: RoleHolder::Person(who(person)),
        role: role.into(),
        scope: Vec::new(),
        expires: None,
    }
}

pub(crate) fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn a_life_of_roles(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    for name in ["Roles Ltd", "Other Ltd"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let ada = node.person("roles@shop.test", &[]).await;
    let made = accounts
        .create_custom_role("Roles Ltd", "support", &texts(&["tickets:*", "orders:read"]), &operator, &visit)
        .await
        .unwrap();
    assert_eq!(made.name, "support");
    for (name, why) in
        [("support", "twice"), ("auditor", "of the configuration"), ("super_admin", "built in")]
    {
        let permissions = texts(&["*"]);
        let taken = accounts.create_custom_role("Roles Ltd", name, &permissions, &operator, &visit).await;
        assert!(matches!(taken, Err(AccountError::Taken(_))), "{why}");
    }
    let elsewhere = node.bind("Other Ltd", bound(&ada, "support"), &operator).await;
    assert!(matches!(elsewhere, Err(AccountError::UnknownRole(_))), "a role of another organisation");

    node.bind("Roles Ltd", bound(&ada, "support"), &operator).await.unwrap();
    let token = node.log_in_for("roles@shop.test", "Roles Ltd").await;
    assert_eq!(node.grants(&token).await, "orders:read tickets:*");
    let session = accounts.current_session(&token).await.unwrap();
    assert_eq!(session.roles, [format!("{}/support", session.organization.as_ref().unwrap())]);

    // A scope cuts it down, at once; without one it is whole again.
    let scoped = NewBinding { scope: texts(&["tickets:read", "users:*"]), ..bound(&ada, "support") };
    node.bind("Roles Ltd", scoped, &operator).await.unwrap();
    assert_eq!(node.grants(&token).await, "tickets:read");
    let soon = SystemTime::now() + Duration::from_millis(400);
    let ending = NewBinding { expires: Some(soon), ..bound(&ada, "custom/support") };
    node.bind("Roles Ltd", ending, &operator).await.unwrap();
    loop {
        let granted = node.grants(&token).await;
        // Before the end it counts, after it does not; what was asked for around it may be either.
        if granted.is_empty() {
            assert!(SystemTime::now() >= soon, "the role has ended too early");
            break;
        }
        assert_eq!(granted, "orders:read tickets:*");
        let is_late = SystemTime::now() > soon + Duration::from_secs(10);
        assert!(!is_late, "the role has not ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert!(
        accounts.members("Roles Ltd", &Page::default()).await.unwrap().items.is_empty()
            && accounts.bindings("Roles Ltd", &Page::default()).await.unwrap().items.is_empty()
    );
    accounts.add_role(Some("Roles Ltd"), &who(&ada), "support", OPERATOR, &visit).await.unwrap();
    accounts.remove_role(Some("Roles Ltd"), &who(&ada), "support", OPERATOR, &visit).await.unwrap();
    let other = accounts.organization("Other Ltd").await.unwrap().id;
    let known = accounts.organizations(&Page::default()).await.unwrap().items;
    assert_eq!(known.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["Other Ltd", "Roles Ltd"]);
    let confusing = accounts.create_organization(other.as_str(), OPERATOR, &visit).await;
    assert!(matches!(confusing, Err(AccountError::Name(_))), "the id of another: {confusing:?}");

    // A scoped role of the configuration, and a key of its holder.
    let scoped = NewBinding { scope: texts(&["orders:*"]), ..bound(&ada, "auditor") };
    let empty = node.bind("Roles Ltd", scoped, &operator).await;
    assert!(matches!(empty, Err(AccountError::Invalid(_))), "nothing is left of it: {empty:?}");
    assert!(!node.may_read_reports(&node.enter(&token).await.unwrap()));
    node.bind("Roles Ltd", bound(&ada, "auditor"), &operator).await.unwrap();
    assert!(node.may_read_reports(&node.enter(&token).await.unwrap()));

    // Services have roles, too.
    let service = NewService {
        organization: "Roles Ltd".into(),
        name: "robot".into(),
        permissions: vec![],
        ..NewService::default()
    };
    let (service, _) = accounts.create_service(service, OPERATOR, &visit).await.unwrap();
    let of_service = NewBinding { holder: RoleHolder::Service(service.id.clone()), ..bound(&ada, "support") };
    let foreign =
        node.bind("Other Ltd", NewBinding { role: "viewer".into(), ..of_service.clone() }, &operator).await;
    assert!(matches!(foreign, Err(AccountError::Missing(_))), "{foreign:?}");
    node.bind("Roles Ltd", of_service, &operator).await.unwrap();
    let standing = accounts.service_standing(&service.id).await.unwrap().unwrap();
    assert_eq!(standing.grants.len(), 2);
    assert_eq!(
        accounts.bindings("Roles Ltd", &Page::default()).await.unwrap().items.len(),
        2,
        "one has ended"
    );

    let again = RoleHolder::Service(service.id.clone());
    accounts.unbind_role("Roles Ltd", &again, "support", &operator, &visit).await.unwrap();
    assert!(accounts.service_standing(&service.id).await.unwrap().unwrap().grants.is_empty());
    let of_service = NewBinding { holder: again, ..bound(&ada, "support") };
    node.bind("Roles Ltd", of_service, &operator).await.unwrap();

    // Other permissions of a role count for everybody who has it, at once.
    node.bind("Roles Ltd", bound(&ada, "support"), &operator).await.unwrap();
    let (_, key) = node.key(KeyOwner::Person(who(&ada), Some("Roles Ltd".into())), &["*"]).await;
    let set = async |permissions: &[&str]| {
        let permissions = texts(permissions);
        accounts.set_custom_role_permissions("Roles Ltd", "support", &permissions, &operator, &visit).await
    };
    assert_eq!(set(&["tickets:read"]).await.unwrap().permissions.len(), 1);
    assert!(node.grants(&token).await.contains("tickets:read"));
    assert!(!node.grants(&token).await.contains("tickets:*"));
    let standing = accounts.service_standing(&service.id).await.unwrap().unwrap();
    assert_eq!(standing.grants.iter().map(ToString::to_string).collect::<Vec<_>>(), ["tickets:read"]);
    crate::soon::soon("the key keeps what its owner has lost", async || {
        !node.enter_with_key(&key, "192.0.2.1").unwrap().grants.to_str().unwrap().contains("tickets:*")
    })
    .await;
    set(&["tickets:read", "tickets:close"]).await.unwrap();
    assert!(node.grants(&token).await.contains("tickets:close"));
    for (permissions, why) in [(&[][..], "nothing"), (&["a b"][..], "no permission")] {
        let wrong = set(permissions).await;
        assert!(matches!(wrong, Err(AccountError::Invalid(_))), "{why}: {wrong:?}");
    }
    let permissions = texts(&["tickets:read"]);
    let unknown = accounts.set_custom_role_permissions("Roles Ltd", "none", &permissions, &operator, &visit);
    assert!(matches!(unknown.await, Err(AccountError::Missing(_))));
    let filter =
        AuditFilter { action: Some("role.set_permissions".into()), limit: 1, ..AuditFilter::default() };
    let told = accounts.audit_trail(&filter).await.unwrap().remove(0).details;
    assert_eq!(told["before"]["permissions"], "tickets:read");
    assert_eq!(told["after"]["permissions"], "tickets:close tickets:read");
    let holder = RoleHolder::Person(who(&ada));
    accounts.unbind_role("Roles Ltd", &holder, "support", &operator, &visit).await.unwrap();

    // Who loses a role loses it everywhere.
    accounts.delete_custom_role("Roles Ltd", "support", &operator, &visit).await.unwrap();
    let standing = accounts.service_standing(&service.id).await.unwrap().unwrap();
    assert!(standing.grants.is_empty() && standing.roles.is_empty());
    let holder = RoleHolder::Person(who(&ada));
    accounts.unbind_role("Roles Ltd", &holder, "auditor", &operator, &visit).await.unwrap();
    assert!(!node.may_read_reports(&node.enter(&token).await.unwrap()));
    let again = accounts.unbind_role("Roles Ltd", &holder, "auditor", &operator, &visit).await.unwrap_err();
    assert!(matches!(again, AccountError::Missing(_)), "{again}");
    assert!(accounts.bindings("Roles Ltd", &Page::default()).await.unwrap().items.is_empty());
}

/// Whoever manages an organisation gives what they have, there, to those who belong to it.
async fn delegation(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    for name in ["Mine", "Theirs"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let chief = node.person("chief@shop.test", &[]).await;
    let member = node.person("member@shop.test", &[]).await;
    let stranger = node.person("stranger@shop.test", &[]).await;
    node.bind("Mine", bound(&chief, "org_admin"), &operator).await.unwrap();
    node.bind("Mine", bound(&member, "viewer"), &operator).await.unwrap();
    node.bind("Theirs", bound(&chief, "viewer"), &operator).await.unwrap();
    let token = node.log_in_for("chief@shop.test", "Mine").await;
    let session = accounts.current_session(&token).await.unwrap();
    let chiefs = Authority::Manager(&session);
    let forbidden = |result: Result<(), AccountError>, what: &str| {
        assert!(matches!(result, Err(AccountError::Forbidden(_))), "{what}: {result:?}");
    };

    // What they have, they give.
    node.bind("Mine", bound(&member, "user"), &chiefs).await.unwrap();
    let billing = texts(&["billing:view"]);
    accounts.create_custom_role("Mine", "billing", &billing, &chiefs, &visit).await.unwrap();
    node.bind("Mine", bound(&member, "billing"), &chiefs).await.unwrap();

    // More than that, or elsewhere, they do not.
    forbidden(node.bind("Mine", bound(&member, "super_admin"), &chiefs).await, "everything");
    forbidden(node.bind("Mine", bound(&chief, "super_admin"), &chiefs).await, "everything to themselves");
    forbidden(node.bind("Mine", bound(&member, "auditor"), &chiefs).await, "reports");
    forbidden(node.bind("Theirs", bound(&member, "viewer"), &chiefs).await, "elsewhere");
    let reports = accounts.create_custom_role("Mine", "all", &texts(&["*"]), &chiefs, &visit).await;
    forbidden(reports.map(|_| ()), "a role with everything");
    let scoped = NewBinding { scope: texts(&["user:read"]), ..bound(&member, "super_admin") };
    node.bind("Mine", scoped, &chiefs).await.unwrap();
    let members = node.log_in_for("member@shop.test", "Mine").await;
    let held = accounts.current_session(&members).await.unwrap().roles;
    assert!(!held.contains(&"super_admin".into()), "a part of a role is not called like the whole: {held:?}");
    let missing = node.bind("Mine", bound(&stranger, "viewer"), &chiefs).await;
    assert!(matches!(missing, Err(AccountError::Missing(_))), "a stranger: {missing:?}");

    // A role that grants nothing stands for what policies make of it: they neither give nor take it.
    forbidden(node.bind("Mine", bound(&member, "restricted"), &chiefs).await, "a role for policies");
    node.bind("Mine", bound(&member, "restricted"), &operator).await.unwrap();
    let marked = RoleHolder::Person(who(&member));
    let freed = accounts.unbind_role("Mine", &marked, "restricted", &chiefs, &visit).await;
    forbidden(freed, "taking a role for policies away");
    accounts.unbind_role("Mine", &marked, "restricted", &operator, &visit).await.unwrap();

    // Roles of the organisation's own change within what they have.
    let set = async |permissions: &[&str]| {
        let permissions = texts(permissions);
        let set = accounts.set_custom_role_permissions("Mine", "billing", &permissions, &chiefs, &visit);
        set.await.map(|_| ())
    };
    set(&["billing:view", "billing:manage"]).await.unwrap();
    forbidden(set(&["*"]).await, "more than they have");
    forbidden(set(&["reports:read"]).await, "more than they have");
    let everything = texts(&["*"]);
    let custom = accounts.set_custom_role_permissions("Mine", "billing", &everything, &operator, &visit);
    custom.await.unwrap();
    forbidden(set(&["billing:view"]).await, "making less of what outranks them");

    // Nor do they take away what outranks them.
    node.bind("Mine", bound(&member, "super_admin"), &operator).await.unwrap();
    let holder = RoleHolder::Person(who(&member));
    let removal = accounts.unbind_role("Mine", &holder, "super_admin", &chiefs, &visit).await;
    forbidden(removal, "taking everything away");
    let part = NewBinding { scope: texts(&["user:read"]), ..bound(&member, "super_admin") };
    forbidden(node.bind("Mine", part, &chiefs).await, "leaving a part of everything");

    // A session for the other organisation manages neither.
    let token = node.log_in_for("chief@shop.test", "Theirs").await;
    let refused = accounts.permitted_session(&token, "organization:manage").await;
    assert!(matches!(refused, Err(AccountError::Forbidden(_))));
    let session = accounts.current_session(&token).await.unwrap();
    let elsewhere = Authority::Manager(&session);
    forbidden(node.bind("Mine", bound(&member, "viewer"), &elsewhere).await, "from elsewhere");
    forbidden(node.bind("Theirs", bound(&member, "viewer"), &elsewhere).await, "as a viewer");

    // Their own keys are no way around it.
    let token = node.log_in_for("chief@shop.test", "Mine").await;
    let key = |permission: &str| NewOwnKey {
        name: "mine".into(),
        permissions: texts(&[permission]),
        addresses: Vec::new(),
        rate: None,
        expires: None,
    };
    let beyond = accounts.create_own_api_key(&token, key("reports:read"), &visit).await;
    forbidden(beyond.map(|_| ()), "a key with more");
    let (own, _) = accounts.create_own_api_key(&token, key("billing:view"), &visit).await.unwrap();
    assert_eq!(own.organization.as_deref(), session_organization(&node, &token).await.as_deref());
    let trail = accounts.audit(1000).await.unwrap();
    assert!(trail.iter().any(|entry| entry.action == "role.bind" && entry.actor == chief.id.as_str()));
    // What they were refused is there, too, of the organisation that it was about.
    let filter = AuditFilter {
        organization: Some("Mine".into()),
        outcome: Some("refused".into()),
        limit: 100,
        ..AuditFilter::default()
    };
    let refused = accounts.audit_trail(&filter).await.unwrap();
    for action in ["role.bind", "role.unbind", "role.create", "role.set_permissions"] {
        let told = refused.iter().find(|entry| entry.action == action);
        let told = told.unwrap_or_else(|| panic!("{action}: {refused:?}"));
        assert_eq!(told.actor, chief.id.as_str());
        assert!(told.details["reason"].as_str().unwrap().len() > 10);
    }
    let filter = AuditFilter { organization: Some("Theirs".into()), ..filter };
    assert!(accounts.audit_trail(&filter).await.unwrap().len() < refused.len());
}

/// What somebody has for a while they give for a while.
async fn time_limited_managers(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    accounts.create_organization("Briefly", OPERATOR, &visit).await.unwrap();
    let chief = node.person("deputy@shop.test", &[]).await;
    let hour = Some(SystemTime::now() + Duration::from_hours(1));
    let for_an_hour = |role: &str| NewBinding { expires: hour, ..bound(&chief, role) };
    node.bind("Briefly", for_an_hour("org_admin"), &operator).await.unwrap();
    node.bind("Briefly", bound(&chief, "viewer"), &operator).await.unwrap();
    let token = node.log_in_for("deputy@shop.test", "Briefly").await;
    let session = accounts.current_session(&token).await.unwrap();
    let deputy = Authority::Manager(&session);
    let later =
        NewBinding { expires: hour.map(|end| end + Duration::from_mins(1)), ..bound(&chief, "org_admin") };
    for lasting in [bound(&chief, "org_admin"), bound(&chief, "user"), later] {
        let refused = node.bind("Briefly", lasting, &deputy).await;
        assert!(matches!(refused, Err(AccountError::Forbidden(_))), "{refused:?}");
    }
    let manage = texts(&["organization:manage"]);
    let own = accounts.create_custom_role("Briefly", "own", &manage, &deputy, &visit).await;
    assert!(matches!(own, Err(AccountError::Forbidden(_))), "a role stays");
    node.bind("Briefly", for_an_hour("user"), &deputy).await.unwrap();
    node.bind("Briefly", bound(&chief, "viewer"), &deputy).await.unwrap();
}

async fn session_organization(node: &Node, token: &SessionToken) -> Option<String> {
    let session = node.accounts.current_session(token).await.unwrap();
    session.organization.map(|organization| organization.to_string())
}

pub(crate) async fn stories(location: &StoreLocation) {
    a_life_of_roles(location).await;
    delegation(location).await;
    time_limited_managers(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
