//! API keys with a rate of their own, besides what limits the route.

use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    machines::{after, document, get, log_in, person, status},
    once_everywhere::two,
    phrases::values,
    postgres_server::PostgresServer,
    redis_server::{Server, programs},
    sharing::stop_all,
    upstream::Upstream,
};

const CREATE: [&str; 7] = ["key", "create", "nightly", "--org", "Acme", "--permission", "reports:*"];

/// A key of Acme with this rate: its secret and its id.
async fn key(gateway: &Gateway, rate: &str) -> (String, String) {
    let [one, two, three, four, five, six, seven] = CREATE;
    let create = [one, two, three, four, five, six, seven, "--rate", rate];
    let made = gateway.cli(create).await.succeeded();
    (after(&made, "key, shown only now: ").into(), after(&made, "id").into())
}

#[tokio::test]
async fn a_key_is_limited_by_its_own_rate_until_that_is_changed() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let ((first, id), (second, _)) = (key(&gateway, "2/h").await, key(&gateway, "60/min burst 9").await);
    for left in ["1", "0"] {
        let answer = get(&gateway, &first).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(values(answer.headers(), "ratelimit-policy"), ["\"api-key/own-rate\";q=2;w=3600"]);
        assert_eq!(values(answer.headers(), "x-ratelimit-remaining"), [left]);
    }
    let refused = get(&gateway, &first).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let request = values(refused.headers(), "x-request-id")[0].to_owned();
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["violated-policies"], json!(["api-key/own-rate"]), "{problem}");
    let explained = gateway.cli(["explain", &request]).await.succeeded();
    assert!(explained.contains("refused first by api-key/own-rate"), "{explained}");
    assert!(explained.contains("2/h") && explained.contains(&format!("machines/{id}")), "{explained}");

    let value = format!("machines/{id}");
    let top = gateway.cli(["limits", "top", "--refused"]).await.succeeded();
    assert!(top.lines().any(|line| line.contains("own-rate") && line.contains(&value)), "{top}");
    let stands = gateway.cli(["limits", "explain", &value]).await.succeeded();
    assert!(stands.contains("api-key") && stands.contains("0 of 2"), "{stands}");
    let forgot = gateway.cli(["limits", "reset", &value]).await.succeeded();
    assert!(forgot.contains("api-key/own-rate"), "{forgot}");
    assert_eq!([status(&gateway, &first).await, status(&gateway, &first).await], [200, 200]);
    assert_eq!(status(&gateway, &first).await, 429);
    gateway.cli(["limits", "allow", "api-key", &value, "--for", "1h"]).await.succeeded();
    assert_eq!(status(&gateway, &first).await, 200);
    gateway.cli(["limits", "allow", "api-key", &value, "--end"]).await.succeeded();

    let other = get(&gateway, &second).await;
    assert_eq!(other.status(), 200, "every key has its own");
    assert_eq!(values(other.headers(), "ratelimit-policy"), ["\"api-key/own-rate\";q=60;w=60"]);

    let shown = gateway.cli(["key", "set-rate", &id, "120/2h burst 40"]).await.succeeded();
    assert_eq!(after(&shown, "rate"), "120/2h burst 40", "{shown}");
    assert_eq!(status(&gateway, &first).await, 200);
    let shown = gateway.cli(["key", "set-rate", &id]).await.succeeded();
    assert_eq!(after(&shown, "rate"), "as its route allows");
    let free = get(&gateway, &first).await;
    assert!(free.status() == 200 && !free.headers().contains_key("ratelimit"));
    for nonsense in ["often", "0/s", "1/31d burst 2"] {
        let refused = gateway.cli(["key", "set-rate", &id, nonsense]).await.failed_with(1);
        assert!(refused.contains(nonsense), "{refused}");
    }
    let trail = gateway.cli(["audit", "list", "--json"]).await.succeeded();
    assert!(trail.contains("api_key.set_rate") && trail.contains("120/2h burst 40"), "{trail}");
    gateway.stop().await;
}

#[tokio::test]
async fn people_say_how_often_their_own_keys_may_be_used() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    person(&gateway, "ada@shop.test", &["user", "auditor"]).await;
    let (cookie, csrf) = log_in(&gateway, "ada@shop.test").await;
    let post = async |path: &str, body: Value| {
        let request = gateway.client().post(gateway.url(path)).header("cookie", &cookie);
        request.header("x-csrf-token", &csrf).json(&body).send().await.unwrap()
    };
    let new = |rate: &str| json!({ "name": "mine", "permissions": ["reports:read"], "rate": rate });
    assert_eq!(post("/auth/keys", new("never")).await.status(), 422);
    let made: Value = post("/auth/keys", new("1/h")).await.json().await.unwrap();
    let (secret, id) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    assert_eq!(made["key"]["rate"], "1/h");
    assert_eq!([status(&gateway, secret).await, status(&gateway, secret).await], [200, 429]);
    let path = format!("/auth/keys/{id}/rate");
    let changed: Value = post(&path, json!({ "rate": "5/min" })).await.json().await.unwrap();
    assert_eq!(changed["rate"], "5/min");
    assert_eq!(status(&gateway, secret).await, 200);
    assert_eq!(post(&path, json!({ "rate": null })).await.status(), 200);
    assert_eq!(post("/auth/keys/another/rate", json!({ "rate": null })).await.status(), 404);
    gateway.stop().await;
}

#[tokio::test]
async fn gateways_that_share_a_store_count_the_rate_of_a_key_together() {
    let Some(program) = programs().into_iter().next() else { return };
    let (store, redis) = (PostgresServer::start(), Server::start(&program, &[]));
    let upstream = Upstream::start().await;
    let document = format!("store: {{ url: \"{}\" }}\n{}", store.url(), document(&upstream));
    let [one, other] = two(&document, &redis).await;
    one.cli(["org", "create", "Acme"]).await.succeeded();
    let (key, id) = key(&one, "1000/h").await;
    eventually("both know the key", async || status(&other, &key).await == 200).await;
    one.cli(["key", "set-rate", &id, "4/d"]).await.succeeded();
    let rate = async |gateway: &Gateway| {
        let answer = get(gateway, &key).await;
        (answer.status().as_u16(), values(answer.headers(), "ratelimit-policy").join(""))
    };
    let told = "\"api-key/own-rate\";q=4;w=86400".to_owned();
    assert_eq!(rate(&one).await, (200, told.clone()));
    eventually("the other counts by the rate", async || rate(&other).await.1 == told).await;
    let mut admitted = 0;
    for turn in 0..6 {
        admitted += u32::from(rate(if turn % 2 == 0 { &one } else { &other }).await.0 == 200);
    }
    assert_eq!(admitted, 2, "four are admitted, and two were before");
    stop_all(vec![one, other]).await;
}
