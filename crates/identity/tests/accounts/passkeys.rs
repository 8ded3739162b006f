//! Passkeys of people: as second factors, to prove oneself again, and to log in by nothing else.

use aws_lc_rs::rsa::KeySize;
use bartizan_identity::{
    account::{FactorKind, Methods, NewPasskey, PendingLogin, ShownPasskey, StepUp},
    passkey::Assertion,
};
use bartizan_store::{Statement, Store};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    authenticator::{Authenticator, BACKED_UP, BACKUP_ELIGIBLE, USER_PRESENT},
    messages::from,
    *,
};

const PASSKEYS: &str = "accounts: { passkeys: { id: shop.test },";

/// An authenticator that knows its person.
struct Holder {
    authenticator: Authenticator,
    handle: String,
}

impl Holder {
    fn shows(&mut self, challenge: &str) -> ShownPasskey {
        let signed = self.authenticator.sign(challenge);
        ShownPasskey {
            id: URL_SAFE_NO_PAD.encode(&self.authenticator.id),
            client_data: signed.client_data,
            assertion: Assertion {
                authenticator_data: signed.authenticator_data,
                signature: signed.signature,
            },
            user_handle: Some(self.handle.clone()),
            device: None,
        }
    }
}

impl Node {
    /// Registers a passkey.
    async fn holder(&self, token: &SessionToken) -> (Holder, Vec<SecretString>) {
        let creation = self.accounts.begin_passkey(token, &from(1)).await.unwrap();
        let authenticator = Authenticator::new();
        let new = new_passkey(&authenticator, &creation.challenge);
        let enrolled = self.accounts.enrol_passkey(token, &new, &from(1)).await.unwrap();
        (Holder { authenticator, handle: creation.user_handle }, enrolled.recovery_codes)
    }

    async fn waiting(&self, email: &str) -> PendingLogin {
        let login =
            Login { email: email.into(), password: PASSWORD.into(), organization: None, device: None };
        match self.accounts.log_in(&login, &from(200)).await.unwrap() {
            LoggedIn::SecondFactor(pending) => pending,
            LoggedIn::Session(session) => panic!("no second factor is asked for: {session:?}"),
        }
    }

    async fn complete_with(
        &self,
        pending: &PendingLogin,
        holder: &mut Holder,
    ) -> Result<NewSession, AccountError> {
        let request = self.accounts.begin_passkey_factor(pending.ticket.secret()).await?;
        let shown = holder.shows(&request.challenge);
        self.accounts.complete_login_by_passkey(pending.ticket.secret(), &shown, &from(200)).await
    }

    async fn sign_in(&self, holder: &mut Holder, last: u8) -> Result<NewSession, AccountError> {
        let (ticket, request) = self.accounts.begin_passkey_login().unwrap();
        assert!(request.allowed.is_empty(), "nobody is named");
        let shown = holder.shows(&request.challenge);
        self.accounts.log_in_by_passkey(ticket.secret(), &shown, None, &from(last)).await
    }
}

fn new_passkey(authenticator: &Authenticator, challenge: &str) -> NewPasskey {
    let (client_data, attestation_object) = authenticator.register(challenge);
    let transports = vec!["usb".to_owned(), "<script>".to_owned(), "hybrid".to_owned()];
    NewPasskey { name: "key".into(), client_data, attestation_object, transports }
}

/// As a second factor, from the registration to the removal.
async fn beside_the_password(location: &StoreLocation) {
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", PASSKEYS)).await;
    let accounts = &node.accounts;
    node.person("key@shop.test", &[]).await;
    node.person("other@shop.test", &[]).await;
    let token = node.log_in("key@shop.test").await;
    let creation = accounts.begin_passkey(&token, &from(1)).await.unwrap();
    let handle = URL_SAFE_NO_PAD.decode(&creation.user_handle).unwrap();
    assert_eq!(handle.len(), 32);
    assert!(!creation.user_handle.contains("key") && creation.known.is_empty());
    let (mut holder, paper) = node.holder(&token).await;
    assert_eq!(paper.len(), 10, "it is the first factor");
    assert!(node.enter(&token).await.unwrap().principal.multi_factor, "it was just shown");
    let again = accounts.begin_passkey(&token, &from(1)).await.unwrap();
    assert_eq!(again.user_handle, holder.handle, "one for all passkeys of a person");
    assert_eq!(again.known[0].transports, ["usb", "hybrid"]);

    // A challenge is for one session, and good once; a credential is one person's.
    let other = node.log_in("other@shop.test").await;
    let foreign = new_passkey(&Authenticator::rsa(KeySize::Rsa2048), &again.challenge);
    let foreign = accounts.enrol_passkey(&other, &foreign, &from(1)).await;
    assert!(matches!(foreign, Err(AccountError::Passkey(_))), "{foreign:?}");
    let mut second = Authenticator::ed25519();
    second.flags |= BACKUP_ELIGIBLE | BACKED_UP;
    let second = new_passkey(&second, &again.challenge);
    accounts.enrol_passkey(&token, &second, &from(1)).await.unwrap();
    let replayed = accounts.enrol_passkey(&token, &second, &from(1)).await;
    assert!(matches!(replayed, Err(AccountError::Passkey(_))), "{replayed:?}");
    let creation = accounts.begin_passkey(&other, &from(1)).await.unwrap();
    let same_key = new_passkey(&holder.authenticator, &creation.challenge);
    let refused = accounts.enrol_passkey(&other, &same_key, &from(1)).await;
    assert!(matches!(refused, Err(AccountError::Taken(_))), "{refused:?}");

    let pending = node.waiting("key@shop.test").await;
    assert_eq!(pending.factors, [FactorKind::Passkey, FactorKind::RecoveryCode]);
    let request = accounts.begin_passkey_factor(pending.ticket.secret()).await.unwrap();
    assert_eq!(request.allowed.len(), 2);
    let entered = node.complete_with(&pending, &mut holder).await.unwrap();
    let session = accounts.current_session(&entered.token).await.unwrap();
    assert_eq!(session.methods, Methods::PASSWORD.and(Methods::VERIFIED_PASSKEY));
    assert_eq!(session.methods.names(), ["pwd", "pop", "user", "mfa"]);
    // Beside the password, it is enough that somebody is there.
    holder.authenticator.flags = USER_PRESENT;
    let pending = node.waiting("key@shop.test").await;
    let present = node.complete_with(&pending, &mut holder).await.unwrap();
    assert!(accounts.current_session(&present.token).await.unwrap().methods.are_several());
    let alone = node.sign_in(&mut holder, 200).await;
    assert!(matches!(alone, Err(AccountError::WrongPasskey)), "{alone:?}");

    // Of the same answer twice at once, one counts.
    let pending = node.waiting("key@shop.test").await;
    let request = accounts.begin_passkey_factor(pending.ticket.secret()).await.unwrap();
    let shown = holder.shows(&request.challenge);
    let visit = from(200);
    let complete = || accounts.complete_login_by_passkey(pending.ticket.secret(), &shown, &visit);
    let (one, other) = tokio::join!(complete(), complete());
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");

    let token = entered.token;
    let listed = accounts.factors(&token).await.unwrap();
    assert_eq!((listed.factors.len(), listed.factors[0].name.as_str()), (2, "key"));
    assert!(listed.factors[0].used.is_some() && listed.factors[1].used.is_none());
    let key = &listed.factors[0].id;
    accounts.rename_factor(&token, key, " desk ", &from(200)).await.unwrap();
    assert_eq!(accounts.factors(&token).await.unwrap().factors[0].name, "desk");
    let strangers = node.person("stranger@shop.test", &[]).await;
    let stranger = node.log_in(strangers.email.as_str()).await;
    for (token, id) in [(&stranger, key), (&token, &"nonsense".to_owned())] {
        let refused = accounts.rename_factor(token, id, "mine", &from(200)).await.unwrap_err();
        assert!(matches!(refused, AccountError::Missing(_)), "{refused}");
    }
    accounts.remove_factor(&token, key, &from(200)).await.unwrap();
    let pending = node.waiting("key@shop.test").await;
    let removed = node.complete_with(&pending, &mut holder).await;
    assert!(matches!(removed, Err(AccountError::WrongPasskey)), "{removed:?}");
}

/// Alone: who it is, the passkey says.
async fn instead_of_the_password(location: &StoreLocation) {
    let document = DOCUMENT.replace("accounts: {", PASSKEYS);
    let (node, elsewhere) =
        (Node::open_with(location, &document).await, Node::open_with(location, &document).await);
    let accounts = &node.accounts;
    let ada = node.person("alone@shop.test", &[]).await;
    let (mut holder, _) = node.holder(&node.log_in("alone@shop.test").await).await;
    // Begun at one gateway, completed at another.
    let (ticket, request) = accounts.begin_passkey_login().unwrap();
    let shown = holder.shows(&request.challenge);
    let entered =
        elsewhere.accounts.log_in_by_passkey(ticket.secret(), &shown, None, &from(1)).await.unwrap();
    let identified = node.enter(&entered.token).await.unwrap();
    assert_eq!(identified.principal.id.as_str(), ada.id.as_str());
    assert!(identified.principal.multi_factor, "what they have, and who they are");
    let replayed = accounts.log_in_by_passkey(ticket.secret(), &shown, None, &from(1)).await;
    assert!(matches!(replayed, Err(AccountError::WrongPasskey)), "{replayed:?}");

    // A challenge is for its own attempt, a passkey for its own person.
    let (ticket, _) = accounts.begin_passkey_login().unwrap();
    let (_, request) = accounts.begin_passkey_login().unwrap();
    let shown = holder.shows(&request.challenge);
    let crossed = accounts.log_in_by_passkey(ticket.secret(), &shown, None, &from(2)).await;
    assert!(matches!(crossed, Err(AccountError::WrongPasskey)), "{crossed:?}");
    for handle in [None, Some("AAAA".to_owned())] {
        let (ticket, request) = accounts.begin_passkey_login().unwrap();
        let shown = ShownPasskey { user_handle: handle, ..holder.shows(&request.challenge) };
        let refused = accounts.log_in_by_passkey(ticket.secret(), &shown, None, &from(3)).await;
        assert!(matches!(refused, Err(AccountError::WrongPasskey)), "{refused:?}");
    }
    let mut unknown = Holder { authenticator: Authenticator::new(), handle: holder.handle.clone() };
    let refused = node.sign_in(&mut unknown, 4).await;
    assert!(matches!(refused, Err(AccountError::WrongPasskey)), "{refused:?}");

    // Whoever may not enter gets the same answer.
    accounts.disable_person(&who(&ada), true, OPERATOR, &Visit::default()).await.unwrap();
    let refused = node.sign_in(&mut holder, 5).await;
    assert!(matches!(refused, Err(AccountError::WrongPasskey)), "{refused:?}");
    accounts.disable_person(&who(&ada), false, OPERATOR, &Visit::default()).await.unwrap();
    node.sign_in(&mut holder, 6).await.unwrap();
}

/// An authenticator that was copied: the one that counts less gives it away.
async fn a_copy(location: &StoreLocation) {
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", PASSKEYS)).await;
    let ada = node.person("copy@shop.test", &[]).await;
    let (mut holder, _) = node.holder(&node.log_in("copy@shop.test").await).await;
    holder.authenticator.sign_count = 40;
    node.sign_in(&mut holder, 1).await.unwrap();
    holder.authenticator.sign_count = 12;
    let copied = node.sign_in(&mut holder, 1).await;
    assert!(matches!(copied, Err(AccountError::WrongPasskey)), "{copied:?}");
    let trail = node.accounts.audit(1000).await.unwrap();
    let entry = trail.iter().find(|entry| entry.action == "factor.counter").unwrap();
    assert_eq!((entry.outcome.as_str(), entry.subject.as_str()), ("refused", ada.id.as_str()));
    assert_eq!((&entry.details["before"], &entry.details["after"]), (&40.into(), &12.into()));
    holder.authenticator.sign_count = 41;
    node.sign_in(&mut holder, 1).await.unwrap();
}

/// Wrong passkeys pause passkeys, and nothing else.
async fn failures_count_apart(location: &StoreLocation) {
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", PASSKEYS)).await;
    node.person("apart@shop.test", &[]).await;
    let (mut holder, paper) = node.holder(&node.log_in("apart@shop.test").await).await;
    let mut forger = Holder { authenticator: Authenticator::new(), handle: holder.handle.clone() };
    forger.authenticator.id.clone_from(&holder.authenticator.id);
    let mut wrong = 0;
    while let Err(AccountError::WrongPasskey) = node.sign_in(&mut forger, 9).await {
        wrong += 1;
        assert!(wrong <= 5, "guessing goes on");
    }
    let paused = node.sign_in(&mut holder, 9).await;
    assert!(matches!(paused, Err(AccountError::Paused(_))), "{paused:?}");
    let pending = node.waiting("apart@shop.test").await;
    let shown = bartizan_identity::account::ShownFactor {
        kind: FactorKind::RecoveryCode,
        code: paper[0].clone(),
        device: None,
    };
    node.accounts.complete_login(pending.ticket.secret(), &shown, &from(9)).await.unwrap();
}

/// A role that asks for a second factor, and a session that is asked again.
async fn where_a_factor_is_asked_for(location: &StoreLocation) {
    let roles = format!("{PASSKEYS} second_factor: {{ roles: [auditor], grace: 0s }},");
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", &roles)).await;
    let (accounts, store) = (&node.accounts, Store::open(location).await.unwrap());
    node.person("role@shop.test", &["auditor"]).await;
    let token = node.log_in("role@shop.test").await;
    assert!(node.enter(&token).await.unwrap().proof.must_enrol);
    let (mut holder, _) = node.holder(&token).await;
    assert!(!node.enter(&token).await.unwrap().proof.must_enrol);
    let id = accounts.current_session(&token).await.unwrap().id;
    let age = "UPDATE sessions SET proven_at = 1000 WHERE id = $1";
    store.everywhere().execute(Statement::new(age).text(id.as_str())).await.unwrap();
    assert!(matches!(accounts.begin_passkey(&token, &from(1)).await, Err(AccountError::StepUp)));
    let request = accounts.begin_passkey_step_up(&token).await.unwrap();
    let shown = holder.shows(&request.challenge);
    let proven = accounts.step_up(&token, &StepUp::Passkey(shown), &from(1)).await.unwrap();
    assert!(proven.proven.elapsed().unwrap() < Duration::from_mins(1) && proven.methods.are_several());
    accounts.begin_passkey(&token, &from(1)).await.unwrap();
    // One that was given for a login is none for this.
    let (_, request) = accounts.begin_passkey_login().unwrap();
    let shown = holder.shows(&request.challenge);
    let refused = accounts.step_up(&token, &StepUp::Passkey(shown), &from(1)).await;
    assert!(matches!(refused, Err(AccountError::WrongPasskey)), "{refused:?}");
}

pub(crate) async fn passkeys(location: &StoreLocation) {
    beside_the_password(location).await;
    instead_of_the_password(location).await;
    a_copy(location).await;
    failures_count_apart(location).await;
    where_a_factor_is_asked_for(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkeys_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    passkeys(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkeys_on_postgres() {
    let server = PostgresServer::start();
    passkeys(&server.url().parse().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_relying_party_there_are_no_passkeys() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::open(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
    node.person("none@shop.test", &[]).await;
    let token = node.log_in("none@shop.test").await;
    assert!(matches!(node.accounts.begin_passkey_login(), Err(AccountError::PasskeysOff)));
    assert!(matches!(node.accounts.begin_passkey(&token, &from(1)).await, Err(AccountError::PasskeysOff)));
}
