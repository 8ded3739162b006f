//! Codes by SMS, through a webhook.

use std::sync::Mutex;

use aws_lc_rs::hmac;
use bartizan_identity::account::{FactorKind, Methods, PendingLogin, ShownFactor};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{messages::from, *};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What takes messages to telephones.
struct Webhook {
    url: String,
    posts: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answer: Arc<Mutex<StatusCode>>,
}

impl Webhook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/sms", listener.local_addr().unwrap());
        let (posts, answer) = (Arc::default(), Arc::new(Mutex::new(StatusCode::ACCEPTED)));
        let webhook = Self { url, posts: Arc::clone(&posts), answer: Arc::clone(&answer) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (posts, answer) = (Arc::clone(&posts), Arc::clone(&answer));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (posts, answer) = (Arc::clone(&posts), Arc::clone(&answer));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        posts.lock().unwrap().push((head.headers, body));
                        let mut response = Response::new(Full::<Bytes>::default());
                        *response.status_mut() = *answer.lock().unwrap();
                        Ok::<_, hyper::Error>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        webhook
    }

    fn settings(&self) -> String {
        format!("accounts: {{ sms: {{ webhook: \"{}\", secret: \"{SECRET}\" }},", self.url)
    }

    /// The one message that came: to whom, and the code in it.
    fn message(&self) -> (String, String) {
        let mut posts = self.posts.lock().unwrap();
        assert_eq!(posts.len(), 1, "{posts:?}");
        let (headers, body) = posts.remove(0);
        self.check_signature(&headers, &body);
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = message["text"].as_str().unwrap();
        assert!(text.ends_with("is your code for Bartizan. It is good for 10 minutes."), "{text}");
        (message["to"].as_str().unwrap().into(), text.split(' ').next().unwrap().into())
    }

    /// By RFC 9421, section 3.2, written out.
    fn check_signature(&self, headers: &HeaderMap, body: &[u8]) {
        let header = |name: &str| headers[name].to_str().unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
        assert!(header("content-digest").contains(&STANDARD.encode(digest)), "{headers:?}");
        let parameters = header("signature-input").strip_prefix("bartizan=").unwrap();
        assert!(parameters.starts_with(r#"("@method" "@target-uri" "content-type" "content-digest")"#));
        assert!(
            parameters.contains(r#"keyid="bartizan""#) && parameters.contains("created="),
            "{parameters}"
        );
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {}\n\"content-type\": application/json\n\
             \"content-digest\": {}\n\"@signature-params\": {parameters}",
            self.url,
            header("content-digest"),
        );
        let signature = header("signature").strip_prefix("bartizan=:").unwrap().trim_end_matches(':');
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::verify(&key, base.as_bytes(), &STANDARD.decode(signature).unwrap()).expect("it is signed");
    }
}

async fn pending(node: &Node, email: &str) -> PendingLogin {
    let login = Login { email: email.into(), password: PASSWORD.into(), organization: None, device: None };
    match node.accounts.log_in(&login, &from(200)).await.unwrap() {
        LoggedIn::SecondFactor(pending) => pending,
        LoggedIn::Session(session) => panic!("no second factor is asked for: {session:?}"),
    }
}

fn sms(code: &str) -> ShownFactor {
    ShownFactor { kind: FactorKind::Sms, code: code.into(), device: None }
}

async fn codes_by_sms(location: &StoreLocation) {
    let webhook = Webhook::start().await;
    let document = DOCUMENT.replace("accounts: {", &webhook.settings());
    let node = Node::open_with(location, &document).await;
    let accounts = &node.accounts;
    node.person("sms@shop.test", &[]).await;
    let token = node.log_in("sms@shop.test").await;
    let wrong = accounts.enrol_telephone(&token, "0151 2345", &from(1)).await;
    assert!(matches!(wrong, Err(AccountError::Invalid(_))), "{wrong:?}");

    // A number counts by the code that was sent to it, not by one that went to another.
    let first = accounts.enrol_telephone(&token, "+49 151 0000000", &from(1)).await.unwrap();
    let (to, other) = webhook.message();
    assert_eq!(to, "+491510000000");
    let id = accounts.enrol_telephone(&token, "+49 151 1111111", &from(1)).await.unwrap();
    let (to, code) = webhook.message();
    assert_eq!(to, "+491511111111");
    let gone = accounts.confirm_factor(&token, &first, &other.as_str().into(), &from(1)).await;
    assert!(matches!(gone, Err(AccountError::Missing(_))), "{gone:?}");
    if other != code {
        let crossed = accounts.confirm_factor(&token, &id, &other.as_str().into(), &from(1)).await;
        assert!(matches!(crossed, Err(AccountError::WrongCode)), "{crossed:?}");
    }
    let paper = accounts.confirm_factor(&token, &id, &code.as_str().into(), &from(1)).await.unwrap();
    assert_eq!(paper.len(), 10);
    let listed = accounts.factors(&token).await.unwrap().factors;
    assert_eq!((listed[0].kind, listed[0].name.as_str()), (FactorKind::Sms, "+…11"));
    let refused = accounts.enrol_telephone(&token, "+49 151 2222222", &from(1)).await;
    assert!(matches!(refused, Err(AccountError::Taken(_))), "{refused:?}");

    let waiting = pending(&node, "sms@shop.test").await;
    assert_eq!(waiting.factors, [FactorKind::Sms, FactorKind::RecoveryCode]);
    let old = accounts.complete_login(waiting.ticket.secret(), &sms(&code), &from(200)).await;
    assert!(matches!(old, Err(AccountError::WrongCode)), "{old:?}");
    accounts.send_login_sms(waiting.ticket.secret()).await.unwrap();
    let (_, code) = webhook.message();
    // A second one is not sent at once.
    accounts.send_login_sms(waiting.ticket.secret()).await.unwrap();
    assert!(webhook.posts.lock().unwrap().is_empty());
    let entered = accounts.complete_login(waiting.ticket.secret(), &sms(&code), &from(200)).await.unwrap();
    let session = accounts.current_session(&entered.token).await.unwrap();
    assert_eq!(session.methods, Methods::PASSWORD.and(Methods::SMS));
    // Three messages an hour go to a person.
    let waiting = pending(&node, "sms@shop.test").await;
    let fourth = accounts.send_login_sms(waiting.ticket.secret()).await;
    assert!(matches!(fourth, Err(AccountError::TooManyMessages)), "{fourth:?}");
}

async fn a_service_that_fails(location: &StoreLocation) {
    let webhook = Webhook::start().await;
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", &webhook.settings())).await;
    node.person("fails@shop.test", &[]).await;
    let token = node.log_in("fails@shop.test").await;
    *webhook.answer.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    let failed = node.accounts.enrol_telephone(&token, "+49 151 3333333", &from(1)).await;
    assert!(matches!(failed, Err(AccountError::NotSent)), "{failed:?}");
    webhook.posts.lock().unwrap().clear();
    *webhook.answer.lock().unwrap() = StatusCode::NO_CONTENT;
    node.accounts.enrol_telephone(&token, "+49 151 3333333", &from(1)).await.unwrap();
    webhook.message();
    // Nor to a number.
    node.person("next@shop.test", &[]).await;
    let next = node.log_in("next@shop.test").await;
    node.accounts.enrol_telephone(&next, "+49 151 3333333", &from(1)).await.unwrap();
    let fourth = node.accounts.enrol_telephone(&next, "+49 151 3333333", &from(1)).await;
    assert!(matches!(fourth, Err(AccountError::TooManyMessages)), "{fourth:?}");
}

/// Where a role asks for a second factor, a telephone is not enough, and is asked for no more once there is better.
async fn a_role_wants_more(location: &StoreLocation) {
    let webhook = Webhook::start().await;
    let settings = format!("{} second_factor: {{ roles: [auditor], grace: 0s }},", webhook.settings());
    let node = Node::open_with(location, &DOCUMENT.replace("accounts: {", &settings)).await;
    let accounts = &node.accounts;
    node.person("weak@shop.test", &["auditor"]).await;
    let token = node.log_in("weak@shop.test").await;
    let id = accounts.enrol_telephone(&token, "+49 151 4444444", &from(1)).await.unwrap();
    let (_, code) = webhook.message();
    accounts.confirm_factor(&token, &id, &code.as_str().into(), &from(1)).await.unwrap();
    assert!(node.enter(&token).await.unwrap().proof.must_enrol, "a telephone is weak");
    assert_eq!(pending(&node, "weak@shop.test").await.factors, [FactorKind::Sms, FactorKind::RecoveryCode]);
    node.enrol(&token).await;
    assert!(!node.enter(&token).await.unwrap().proof.must_enrol);
    let waiting = pending(&node, "weak@shop.test").await;
    assert_eq!(waiting.factors, [FactorKind::Totp, FactorKind::RecoveryCode]);
    let refused = accounts.send_login_sms(waiting.ticket.secret()).await;
    assert!(matches!(refused, Err(AccountError::Missing(_))), "{refused:?}");
    let refused = accounts.complete_login(waiting.ticket.secret(), &sms("000000"), &from(200)).await;
    assert!(matches!(refused, Err(AccountError::WrongCode)), "{refused:?}");
}

pub(crate) async fn telephones(location: &StoreLocation) {
    codes_by_sms(location).await;
    a_service_that_fails(location).await;
    a_role_wants_more(location).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telephones_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    telephones(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telephones_on_postgres() {
    let server = PostgresServer::start();
    telephones(&server.url().parse().unwrap()).await;
}
