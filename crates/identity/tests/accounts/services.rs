//! Services and how they prove themselves.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bartizan_config::StoreLocation;
use bartizan_identity::{
    ClientCertificate,
    account::{AccountError, NewCredential, NewService, Page, ServiceProof, ServiceStanding, Visit},
};
use bartizan_model::{Grant, Zone};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{Node, OPERATOR, postgres_server::PostgresServer};

const ISSUER: &str = "https://gate.shop.test";

impl Node {
    async fn prove(&self, id: &str, proof: ServiceProof<'_>) -> Option<ServiceStanding> {
        match self.accounts.authenticate_service(id, proof, &Visit::default()).await {
            Ok(standing) => Some(standing),
            Err(AccountError::WrongCredentials) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn by_secret(&self, id: &str, secret: &SecretString) -> bool {
        self.prove(id, ServiceProof::Secret(secret)).await.is_some()
    }

    async fn by_assertion(&self, id: &str, assertion: &str) -> bool {
        let audiences = [ISSUER.to_owned(), format!("{ISSUER}/auth/token")];
        self.prove(id, ServiceProof::Assertion { assertion, audiences: &audiences }).await.is_some()
    }
}

/// A service's own key.
struct Signer(Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "one" }).to_string()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes())))
    }
}

fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

pub(crate) async fn a_life_of_services(location: &StoreLocation) {
    let node = Node::open(location).await;
    let (accounts, visit) = (&node.accounts, Visit::default());
    let acme = accounts.create_organization("Services Ltd", OPERATOR, &visit).await.unwrap();
    let new = || NewService {
        organization: "Services Ltd".into(),
        name: "payment-service".into(),
        permissions: vec!["payment:read".into(), "payment:write".into()],
        ..NewService::default()
    };
    let (service, secret) = accounts.create_service(new(), OPERATOR, &visit).await.unwrap();
    let twice = accounts.create_service(new(), OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(twice, AccountError::Taken(_)), "{twice}");
    let standing = node.prove(&service.id, ServiceProof::Secret(&secret)).await.unwrap();
    assert_eq!(standing.organization, acme.id);
    assert_eq!(standing.name, "payment-service");
    let grants: Vec<&str> = standing.grants.iter().map(Grant::as_str).collect();
    assert_eq!(grants, ["payment:read", "payment:write"]);

    secrets_are_compared(&node, &service.id, &secret).await;

    // Rotation with overlap; never more than two.
    let rotate = async |overlap| {
        accounts.rotate_service_secret(&service.id, overlap, OPERATOR, &visit).await.unwrap().1
    };
    let second = rotate(Duration::from_hours(1)).await;
    assert!(node.by_secret(&service.id, &secret).await && node.by_secret(&service.id, &second).await);
    let third = rotate(Duration::from_hours(1)).await;
    assert!(!node.by_secret(&service.id, &secret).await);
    assert!(node.by_secret(&service.id, &second).await && node.by_secret(&service.id, &third).await);
    let fourth = rotate(Duration::ZERO).await;
    assert!(!node.by_secret(&service.id, &third).await && node.by_secret(&service.id, &fourth).await);

    // What it may carry on, and from where it calls, is said beside it.
    let carries =
        accounts.set_service_exchange(&service.id, &["payment:*".into()], OPERATOR, &visit).await.unwrap();
    assert_eq!(carries.exchange.iter().map(Grant::as_str).collect::<Vec<_>>(), ["payment:*"]);
    let placed = accounts.set_service_zone(&service.id, Some(Zone::Data), OPERATOR, &visit).await.unwrap();
    assert_eq!(placed.zone, Some(Zone::Data));
    let standing = accounts.service_standing(&service.id).await.unwrap().unwrap();
    assert_eq!((standing.exchange, standing.zone), (placed.exchange, placed.zone));

    // Suspended is as wrong as anything else.
    accounts.suspend_service(&service.id, Some("leaked"), OPERATOR, &visit).await.unwrap();
    assert!(!node.by_secret(&service.id, &fourth).await);
    assert_eq!(accounts.service_standing(&service.id).await.unwrap(), None);
    accounts.suspend_service(&service.id, None, OPERATOR, &visit).await.unwrap();
    assert!(node.by_secret(&service.id, &fourth).await);

    // Another name changes nothing else.
    let renamed = accounts.rename_service(&service.id, "billing", OPERATOR, &visit).await.unwrap();
    assert_eq!(renamed.name, "billing");
    assert!(node.by_secret(&service.id, &fourth).await);
    let (twin, _) = accounts.create_service(new(), OPERATOR, &visit).await.unwrap();
    let taken = accounts.rename_service(&twin.id, "billing", OPERATOR, &visit).await.unwrap_err();
    assert!(matches!(taken, AccountError::Taken(_)), "{taken}");
    accounts.delete_service(&twin.id, OPERATOR, &visit).await.unwrap();

    assertions(&node, &service.id).await;
    certificates(&node, &service.id).await;

    let listed = accounts.services(Some("Services Ltd"), &Page::default()).await.unwrap().items;
    assert_eq!(listed.len(), 1);
    let shown = format!("{listed:?}");
    assert!(!shown.contains(fourth.expose_secret()), "{shown}");
    accounts.delete_service(&service.id, OPERATOR, &visit).await.unwrap();
    assert!(!node.by_secret(&service.id, &fourth).await);
    let refused = accounts.audit(1000).await.unwrap();
    let proven = |outcome: &str| {
        refused.iter().any(|entry| entry.action == "service.authenticate" && entry.outcome == outcome)
    };
    assert!(proven("done") && proven("refused"));
    let refused = refused.iter().filter(|entry| entry.action == "service.authenticate");
    assert!(refused.count() > 10);
}

/// Neither length nor form nor a common beginning makes a secret right, and an unknown client is answered alike.
async fn secrets_are_compared(node: &Node, id: &str, secret: &SecretString) {
    let text = secret.expose_secret();
    let mut near = text.to_owned();
    let last = near.pop().unwrap();
    near.push(if last == '0' { '1' } else { '0' });
    let wrong = [
        "a".repeat(text.len()),
        near,
        text[..text.len() - 1].to_owned(),
        format!("{text} "),
        text.to_lowercase(),
        String::new(),
        "-".repeat(43),
    ];
    for wrong in wrong {
        assert!(!node.by_secret(id, &wrong.clone().into()).await, "{wrong}");
    }
    for unknown in ["", "nobody", &uuid_like(), &id.to_uppercase()] {
        assert!(!node.by_secret(unknown, secret).await, "{unknown}");
    }
}

fn uuid_like() -> String {
    "01890a5d-ac96-774b-bcce-b302099a8057".into()
}

/// RFC 7523, section 3.
async fn assertions(node: &Node, id: &str) {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let visit = Visit::default();
    let header = json!({ "alg": "EdDSA", "kid": "one" });
    let claims =
        |jti: &str| json!({ "iss": id, "sub": id, "aud": ISSUER, "exp": seconds_from_now(60), "jti": jti });
    let before = signer.sign(&header, &claims("early"));
    assert!(!node.by_assertion(id, &before).await, "no key is known yet");
    let service = node
        .accounts
        .add_service_credential(id, &NewCredential::Keys(signer.jwk()), OPERATOR, &visit)
        .await
        .unwrap();
    let valid = signer.sign(&header, &claims("first"));
    assert!(node.by_assertion(id, &valid).await);
    assert!(!node.by_assertion(id, &valid).await, "an assertion counts once");
    assert!(!node.by_assertion("somebody-else", &signer.sign(&header, &claims("other"))).await);

    let changed = |change: fn(&mut Value)| {
        let mut claims = claims("changed");
        change(&mut claims);
        signer.sign(&header, &claims)
    };
    let wrong: [(&str, String); 12] = [
        ("another key", stranger.sign(&header, &claims("second"))),
        ("another issuer", changed(|claims| claims["iss"] = "x".into())),
        ("another subject", changed(|claims| claims["sub"] = "x".into())),
        ("another audience", changed(|claims| claims["aud"] = "https://other.test".into())),
        ("no audience", changed(|claims| claims["aud"] = Value::Null)),
        ("no end", changed(|claims| claims["exp"] = Value::Null)),
        ("its end", changed(|claims| claims["exp"] = seconds_from_now(-60).into())),
        ("an end far away", changed(|claims| claims["exp"] = seconds_from_now(2 * 3600).into())),
        ("not yet", changed(|claims| claims["nbf"] = seconds_from_now(60).into())),
        ("no jti", changed(|claims| claims["jti"] = Value::Null)),
        ("another type", signer.sign(&json!({ "alg": "EdDSA", "typ": "at+jwt" }), &claims("typ"))),
        ("no signature", {
            let unsigned = signer.sign(&json!({ "alg": "none" }), &claims("none"));
            unsigned.rsplit_once('.').unwrap().0.to_owned() + "."
        }),
    ];
    for (what, assertion) in wrong {
        assert!(!node.by_assertion(id, &assertion).await, "{what}");
    }
    let both = json!([format!("{ISSUER}/auth/token"), "https://other.test"]);
    let mut listed = claims("listed");
    listed["aud"] = both;
    let typed = json!({ "alg": "EdDSA", "typ": "client-authentication+jwt" });
    assert!(node.by_assertion(id, &signer.sign(&typed, &listed)).await);

    let credential = service.credentials.last().unwrap().id.clone();
    node.accounts.remove_service_credential(id, &credential, OPERATOR, &visit).await.unwrap();
    assert!(!node.by_assertion(id, &signer.sign(&header, &claims("late"))).await);
}

async fn certificates(node: &Node, id: &str) {
    let visit = Visit::default();
    let certificate = ClientCertificate {
        uris: vec!["spiffe://shop.test/billing".into()],
        fingerprint: [0xab; 32],
        ..ClientCertificate::default()
    };
    let other = ClientCertificate {
        uris: vec!["spiffe://shop.test/billing/x".into()],
        dns_names: vec!["spiffe://shop.test/billing".into()],
        subject: "spiffe://shop.test/billing".into(),
        ..ClientCertificate::default()
    };
    assert!(node.prove(id, ServiceProof::Certificate(&certificate)).await.is_none());
    for text in ["uri:spiffe://shop.test/billing".to_owned(), format!("sha256:{}", "AB".repeat(32))] {
        let new = NewCredential::Certificate(text);
        let added = node.accounts.add_service_credential(id, &new, OPERATOR, &visit);
        let credential = added.await.unwrap().credentials.last().unwrap().id.clone();
        assert!(node.prove(id, ServiceProof::Certificate(&certificate)).await.is_some());
        assert!(node.prove(id, ServiceProof::Certificate(&other)).await.is_none());
        node.accounts.remove_service_credential(id, &credential, OPERATOR, &visit).await.unwrap();
    }
    assert!(node.prove(id, ServiceProof::Certificate(&certificate)).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    a_life_of_services(&StoreLocation::Sqlite(folder.path().join("bartizan.db"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_on_postgres() {
    let server = PostgresServer::start();
    a_life_of_services(&server.url().parse().unwrap()).await;
}
