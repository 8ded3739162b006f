//! API keys and services of organisations, in the hands of those who manage them.

use std::time::{Duration, SystemTime};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    InvalidReason,
    account::{
        AccountError, ApiKey, AuditFilter, Authority, CurrentSession, KeyFilter, KeyOwner, NewBinding,
        NewCredential, NewOrganizationKey, NewService, OrganizationKeyChange, Page, RoleHolder, Service,
        ServiceChange, ServiceProof, Visit,
    },
};
use bartizan_model::Zone;
use secrecy::SecretString;

use crate::{
    Node, OPERATOR,
    postgres_server::PostgresServer,
    roles::{bound, texts},
    who,
};

fn new(permissions: &[&str]) -> NewOrganizationKey {
    NewOrganizationKey {
        name: "nightly".into(),
        service: None,
        permissions: texts(permissions),
        addresses: Vec::new(),
        rate: None,
        expires: None,
    }
}

#[track_caller]
fn forbidden<T: std::fmt::Debug>(result: Result<T, AccountError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, AccountError::Forbidden(_)), "{error:?}");
}

#[track_caller]
fn missing<T: std::fmt::Debug>(result: Result<T, AccountError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, AccountError::Missing(_)), "{error:?}");
}

/// Somebody who manages an organisation, and reads reports there.
struct Chief<'n> {
    node: &'n Node,
    session: CurrentSession,
}

impl<'n> Chief<'n> {
    async fn of(node: &'n Node, organization: &str, email: &str) -> Self {
        node.accounts.create_organization(organization, OPERATOR, &Visit::default()).await.unwrap();
        let person = node.person(email, &[]).await;
        for role in ["org_admin", "auditor"] {
            node.bind(organization, bound(&person, role), &Authority::Operator).await.unwrap();
        }
        let token = node.log_in_for(email, organization).await;
        Self { node, session: node.accounts.current_session(&token).await.unwrap() }
    }

    fn place(&self) -> &str {
        self.session.organization.as_ref().unwrap().as_str()
    }

    async fn make(&self, new: NewOrganizationKey) -> Result<(ApiKey, SecretString), AccountError> {
        self.node.accounts.create_organization_key(&self.session, new, &Visit::default()).await
    }

    async fn rotate(&self, id: &str, overlap: Duration) -> Result<(ApiKey, SecretString), AccountError> {
        self.node.accounts.rotate_organization_key(&self.session, id, overlap, &Visit::default()).await
    }

    async fn change(&self, id: &str, change: OrganizationKeyChange<'_>) -> Result<ApiKey, AccountError> {
        self.node.accounts.change_organization_key(&self.session, id, change, &Visit::default()).await
    }

    async fn serve(&self, name: &str, permissions: &[&str]) -> Result<(Service, SecretString), AccountError> {
        let (accounts, permissions) = (&self.node.accounts, texts(permissions));
        accounts.create_organization_service(&self.session, name, &permissions, &Visit::default()).await
    }

    async fn rotate_service(&self, id: &str) -> Result<(Service, SecretString), AccountError> {
        let accounts = &self.node.accounts;
        accounts
            .rotate_organization_service(&self.session, id, Duration::from_hours(1), &Visit::default())
            .await
    }

    async fn change_service(&self, id: &str, change: ServiceChange<'_>) -> Result<Service, AccountError> {
        self.node.accounts.change_organization_service(&self.session, id, change, &Visit::default()).await
    }
}

async fn keys(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let chief = Chief::of(&node, "Machine Keys", "keys-chief@shop.test").await;
    let in_it = || KeyOwner::Organization("Machine Keys".into());

    // A life of a key.
    let (key, secret) = chief.make(new(&["reports:read"])).await.unwrap();
    assert_eq!(key.organization.as_deref(), Some(chief.place()));
    assert_eq!(node.enter_with_key(&secret, "192.0.2.1").unwrap().grants, "reports:read");
    let (_, second) = chief.rotate(&key.id, Duration::from_hours(1)).await.unwrap();
    assert!(node.refusal(&secret).is_none() && node.refusal(&second).is_none(), "both count for an hour");
    chief.change(&key.id, OrganizationKeyChange::Suspend("leaked")).await.unwrap();
    assert_eq!(node.refusal(&second), Some(InvalidReason::KeySuspended));
    chief.change(&key.id, OrganizationKeyChange::Resume).await.unwrap();
    let limited = chief.change(&key.id, OrganizationKeyChange::SetRate(Some("5/min"))).await.unwrap();
    assert_eq!(limited.rate.unwrap().to_string(), "5/min");
    chief.change(&key.id, OrganizationKeyChange::Revoke).await.unwrap();
    assert_eq!(node.refusal(&second), Some(InvalidReason::UnknownApiKey));

    // No more than they have, and nothing of what has more.
    forbidden(chief.make(new(&["*"])).await);
    forbidden(chief.make(new(&["invoices:read"])).await);
    let (beyond, _) = node.key(in_it(), &["invoices:read"]).await;
    forbidden(chief.rotate(&beyond.id, Duration::ZERO).await);
    for change in [
        OrganizationKeyChange::Suspend("theirs"),
        OrganizationKeyChange::Resume,
        OrganizationKeyChange::SetRate(None),
        OrganizationKeyChange::Revoke,
    ] {
        forbidden(chief.change(&beyond.id, change).await);
    }
    // A zone is an operator's to give: whoever gets to know the key would be in it.
    let (zoned, _) = node.key(in_it(), &["reports:read"]).await;
    accounts.set_api_key_zone(&zoned.id, Some(Zone::Services), OPERATOR, &visit).await.unwrap();
    forbidden(chief.rotate(&zoned.id, Duration::ZERO).await);
    chief.change(&zoned.id, OrganizationKeyChange::Revoke).await.unwrap();

    // Keys of members are theirs: ended here, but known to nobody else.
    let member = node.person("keys-member@shop.test", &[]).await;
    node.bind("Machine Keys", bound(&member, "viewer"), &Authority::Operator).await.unwrap();
    let (theirs, held) = node.key(KeyOwner::Person(who(&member), Some("Machine Keys".into())), &["*"]).await;
    forbidden(chief.rotate(&theirs.id, Duration::ZERO).await);
    assert_eq!(node.refusal(&held), None);
    chief.change(&theirs.id, OrganizationKeyChange::Revoke).await.unwrap();
    assert_eq!(node.refusal(&held), Some(InvalidReason::UnknownApiKey));

    // Somebody who holds a part of it for a while gives it for a while.
    let deputy = node.person("keys-deputy@shop.test", &[]).await;
    let hour = Some(SystemTime::now() + Duration::from_hours(1));
    node.bind("Machine Keys", bound(&deputy, "org_admin"), &Authority::Operator).await.unwrap();
    let briefly = NewBinding { expires: hour, ..bound(&deputy, "auditor") };
    node.bind("Machine Keys", briefly, &Authority::Operator).await.unwrap();
    let token = node.log_in_for("keys-deputy@shop.test", "Machine Keys").await;
    let deputy = Chief { node: &node, session: accounts.current_session(&token).await.unwrap() };
    forbidden(deputy.make(new(&["reports:read"])).await);
    let ending = NewOrganizationKey { expires: hour, ..new(&["reports:read"]) };
    deputy.make(ending).await.unwrap();

    // Another organisation's are not there, whoever asks.
    let rival = Chief::of(&node, "Rival Keys", "rival-keys@shop.test").await;
    missing(rival.rotate(&beyond.id, Duration::ZERO).await);
    missing(rival.change(&beyond.id, OrganizationKeyChange::Revoke).await);
    assert!(accounts.organization_keys(&rival.session, &KeyFilter::default()).await.unwrap().is_empty());
    let listed = accounts.organization_keys(&chief.session, &KeyFilter::default()).await.unwrap();
    assert_eq!(listed.len(), 2, "the revoked ones are not shown");
    let (outside, _) = node.key(KeyOwner::Person(who(&member), None), &["*"]).await;
    missing(chief.change(&outside.id, OrganizationKeyChange::Revoke).await);

    // Whoever does not manage it does nothing.
    let token = node.log_in_for("keys-member@shop.test", "Machine Keys").await;
    let member = Chief { node: &node, session: accounts.current_session(&token).await.unwrap() };
    forbidden(member.make(new(&["user:read"])).await);
    forbidden(accounts.organization_keys(&member.session, &KeyFilter::default()).await);
    told_before_and_after(&chief, "api_key").await;
}

async fn services(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let chief = Chief::of(&node, "Machine Services", "services-chief@shop.test").await;
    let proves = async |id: &str, secret: &SecretString| {
        let proof = ServiceProof::Secret(secret);
        accounts.authenticate_service(id, proof, &Visit::default()).await.is_ok()
    };

    // A life of a service.
    let (service, secret) = chief.serve("reporter", &["reports:read"]).await.unwrap();
    assert!(service.exchange.is_empty() && service.zone.is_none());
    assert!(proves(&service.id, &secret).await);
    let (_, second) = chief.rotate_service(&service.id).await.unwrap();
    assert!(proves(&service.id, &secret).await && proves(&service.id, &second).await);
    let certificate = NewCredential::Certificate("uri:spiffe://shop.test/reporter".into());
    let added = chief.change_service(&service.id, ServiceChange::AddCredential(&certificate)).await.unwrap();
    let credential = added.credentials.last().unwrap().id.clone();
    chief.change_service(&service.id, ServiceChange::RemoveCredential(&credential)).await.unwrap();
    chief.change_service(&service.id, ServiceChange::Suspend("leaked")).await.unwrap();
    assert!(!proves(&service.id, &second).await);
    chief.change_service(&service.id, ServiceChange::Resume).await.unwrap();
    chief.change_service(&service.id, ServiceChange::Rename("chronicler")).await.unwrap();
    assert!(proves(&service.id, &second).await);
    let of_service = NewOrganizationKey { service: Some(service.id.clone()), ..new(&["reports:read"]) };
    let (_, key) = chief.make(of_service.clone()).await.unwrap();
    assert_eq!(node.enter_with_key(&key, "192.0.2.1").unwrap().grants, "reports:read");
    let fewer = chief.change_service(&service.id, ServiceChange::SetPermissions(&[])).await.unwrap();
    assert!(fewer.permissions.is_empty());
    assert_eq!(node.enter_with_key(&key, "192.0.2.1").unwrap().grants, "");

    // No more than they have.
    forbidden(chief.serve("root", &["*"]).await);
    let more = texts(&["invoices:read"]);
    forbidden(chief.change_service(&service.id, ServiceChange::SetPermissions(&more)).await);

    // What an operator has made of it is not theirs to hand out: neither its roles, nor its exchanges, nor its zone.
    let add = ServiceChange::AddCredential(&certificate);
    let of_it = |role: &str| NewBinding {
        holder: RoleHolder::Service(service.id.clone()),
        role: role.into(),
        scope: Vec::new(),
        expires: None,
    };
    node.bind("Machine Services", of_it("super_admin"), &Authority::Operator).await.unwrap();
    forbidden(chief.rotate_service(&service.id).await);
    for change in [add, ServiceChange::Suspend("theirs"), ServiceChange::Resume, ServiceChange::Delete] {
        forbidden(chief.change_service(&service.id, change).await);
    }
    let holder = RoleHolder::Service(service.id.clone());
    let operator = Authority::Operator;
    accounts.unbind_role("Machine Services", &holder, "super_admin", &operator, &visit).await.unwrap();
    accounts.set_service_exchange(&service.id, &texts(&["*"]), OPERATOR, &visit).await.unwrap();
    forbidden(chief.rotate_service(&service.id).await);
    accounts.set_service_exchange(&service.id, &texts(&["reports:read"]), OPERATOR, &visit).await.unwrap();
    chief.rotate_service(&service.id).await.unwrap();
    accounts.set_service_zone(&service.id, Some(Zone::Data), OPERATOR, &visit).await.unwrap();
    forbidden(chief.rotate_service(&service.id).await);
    forbidden(chief.change_service(&service.id, add).await);
    accounts.set_service_zone(&service.id, None, OPERATOR, &visit).await.unwrap();

    // Another organisation's are not there.
    let rival = Chief::of(&node, "Rival Services", "rival-services@shop.test").await;
    missing(rival.rotate_service(&service.id).await);
    missing(rival.change_service(&service.id, ServiceChange::Delete).await);
    missing(rival.make(of_service).await);
    assert!(accounts.organization_services(&rival.session, &Page::default()).await.unwrap().items.is_empty());
    let robot =
        NewService { organization: rival.place().into(), name: "robot".into(), ..NewService::default() };
    accounts.create_service(robot, OPERATOR, &visit).await.unwrap();
    let listed = accounts.organization_services(&chief.session, &Page::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["chronicler"]);
    chief.change_service(&service.id, ServiceChange::Delete).await.unwrap();
    assert!(!proves(&service.id, &second).await);
    assert!(node.refusal(&key).is_some());
    told_before_and_after(&chief, "service").await;
}

/// Every change of theirs is in the trail of the organisation with what was before and after; so is what was refused.
async fn told_before_and_after(chief: &Chief<'_>, kind: &str) {
    let filter = AuditFilter {
        action: Some(kind.into()),
        actor: Some(chief.session.user.to_string()),
        organization: Some(chief.place().into()),
        limit: 1000,
        ..AuditFilter::default()
    };
    let told = chief.node.accounts.audit_trail(&filter).await.unwrap();
    let of = |outcome: &str| told.iter().filter(|entry| entry.outcome == outcome).collect::<Vec<_>>();
    let (done, refused) = (of("done"), of("refused"));
    assert!(done.len() >= 5 && refused.len() >= 3, "{told:?}");
    for entry in done {
        let details = entry.details.as_object().unwrap();
        assert!(details.contains_key("before") && details.contains_key("after"), "{entry:?}");
    }
    assert!(refused.iter().all(|entry| entry.details["reason"].is_string()), "{refused:?}");
}

pub(crate) async fn stories(location: &StoreLocation) {
    keys(location).await;
    services(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_of_organizations_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_of_organizations_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
