//! Passkeys, by a client and an authenticator that others have written (the `passkey` crate).

use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    client::{Client, DefaultClientData},
    crypto::rust_crypto::RustCryptoBackend,
    types::{
        Passkey,
        ctap2::{Aaguid, Ctap2Error},
        webauthn::{CredentialCreationOptions, CredentialRequestOptions},
    },
};
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    accounts::{CHEAP, PASSWORD, Session, create, log_in_as},
    harness::Gateway,
    people::{began, post},
    phrases::refusal,
    upstream::Upstream,
};

const ORIGIN: &str = "https://example.com";

/// Somebody who always says yes.
struct Willing;

#[async_trait::async_trait]
impl UserValidationMethod for Willing {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        _: bool,
        _: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A browser with a passkey in it.
#[derive(Default)]
struct Browser(Option<Passkey>);

impl Browser {
    fn authenticator(&self) -> Authenticator<Option<Passkey>, Willing, RustCryptoBackend> {
        let mut authenticator =
            Authenticator::new(Aaguid::new_empty(), self.0.clone(), Willing, RustCryptoBackend);
        authenticator.set_make_credentials_with_signature_counter(true);
        authenticator
    }

    /// `navigator.credentials.create(options)`, and `toJSON` of what comes of it.
    async fn create(&mut self, options: &Value) -> Value {
        let options: CredentialCreationOptions = serde_json::from_value(options.clone()).unwrap();
        let origin: Url = ORIGIN.parse().unwrap();
        let mut client = Client::new(self.authenticator());
        let made = client.register(&origin, options, DefaultClientData).await.unwrap();
        self.0.clone_from(client.authenticator().store());
        serde_json::to_value(made).unwrap()
    }

    /// `navigator.credentials.get(options)` on a page of this origin.
    async fn get_on(&mut self, origin: &str, options: &Value) -> Value {
        let options = json!({ "publicKey": options["publicKey"] });
        let options: CredentialRequestOptions = serde_json::from_value(options).unwrap();
        let origin: Url = origin.parse().unwrap();
        let mut client = Client::new(self.authenticator());
        let used = client.authenticate(&origin, options, DefaultClientData).await.unwrap();
        self.0.clone_from(client.authenticator().store());
        serde_json::to_value(used).unwrap()
    }

    async fn get(&mut self, options: &Value) -> Value {
        self.get_on(ORIGIN, options).await
    }
}

fn document(upstream: &Upstream) -> String {
    format!(
        r#"
accounts:
  {CHEAP}
  passkeys: {{ id: example.com }}
  sms: {{ webhook: "http://{}/sms", secret: "0123456789abcdef0123456789abcdef" }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /payouts/**, to: "{upstream}", auth: people, mfa: within 15m }}
"#,
        upstream.address()
    )
}

async fn answer(response: reqwest::Response, status: u16) -> Value {
    let found = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{answer}");
    answer
}

/// Makes a passkey in a session.
async fn enrol(gateway: &Gateway, session: &Session, browser: &mut Browser) {
    let options = answer(session.ask(gateway, "/auth/factors/passkey", json!({})).await, 200).await;
    assert_eq!(options["publicKey"]["rp"]["id"], "example.com");
    let made = json!({ "name": "laptop", "credential": browser.create(&options).await });
    let enrolled = answer(session.ask(gateway, "/auth/factors/passkey/confirm", made).await, 201).await;
    assert_eq!(enrolled["recovery_codes"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_passkey_of_another_house_lets_its_holder_in() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let session = began(log_in_as(&gateway, "ada@shop.test", PASSWORD).await).await;
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 401);
    let mut browser = Browser::default();
    enrol(&gateway, &session, &mut browser).await;
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200, "it was just shown");

    // After the password.
    let pending = answer(log_in_as(&gateway, "ada@shop.test", PASSWORD).await, 202).await;
    assert_eq!(pending["factors"], json!(["passkey", "recovery_code"]));
    let ticket = json!({ "ticket": pending["ticket"] });
    let options = answer(post(&gateway, "/auth/login/factor/passkey", ticket).await, 200).await;
    let shown = json!({ "ticket": pending["ticket"], "credential": browser.get(&options).await });
    let session = began(post(&gateway, "/auth/login/factor/passkey/confirm", shown).await).await;
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200);

    // Alone.
    let options = answer(post(&gateway, "/auth/login/passkey", json!({})).await, 200).await;
    let shown = json!({ "ticket": options["ticket"], "credential": browser.get(&options).await });
    let session = began(post(&gateway, "/auth/login/passkey/confirm", shown.clone()).await).await;
    let seen: Value = session.get(&gateway, "/auth/session").await.json().await.unwrap();
    assert_eq!((&seen["email"], &seen["amr"]), (&json!("ada@shop.test"), &json!(["pop", "user", "mfa"])));
    assert_eq!(session.get(&gateway, "/payouts/1").await.status(), 200);
    let again = post(&gateway, "/auth/login/passkey/confirm", shown).await;
    assert_eq!(refusal(again).await, (401, "wrong_passkey".into()));
    // A page that is not named, on a host that the browser lets use it.
    let options = answer(post(&gateway, "/auth/login/passkey", json!({})).await, 200).await;
    let stolen = browser.get_on("https://blog.example.com", &options).await;
    let stolen = json!({ "ticket": options["ticket"], "credential": stolen });
    let stolen = post(&gateway, "/auth/login/passkey/confirm", stolen).await;
    assert_eq!(refusal(stolen).await, (401, "wrong_passkey".into()));
    gateway.log(|line| line["reason"].as_str().is_some_and(|why| why.contains("blog.example.com"))).await;

    // Once more.
    let options = answer(session.ask(&gateway, "/auth/step-up/passkey", json!({})).await, 200).await;
    let shown = json!({ "credential": browser.get(&options).await });
    let stepped = answer(session.ask(&gateway, "/auth/step-up/passkey/confirm", shown).await, 200).await;
    assert_eq!(stepped["amr"], json!(["pop", "user", "mfa"]));
    let listed: Value = session.get(&gateway, "/auth/factors").await.json().await.unwrap();
    let factor = &listed["factors"][0];
    assert_eq!((&factor["kind"], &factor["name"]), (&json!("passkey"), &json!("laptop")));
    assert_eq!(factor["strength"], "strong");
    assert!(factor["used"].is_string());
    gateway.stop().await;
}

#[tokio::test]
async fn a_telephone_gets_its_codes_through_a_webhook() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let session = began(log_in_as(&gateway, "ada@shop.test", PASSWORD).await).await;
    let number = json!({ "number": "+49 151 2345678" });
    let enrolled = answer(session.ask(&gateway, "/auth/factors/sms", number).await, 201).await;
    let message: Value = serde_json::from_slice(&upstream.received().await.body).unwrap();
    assert_eq!(message["to"], "+491512345678");
    assert_eq!(enrolled["strength"], "weak");
    let code = message["text"].as_str().unwrap().split(' ').next().unwrap();
    let confirm = format!("/auth/factors/{}/confirm", enrolled["id"].as_str().unwrap());
    answer(session.ask(&gateway, &confirm, json!({ "code": code })).await, 200).await;

    let pending = answer(log_in_as(&gateway, "ada@shop.test", PASSWORD).await, 202).await;
    assert_eq!(pending["factors"], json!(["sms", "recovery_code"]));
    assert_eq!(pending["weak"], json!(["sms"]));
    let ticket = json!({ "ticket": pending["ticket"] });
    assert_eq!(post(&gateway, "/auth/login/sms", ticket).await.status(), 202);
    let message: Value = serde_json::from_slice(&upstream.received().await.body).unwrap();
    let code = message["text"].as_str().unwrap().split(' ').next().unwrap();
    let shown = json!({ "ticket": pending["ticket"], "factor": "sms", "code": code });
    let session = began(post(&gateway, "/auth/login/factor", shown).await).await;
    let seen: Value = session.get(&gateway, "/auth/session").await.json().await.unwrap();
    assert_eq!(seen["amr"], json!(["pwd", "sms", "mfa"]));
    let listed: Value = session.get(&gateway, "/auth/factors").await.json().await.unwrap();
    assert_eq!(
        (&listed["factors"][0]["kind"], &listed["factors"][0]["strength"]),
        (&json!("sms"), &json!("weak"))
    );
    assert!(!gateway.log_text().contains(code));
    gateway.stop().await;
}
