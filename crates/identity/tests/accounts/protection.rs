//! What becomes of those who guess, and of those whom they guess at.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use bartizan_identity::{
    Spent, Together, Told, Tried,
    account::{AuditEntry, AuditFilter, FactorKind},
    attempts::LoginProtection,
};
use serde_json::json;

use super::{
    factors::{code_in, shown},
    messages::{Post, from},
    *,
};

pub(crate) const WRONG: &str = "wrong-wrong-wrong";
/// Good enough beside a second factor, and too short alone.
const SHORT: &str = "vx7-Qm2-tzw";
const LONG: &str = "quartz-Lantern-4-violet";

pub(crate) fn login(email: &str, password: &str, device: Option<&SecretString>) -> Login {
    let (email, password) = (email.into(), password.into());
    Login { email, password, organization: None, device: device.cloned() }
}

impl Node {
    /// Five failures.
    async fn guess(&self, email: &str, device: Option<&SecretString>, last: u8) {
        for _ in 0..5 {
            let wrong = self.accounts.log_in(&login(email, WRONG, device), &from(last)).await;
            assert!(matches!(wrong, Err(AccountError::WrongCredentials)), "{wrong:?}");
        }
    }

    async fn is_paused(&self, email: &str, device: Option<&SecretString>, last: u8) -> bool {
        let tried = self.accounts.log_in(&login(email, PASSWORD, device), &from(last)).await;
        matches!(tried, Err(AccountError::Paused(_)))
    }

    /// The entries of this kind, once there are so many.
    async fn entries(&self, action: &str, count: usize) -> Vec<AuditEntry> {
        let since = Instant::now();
        loop {
            let filter = AuditFilter { action: Some(action.into()), limit: 100, ..AuditFilter::default() };
            let found = self.accounts.audit_trail(&filter).await.unwrap();
            if found.len() >= count {
                return found;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "{count} entries `{action}`: {found:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn sqlite(folder: &tempfile::TempDir) -> StoreLocation {
    StoreLocation::Sqlite(folder.path().join("bartizan.db"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unlock_reaches_every_device_address_and_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Node::open(&sqlite(&folder)).await, Node::open(&sqlite(&folder)).await);
    let ada = one.person("ada@shop.test", &[]).await;
    let device = one.try_log_in("ada@shop.test", PASSWORD).await.unwrap().device;
    for node in [&one, &other] {
        node.guess("ada@shop.test", None, 7).await;
        node.guess("ada@shop.test", Some(&device), 8).await;
        assert!(node.is_paused("ada@shop.test", None, 7).await);
        assert!(node.is_paused("ada@shop.test", Some(&device), 8).await, "also on a device that is known");
    }
    one.accounts.unlock_person(&who(&ada), OPERATOR, &Visit::default()).await.unwrap();
    assert!(!one.is_paused("ada@shop.test", None, 7).await, "from the address that failed");
    assert!(!one.is_paused("ada@shop.test", Some(&device), 8).await);
    let is_free = async || !other.is_paused("ada@shop.test", None, 7).await;
    soon("the unlock was never heard of", is_free).await;
    assert!(!other.is_paused("ada@shop.test", Some(&device), 8).await);
}

/// What gateways count together, as a store would.
#[derive(Debug, Default)]
struct Memory {
    attempts: Mutex<HashMap<String, u8>>,
    /// Accounts that failed, by what they have in common.
    failed: Mutex<HashMap<String, HashSet<String>>>,
}

const SUSPECT: usize = 10;

impl Together for Memory {
    fn use_once<'a>(&'a self, _: &'a Spent) -> Told<'a, bool> {
        Box::pin(async { None })
    }

    fn attempt<'a>(&'a self, key: &'a str, protection: LoginProtection) -> Told<'a, Tried> {
        let mut counts = self.attempts.lock().unwrap();
        let count = counts.entry(key.into()).or_default();
        let is_too_many = *count >= protection.failures;
        *count += u8::from(!is_too_many);
        let tried = match *count {
            _ if is_too_many => Tried::TooMany(protection.pause),
            last if last == protection.failures => Tried::Last(protection.pause),
            _ => Tried::Counted,
        };
        Box::pin(async move { Some(tried) })
    }

    fn take_back(&self, key: String) -> Told<'_, ()> {
        if let Some(count) = self.attempts.lock().unwrap().get_mut(&key) {
            *count = count.saturating_sub(1);
        }
        Box::pin(async { Some(()) })
    }

    fn forget(&self, key: String) -> Told<'_, ()> {
        self.attempts.lock().unwrap().remove(&key);
        Box::pin(async { Some(()) })
    }

    fn fail<'a>(&'a self, key: &'a str, account: &'a str, _: LoginProtection) -> Told<'a, Option<usize>> {
        let mut failed = self.failed.lock().unwrap();
        let accounts = failed.entry(key.into()).or_default();
        let is_new = accounts.insert(account.into());
        let many = (is_new && accounts.len() == SUSPECT).then_some(SUSPECT);
        Box::pin(async move { Some(many) })
    }

    fn suspect<'a>(&'a self, key: &'a str) -> Told<'a, Option<Duration>> {
        let is_so = self.failed.lock().unwrap().get(key).is_some_and(|accounts| accounts.len() >= SUSPECT);
        Box::pin(async move { Some(is_so.then_some(Duration::from_mins(15))) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unlock_ends_what_gateways_count_together() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Node::open(&sqlite(&folder)).await, Node::open(&sqlite(&folder)).await);
    let memory = Arc::new(Memory::default());
    let ada = one.person("ada@shop.test", &[]).await;
    let device = one.try_log_in("ada@shop.test", PASSWORD).await.unwrap().device;
    for node in [&one, &other] {
        node.accounts.count_with(Arc::<Memory>::clone(&memory));
    }
    one.guess("ada@shop.test", None, 7).await;
    one.guess("ada@shop.test", Some(&device), 8).await;
    assert!(other.is_paused("ada@shop.test", None, 9).await, "strangers are counted by all");
    assert!(one.is_paused("ada@shop.test", Some(&device), 9).await);
    // Only the gateway where it tried can name the device.
    other.accounts.unlock_person(&who(&ada), OPERATOR, &Visit::default()).await.unwrap();
    for device in [None, Some(&device)] {
        let is_free = async || !one.is_paused("ada@shop.test", device, 9).await;
        soon("the unlock was never heard of", is_free).await;
        assert!(!other.is_paused("ada@shop.test", device, 9).await);
    }
    assert!(other.is_paused("ada@shop.test", None, 7).await, "an address waits for its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_owner_comes_back_by_password_and_code_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    let accounts = &node.accounts;
    node.person("ada@shop.test", &[]).await;
    let token = node.log_in("ada@shop.test").await;
    let (app, _) = node.enrol(&token).await;
    for email in ["ada@shop.test", "nobody@shop.test"] {
        node.guess(email, None, if email.starts_with("ada") { 2 } else { 3 }).await;
    }
    let both = async |email: &str, password: &str, code: &str, last: u8| {
        let shown = shown(FactorKind::Totp, code);
        accounts.log_in_with_factor(&login(email, password, None), &shown, &from(last)).await
    };
    let code = app.now().code;
    let code = code.expose_secret();
    // Nobody can tell these apart: what is wrong, who has a factor, who is known.
    for (email, password, code, what) in [
        ("ada@shop.test", WRONG, code, "the password"),
        ("ada@shop.test", PASSWORD, "000000", "the code"),
        ("ada@shop.test", WRONG, "000000", "both"),
        ("nobody@shop.test", PASSWORD, code, "everything"),
    ] {
        let refused = both(email, password, code, 4).await;
        assert!(matches!(refused, Err(AccountError::Paused(_))), "{what}: {refused:?}");
    }
    assert!(node.is_paused("ada@shop.test", None, 5).await, "a password alone is still not asked for");
    let entered = both("ada@shop.test", PASSWORD, code, 2).await.unwrap();
    assert!(
        matches!(entered, LoggedIn::Session(_)),
        "from the paused address, by the code that was not used up"
    );
    let plain = accounts.log_in(&login("ada@shop.test", PASSWORD, None), &from(2)).await.unwrap();
    assert!(matches!(plain, LoggedIn::SecondFactor(_)), "the pause has ended");
    // Without a pause it is a login in one step.
    let code = app.later().code;
    let entered = both("ada@shop.test", PASSWORD, code.expose_secret(), 6).await.unwrap();
    assert!(matches!(entered, LoggedIn::Session(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_knows_the_password_has_five_codes_to_guess_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    node.person("ada@shop.test", &[]).await;
    let token = node.log_in("ada@shop.test").await;
    let (app, _) = node.enrol(&token).await;
    node.guess("ada@shop.test", None, 2).await;
    let both = async |code: &SecretString, last: u8| {
        let shown = shown(FactorKind::Totp, code.expose_secret());
        node.accounts.log_in_with_factor(&login("ada@shop.test", PASSWORD, None), &shown, &from(last)).await
    };
    for last in 10..15 {
        assert!(matches!(both(&"000000".into(), last).await, Err(AccountError::Paused(_))));
    }
    let right = both(&app.now().code, 20).await;
    assert!(matches!(right, Err(AccountError::Paused(_))), "the codes are paused as well: {right:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shorter_password_lasts_as_long_as_the_second_factor() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    let accounts = &node.accounts;
    let ada = node.person("ada@shop.test", &[]).await;
    let token = accounts.log_in(&login("ada@shop.test", PASSWORD, None), &from(1)).await.map(session);
    let token = token.unwrap().token;
    let change = async |token: &SessionToken, current: &str, new: &str| {
        accounts.change_password(token, &current.into(), &new.into(), &from(1)).await
    };
    let alone = change(&token, PASSWORD, SHORT).await;
    assert!(matches!(alone, Err(AccountError::WeakPassword(_))), "{alone:?}");
    node.enrol(&token).await;
    let token = change(&token, PASSWORD, SHORT).await.unwrap().token;
    let factor = accounts.factors(&token).await.unwrap().factors.remove(0).id;
    let removed = accounts.remove_factor(&token, &factor, &from(1)).await;
    assert!(matches!(removed, Err(AccountError::PasswordTooWeakAlone)), "{removed:?}");
    assert_eq!(accounts.factors(&token).await.unwrap().factors.len(), 1, "nothing has changed");
    let reset = accounts.reset_factors(&who(&ada), OPERATOR, &Visit::default()).await;
    assert!(matches!(reset, Err(AccountError::PasswordTooWeakAlone)), "{reset:?}");
    let set = accounts.set_password(&who(&ada), &SHORT.into(), OPERATOR, &Visit::default()).await;
    assert!(matches!(set, Err(AccountError::WeakPassword(_))), "an operator's is good enough alone");
    let token = change(&token, SHORT, LONG).await.unwrap().token;
    accounts.remove_factor(&token, &factor, &from(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_are_sent_make_no_shorter_password_good() {
    let folder = tempfile::tempdir().unwrap();
    let post = Post::open(&sqlite(&folder), "").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    node.person("ada@shop.test", &[]).await;
    let token = accounts.log_in(&login("ada@shop.test", PASSWORD, None), &from(1)).await.map(session);
    let token = token.unwrap().token;
    let id = accounts.enrol_email(&token, &from(1)).await.unwrap();
    let code = code_in(&post.message("ada@shop.test").await);
    accounts.confirm_factor(&token, &id, &code.as_str().into(), &from(1)).await.unwrap();
    let change = async || accounts.change_password(&token, &PASSWORD.into(), &SHORT.into(), &from(1)).await;
    let sent = change().await;
    assert!(matches!(sent, Err(AccountError::WeakPassword(_))), "{sent:?}");
    node.enrol(&token).await;
    let token = change().await.unwrap().token;
    let factors = accounts.factors(&token).await.unwrap().factors;
    let app = factors.iter().find(|factor| factor.kind == FactorKind::Totp).unwrap();
    let removed = accounts.remove_factor(&token, &app.id, &from(1)).await;
    assert!(
        matches!(removed, Err(AccountError::PasswordTooWeakAlone)),
        "codes by e-mail are left: {removed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_of_the_list_and_of_known_words_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, hashes) = (folder.path().join("plain.txt"), folder.path().join("hashes.txt"));
    std::fs::write(&plain, "123456\nCorrect Horse Battery Staple\n").unwrap();
    std::fs::write(&hashes, "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42:3\n").unwrap();
    for list in [plain, hashes] {
        let rules = format!("password: {{ blocklist: \"{}\", context_words: [zeppelin],", list.display());
        let document = DOCUMENT.replace("password: {", &rules);
        let node = Node::open_with(&sqlite(&folder), &document).await;
        let accounts = &node.accounts;
        for (password, code) in [
            ("correct horse battery staple", "breached"),
            ("zeppelin-zeppelin-1", "contains_service"),
            ("ada-lovelace-ada-1", "contains_person"),
        ] {
            let new = NewPerson {
                email: "ada.lovelace@shop.test".into(),
                name: "Ada".into(),
                password: Some(password.into()),
                roles: vec![],
            };
            let error = accounts.create_person(new, OPERATOR, &Visit::default()).await.unwrap_err();
            assert!(error.to_string().contains(&format!("({code})")), "{password}: {error}");
        }
    }
    let node = Node::open(&sqlite(&folder)).await;
    let bob = node.person("bob@shop.test", &[]).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    accounts.create_organization("Montgolfier", OPERATOR, &visit).await.unwrap();
    accounts.add_role(Some("Montgolfier"), &who(&bob), "viewer", OPERATOR, &visit).await.unwrap();
    let named = accounts.set_password(&who(&bob), &"montgolfier-2026".into(), OPERATOR, &visit).await;
    assert!(named.unwrap_err().to_string().contains("(contains_person)"), "the organisation's name");
}

/// Ten accounts, one failure each with a password of its own, from three addresses of one network.
async fn stuff(node: &Node) {
    stuff_with(node, 0..10).await;
}

async fn stuff_with(node: &Node, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let guess = login(&format!("user{number}@shop.test"), &format!("{WRONG}-{number}"), None);
        let wrong = node.accounts.log_in(&guess, &from(100 + number / 4)).await;
        assert!(matches!(wrong, Err(AccountError::WrongCredentials)), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_stuffs_credentials_needs_more_than_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let post = Post::open(&sqlite(&folder), "").await;
    let node = &post.node;
    node.person("eve@shop.test", &[]).await;
    let device = node.try_log_in("eve@shop.test", PASSWORD).await.unwrap().device;
    stuff(node).await;
    let told = node.entries("login.stuffing", 1).await;
    assert_eq!(told[0].details, json!({ "by": "network", "accounts": 10 }));

    let known = node.accounts.log_in(&login("eve@shop.test", PASSWORD, Some(&device)), &from(200)).await;
    assert!(matches!(known.unwrap(), LoggedIn::Session(_)), "a device that is known");
    let elsewhere = Visit { address: Some([198, 51, 100, 1].into()), ..Visit::default() };
    let free = node.accounts.log_in(&login("eve@shop.test", PASSWORD, None), &elsewhere).await;
    assert!(matches!(free.unwrap(), LoggedIn::Session(_)), "another network");

    let suspect = node.accounts.log_in(&login("eve@shop.test", PASSWORD, None), &from(200)).await.unwrap();
    let LoggedIn::SecondFactor(pending) = suspect else { panic!("{suspect:?}") };
    assert_eq!(pending.factors, [FactorKind::Email]);
    node.accounts.send_login_code(pending.ticket.secret()).await.unwrap();
    let text = post.message("eve@shop.test").await;
    let code = text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6).unwrap();
    let shown = shown(FactorKind::Email, code);
    let entered = node.accounts.complete_login(pending.ticket.secret(), &shown, &from(200)).await.unwrap();
    let session = node.accounts.current_session(&entered.token).await.unwrap();
    assert!(!session.methods.are_several(), "a challenge is no second factor");
}

/// One failure each, or a pause.
async fn stuff_from_one_address(node: &Node, numbers: std::ops::Range<u8>) -> usize {
    let mut paused = 0;
    for number in numbers {
        let guess = login(&format!("user{number}@shop.test"), &format!("{WRONG}-{number}"), None);
        match node.accounts.log_in(&guess, &from(7)).await {
            Err(AccountError::Paused(_)) => paused += 1,
            tried => assert!(matches!(tried, Err(AccountError::WrongCredentials)), "{tried:?}"),
        }
    }
    paused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pause_of_an_address_hides_no_credential_stuffing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    assert_eq!(stuff_from_one_address(&node, 0..20).await, 15);
    let told = node.entries("login.stuffing", 1).await;
    assert_eq!(told[0].details, json!({ "by": "network", "accounts": 10 }));
    assert_eq!(told[0].address, from(7).address.unwrap().to_string());

    // The same at several gateways, each of which sees some of it.
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Node::open(&sqlite(&folder)).await, Node::open(&sqlite(&folder)).await);
    let memory = Arc::new(Memory::default());
    for node in [&one, &other] {
        node.accounts.count_with(Arc::<Memory>::clone(&memory));
    }
    assert_eq!(stuff_from_one_address(&one, 0..6).await, 1);
    assert_eq!(
        stuff_from_one_address(&other, 6..10).await,
        4,
        "they count the failures of an address together"
    );
    assert_eq!(one.entries("login.stuffing", 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_that_gateways_bring_about_together_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Node::open(&sqlite(&folder)).await, Node::open(&sqlite(&folder)).await);
    let memory = Arc::new(Memory::default());
    for node in [&one, &other] {
        node.accounts.count_with(Arc::<Memory>::clone(&memory));
    }
    for (node, last) in [(&one, 1), (&one, 2), (&one, 3), (&other, 4), (&other, 5)] {
        let wrong = node.accounts.log_in(&login("ada@shop.test", WRONG, None), &from(last)).await;
        assert!(matches!(wrong, Err(AccountError::WrongCredentials)), "{wrong:?}");
    }
    assert!(one.is_paused("ada@shop.test", None, 6).await && other.is_paused("ada@shop.test", None, 6).await);
    // Where one gateway has counted them all, it and all of them say the same.
    one.guess("bob@shop.test", None, 7).await;
    // Of the second account, and of the address that it was tried from.
    let told = one.entries("login.pause", 3).await;
    let mut told: Vec<_> =
        told.iter().map(|entry| (entry.details["scope"].as_str().unwrap(), entry.subject.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("account", "ada@shop.test"), ("account", "bob@shop.test"), ("address", "")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_stuffed_accounts_are_counted_by_gateways_together() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Post::open(&sqlite(&folder), "").await, Post::open(&sqlite(&folder), "").await);
    let memory = Arc::new(Memory::default());
    for post in [&one, &other] {
        post.node.accounts.count_with(Arc::<Memory>::clone(&memory));
    }
    one.node.person("eve@shop.test", &[]).await;
    for post in [&one, &other, &one, &other, &one] {
        post.node.accounts.forgot_password("eve@shop.test", None, &from(1)).await.unwrap();
    }
    let asked = one.node.entries("password.forgotten", 5).await;
    let outcomes =
        ["done", "refused"].map(|outcome| asked.iter().filter(|entry| entry.outcome == outcome).count());
    assert_eq!(outcomes, [3, 2], "three an hour, wherever");

    stuff_with(&one.node, 0..5).await;
    stuff_with(&other.node, 5..10).await;
    let told = one.node.entries("login.stuffing", 1).await;
    assert_eq!(told[0].details, json!({ "by": "network", "accounts": 10 }));
    for post in [&one, &other] {
        let tried = post.node.accounts.log_in(&login("eve@shop.test", PASSWORD, None), &from(200)).await;
        assert!(matches!(tried, Ok(LoggedIn::SecondFactor(_))), "{tried:?}");
    }
    // What is kept of passwords could be any of very many.
    let failed = memory.failed.lock().unwrap();
    assert!(failed.keys().any(|key| key.starts_with("password:") && key.len() == "password:".len() + 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mail_a_network_that_stuffs_credentials_waits() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    node.person("eve@shop.test", &[]).await;
    stuff(&node).await;
    for password in [PASSWORD, WRONG] {
        let tried = node.accounts.log_in(&login("eve@shop.test", password, None), &from(200)).await;
        assert!(matches!(tried, Err(AccountError::Paused(_))), "right or wrong: {tried:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_tells_why_logins_fail_and_when_pauses_begin() {
    let folder = tempfile::tempdir().unwrap();
    let post = Post::open(&sqlite(&folder), "sign_up: open, protection: { failures: 2, pause: 7min },").await;
    let (node, visit) = (&post.node, Visit::default());
    let (ada, bob) = (node.person("ada@shop.test", &[]).await, node.person("bob@shop.test", &[]).await);
    node.accounts.disable_person(&who(&bob), true, OPERATOR, &visit).await.unwrap();
    let new = NewPerson {
        email: "carol@shop.test".into(),
        name: "Carol".into(),
        password: Some(PASSWORD.into()),
        roles: vec![],
    };
    node.accounts.sign_up(new, &Visit::default()).await.unwrap();
    post.message("carol@shop.test").await;
    for (email, password, last) in [
        ("bob@shop.test", PASSWORD, 1),
        ("carol@shop.test", PASSWORD, 2),
        ("nobody@shop.test", PASSWORD, 3),
        ("ada@shop.test", WRONG, 4),
        ("ada@shop.test", WRONG, 5),
        ("ada@shop.test", PASSWORD, 6),
    ] {
        node.accounts.log_in(&login(email, password, None), &from(last)).await.unwrap_err();
    }
    let filter = AuditFilter { outcome: Some("refused".into()), limit: 100, ..AuditFilter::default() };
    let trail = node.accounts.audit_trail(&filter).await.unwrap();
    let reason = |entry: &AuditEntry| entry.details["reason"].as_str().unwrap().to_owned();
    let told: Vec<_> = trail.iter().rev().map(|entry| (entry.subject.as_str(), reason(entry))).collect();
    let expected = [
        ("bob@shop.test", "disabled"),
        ("carol@shop.test", "unverified"),
        ("nobody@shop.test", "unknown"),
        ("ada@shop.test", "wrong"),
        ("ada@shop.test", "wrong"),
        ("ada@shop.test", "paused"),
    ];
    assert_eq!(told, expected.map(|(subject, reason)| (subject, reason.to_owned())));
    let of_ada = trail.iter().filter(|entry| entry.details["account"] == ada.id.as_str());
    assert_eq!(of_ada.count(), 3, "an address leads to its account");
    let nobody = trail.iter().find(|entry| entry.subject == "nobody@shop.test").unwrap();
    assert_eq!(nobody.details.get("account"), None);
    let pauses = node.entries("login.pause", 1).await;
    assert_eq!((pauses.len(), pauses[0].subject.as_str()), (1, ada.email.as_str()));
    let details = &pauses[0].details;
    assert_eq!((&details["scope"], &details["seconds"]), (&json!("account"), &json!(420)));
    assert!(details["until"].as_i64().unwrap() > 0);
    assert_eq!(details["account"], ada.id.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_during_a_pause_do_not_fill_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    node.guess("ada@shop.test", None, 1).await;
    for _ in 0..200 {
        assert!(node.is_paused("ada@shop.test", None, 2).await);
    }
    let trail = node.accounts.audit(1000).await.unwrap();
    let paused = trail.iter().filter(|entry| entry.details["reason"] == "paused").count();
    // Sixty a minute, should this take longer than one.
    assert!((60..150).contains(&paused), "{paused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_right_for_no_such_organisation_leaves_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&sqlite(&folder)).await;
    let ada = node.person("ada@shop.test", &[]).await;
    let somewhere = Login { organization: Some("Nowhere".into()), ..login("ada@shop.test", PASSWORD, None) };
    let refused = node.accounts.log_in(&somewhere, &from(1)).await;
    assert!(matches!(refused, Err(AccountError::Missing(_))), "{refused:?}");
    let trail = node.entries("login", 1).await;
    assert_eq!((trail[0].subject.as_str(), trail[0].outcome.as_str()), ("ada@shop.test", "refused"));
    assert_eq!(trail[0].details, json!({ "reason": "organization", "account": ada.id.as_str() }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_but_the_one_that_asks_and_for_an_organisation() {
    let folder = tempfile::tempdir().unwrap();
    sessions_that_end(&sqlite(&folder)).await;
}

/// Also told to the suite of statements.
pub(crate) async fn sessions_that_end(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let ada = node.person("ada@shop.test", &[]).await;
    node.person("bob@shop.test", &[]).await;
    let (first, second) = (node.log_in("ada@shop.test").await, node.log_in("ada@shop.test").await);
    let stranger = node.log_in("bob@shop.test").await;
    accounts.revoke_other_sessions(&second, &visit).await.unwrap();
    assert!(node.is_refused(&first).await);
    node.enter(&second).await.unwrap();
    accounts.create_organization("Acme", OPERATOR, &visit).await.unwrap();
    accounts.add_role(Some("Acme"), &who(&ada), "viewer", OPERATOR, &visit).await.unwrap();
    let inside = node.log_in("ada@shop.test").await;
    accounts.revoke_sessions_for("Acme", OPERATOR, &visit).await.unwrap();
    assert!(node.is_refused(&inside).await);
    for kept in [&second, &stranger] {
        node.enter(kept).await.unwrap();
    }
}
