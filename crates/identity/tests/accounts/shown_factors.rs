//! What it is worth that a second factor was shown, for how long, and what it is not worth that one is there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bartizan_config::StoreLocation;
use bartizan_identity::{
    SessionToken,
    account::{AccountError, Methods, StepUp, Visit},
};
use bartizan_store::{Statement, Store};
use secrecy::SecretString;

use crate::{DOCUMENT, Node, PASSWORD, messages::from};

const NEW: &str = "quartz-Lantern-4-violet";

pub(crate) async fn what_was_shown(location: &StoreLocation) {
    a_password_renews_no_second_factor(location).await;
    a_factor_that_is_gone_proves_nothing(location).await;
    a_role_wants_its_factor_shown(location).await;
}

/// Writes into the row of a session what time or another gateway would.
async fn rewrite(node: &Node, location: &StoreLocation, token: &SessionToken, set: &'static str, to: i64) {
    let id = node.accounts.current_session(token).await.unwrap().id;
    let store = Store::open(location).await.unwrap().everywhere();
    assert_eq!(store.execute(Statement::new(set).text(id.as_str()).integer(to)).await.unwrap(), 1);
}

const PROVEN: &str = "UPDATE sessions SET proven_at = $2 WHERE id = $1";
const SHOWN: &str = "UPDATE sessions SET methods = 'pwd otp', proven_at = $2 WHERE id = $1";
const BY_PROVIDER: &str = "UPDATE sessions SET methods = 'provider', proven_at = $2 WHERE id = $1";

fn ago(minutes: u64) -> i64 {
    let at = SystemTime::now() - Duration::from_mins(minutes);
    i64::try_from(at.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Whoever has a cookie and the password chooses no other password, and gets no fresh session.
async fn a_password_renews_no_second_factor(location: &StoreLocation) {
    let node = Node::open(location).await;
    let accounts = &node.accounts;
    node.person("renews@shop.test", &[]).await;
    let token = node.log_in("renews@shop.test").await;
    let (old, new) = (SecretString::from(PASSWORD), SecretString::from(NEW));
    let (app, _) = node.enrol(&token).await;
    rewrite(&node, location, &token, PROVEN, ago(60)).await;
    let stolen = accounts.change_password(&token, &old, &new, &from(1)).await;
    assert!(matches!(stolen, Err(AccountError::StepUp)), "{stolen:?}");

    accounts.step_up(&token, &StepUp::Factor(app.now()), &from(1)).await.unwrap();
    let elsewhere = Visit { address: Some([198, 51, 100, 7].into()), ..Visit::default() };
    let stolen = accounts.change_password(&token, &old, &new, &elsewhere).await;
    assert!(matches!(stolen, Err(AccountError::StepUp)), "{stolen:?}");
    rewrite(&node, location, &token, PROVEN, ago(10)).await;
    let changed = accounts.change_password(&token, &old, &new, &from(1)).await.unwrap().token;
    let session = accounts.current_session(&changed).await.unwrap();
    assert!(session.methods.are_several());
    let age = session.proven.elapsed().unwrap();
    assert!(age >= Duration::from_mins(9), "the factor was shown then, and not again: {age:?}");

    // Whoever has no factor is proven by what they have just said.
    node.person("alone@shop.test", &[]).await;
    let token = node.log_in("alone@shop.test").await;
    rewrite(&node, location, &token, SHOWN, ago(60)).await;
    let changed = accounts.change_password(&token, &old, &new, &from(1)).await.unwrap().token;
    let session = accounts.current_session(&changed).await.unwrap();
    assert_eq!(session.methods, Methods::PASSWORD);
    assert!(session.proven.elapsed().unwrap() < Duration::from_mins(9));
}

async fn a_factor_that_is_gone_proves_nothing(location: &StoreLocation) {
    let node = Node::open(location).await;
    let accounts = &node.accounts;
    node.person("gone@shop.test", &[]).await;
    let (token, other) = (node.log_in("gone@shop.test").await, node.log_in("gone@shop.test").await);
    let (app, _) = node.enrol(&token).await;
    accounts.step_up(&other, &StepUp::Factor(app.now()), &from(1)).await.unwrap();
    node.enrol(&token).await;
    let methods = async |token: &SessionToken| accounts.current_session(token).await.unwrap().methods;
    let both = Methods::PASSWORD.and(Methods::ONE_TIME_CODE);
    for (left, expected) in [(1, both), (0, Methods::PASSWORD)] {
        let listed = accounts.factors(&token).await.unwrap().factors;
        accounts.remove_factor(&token, &listed[0].id, &from(1)).await.unwrap();
        assert_eq!(accounts.factors(&token).await.unwrap().factors.len(), left);
        for session in [&token, &other] {
            assert_eq!(methods(session).await, expected, "{left} left");
            let multi_factor = node.enter(session).await.unwrap().principal.multi_factor;
            assert_eq!(multi_factor, expected.are_several());
        }
    }

    rewrite(&node, location, &token, SHOWN, ago(60)).await;
    let proven = accounts.step_up(&token, &StepUp::Password(PASSWORD.into()), &from(1)).await.unwrap();
    assert_eq!(proven.methods, Methods::PASSWORD, "a password brings back nothing else");
}

/// Sessions that began without the factor: before it was enrolled, or at another provider.
async fn a_role_wants_its_factor_shown(location: &StoreLocation) {
    let policy = "accounts: { second_factor: { roles: [auditor], grace: 30d },";
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", policy)).await;
    let accounts = &node.accounts;
    node.person("shows@shop.test", &["auditor"]).await;
    node.person("asks-nobody@shop.test", &["viewer"]).await;
    let (token, older) = (node.log_in("shows@shop.test").await, node.log_in("shows@shop.test").await);
    let must_step_up = async |token: &SessionToken| node.enter(token).await.unwrap().proof.must_step_up;
    assert!(!must_step_up(&older).await, "there is time to enrol one");
    let (app, _) = node.enrol(&token).await;
    assert!(must_step_up(&older).await && !must_step_up(&token).await);
    let renamed = accounts.rename(&older, "Ada", &from(1)).await;
    assert!(matches!(renamed, Err(AccountError::StepUp)), "{renamed:?}");
    rewrite(&node, location, &older, BY_PROVIDER, ago(1)).await;
    accounts.step_up(&older, &StepUp::Factor(app.now()), &from(1)).await.unwrap();
    assert!(!must_step_up(&older).await);
    accounts.rename(&older, "Ada", &from(1)).await.unwrap();

    let free = node.log_in("asks-nobody@shop.test").await;
    let enrolled = node.log_in("asks-nobody@shop.test").await;
    node.enrol(&enrolled).await;
    assert!(!must_step_up(&free).await, "no role of theirs asks");
}
