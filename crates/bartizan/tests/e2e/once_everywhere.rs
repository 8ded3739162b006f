//! What counts once, or a few times, for all gateways that share a store: proofs, nonces, attempts to log in.

use serde_json::{Value, json};

use crate::{
    accounts::PASSWORD,
    harness::Gateway,
    own_tokens::{Holder, document, issue, log_in, post, reports, text},
    phrases::{refusal, values},
    postgres_server::PostgresServer,
    redis_server::{Server, programs},
    sharing::{failures, reaches_its_store, stop_all},
    signed_requests::{SECRET, legacy},
    upstream::Upstream,
};

/// How often the store was not told of what counts once.
const UNREMEMBERED: &str = "bartizan_together_store_failures_total";
/// Something that a limit is asked about, so that it is known when the store is reached.
const PROBE: &str = "  - { path: /probe, to: \"http://127.0.0.1:9\", auth: none, limit: probe }\n";

/// Two gateways with this document that have reached the store.
pub(crate) async fn two(document: &str, server: &Server) -> [Gateway; 2] {
    let document = document
        .replacen("limits:\n", "limits:\n  probe: [{ per: \"header:x-tenant\", rate: 1000000/h }]\n", 1)
        .replacen("routes:\n", &format!("routes:\n{PROBE}"), 1);
    let document = format!("shared: {{ redis: \"{}\", timeout: 500ms }}\n{document}", server.url());
    let (one, other) = (Gateway::start(&document).await, Gateway::start(&document).await);
    [reaches_its_store(one, "/probe").await, reaches_its_store(other, "/probe").await]
}

#[tokio::test]
async fn a_proof_that_one_gateway_has_accepted_is_refused_by_the_other() {
    let Some(program) = programs().into_iter().next() else { return };
    let (store, mut redis) = (PostgresServer::start(), Server::start(&program, &[]));
    let upstream = Upstream::start().await;
    let origins = "origins: [\"http://localhost:8080\"]";
    let document = document(&upstream, &format!("store: {{ url: \"{}\" }}", store.url()), origins);
    let [one, other] = two(&document, &redis).await;
    let cookie = log_in(&one, "ada@shop.test").await;
    let holder = Holder::new();
    let endpoint = "http://localhost:8080/auth/token";
    let proof = holder.proof("POST", endpoint, None, None);
    let tokens = issue(&one, &cookie, &[("dpop", &proof)]).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    let again = post(&other, "/auth/token", &form, &[("dpop", &proof)]).await;
    assert_eq!(again.status(), 400);
    assert_eq!(again.json::<Value>().await.unwrap()["error"], "invalid_dpop_proof");

    // Under the name by which clients know the gateway, whatever `Host` says.
    let token = text(&tokens, "access_token");
    let (url, dpop) = ("http://localhost:8080/reports/1", format!("DPoP {token}"));
    let own_name = holder.proof("GET", &one.url("/reports/1"), Some(token), None);
    assert_eq!(reports(&one, &dpop, Some(&own_name)).await.status(), 401);
    let proof = holder.proof("GET", url, Some(token), None);
    assert_eq!(reports(&one, &dpop, Some(&proof)).await.status(), 200);
    let again = reports(&other, &dpop, Some(&proof)).await;
    let challenge = values(again.headers(), "www-authenticate").join(", ");
    assert!(again.status() == 401 && challenge.contains("invalid_dpop_proof"), "{challenge}");

    // Without the store each gateway goes by its own memory.
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    let (undecided, unremembered) = (failures(&one).await, one.metric(UNREMEMBERED).await);
    let proof = holder.proof("GET", url, Some(token), None);
    assert_eq!(reports(&one, &dpop, Some(&proof)).await.status(), 200);
    assert_eq!(reports(&one, &dpop, Some(&proof)).await.status(), 401);
    assert!(one.metric(UNREMEMBERED).await > unremembered);
    assert_eq!(failures(&one).await, undecided, "no limit was asked about");
    stop_all(vec![one, other]).await;
}

#[tokio::test]
async fn a_nonce_that_one_gateway_has_seen_is_refused_by_the_other() {
    let Some(program) = programs().into_iter().next() else { return };
    let (upstream, redis) = (Upstream::start().await, Server::start(&program, &[]));
    let document = format!(
        "limits:
identity:
  partners:
    signature:
      profile: legacy
      keys: [{{ id: partner, algorithm: hmac-sha256, secret: \"{SECRET}\", permissions: [\"orders:*\"] }}]
routes:
  - {{ path: /orders/**, to: \"{upstream}\", auth: partners, require: [\"orders:write\"] }}
"
    );
    let [one, other] = two(&document, &redis).await;
    let send = async |gateway: &Gateway, nonce: &str| {
        let headers = legacy("POST", "/orders/1", "ten", nonce);
        let request = gateway.client().post(gateway.url("/orders/1")).headers(headers.clone()).body("ten");
        (request.send().await.unwrap().status().as_u16(), headers)
    };
    let (status, headers) = send(&one, "a").await;
    assert_eq!(status, 200);
    let replayed = other.client().post(other.url("/orders/1")).headers(headers).body("ten");
    assert_eq!(replayed.send().await.unwrap().status(), 401);
    assert_eq!(send(&other, "b").await.0, 200);
    stop_all(vec![one, other]).await;
}

#[tokio::test]
async fn guesses_are_counted_by_all_gateways_together() {
    let Some(program) = programs().into_iter().next() else { return };
    let (store, mut redis) = (PostgresServer::start(), Server::start(&program, &[]));
    let upstream = Upstream::start().await;
    let document = document(&upstream, &format!("store: {{ url: \"{}\" }}", store.url()), "");
    let [one, other] = two(&document, &redis).await;
    log_in(&one, "ada@shop.test").await;
    let attempt = async |gateway: &Gateway, password: &str| {
        let body = json!({ "email": "ada@shop.test", "password": password });
        gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap()
    };
    for turn in 0..5 {
        let gateway = if turn < 3 { &one } else { &other };
        assert_eq!(refusal(attempt(gateway, "wrong").await).await.0, 401, "turn {turn}");
    }
    for gateway in [&one, &other] {
        let paused = attempt(gateway, PASSWORD).await;
        assert!(paused.headers().contains_key("retry-after"));
        assert_eq!(paused.status(), 429);
    }
    // Without the store each gateway goes by what it has counted itself: three at one, two at the other.
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    assert_eq!(attempt(&other, PASSWORD).await.status(), 200);
    for _ in 0..2 {
        assert_eq!(attempt(&one, "wrong").await.status(), 401);
    }
    assert_eq!(attempt(&one, PASSWORD).await.status(), 429, "a gateway alone counts on");
    stop_all(vec![one, other]).await;
}
