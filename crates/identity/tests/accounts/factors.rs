//! Second factors, and sessions whose people are asked again.

use std::time::SystemTime;

use bartizan_identity::{
    Visitor,
    account::{EnrolledTotp, FactorKind, Methods, PendingLogin, ShownFactor, StepUp},
    second_factor::totp::{Totp, TotpSecret},
};
use bartizan_store::{Statement, Store};
use http::HeaderMap;

use super::{
    messages::{Post, from},
    *,
};

const STEP: Duration = Duration::from_secs(30);

/// An authenticator app. A code is good once, so each use needs one of another step.
pub(crate) struct App(TotpSecret);

impl App {
    fn new(enrolled: &EnrolledTotp) -> Self {
        let bits = enrolled.secret.expose_secret().bytes().fold(Vec::new(), |mut bits, digit| {
            let value = if digit.is_ascii_digit() { digit - b'2' + 26 } else { digit - b'A' };
            bits.extend((0..5).rev().map(|bit| value >> bit & 1));
            bits
        });
        let bytes: Vec<u8> =
            bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
        Self(TotpSecret::from_bytes(&bytes).unwrap())
    }

    fn earlier(&self) -> ShownFactor {
        self.at(SystemTime::now() - STEP)
    }

    pub(crate) fn now(&self) -> ShownFactor {
        self.at(SystemTime::now())
    }

    pub(crate) fn later(&self) -> ShownFactor {
        self.at(SystemTime::now() + STEP)
    }

    fn at(&self, moment: SystemTime) -> ShownFactor {
        shown(FactorKind::Totp, &Totp::default().code(&self.0, moment))
    }
}

pub(crate) fn shown(kind: FactorKind, code: &str) -> ShownFactor {
    ShownFactor { kind, code: code.into(), device: None }
}

impl Node {
    async fn pending(&self, email: &str) -> PendingLogin {
        let login =
            Login { email: email.into(), password: PASSWORD.into(), organization: None, device: None };
        match self.accounts.log_in(&login, &from(200)).await.unwrap() {
            LoggedIn::SecondFactor(pending) => pending,
            LoggedIn::Session(session) => panic!("no second factor is asked for: {session:?}"),
        }
    }

    async fn complete(
        &self,
        pending: &PendingLogin,
        shown: &ShownFactor,
    ) -> Result<NewSession, AccountError> {
        self.accounts.complete_login(pending.ticket.secret(), shown, &from(200)).await
    }

    /// Enrols an app with a code of the step before this one.
    pub(crate) async fn enrol(&self, token: &SessionToken) -> (App, Vec<SecretString>) {
        let enrolled = self.accounts.enrol_totp(token, "phone", &from(1)).await.unwrap();
        let app = App::new(&enrolled);
        let code = app.earlier().code;
        let codes = self.accounts.confirm_factor(token, &enrolled.id, &code, &from(1)).await.unwrap();
        (app, codes)
    }
}

/// Whatever happens to an app and to codes on paper.
async fn an_app_and_paper(location: &StoreLocation) {
    let node = Node::open(location).await;
    let accounts = &node.accounts;
    let ada = node.person("app@shop.test", &[]).await;
    let token = node.log_in("app@shop.test").await;
    assert!(!node.enter(&token).await.unwrap().principal.multi_factor);

    let enrolled = accounts.enrol_totp(&token, "phone", &from(1)).await.unwrap();
    assert!(enrolled.uri.expose_secret().starts_with("otpauth://totp/Bartizan:app%40shop.test?secret="));
    assert!(enrolled.qr.expose_secret().contains("<svg"));
    let wrong = accounts.confirm_factor(&token, &enrolled.id, &"000000x".into(), &from(1)).await;
    assert!(matches!(wrong, Err(AccountError::WrongCode)));
    // One that was never confirmed is asked for by no login.
    node.log_in("app@shop.test").await;
    let (app, paper) = node.enrol(&token).await;
    assert_eq!(paper.len(), 10);
    assert!(node.enter(&token).await.unwrap().principal.multi_factor, "it was just shown");

    let pending = node.pending("app@shop.test").await;
    assert_eq!(pending.factors, [FactorKind::Totp, FactorKind::RecoveryCode]);
    let replayed = node.complete(&pending, &app.earlier()).await;
    assert!(matches!(replayed, Err(AccountError::WrongCode)), "a code is good once");
    let (one, other) = (app.now(), app.now());
    let (one, other) = tokio::join!(node.complete(&pending, &one), node.complete(&pending, &other));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
    let entered = one.or(other).unwrap();
    assert_eq!(
        accounts.current_session(&entered.token).await.unwrap().methods,
        Methods::PASSWORD.and(Methods::ONE_TIME_CODE)
    );
    let again = node.complete(&pending, &app.later()).await;
    assert!(matches!(again, Err(AccountError::Ticket)), "a ticket is good once");
    // Codes on paper, typed as people do.
    let typed = paper[0].expose_secret().to_lowercase().replace('-', " ");
    let pending = node.pending("app@shop.test").await;
    let token = node.complete(&pending, &shown(FactorKind::RecoveryCode, &typed)).await.unwrap().token;
    let pending = node.pending("app@shop.test").await;
    let used = node.complete(&pending, &shown(FactorKind::RecoveryCode, &typed)).await;
    assert!(matches!(used, Err(AccountError::WrongCode)));
    assert_eq!(accounts.factors(&token).await.unwrap().recovery_codes, 9);

    // Failures of one factor pause that one only.
    let mut wrong = 0;
    while let Err(AccountError::WrongCode) = node.complete(&pending, &shown(FactorKind::Totp, "000000")).await
    {
        wrong += 1;
        assert!(wrong <= 5, "guessing goes on");
    }
    let paused = node.complete(&pending, &app.later()).await;
    assert!(matches!(paused, Err(AccountError::Paused(_))), "{paused:?}");
    let pending = node.pending("app@shop.test").await;
    let paper = shown(FactorKind::RecoveryCode, paper[1].expose_secret());
    let token = node.complete(&pending, &paper).await.unwrap().token;

    // Removed by its owner; then nobody asks.
    let listed = accounts.factors(&token).await.unwrap();
    assert_eq!((listed.factors.len(), listed.factors[0].name.as_str()), (1, "phone"));
    let renewed = accounts.renew_recovery_codes(&token, &from(1)).await.unwrap();
    assert_eq!(renewed.len(), 10);
    accounts.remove_factor(&token, &listed.factors[0].id, &from(1)).await.unwrap();
    assert_eq!(accounts.factors(&token).await.unwrap().recovery_codes, 0);
    let token = node.log_in("app@shop.test").await;
    node.enrol(&token).await;
    // Reset by an operator, for whoever has lost everything.
    accounts.reset_factors(&who(&ada), OPERATOR, &Visit::default()).await.unwrap();
    assert!(node.is_refused(&token).await);
    node.log_in("app@shop.test").await;
    let trail = accounts.audit(1000).await.unwrap();
    for (action, outcome) in [
        ("factor.add", "refused"),
        ("factor.add", "done"),
        ("login.password", "done"),
        ("login", "refused"),
        ("factor.remove", "done"),
        ("factor.renew_recovery_codes", "done"),
        ("user.reset_factors", "done"),
    ] {
        assert!(
            trail.iter().any(|entry| (entry.action.as_str(), entry.outcome.as_str()) == (action, outcome)),
            "{action} {outcome}"
        );
    }
}

/// Codes by e-mail.
async fn codes_by_mail(location: &StoreLocation) {
    let post = Post::open(location, "").await;
    let (node, accounts) = (&post.node, &post.node.accounts);
    node.person("mail@shop.test", &[]).await;
    let token = node.log_in("mail@shop.test").await;
    let id = accounts.enrol_email(&token, &from(1)).await.unwrap();
    let code = code_in(&post.message("mail@shop.test").await);
    accounts.confirm_factor(&token, &id, &code.as_str().into(), &from(1)).await.unwrap();
    assert!(post.message("mail@shop.test").await.contains("factors of your account were changed"));
    assert!(matches!(accounts.enrol_email(&token, &from(1)).await, Err(AccountError::Taken(_))));
    let pending = node.pending("mail@shop.test").await;
    assert_eq!(pending.factors, [FactorKind::Email, FactorKind::RecoveryCode]);
    let old = node.complete(&pending, &shown(FactorKind::Email, &code)).await;
    assert!(matches!(old, Err(AccountError::WrongCode)));
    accounts.send_login_code(pending.ticket.secret()).await.unwrap();
    let code = code_in(&post.message("mail@shop.test").await);
    // A second one is not sent at once.
    accounts.send_login_code(pending.ticket.secret()).await.unwrap();
    post.is_silent("mail@shop.test").await;
    node.complete(&pending, &shown(FactorKind::Email, &code)).await.unwrap();
    // Three an hour, besides what strangers can have sent there.
    for _ in 0..3 {
        accounts.forgot_password("mail@shop.test", None, &from(1)).await.unwrap();
        post.message("mail@shop.test").await;
    }
    let pending = node.pending("mail@shop.test").await;
    accounts.send_login_code(pending.ticket.secret()).await.unwrap();
    let code = code_in(&post.message("mail@shop.test").await);
    node.complete(&pending, &shown(FactorKind::Email, &code)).await.unwrap();
    let pending = node.pending("mail@shop.test").await;
    let fourth = accounts.send_login_code(pending.ticket.secret()).await;
    assert!(matches!(fourth, Err(AccountError::TooManyMessages)), "{fourth:?}");
}

/// Another key takes the place of one, and the apps that are enrolled stay.
async fn the_key_of_factors_changes(location: &StoreLocation) {
    const READ: &str = "SELECT secret FROM second_factors WHERE user_id = $1";
    let store = Store::open(location).await.unwrap();
    let open = async |keys: &str| {
        let settings = format!("accounts: {{ second_factor: {{ key: {keys} }},");
        Node::open_with(location, &DOCUMENT.replace("accounts: {", &settings)).await
    };
    let (old, new) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    let first = open(old).await;
    let person = first.person("rekeyed@shop.test", &[]).await;
    let (app, _) = first.enrol(&first.log_in("rekeyed@shop.test").await).await;
    let sealed = async || {
        let row = store.row(Statement::new(READ).text(person.id.as_str())).await.unwrap().unwrap();
        row.text("secret").unwrap()
    };
    let before = sealed().await;
    let _both = open(&format!("[{new}, {old}]")).await;
    soon("it is never encrypted anew", async || sealed().await != before).await;
    let last = open(new).await;
    let token = last.complete(&last.pending("rekeyed@shop.test").await, &app.later()).await.unwrap().token;
    last.enter(&token).await.unwrap();
}

pub(crate) fn code_in(message: &str) -> String {
    let (_, rest) = message.split_once("Your code is ").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

/// Roles that ask for a second factor.
async fn roles_ask(location: &StoreLocation) {
    let with = |grace: &str| {
        let policy = format!("accounts: {{ second_factor: {{ roles: [auditor], grace: {grace} }},");
        DOCUMENT.replace("accounts: {", &policy)
    };
    let node = Node::open_with(location, &with("30d")).await;
    node.person("asked@shop.test", &["auditor"]).await;
    node.person("free@shop.test", &["viewer"]).await;
    let token = node.log_in("asked@shop.test").await;
    let due = node.accounts.current_session(&token).await.unwrap().second_factor_due.unwrap();
    let ahead = due.duration_since(SystemTime::now()).unwrap();
    assert!(ahead > Duration::from_hours(29 * 24) && ahead <= Duration::from_hours(30 * 24), "{ahead:?}");
    assert!(!node.enter(&token).await.unwrap().proof.must_enrol);
    let free = node.log_in("free@shop.test").await;
    assert_eq!(node.accounts.current_session(&free).await.unwrap().second_factor_due, None);

    // The time is over: nothing but the enrolment is left.
    let node = Node::open_with(location, &with("0s")).await;
    assert!(node.enter(&token).await.unwrap().proof.must_enrol);
    assert!(!node.enter(&free).await.unwrap().proof.must_enrol);
    let renamed = node.accounts.rename(&token, "Ada", &from(1)).await;
    assert!(matches!(renamed, Err(AccountError::MustEnrol)));
    node.enrol(&token).await;
    assert!(!node.enter(&token).await.unwrap().proof.must_enrol);
    node.accounts.rename(&token, "Ada", &from(1)).await.unwrap();
}

/// Proven long ago, proven again.
async fn people_are_asked_again(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, store) = (&node.accounts, Store::open(location).await.unwrap().everywhere());
    node.person("again@shop.test", &[]).await;
    let token = node.log_in("again@shop.test").await;
    let age = async |token: &SessionToken| {
        let id = accounts.current_session(token).await.unwrap().id;
        let age = "UPDATE sessions SET proven_at = 1000 WHERE id = $1";
        store.execute(Statement::new(age).text(id.as_str())).await.unwrap();
    };
    age(&token).await;
    assert!(matches!(accounts.enrol_totp(&token, "phone", &from(1)).await, Err(AccountError::StepUp)));
    let wrong = accounts.step_up(&token, &StepUp::Password("wrong-wrong-wrong".into()), &from(1)).await;
    assert!(matches!(wrong, Err(AccountError::WrongCredentials)));
    let before = SystemTime::now() - Duration::from_secs(1);
    let proven = accounts.step_up(&token, &StepUp::Password(PASSWORD.into()), &from(1)).await.unwrap();
    assert!(proven.proven >= before && proven.methods == Methods::PASSWORD);
    let (app, _) = node.enrol(&token).await;
    // From now on the password is not enough.
    age(&token).await;
    let weak = accounts.step_up(&token, &StepUp::Password(PASSWORD.into()), &from(1)).await;
    assert!(matches!(weak, Err(AccountError::StepUp)));
    let proven = accounts.step_up(&token, &StepUp::Factor(app.now()), &from(1)).await.unwrap();
    assert!(proven.proven >= before && proven.methods.are_several());
    let identified = node.enter(&token).await.unwrap();
    assert!(identified.principal.multi_factor && identified.proof.at.unwrap() >= before);
}

/// A session that turns up in another network is marked, on every gateway, until its person is proven.
async fn a_session_moves(location: &StoreLocation) {
    let (one, other) = (Node::open(location).await, Node::open(location).await);
    one.person("moves@shop.test", &[]).await;
    let login = Login {
        email: "moves@shop.test".into(),
        password: PASSWORD.into(),
        organization: None,
        device: None,
    };
    let token = session(one.accounts.log_in(&login, &from(1)).await.unwrap()).token;
    let headers = HeaderMap::new();
    let from_there =
        |address: [u8; 4]| Visitor { address: address.into(), headers: &headers, request_id: "there" };
    let has_moved = |identified: &Identified| identified.proof.home.as_ref().unwrap().has_moved();
    let at_home = one.enter(&token).await.unwrap();
    one.authenticator.follow(&at_home, from_there([192, 0, 2, 99]));
    assert!(!has_moved(&at_home));
    other.enter(&token).await.unwrap();
    one.authenticator.follow(&at_home, from_there([198, 51, 100, 7]));
    assert!(has_moved(&at_home), "at once where it is seen");
    soon("the other gateway never heard of it", async || has_moved(&other.enter(&token).await.unwrap()))
        .await;
    let stolen = one.accounts.enrol_totp(&token, "phone", &from(1)).await;
    assert!(matches!(stolen, Err(AccountError::StepUp)));
    let there = Visit { address: Some([198, 51, 100, 7].into()), ..Visit::default() };
    one.accounts.step_up(&token, &StepUp::Password(PASSWORD.into()), &there).await.unwrap();
    let identified = one.enter(&token).await.unwrap();
    one.authenticator.follow(&identified, from_there([198, 51, 100, 8]));
    assert!(!has_moved(&identified), "it is at home there now");
    one.authenticator.follow(&identified, from_there([192, 0, 2, 1]));
    assert!(!has_moved(&identified), "and still where it began");
    let trail = one.accounts.audit(1000).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.action == "session.moved").count(), 1);
}

/// Whoever starts the gateway first.
async fn a_first_administrator(location: &StoreLocation) {
    let (one, other) = (Node::open(location).await, Node::open(location).await);
    let offer = async |node: &Node| node.accounts.offer_first_administrator().await.unwrap();
    let (first, second) = (offer(&one).await.unwrap(), offer(&other).await.unwrap());
    let create = async |node: &Node, token: &SecretString, email: &str, password: &str| {
        let password = Some(password.into());
        let new = NewPerson { email: email.into(), name: "Ada".into(), password, roles: vec![] };
        node.accounts.create_first_administrator(token, new, &from(1)).await
    };
    let weak = create(&one, first.secret(), "a@shop.test", "short").await;
    assert!(matches!(weak, Err(AccountError::WeakPassword(_))));
    let guess = create(&one, &"A".repeat(43).into(), "a@shop.test", PASSWORD).await;
    assert!(matches!(guess, Err(AccountError::Link)));
    // Of two at once, one is the first.
    let (made, late) = tokio::join!(
        create(&one, first.secret(), "a@shop.test", PASSWORD),
        create(&other, second.secret(), "b@shop.test", PASSWORD),
    );
    assert_eq!(usize::from(made.is_ok()) + usize::from(late.is_ok()), 1, "{made:?} {late:?}");
    let session = made.or(late).unwrap();
    assert_eq!(one.enter(&session.token).await.unwrap().grants, "*:*");
    assert_eq!(one.accounts.people(&Page::default()).await.unwrap().items.len(), 1);
    assert!(offer(&one).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factors_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    second_factors(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_factors_on_postgres() {
    let server = PostgresServer::start();
    second_factors(&server.url().parse().unwrap()).await;
}

pub(crate) async fn second_factors(location: &StoreLocation) {
    a_first_administrator(location).await;
    an_app_and_paper(location).await;
    Box::pin(codes_by_mail(location)).await;
    roles_ask(location).await;
    people_are_asked_again(location).await;
    Box::pin(the_key_of_factors_changes(location)).await;
    a_session_moves(location).await;
    Box::pin(shown_factors::what_was_shown(location)).await;
}

/// The key of the configuration opens what it sealed; another one does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_of_apps_are_sealed_by_the_key_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let with = |key: &str| {
        DOCUMENT.replace(
            "accounts: {",
            &format!("accounts: {{ second_factor: {{ key: \"{}\" }},", key.repeat(32)),
        )
    };
    let node = Node::open_with(&location, &with("a")).await;
    node.person("sealed@shop.test", &[]).await;
    let token = node.log_in("sealed@shop.test").await;
    let (app, _) = node.enrol(&token).await;
    let secret = Store::open(&location).await.unwrap().everywhere();
    let secret = secret.row(Statement::new("SELECT secret FROM second_factors")).await.unwrap().unwrap();
    assert!(!secret.text("secret").unwrap().contains(app.0.base32().expose_secret()));
    let other = Node::open_with(&location, &with("b")).await;
    let pending = other.pending("sealed@shop.test").await;
    let unreadable = other.complete(&pending, &app.now()).await;
    assert!(matches!(unreadable, Err(AccountError::Store(_))), "no failure of the person");
    node.complete(&pending, &app.now()).await.unwrap();
}
