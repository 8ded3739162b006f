//! What people do with the messages that they get.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use bartizan_identity::account::{Authority, NewBinding, OfferedRole, Profile};
use bartizan_store::{Statement, Store};
use tempfile::TempDir;

use super::{roles::bound, *};

const NEW: &str = "quartz-Lantern-4-violet";

/// A gateway whose messages are written into a folder.
pub(crate) struct Post {
    pub(crate) node: Node,
    inbox: PathBuf,
    _folder: TempDir,
}

impl Post {
    pub(crate) async fn open(location: &StoreLocation, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("mail");
        let mail = format!(
            "mail: {{ from: \"Shop <no-reply@shop.test>\", base_url: \"https://shop.test/account\", file: \"{}\" }}",
            inbox.display()
        );
        let document = DOCUMENT.replace("accounts: {", &format!("accounts: {{ {mail}, {settings}"));
        Self { node: Node::open_with(location, &document).await, inbox, _folder: folder }
    }

    /// The text of the one message to this address, which is taken out.
    pub(crate) async fn message(&self, to: &str) -> String {
        let since = Instant::now();
        loop {
            if let Some((path, text)) = messages(&self.inbox).into_iter().find(|(_, text)| is_to(text, to)) {
                std::fs::remove_file(path).unwrap();
                return text;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "no message for {to}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What stands behind `#token=` in the one message to this address.
    pub(crate) async fn token(&self, to: &str) -> SecretString {
        // Long lines are folded by a `=` at their end, which is written `=3D` elsewhere.
        let text = self.message(to).await.replace("=\r\n", "").replace("=3D", "=");
        let (_, rest) = text.split_once("#token=").unwrap_or_else(|| panic!("no link: {text}"));
        rest.split_whitespace().next().unwrap().into()
    }

    /// Nothing more is written to this address for a while.
    pub(crate) async fn is_silent(&self, to: &str) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!messages(&self.inbox).iter().any(|(_, text)| is_to(text, to)), "a message for {to}");
    }
}

fn messages(inbox: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(inbox).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let messages = entries.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    messages.map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
}

fn is_to(text: &str, to: &str) -> bool {
    text.lines().any(|line| line == format!("To: {to}"))
}

pub(crate) fn from(last: u8) -> Visit {
    Visit { address: Some([192, 0, 2, last].into()), ..Visit::default() }
}

fn stranger(email: &str, password: &str) -> NewPerson {
    NewPerson { email: email.into(), name: "Eve".into(), password: Some(password.into()), roles: vec![] }
}

/// Whether it is known that the person reads mail to their address.
async fn is_verified(location: &StoreLocation, email: &str) -> bool {
    let read = "SELECT email_verified_at FROM users WHERE email = $1";
    let row = Store::open(location).await.unwrap().row(Statement::new(read).text(email)).await.unwrap();
    row.unwrap().optional_integer("email_verified_at").unwrap().is_some()
}

/// Signing up, on either database.
pub(crate) async fn strangers_sign_up(location: &StoreLocation) {
    let post = Post::open(location, "sign_up: open,").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    accounts.sign_up(stranger("new@shop.test", PASSWORD), &Visit::default()).await.unwrap();
    let token = post.token("new@shop.test").await;
    // There is no account yet, and the link is worth nothing without the password.
    assert!(matches!(node.try_log_in("new@shop.test", PASSWORD).await, Err(AccountError::WrongCredentials)));
    let guess = accounts.verify_email(&token, &NEW.into(), &from(1)).await;
    assert!(matches!(guess, Err(AccountError::WrongCredentials)));
    // The owner of the address signs up, too: their password counts for their link only.
    accounts.sign_up(stranger("new@shop.test", NEW), &Visit::default()).await.unwrap();
    let owned = post.token("new@shop.test").await;
    let other = accounts.verify_email(&owned, &PASSWORD.into(), &from(2)).await;
    assert!(matches!(other, Err(AccountError::WrongCredentials)));
    let session = accounts.verify_email(&owned, &NEW.into(), &from(2)).await.unwrap();
    let identified = node.enter(&session.token).await.unwrap();
    assert_eq!(identified.principal.id.as_str(), session.user.as_str());
    assert!(is_verified(location, "new@shop.test").await);
    // Links are used up, those of others with them.
    for link in [&owned, &token] {
        let again = accounts.verify_email(link, &NEW.into(), &from(2)).await;
        assert!(matches!(again, Err(AccountError::Link)));
    }
    // Whoever signs up with a known address is answered alike; its owner is told.
    accounts.sign_up(stranger("new@shop.test", PASSWORD), &Visit::default()).await.unwrap();
    let told = post.message("new@shop.test").await;
    assert!(told.contains("have an account already") && !told.contains("#token"), "{told}");
    assert!(!told.contains("Eve"), "what strangers type is not repeated");
    // Three messages an hour for an address.
    accounts.sign_up(stranger("new@shop.test", PASSWORD), &Visit::default()).await.unwrap();
    post.is_silent("new@shop.test").await;
}

/// Forgotten passwords and other addresses, on either database.
pub(crate) async fn people_help_themselves(location: &StoreLocation) {
    let post = Post::open(location, "").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    let lost = node.person("lost@shop.test", &[]).await;
    let session = node.log_in("lost@shop.test").await;
    node.enter(&session).await.unwrap();
    for address in ["lost@shop.test", "nobody@shop.test"] {
        accounts.forgot_password(address, None, &from(1)).await.unwrap();
    }
    let first = post.token("lost@shop.test").await;
    post.is_silent("nobody@shop.test").await;
    accounts.forgot_password("lost@shop.test", None, &from(2)).await.unwrap();
    let second = post.token("lost@shop.test").await;
    let reset = async |token: &SecretString, password: &str| {
        accounts.reset_password(token, &password.into(), &from(1)).await
    };
    assert!(matches!(reset(&first, NEW).await, Err(AccountError::Link)), "an earlier link");
    assert!(matches!(reset(&second, "short").await, Err(AccountError::WeakPassword(_))));
    assert!(!is_verified(location, "lost@shop.test").await);
    // Of two at once with the same link, one gets it.
    let (one, other) = tokio::join!(reset(&second, NEW), reset(&second, NEW));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    assert!(is_verified(location, "lost@shop.test").await);
    assert!(node.is_refused(&session).await);
    assert!(post.message("lost@shop.test").await.contains("was changed"));
    assert!(node.try_log_in("lost@shop.test", PASSWORD).await.is_err());
    let session = node.try_log_in("lost@shop.test", NEW).await.unwrap().token;
    // The fourth in an hour.
    accounts.forgot_password("lost@shop.test", None, &from(3)).await.unwrap();
    post.token("lost@shop.test").await;
    accounts.forgot_password("lost@shop.test", None, &from(4)).await.unwrap();
    post.is_silent("lost@shop.test").await;

    let Profile { name, .. } = accounts.rename(&session, " Ada Lovelace ", &from(1)).await.unwrap();
    assert_eq!(name, "Ada Lovelace");
    node.person("taken@shop.test", &[]).await;
    let change = async |email: &str, password: &str| {
        accounts.change_email(&session, &password.into(), email, &from(9)).await
    };
    assert!(matches!(change("found@shop.test", PASSWORD).await, Err(AccountError::WrongCredentials)));
    change("taken@shop.test", NEW).await.unwrap();
    post.is_silent("taken@shop.test").await;
    change("found@shop.test", NEW).await.unwrap();
    for _ in ["taken", "found"] {
        assert!(post.message("lost@shop.test").await.contains("Somebody who is logged in wants"));
    }
    let token = post.token("found@shop.test").await;
    let forget = Statement::new("UPDATE users SET email_verified_at = NULL WHERE email = 'lost@shop.test'");
    Store::open(location).await.unwrap().execute(forget).await.unwrap();
    accounts.confirm_email(&token, &from(9)).await.unwrap();
    assert!(is_verified(location, "found@shop.test").await);
    assert!(post.message("lost@shop.test").await.contains("no longer known by this address"));
    assert!(matches!(accounts.confirm_email(&token, &from(9)).await, Err(AccountError::Link)));
    assert_eq!(accounts.profile(&session).await.unwrap().email, "found@shop.test");
    assert_eq!(accounts.profile(&session).await.unwrap().user, lost.id);
    node.try_log_in("found@shop.test", NEW).await.unwrap();
    assert!(node.try_log_in("lost@shop.test", NEW).await.is_err());
    let trail = accounts.audit(1000).await.unwrap();
    for action in ["password.forgotten", "password.reset", "user.rename", "user.change_email"] {
        assert!(trail.iter().any(|entry| entry.action == action && entry.outcome == "done"), "{action}");
    }
}

/// Whoever had got hold of a session, or of a mailbox, keeps no link once the sessions have ended.
async fn links_end_with_the_sessions(location: &StoreLocation) {
    let post = Post::open(location, "").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    let ada = node.person("linked@shop.test", &[]).await;
    let session = node.log_in("linked@shop.test").await;
    accounts.change_email(&session, &PASSWORD.into(), "thief@shop.test", &from(1)).await.unwrap();
    let link = post.token("thief@shop.test").await;
    accounts.set_password(&who(&ada), &NEW.into(), OPERATOR, &from(1)).await.unwrap();
    let changed = accounts.confirm_email(&link, &from(1)).await;
    assert!(matches!(changed, Err(AccountError::Link)), "{changed:?}");
    assert!(post.message("linked@shop.test").await.contains("Somebody who is logged in wants"));

    accounts.forgot_password("linked@shop.test", None, &from(1)).await.unwrap();
    let resets = post.token("linked@shop.test").await;
    let session = node.try_log_in("linked@shop.test", NEW).await.unwrap().token;
    accounts.change_password(&session, &NEW.into(), &PASSWORD.into(), &from(1)).await.unwrap();
    let reset = accounts.reset_password(&resets, &NEW.into(), &from(1)).await;
    assert!(matches!(reset, Err(AccountError::Link)), "{reset:?}");
}

/// An invitation is worth what whoever made it may give at the moment of its use.
async fn invitations_end_with_their_maker(location: &StoreLocation) {
    let post = Post::open(location, "sign_up: invite,").await;
    let (node, accounts, visit) = (&post.node, &post.node.accounts, Visit::default());
    accounts.create_organization("Club", OPERATOR, &visit).await.unwrap();
    let head = node.person("club-head@shop.test", &[]).await;
    let give = async |role: &str| {
        accounts.add_role(Some("Club"), &who(&head), role, OPERATOR, &Visit::default()).await.unwrap();
    };
    give("org_admin").await;
    let token = node.log_in_for("club-head@shop.test", "Club").await;
    let mut links = Vec::new();
    for guest in ["club-one@shop.test", "club-two@shop.test"] {
        accounts.invite_as(&token, guest, "org_admin", &visit).await.unwrap();
        links.push(post.token(guest).await);
    }
    let accept = async |link: &SecretString| {
        accounts.accept_invitation(link, "Guest", &PASSWORD.into(), &Visit::default()).await
    };
    accounts.remove_role(Some("Club"), &who(&head), "org_admin", OPERATOR, &visit).await.unwrap();
    assert!(matches!(accept(&links[0]).await, Err(AccountError::Link)), "they are gone");
    give("viewer").await;
    assert!(matches!(accept(&links[0]).await, Err(AccountError::Link)), "they may do less");
    give("org_admin").await;
    accept(&links[0]).await.unwrap();
    accounts.disable_person(&who(&head), true, OPERATOR, &visit).await.unwrap();
    assert!(matches!(accept(&links[1]).await, Err(AccountError::Link)), "they are disabled");
    accounts.invite("club-two@shop.test", Some("Club"), "org_admin", &visit).await.unwrap();
    accept(&post.token("club-two@shop.test").await).await.unwrap();

    // A role that has ended is not in the way of an invitation to it.
    let guest = node.person("club-guest@shop.test", &[]).await;
    let ending = Some(SystemTime::now() + Duration::from_millis(300));
    node.bind("Club", NewBinding { expires: ending, ..bound(&guest, "viewer") }, &Authority::Operator)
        .await
        .unwrap();
    let is_bound = async || {
        let bindings = accounts.bindings("Club", &Page::default()).await.unwrap().items;
        bindings.iter().any(|binding| binding.user.as_deref() == Some(guest.id.as_str()))
    };
    soon("the role does not end", async || !is_bound().await).await;
    accounts.invite("club-guest@shop.test", Some("Club"), "viewer", &visit).await.unwrap();
    let link = post.token("club-guest@shop.test").await;
    let token = node.log_in("club-guest@shop.test").await;
    accounts.join(&token, &link, &visit).await.unwrap();
    assert!(is_bound().await);

    // An operator sees every invitation, and takes any back.
    let wrong = accounts.invite("wrong@shop.test", None, "viewer", &visit).await.unwrap();
    let link = post.token("wrong@shop.test").await;
    let newest = accounts.all_invitations(&Page { limit: Some(1), after: None }).await.unwrap().items;
    assert_eq!(newest.iter().map(|one| &one.id).collect::<Vec<_>>(), [&wrong.id]);
    accounts.withdraw_any_invitation(&wrong.id, &visit).await.unwrap();
    assert!(matches!(accept(&link).await, Err(AccountError::Link)));
    let again = accounts.withdraw_any_invitation(&wrong.id, &visit).await;
    assert!(matches!(again, Err(AccountError::Missing(_))));
}

/// Invitations, on either database.
pub(crate) async fn people_are_invited(location: &StoreLocation) {
    let post = Post::open(location, "sign_up: invite,").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    let uninvited = accounts.sign_up(stranger("eve@shop.test", PASSWORD), &Visit::default()).await;
    assert!(matches!(uninvited, Err(AccountError::SignUpOff)));
    let trail = node.accounts.audit(10).await.unwrap();
    let refused = trail.iter().find(|entry| entry.action == "user.sign_up").unwrap();
    assert_eq!(
        (refused.outcome.as_str(), &refused.details["reason"]),
        ("refused", &serde_json::json!("closed"))
    );
    let visit = Visit::default();
    for name in ["Guild", "Rival"] {
        accounts.create_organization(name, OPERATOR, &visit).await.unwrap();
    }
    let head = node.person("head@shop.test", &[]).await;
    accounts.add_role(Some("Guild"), &who(&head), "org_admin", OPERATOR, &visit).await.unwrap();
    let head = node.log_in("head@shop.test").await;
    accounts.invite_as(&head, "guest@shop.test", "viewer", &visit).await.unwrap();
    let token = post.token("guest@shop.test").await;
    // Nobody gives away more than they have, and only those invite who may.
    for role in ["super_admin", "auditor"] {
        let more = accounts.invite_as(&head, "guest@shop.test", role, &visit).await;
        assert!(matches!(more, Err(AccountError::Forbidden(_))), "{role}");
    }
    let weak = accounts.accept_invitation(&token, "Guest", &"short".into(), &visit).await;
    assert!(matches!(weak, Err(AccountError::WeakPassword(_))));
    let guest = accounts.accept_invitation(&token, "Guest", &PASSWORD.into(), &visit).await.unwrap();
    assert_eq!(accounts.current_session(&guest.token).await.unwrap().roles, ["viewer"]);
    assert!(guest.organization.is_some());
    assert!(is_verified(location, "guest@shop.test").await);
    let again = accounts.accept_invitation(&token, "Guest", &PASSWORD.into(), &visit).await;
    assert!(matches!(again, Err(AccountError::Link)));
    let viewer = accounts.invite_as(&guest.token, "more@shop.test", "viewer", &visit).await;
    assert!(matches!(viewer, Err(AccountError::Forbidden(_))));

    // Whoever has an account joins with it, and nobody else does.
    accounts.invite("guest@shop.test", Some("Rival"), "user", &visit).await.unwrap();
    let token = post.token("guest@shop.test").await;
    let second = accounts.accept_invitation(&token, "Guest", &PASSWORD.into(), &visit).await;
    assert!(matches!(second, Err(AccountError::Taken(_))));
    assert!(matches!(accounts.join(&head, &token, &visit).await, Err(AccountError::Link)));
    accounts.join(&guest.token, &token, &visit).await.unwrap();
    assert_eq!(accounts.members("Rival", &Page::default()).await.unwrap().items.len(), 1);

    // What is taken back opens nothing; that of another organisation is not seen.
    let made = accounts.invite_as(&head, "late@shop.test", "viewer", &visit).await.unwrap();
    accounts.invite("other@shop.test", Some("Rival"), "viewer", &visit).await.unwrap();
    let seen = accounts.invitations(&head, &Page::default()).await.unwrap().items;
    assert_eq!(seen.iter().map(|invitation| invitation.id.as_str()).collect::<Vec<_>>(), [made.id.as_str()]);
    accounts.withdraw_invitation(&head, &made.id, &visit).await.unwrap();
    let token = post.token("late@shop.test").await;
    accounts.invite_as(&head, "late@shop.test", "viewer", &visit).await.unwrap();
    accounts.invite_as(&head, "late@shop.test", "viewer", &visit).await.unwrap();
    let often = accounts.invite_as(&head, "late@shop.test", "viewer", &visit).await;
    assert!(matches!(often, Err(AccountError::TooManyMessages)));
    let late = accounts.accept_invitation(&token, "Late", &PASSWORD.into(), &visit).await;
    assert!(matches!(late, Err(AccountError::Link)));

    // To a part of a role, for a while: no more than they have, and no longer.
    let hour = Some(SystemTime::now() + Duration::from_hours(1));
    let part = |role: &str, scope: &[&str], expires| OfferedRole {
        role: role.into(),
        scope: scope.iter().map(|text| (*text).to_owned()).collect(),
        expires,
    };
    let nothing =
        accounts.invite_as(&head, "part@shop.test", part("viewer", &["orders:read"], None), &visit).await;
    assert!(matches!(nothing, Err(AccountError::Invalid(_))), "{nothing:?}");
    let over = Some(SystemTime::now() - Duration::from_mins(1));
    let over = accounts.invite_as(&head, "part@shop.test", part("viewer", &[], over), &visit).await;
    assert!(matches!(over, Err(AccountError::Invalid(_))), "{over:?}");
    let offered = part("super_admin", &["user:read"], hour);
    let made = accounts.invite_as(&head, "part@shop.test", offered, &visit).await.unwrap();
    assert!(Some(made.expires) <= hour && made.role_expires.is_some(), "it ends with the role");
    let listed = accounts.invitations(&head, &Page::default()).await.unwrap().items;
    let listed = listed.iter().find(|invitation| invitation.id == made.id).unwrap();
    assert_eq!((&listed.scope, listed.role_expires), (&made.scope, made.role_expires));
    let token = post.token("part@shop.test").await;
    let guest = accounts.accept_invitation(&token, "Part", &PASSWORD.into(), &visit).await.unwrap();
    let session = accounts.current_session(&guest.token).await.unwrap();
    assert_eq!(session.permissions, ["user:read"]);
    assert!(session.roles.is_empty(), "a part of a role is not called like the whole: {:?}", session.roles);
    let bindings = accounts.bindings("Guild", &Page::default()).await.unwrap().items;
    let binding =
        bindings.iter().find(|binding| binding.user.as_deref() == Some(guest.user.as_str())).unwrap();
    assert_eq!((&binding.scope, binding.expires), (&made.scope, made.role_expires));
    // The same for whoever has an account.
    accounts
        .invite("part@shop.test", Some("Rival"), part("user", &["user:read"], hour), &visit)
        .await
        .unwrap();
    accounts.join(&guest.token, &post.token("part@shop.test").await, &visit).await.unwrap();
    let bindings = accounts.bindings("Rival", &Page::default()).await.unwrap().items;
    let binding =
        bindings.iter().find(|binding| binding.user.as_deref() == Some(guest.user.as_str())).unwrap();
    assert_eq!((binding.scope.len(), binding.expires.is_some()), (1, true));

    // To a role of the organisation's own, as long as there is one.
    let support = ["user:read".to_owned()];
    accounts.create_custom_role("Guild", "support", &support, &Authority::Operator, &visit).await.unwrap();
    let nowhere = accounts.invite("desk@shop.test", Some("Rival"), "support", &visit).await;
    assert!(matches!(nowhere, Err(AccountError::UnknownRole(_))), "{nowhere:?}");
    accounts.invite_as(&head, "desk@shop.test", "support", &visit).await.unwrap();
    let token = post.token("desk@shop.test").await;
    let desk = accounts.accept_invitation(&token, "Desk", &PASSWORD.into(), &visit).await.unwrap();
    let session = accounts.current_session(&desk.token).await.unwrap();
    assert!(session.roles.iter().all(|role| role.ends_with("/support")), "{:?}", session.roles);
    assert_eq!(session.permissions, support);
    accounts.invite("gone@shop.test", Some("Guild"), "support", &visit).await.unwrap();
    let token = post.token("gone@shop.test").await;
    accounts.delete_custom_role("Guild", "support", &Authority::Operator, &visit).await.unwrap();
    let gone = accounts.accept_invitation(&token, "Gone", &PASSWORD.into(), &visit).await;
    assert!(matches!(gone, Err(AccountError::Link)), "{gone:?}");
}

pub(crate) async fn stories(location: &StoreLocation) {
    strangers_sign_up(location).await;
    people_help_themselves(location).await;
    links_end_with_the_sessions(location).await;
    people_are_invited(location).await;
    invitations_end_with_their_maker(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_postgres() {
    let server = PostgresServer::start();
    stories(&server.url().parse().unwrap()).await;
}

#[tokio::test]
async fn without_mail_nobody_helps_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
    let forgotten = node.accounts.forgot_password("ada@shop.test", None, &from(1)).await;
    assert!(matches!(forgotten, Err(AccountError::MailOff)));
    let invited = node.accounts.invite("ada@shop.test", None, "user", &from(1)).await;
    assert!(matches!(invited, Err(AccountError::MailOff)));
}
