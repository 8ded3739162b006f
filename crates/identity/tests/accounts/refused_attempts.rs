//! What those who are refused leave behind, and what they learn from the time that it took.

use bartizan_identity::account::{FactorKind, StepUp};
use bartizan_store::{Statement, Store};

use super::{
    factors::shown,
    messages::{Post, from},
    protection::{WRONG, login, sqlite},
    *,
};

/// The reasons of the refusals of this action, the oldest first.
async fn reasons(node: &Node, action: &str) -> Vec<String> {
    let trail = node.accounts.audit(1000).await.unwrap();
    let refused = trail.iter().rev().filter(|entry| entry.action == action && entry.outcome == "refused");
    refused.map(|entry| entry.details["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_of_every_kind_that_a_pause_refuses_are_in_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "sign_up: open, protection: { failures: 1 },";
    let post = Post::open(&sqlite(&folder), settings).await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    node.person("ada@shop.test", &[]).await;
    let token = node.log_in("ada@shop.test").await;
    for wrong in [WRONG, PASSWORD] {
        accounts.step_up(&token, &StepUp::Password(wrong.into()), &from(1)).await.unwrap_err();
    }
    assert_eq!(reasons(node, "session.step_up").await, ["wrong", "paused"]);

    node.person("bob@shop.test", &[]).await;
    let token = node.log_in("bob@shop.test").await;
    node.enrol(&token).await;
    for _ in 0..2 {
        let code = StepUp::Factor(shown(FactorKind::Totp, "000000"));
        accounts.step_up(&token, &code, &from(2)).await.unwrap_err();
    }
    assert_eq!(reasons(node, "session.step_up").await, ["wrong", "paused", "wrong", "paused"]);

    let new = NewPerson {
        email: "carol@shop.test".into(),
        name: "Carol".into(),
        password: Some(PASSWORD.into()),
        roles: vec![],
    };
    accounts.sign_up(new, &Visit::default()).await.unwrap();
    let link = post.token("carol@shop.test").await;
    for wrong in [WRONG, PASSWORD] {
        accounts.verify_email(&link, &wrong.into(), &from(3)).await.unwrap_err();
    }
    assert_eq!(reasons(node, "user.verify_email").await, ["wrong", "paused"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_that_nobody_had_time_for_are_in_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    // Every thread waits on the first attempts, and every place behind them is taken.
    let document = DOCUMENT.replace("7MiB", "64MiB");
    let node = Arc::new(Node::open_with(&sqlite(&folder), &document).await);
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..200 {
        let node = Arc::clone(&node);
        attempts.spawn(async move {
            let guess = login(&format!("user{number}@shop.test"), WRONG, None);
            let client = Visit { address: Some([10, 0, number, 1].into()), ..Visit::default() };
            matches!(node.accounts.log_in(&guess, &client).await, Err(AccountError::Busy))
        });
    }
    let busy = attempts.join_all().await.into_iter().filter(|is_busy| *is_busy).count();
    let told = reasons(&node, "login").await.iter().filter(|reason| *reason == "busy").count();
    assert!(busy > 0 && (busy.min(60)..=busy).contains(&told), "{told} of {busy}");
}

/// The shortest of some times, which neither a busy machine nor a cold cache makes longer.
async fn shortest<F: Future<Output = ()>>(mut attempt: impl FnMut(u8) -> F) -> Duration {
    let mut shortest = Duration::MAX;
    for number in 0..3 {
        let since = Instant::now();
        attempt(number).await;
        shortest = shortest.min(since.elapsed());
    }
    shortest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_is_told_by_its_time() {
    const FORGET: &str = "DELETE FROM password_credentials WHERE user_id = $1";
    let folder = tempfile::tempdir().unwrap();
    let location = sqlite(&folder);
    // A hash takes far longer than everything else that a login does.
    let document = DOCUMENT.replace("7MiB", "32MiB");
    let node = Node::open_with(&location, &document).await;
    node.person("ada@shop.test", &[]).await;
    let disabled = node.person("bob@shop.test", &[]).await;
    node.accounts.disable_person(&who(&disabled), true, OPERATOR, &Visit::default()).await.unwrap();
    let without = node.person("carol@shop.test", &[]).await;
    let store = Store::open(&location).await.unwrap().everywhere();
    store.execute(Statement::new(FORGET).text(without.id.as_str())).await.unwrap();

    let attempt = async |email: &str, password: &str, address: u8| {
        node.accounts.log_in(&login(email, password, None), &from(address)).await.unwrap_err();
    };
    let mut times = Vec::new();
    for (email, password, first) in [
        ("ada@shop.test", WRONG, 10),
        ("bob@shop.test", PASSWORD, 20),
        ("carol@shop.test", PASSWORD, 30),
        ("nobody@shop.test", PASSWORD, 40),
        ("no address", PASSWORD, 50),
    ] {
        times.push(shortest(|number| attempt(email, password, first + number)).await);
    }
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*most < *least * 3, "wrong, disabled, without a password, unknown, no address: {times:?}");
    // A pause looks at nothing, whoever is meant.
    for email in ["ada@shop.test", "nobody@shop.test"] {
        for number in 0..2 {
            attempt(email, WRONG, 60 + number).await;
        }
        let paused = shortest(|number| attempt(email, PASSWORD, 70 + number)).await;
        assert!(paused * 2 < *least, "{email}: {paused:?}, a hash takes {least:?}");
    }
}
