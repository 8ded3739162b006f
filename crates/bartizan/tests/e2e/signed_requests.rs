//! Signed requests: by partners, with a library of another house, and by the gateway itself.
//!
//! The library is `PyPI`'s `http-message-signatures`, which `cargo xtask setup` puts into `.venv`. Where it is missing
//! the stories about it say so and are skipped, except in CI (`CI` is set), where they fail.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{
    harness::{Gateway, Launch, PATIENCE},
    phrases::{refusal, values},
    upstream::Upstream,
};

pub(crate) const SECRET: &str = "a secret that only two parties know, and long enough";

/// A gateway to `upstream` that knows the key `partner` in `partner.pem`.
async fn guarded(upstream: &Upstream, public_key: &str, besides: &str) -> Gateway {
    let launch = Gateway::launch(&format!(
        "identity:
  partners:
    signature:
      keys:
        - {{ id: partner, algorithm: ecdsa-p256-sha256, public_key: ./partner.pem, permissions: [\"orders:*\"] }}
routes:
  - {{ path: /orders/**, to: \"{upstream}\", auth: partners, require: [\"orders:write\"]{besides} }}"
    ));
    write(&launch, "partner.pem", public_key);
    launch.start().await
}

/// Puts a file that nobody else can read beside the document.
fn write(launch: &Launch, name: &str, text: &str) {
    let path = launch.folder().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn public_pem(pair: &KeyPair) -> String {
    let text = STANDARD.encode(pair.subject_public_key_info());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

/// What the foreign library makes of a question, or nothing where it is not installed.
pub(crate) async fn foreign(question: &Value) -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python: PathBuf = here.join("../../.venv/bin/python");
    let is_there = python.exists() && {
        let probe = Command::new(&python).args(["-c", "import http_message_signatures"]).output().await;
        probe.is_ok_and(|output| output.status.success())
    };
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "`http-message-signatures` is not installed");
        eprintln!("SKIPPED: `http-message-signatures` is not installed: `cargo xtask setup`");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(here.join("tests/e2e/signed_requests.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).await.unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("python did not end").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A `POST` of `body`, signed by a foreign partner.
async fn partner_signs(pair: &KeyPair, url: &str, body: &str, nonce: &str) -> Option<HeaderMap> {
    let headers = foreign(&json!({
        "do": "sign", "method": "POST", "url": url, "headers": {}, "body": body,
        "algorithm": "ecdsa-p256-sha256", "key_id": "partner", "key": pair.serialize_pem(),
        "components": ["@method", "@target-uri", "content-digest"], "nonce": nonce,
    }))
    .await?;
    let pairs = headers.as_object().unwrap().iter();
    Some(
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()))
            .collect(),
    )
}

async fn post(gateway: &Gateway, path: &str, headers: &HeaderMap, body: &str) -> reqwest::Response {
    let request = gateway.client().post(gateway.url(path)).headers(headers.clone());
    request.body(body.to_owned()).send().await.unwrap()
}

#[tokio::test]
async fn what_a_partner_has_signed_is_served_once_and_nothing_else() {
    let (upstream, pair) = (Upstream::start().await, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let gateway = guarded(&upstream, &public_pem(&pair), "").await;
    let url = gateway.url("/orders/1?a=1");
    let sign = async |nonce: &str| partner_signs(&pair, &url, "ten", nonce).await;
    let Some(signed) = sign("a").await else { return };

    assert_eq!(post(&gateway, "/orders/1?a=1", &signed, "ten").await.status(), 200);
    let received = upstream.received().await;
    assert_eq!((values(&received.headers, "x-user-id"), &*received.body), (vec!["partner"], &b"ten"[..]));

    let invalid = (401, "invalid_authentication_token".to_owned());
    assert_eq!(refusal(post(&gateway, "/orders/1?a=1", &signed, "ten").await).await, invalid, "a replay");
    let signed = sign("b").await.unwrap();
    assert_eq!(refusal(post(&gateway, "/orders/2?a=1", &signed, "ten").await).await, invalid, "another path");
    assert_eq!(
        refusal(post(&gateway, "/orders/1?a=2", &signed, "ten").await).await,
        invalid,
        "another query"
    );
    let put = gateway.client().put(&url).headers(signed.clone()).body("ten");
    assert_eq!(refusal(put.send().await.unwrap()).await, invalid, "another method");
    assert_eq!(refusal(post(&gateway, "/orders/1?a=1", &signed, "one").await).await, invalid, "another body");
    let mut signed = sign("c").await.unwrap();
    signed.remove("content-digest");
    assert_eq!(refusal(post(&gateway, "/orders/1?a=1", &signed, "ten").await).await, invalid, "no digest");

    let unsigned = post(&gateway, "/orders/1?a=1", &HeaderMap::new(), "ten").await;
    assert_eq!(values(unsigned.headers(), "www-authenticate"), ["Signature realm=\"bartizan\""]);
    assert_eq!(refusal(unsigned).await, (401, "missing_authentication_token".to_owned()));
    assert!(upstream.has_received_nothing().await);
    gateway.stop().await;
}

#[tokio::test]
async fn the_client_learns_nothing_and_the_operator_why() {
    let (upstream, pair) = (Upstream::start().await, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let gateway = guarded(&upstream, &public_pem(&pair), "").await;
    let Some(signed) = partner_signs(&pair, &gateway.url("/orders/1"), "ten", "a").await else { return };
    let refused = post(&gateway, "/orders/1", &signed, "one").await;
    let id = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
    let shown = refused.text().await.unwrap();
    assert!(!shown.contains("partners") && !shown.contains("digest") && !shown.contains("signed"), "{shown}");
    let account = gateway.cli(["explain", &id]).await.succeeded();
    let reason = "credential refused by `partners`: the content is not what was signed";
    assert!(account.contains(reason), "{account}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_cannot_be_held_is_refused_where_it_was_signed() {
    let (upstream, pair) = (Upstream::start().await, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
    let gateway = guarded(&upstream, &public_pem(&pair), ", body: { hold: 1KiB }").await;
    let (url, large) = (gateway.url("/orders/1"), "x".repeat(1025));
    let Some(signed) = partner_signs(&pair, &url, &large, "a").await else { return };
    assert_eq!(refusal(post(&gateway, "/orders/1", &signed, &large).await).await.0, 413);
    let fits = &large[1..];
    let signed = partner_signs(&pair, &url, fits, "b").await.unwrap();
    assert_eq!(post(&gateway, "/orders/1", &signed, fits).await.status(), 200);
    assert_eq!(upstream.received().await.body, fits);
    assert!(upstream.has_received_nothing().await);
    gateway.stop().await;
}

#[tokio::test]
async fn a_foreign_library_verifies_what_the_gateway_signs() {
    let (upstream, pair) = (Upstream::start().await, KeyPair::generate_for(&PKCS_ED25519).unwrap());
    let launch = Gateway::launch(&format!(
        "upstreams:
  orders:
    targets: \"{upstream}\"
    sign: {{ id: gateway, algorithm: ed25519, key: ./gateway.pem, components: [\"@method\", \"@target-uri\", content-digest, x-request-id] }}
routes: [{{ path: /**, to: orders, auth: none, preserve_host: false }}]"
    ));
    write(&launch, "gateway.pem", &pair.serialize_pem());
    let gateway = launch.start().await;
    for body in ["ten", ""] {
        let mut forged = HeaderMap::new();
        forged.insert("signature-input", "bartizan=(\"@method\")".parse().unwrap());
        forged.insert("signature", "bartizan=:AAAA:".parse().unwrap());
        assert_eq!(post(&gateway, "/orders?a=1", &forged, body).await.status(), 200);
        let received = upstream.received().await;
        let headers = received.headers.iter();
        let headers: Value =
            headers.map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap()))).collect();
        let question = json!({
            "do": "verify", "method": "POST", "url": format!("{upstream}/orders?a=1"), "headers": headers,
            "body": body, "algorithm": "ed25519", "key_id": "gateway", "key": public_pem(&pair),
        });
        let Some(verified) = foreign(&question).await else { return };
        let covered = verified["covered"].to_string();
        for component in ["@method", "@target-uri", "content-digest", "x-request-id"] {
            assert!(covered.contains(component), "{covered}");
        }
    }
    gateway.stop().await;
}

/// Two gateways in a row: the second lets in only what the first has sent.
#[tokio::test]
async fn a_gateway_lets_in_what_another_has_signed() {
    let upstream = Upstream::start().await;
    let inner = Gateway::launch(&format!(
        "identity: {{ outer: {{ signature: {{ keys: [{{ id: outer, algorithm: hmac-sha256, secret: \"${{SIGNING}}\" }}] }} }} }}
routes: [{{ path: /**, to: \"{upstream}\", auth: outer, signed: [x-request-id] }}]"
    ));
    let inner = inner.environment("SIGNING", SECRET).start().await;
    let outer = Gateway::launch(&format!(
        "upstreams:
  inner:
    targets: \"http://{}\"
    sign: {{ id: outer, algorithm: hmac-sha256, secret: \"${{SIGNING}}\", components: [\"@method\", \"@target-uri\", content-digest, x-request-id] }}
routes: [{{ path: /**, to: inner, auth: none }}]",
        inner.http()
    ));
    let outer = outer.environment("SIGNING", SECRET).start().await;
    // Each is signed anew, with a nonce of its own.
    for body in ["ten", "ten", ""] {
        assert_eq!(post(&outer, "/orders", &HeaderMap::new(), body).await.status(), 200);
        assert_eq!(upstream.received().await.body, body);
    }
    assert_eq!(post(&inner, "/orders", &HeaderMap::new(), "ten").await.status(), 401);
    let log = [outer.log_text(), inner.log_text()].concat();
    assert!(!log.contains(SECRET));
    outer.stop().await;
    inner.stop().await;
}

/// The headers of the legacy form.
pub(crate) fn legacy(method: &str, target: &str, body: &str, nonce: &str) -> HeaderMap {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = format!("{method}\n{target}\n{body}\n{now}\n{nonce}");
    let mut headers = HeaderMap::new();
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    for (name, value) in
        [("x-signature", signature), ("x-timestamp", now.to_string()), ("x-nonce", nonce.into())]
    {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

#[tokio::test]
async fn the_legacy_form_is_served_once_and_with_its_body_only() {
    let upstream = Upstream::start().await;
    let launch = Gateway::launch(&format!(
        "identity:
  partners:
    signature: {{ profile: legacy, keys: [{{ id: partner, algorithm: hmac-sha256, secret: \"${{SIGNING}}\" }}] }}
routes: [{{ path: /**, to: \"{upstream}\", auth: partners, body: {{ hold: 1KiB }} }}]"
    ));
    let gateway = launch.environment("SIGNING", SECRET).start().await;
    let signed = legacy("POST", "/orders?a=1", "ten", "a");
    assert_eq!(post(&gateway, "/orders?a=1", &signed, "ten").await.status(), 200);
    let received = upstream.received().await;
    assert_eq!((values(&received.headers, "x-user-id"), &*received.body), (vec!["partner"], &b"ten"[..]));
    let invalid = (401, "invalid_authentication_token".to_owned());
    assert_eq!(refusal(post(&gateway, "/orders?a=1", &signed, "ten").await).await, invalid, "a replay");
    let signed = legacy("POST", "/orders?a=1", "ten", "b");
    assert_eq!(refusal(post(&gateway, "/orders?a=1", &signed, "one").await).await, invalid, "another body");
    assert_eq!(refusal(post(&gateway, "/orders?a=2", &signed, "ten").await).await, invalid, "another query");
    let large = "x".repeat(1025);
    let signed = legacy("POST", "/orders", &large, "c");
    assert_eq!(refusal(post(&gateway, "/orders", &signed, &large).await).await.0, 413);
    assert!(upstream.has_received_nothing().await);
    let empty = legacy("GET", "/orders", "", "d");
    let answer = gateway.client().get(gateway.url("/orders")).headers(empty).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    gateway.stop().await;
}
