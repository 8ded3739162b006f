//! Who is removed from an organisation, or whose role there has ended, acts for it no longer.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    InvalidReason,
    account::{
        AccountError, Authority, KeyFilter, KeyHolder, KeyOwner, MemberChange, NewBinding, NewService, Page,
        PersonId, RoleHolder, Visit,
    },
    authorization_server::OAuthError,
};
use bartizan_model::CallerType;

use crate::{
    Node, OPERATOR, PASSWORD,
    api_keys::new,
    postgres_server::PostgresServer,
    roles::bound,
    soon::soon,
    tokens::{Issuing, is_refused, refresh_of},
    who,
};

/// Their session and their key, which something else lets them keep.
async fn removed_members(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    accounts.create_organization("Left Ltd", OPERATOR, &visit).await.unwrap();
    let ada = node.person("left@shop.test", &["auditor"]).await;
    let in_it = || KeyOwner::Person(who(&ada), Some("Left Ltd".into()));
    let stranger = accounts.create_api_key(new(in_it(), &["*"]), OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(stranger, AccountError::Invalid(_)), "{stranger}");

    node.bind("Left Ltd", bound(&ada, "viewer"), &operator).await.unwrap();
    let token = node.log_in_for("left@shop.test", "Left Ltd").await;
    assert!(node.enter(&token).await.unwrap().principal.organization.is_some());
    let (_, inside) = node.key(in_it(), &["*"]).await;
    let (_, outside) = node.key(KeyOwner::Person(who(&ada), None), &["*"]).await;
    assert_eq!(node.refusal(&inside), None);

    // Of somebody who is asked about by id, the same is known as of somebody who comes.
    let place = accounts.organization("Left Ltd").await.unwrap().id;
    let standing = async |place: &str| {
        accounts.caller_standing(CallerType::User, ada.id.as_str(), Some(place), None).await.unwrap()
    };
    let (theirs, road) = (standing(place.as_str()).await.unwrap(), node.enter(&token).await.unwrap());
    let grants: Vec<_> = theirs.grants.iter().map(ToString::to_string).collect();
    assert_eq!(grants.join(" "), road.grants.to_str().unwrap());
    assert_eq!(theirs.organization, road.principal.organization);
    assert_eq!(standing("elsewhere").await, None, "they act for no organisation that is not theirs");
    let key = node.enter_with_key(&inside, "192.0.2.1").unwrap().principal.id.to_string();
    let keys = async |id: &str| accounts.caller_standing(CallerType::ApiKey, id, None, None).await.unwrap();
    assert_eq!(keys(&key).await.unwrap().organization, Some(place.clone()));
    assert_eq!(keys("none").await, None);

    // Their session acts for another of their organisations when they say so.
    accounts.create_organization("Next Ltd", OPERATOR, &visit).await.unwrap();
    node.bind("Next Ltd", bound(&ada, "viewer"), &operator).await.unwrap();
    accounts.switch_organization(&token, "Next Ltd", &visit).await.unwrap();
    let next = accounts.organization("Next Ltd").await.unwrap().id;
    assert_eq!(node.enter(&token).await.unwrap().principal.organization, Some(next));
    accounts.switch_organization(&token, "Left Ltd", &visit).await.unwrap();
    let holder = RoleHolder::Person(who(&ada));
    accounts.unbind_role("Next Ltd", &holder, "viewer", &operator, &visit).await.unwrap();
    accounts.unbind_role("Left Ltd", &holder, "viewer", &operator, &visit).await.unwrap();
    assert_eq!(node.refusal(&inside), Some(InvalidReason::KeyOwner));
    assert_eq!(keys(&key).await, None);
    assert_eq!(standing(place.as_str()).await, None);
    assert_eq!(node.refusal(&outside), None);
    let identified = node.enter(&token).await.unwrap();
    assert_eq!(identified.principal.organization, None);
    assert_eq!(identified.grants, "reports:read", "what they are everywhere");
    assert_eq!(accounts.current_session(&token).await.unwrap().organization, None);
    let (current, next) = (PASSWORD.into(), "quartz-Lantern-4-violet".into());
    let changed = accounts.change_password(&token, &current, &next, &visit).await.unwrap();
    assert_eq!(changed.organization, None);

    // Neither does a role that ends by itself, without anybody telling.
    let soon_over = Some(SystemTime::now() + Duration::from_millis(500));
    let ending = NewBinding { expires: soon_over, ..bound(&ada, "viewer") };
    node.bind("Left Ltd", ending, &operator).await.unwrap();
    assert_eq!(node.refusal(&inside), None);
    soon("a member acts on", async || node.refusal(&inside) == Some(InvalidReason::KeyOwner)).await;
}

/// Their refresh token.
async fn removed_clients(location: &StoreLocation) {
    let gateway = Issuing::open(location).await;
    let (accounts, visit) = (&gateway.node.accounts, Visit::default());
    accounts.create_organization("Gone Ltd", OPERATOR, &visit).await.unwrap();
    let ada = gateway.node.person("gone@shop.test", &["auditor"]).await;
    accounts.add_role(Some("Gone Ltd"), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    let session = gateway.node.log_in_for("gone@shop.test", "Gone Ltd").await;
    let issued = gateway.issue(&session, "reports:read").await;
    let issued = gateway.refresh(refresh_of(&issued)).await.unwrap();
    accounts.remove_role(Some("Gone Ltd"), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    is_refused(gateway.refresh(refresh_of(&issued)).await, OAuthError::InvalidGrant);
}

/// Nobody is left who may do everything.
async fn last_administrators(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let ada = node.person("last@shop.test", &["super_admin"]).await;
    let is_spared =
        |error: AccountError| assert!(matches!(error, AccountError::LastAdministrator), "{error}");
    is_spared(accounts.disable_person(&who(&ada), true, OPERATOR, &visit).await.unwrap_err());
    is_spared(accounts.delete_person(&who(&ada), OPERATOR, &visit).await.unwrap_err());
    is_spared(accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap_err());
    let bob = node.person("next@shop.test", &["super_admin"]).await;
    accounts.disable_person(&who(&bob), true, OPERATOR, &visit).await.unwrap();
    is_spared(accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap_err());
    accounts.disable_person(&who(&bob), false, OPERATOR, &visit).await.unwrap();
    accounts.remove_role(None, &who(&ada), "super_admin", OPERATOR, &visit).await.unwrap();
    accounts.delete_person(&who(&ada), OPERATOR, &visit).await.unwrap();
}

/// Whoever manages an organisation suspends its members, and takes them out of it; nowhere else, and nobody who may do more.
async fn suspended_members(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    for name in ["Paused Ltd", "Elsewhere Ltd"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let chief = node.person("paused-chief@shop.test", &[]).await;
    let bob = node.person("paused-bob@shop.test", &[]).await;
    node.bind("Paused Ltd", bound(&chief, "org_admin"), &operator).await.unwrap();
    for organization in ["Paused Ltd", "Elsewhere Ltd"] {
        node.bind(organization, bound(&bob, "viewer"), &operator).await.unwrap();
    }
    let token = node.log_in_for("paused-chief@shop.test", "Paused Ltd").await;
    let session = accounts.current_session(&token).await.unwrap();
    let chiefs = Authority::Manager(&session);
    let (inside, outside) = (
        node.log_in_for("paused-bob@shop.test", "Paused Ltd").await,
        node.log_in_for("paused-bob@shop.test", "Elsewhere Ltd").await,
    );
    let of_bob = |organization: &str| KeyOwner::Person(who(&bob), Some(organization.into()));
    let (_, key) = node.key(of_bob("Paused Ltd"), &["*"]).await;
    assert!(node.enter(&inside).await.unwrap().principal.organization.is_some());
    let change = async |person, change, authority: &Authority<'_>| {
        accounts.change_member("Paused Ltd", &who(person), change, authority, &Visit::default()).await
    };

    change(&bob, MemberChange::Suspend("too eager"), &chiefs).await.unwrap();
    assert_eq!(node.refusal(&key), Some(InvalidReason::KeyOwner));
    let identified = node.enter(&inside).await.ok();
    assert!(
        identified.is_none_or(|identified| identified.grants.is_empty()),
        "the session has nothing there"
    );
    assert_eq!(node.grants(&outside).await, "api_key:read metrics:read user:read", "elsewhere they stay");
    let listed = accounts.members("Paused Ltd", &Page::default()).await.unwrap().items;
    let suspended: Vec<_> = listed.iter().filter(|member| member.suspended.is_some()).collect();
    assert_eq!(suspended.len(), 1);
    assert_eq!(suspended[0].email, bob.email);
    let again = change(&bob, MemberChange::Suspend("again"), &chiefs).await;
    assert!(matches!(again, Err(AccountError::Missing(_))), "{again:?}");
    change(&bob, MemberChange::Resume, &chiefs).await.unwrap();
    assert_eq!(node.refusal(&key), None);

    // Not themselves, not whom they do not outrank, not with a reason that is none.
    let themselves = change(&chief, MemberChange::Remove, &chiefs).await;
    assert!(matches!(themselves, Err(AccountError::Forbidden(_))), "{themselves:?}");
    node.bind("Paused Ltd", bound(&bob, "super_admin"), &operator).await.unwrap();
    for forbidden in [MemberChange::Suspend("outranked"), MemberChange::Remove] {
        let refused = change(&bob, forbidden, &chiefs).await;
        assert!(matches!(refused, Err(AccountError::Forbidden(_))), "{refused:?}");
    }
    let silent = change(&bob, MemberChange::Suspend(" "), &operator).await;
    assert!(matches!(silent, Err(AccountError::Invalid(_))), "{silent:?}");
    // Nor are they given back what they do not have.
    change(&bob, MemberChange::Suspend("by an operator"), &operator).await.unwrap();
    let resumed = change(&bob, MemberChange::Resume, &chiefs).await;
    assert!(matches!(resumed, Err(AccountError::Forbidden(_))), "{resumed:?}");

    change(&bob, MemberChange::Remove, &operator).await.unwrap();
    assert_eq!(node.refusal(&key), Some(InvalidReason::KeyOwner));
    assert_eq!(accounts.members("Paused Ltd", &Page::default()).await.unwrap().items.len(), 1);
    assert_eq!(accounts.members("Elsewhere Ltd", &Page::default()).await.unwrap().items.len(), 1);
    let trail = accounts.audit(1000).await.unwrap();
    for (action, outcome) in [
        ("member.suspend", "done"),
        ("member.resume", "done"),
        ("member.remove", "done"),
        ("member.suspend", "refused"),
        ("member.remove", "refused"),
    ] {
        let is_there = trail.iter().any(|entry| entry.action == action && entry.outcome == outcome);
        assert!(is_there, "{action} {outcome}");
    }
}

/// Whoever manages an organisation sees and ends what its members have open for it, and nothing that they do elsewhere.
async fn sessions_of_members(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    for name in ["Open Ltd", "Beside Ltd"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let chief = node.person("open-chief@shop.test", &[]).await;
    let bob = node.person("open-bob@shop.test", &[]).await;
    let stranger = node.person("open-stranger@shop.test", &[]).await;
    node.bind("Open Ltd", bound(&chief, "org_admin"), &operator).await.unwrap();
    for organization in ["Open Ltd", "Beside Ltd"] {
        node.bind(organization, bound(&bob, "viewer"), &operator).await.unwrap();
    }
    let inside = node.log_in_for("open-bob@shop.test", "Open Ltd").await;
    let beside = node.log_in_for("open-bob@shop.test", "Beside Ltd").await;
    let token = node.log_in_for("open-chief@shop.test", "Open Ltd").await;
    let session = accounts.current_session(&token).await.unwrap();
    let chiefs = Authority::Manager(&session);

    let list = async |organization: &str, person, authority: &Authority<'_>| {
        accounts.member_sessions(organization, &who(person), &Page::default(), authority).await
    };
    let end = async |organization: &str, person, authority: &Authority<'_>| {
        accounts.end_member_sessions(organization, &who(person), authority, &Visit::default()).await
    };
    let open = accounts.current_session(&inside).await.unwrap();
    let listed = list("Open Ltd", &bob, &chiefs).await.unwrap().items;
    assert_eq!(listed.iter().map(|one| &one.id).collect::<Vec<_>>(), [&open.id]);

    // Nothing of another organisation, nobody who is a stranger, and by nobody who does not manage it.
    let bobs = accounts.current_session(&inside).await.unwrap();
    for (organization, person, authority) in [
        ("Beside Ltd", &bob, &chiefs),
        ("Open Ltd", &stranger, &chiefs),
        ("Open Ltd", &chief, &Authority::Manager(&bobs)),
    ] {
        let (listed, ended) =
            (list(organization, person, authority).await, end(organization, person, authority).await);
        let refused = |error| matches!(error, AccountError::Forbidden(_) | AccountError::Missing(_));
        assert!(listed.is_err_and(refused) && ended.is_err_and(refused), "{organization} {}", person.email);
    }
    // Nor of whom they do not outrank.
    node.bind("Open Ltd", bound(&bob, "super_admin"), &operator).await.unwrap();
    assert!(matches!(end("Open Ltd", &bob, &chiefs).await, Err(AccountError::Forbidden(_))));
    let holder = RoleHolder::Person(who(&bob));
    accounts.unbind_role("Open Ltd", &holder, "super_admin", &operator, &visit).await.unwrap();

    end("Open Ltd", &bob, &chiefs).await.unwrap();
    assert!(list("Open Ltd", &bob, &chiefs).await.unwrap().items.is_empty());
    assert!(matches!(accounts.current_session(&inside).await, Err(AccountError::NoSession)));
    assert!(accounts.current_session(&beside).await.unwrap().organization.is_some(), "elsewhere they stay");
    let trail = accounts.audit(1000).await.unwrap();
    let told: Vec<_> = trail
        .iter()
        .filter(|entry| entry.action == "session.revoke" && entry.actor == chief.id.as_str())
        .map(|entry| (entry.outcome.as_str(), entry.details["organization"].as_str().is_some()))
        .collect();
    assert!(told.contains(&("done", true)) && told.contains(&("refused", true)), "{told:?}");
}

/// Whoever manages one organisation names what is another's: they neither see nor change it, on either database.
async fn foreign_managers(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    let mine = accounts.create_organization("Foreign Mine", OPERATOR, &visit).await.unwrap().id;
    let theirs = accounts.create_organization("Foreign Theirs", OPERATOR, &visit).await.unwrap().id;
    let chief = node.person("foreign-chief@shop.test", &[]).await;
    let member = node.person("foreign-member@shop.test", &[]).await;
    node.bind("Foreign Mine", bound(&chief, "org_admin"), &operator).await.unwrap();
    node.bind("Foreign Theirs", bound(&member, "viewer"), &operator).await.unwrap();
    // They hold a key there, too, from a time when they belonged to it.
    node.bind("Foreign Theirs", bound(&chief, "viewer"), &operator).await.unwrap();
    let (key, _) =
        node.key(KeyOwner::Person(who(&chief), Some("Foreign Theirs".into())), &["user:read"]).await;
    let theirs = theirs.as_str();
    let custom = ["tickets:read".to_owned()];
    accounts.create_custom_role(theirs, "desk", &custom, &operator, &visit).await.unwrap();
    let new = NewService {
        organization: theirs.into(),
        name: "robot".into(),
        permissions: Vec::new(),
        ..NewService::default()
    };
    let (service, _) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
    let before = standing(&node, theirs).await;

    let token = node.log_in_for("foreign-chief@shop.test", "Foreign Mine").await;
    let session = accounts.current_session(&token).await.unwrap();
    let (chiefs, holder) = (Authority::Manager(&session), KeyHolder::of(&session));
    let refused = |result: Result<(), AccountError>, what: &str| {
        let is_refused = matches!(result, Err(AccountError::Forbidden(_) | AccountError::Missing(_)));
        assert!(is_refused, "{what}: {result:?}");
    };
    for change in [MemberChange::Suspend("mine"), MemberChange::Resume, MemberChange::Remove] {
        for organization in [theirs, mine.as_str()] {
            let changed = accounts.change_member(organization, &who(&member), change, &chiefs, &visit).await;
            refused(changed, "a member");
        }
    }
    for (role, holder) in
        [("viewer", RoleHolder::Person(who(&member))), ("user", RoleHolder::Service(service.id.clone()))]
    {
        for organization in [theirs, mine.as_str()] {
            let new =
                NewBinding { holder: holder.clone(), role: role.into(), scope: Vec::new(), expires: None };
            refused(node.bind(organization, new, &chiefs).await, "a binding");
            let gone = accounts.unbind_role(organization, &holder, role, &chiefs, &visit).await;
            refused(gone, "a binding");
        }
    }
    for organization in [theirs, mine.as_str()] {
        let gone = accounts.delete_custom_role(organization, "desk", &chiefs, &visit).await;
        refused(gone.map(|_| ()), "a role");
    }
    let made = accounts.create_custom_role(theirs, "other", &["user:read".to_owned()], &chiefs, &visit).await;
    refused(made.map(|_| ()), "a role");
    assert!(accounts.own_api_keys(holder, None).await.unwrap().is_empty());
    refused(accounts.api_key(&key.id, Some(holder)).await.map(|_| ()), "a key");
    let rotated = accounts.rotate_api_key(&key.id, Some(holder), Duration::ZERO, "", &visit).await;
    refused(rotated.map(|_| ()), "a key");
    let suspended = accounts.suspend_api_key(&key.id, Some(holder), Some("mine"), "", &visit).await;
    refused(suspended.map(|_| ()), "a key");
    let revoked = accounts.revoke_api_key(&key.id, Some(holder), "", &visit).await;
    refused(revoked.map(|_| ()), "a key");
    assert!(accounts.invitations(&token, &Page::default()).await.unwrap().items.is_empty());
    assert_eq!(standing(&node, theirs).await, before);
}

/// Nothing of a long list is left out, and nothing stands in two parts of it.
async fn lists_in_parts(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit, operator) = (&node.accounts, Visit::default(), Authority::Operator);
    accounts.create_organization("Long Ltd", OPERATOR, &visit).await.unwrap();
    for number in 0..5 {
        let person = node.person(&format!("long-{number}@shop.test"), &[]).await;
        for role in ["user", "viewer"] {
            node.bind("Long Ltd", bound(&person, role), &operator).await.unwrap();
        }
        // Of one name with a person, and with a space in it.
        let new = NewService {
            organization: "Long Ltd".into(),
            name: if number == 0 { person.email } else { format!("robot {number}") },
            permissions: Vec::new(),
            ..NewService::default()
        };
        let (service, _) = accounts.create_service(new, OPERATOR, &visit).await.unwrap();
        let holder = RoleHolder::Service(service.id);
        let new = NewBinding { holder, role: "viewer".into(), scope: Vec::new(), expires: None };
        node.bind("Long Ltd", new, &operator).await.unwrap();
    }
    let suspended = PersonId("long-2@shop.test".into());
    let suspend = MemberChange::Suspend("on leave");
    accounts.change_member("Long Ltd", &suspended, suspend, &operator, &visit).await.unwrap();

    let page = |after: Option<String>, limit| Page { after, limit: Some(limit) };
    let members = accounts.members("Long Ltd", &Page::default()).await.unwrap();
    let bindings = accounts.bindings("Long Ltd", &Page::default()).await.unwrap();
    let services = accounts.services(Some("Long Ltd"), &Page::default()).await.unwrap();
    assert_eq!((members.items.len(), bindings.items.len(), services.items.len()), (10, 13, 5));
    assert_eq!((members.next, bindings.next, services.next), (None, None, None));
    for limit in [1, 2, 3] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = accounts.members("Long Ltd", &page(after, limit)).await.unwrap();
            let people: BTreeSet<_> = part.items.iter().map(|one| &one.user).collect();
            assert!(people.len() <= limit as usize, "so many people, each whole");
            seen.extend(part.items.iter().map(|one| (one.email.clone(), one.role.clone())));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        let whole: Vec<_> = members.items.iter().map(|one| (one.email.clone(), one.role.clone())).collect();
        assert_eq!(seen, whole, "{limit}");

        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = accounts.bindings("Long Ltd", &page(after, limit)).await.unwrap();
            assert!(part.items.len() <= limit as usize);
            seen.extend(part.items);
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, bindings.items, "{limit}");

        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = accounts.services(Some("Long Ltd"), &page(after, limit)).await.unwrap();
            seen.extend(part.items.into_iter().map(|one| one.id));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, services.items.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), "{limit}");
    }
}

/// What an organisation has.
async fn standing(node: &Node, organization: &str) -> String {
    let accounts = &node.accounts;
    let keys = KeyFilter { organization: Some(organization.into()), ..KeyFilter::default() };
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        accounts.members(organization, &Page::default()).await.unwrap().items,
        accounts.bindings(organization, &Page::default()).await.unwrap().items,
        accounts.custom_roles(organization).await.unwrap(),
        accounts.services(Some(organization), &Page::default()).await.unwrap().items,
        accounts.api_keys(&keys).await.unwrap(),
    )
}

pub(crate) async fn stories(location: &StoreLocation) {
    removed_members(location).await;
    removed_clients(location).await;
    last_administrators(location).await;
    suspended_members(location).await;
    sessions_of_members(location).await;
    foreign_managers(location).await;
    lists_in_parts(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn membership_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn membership_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}
