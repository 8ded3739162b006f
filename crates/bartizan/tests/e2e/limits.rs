//! How much may be asked: by address, by user and by both together, what it costs, and what the client is told. Limits
//! that gateways share are in `shared_limits.rs`.

use reqwest::Response;
use serde_json::{Value, json};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    eventually::eventually, harness::Gateway, issuer::Issuer, phrases::ready, raw::RawConnection,
    upstream::Upstream,
};

/// The status of each of `count` requests for `path`, one after the other.
async fn statuses(gateway: &Gateway, path: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(gateway.get(path).await.status().as_u16());
    }
    statuses
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn who_asks_too_much_is_told_how_much_is_left_and_when_to_come_back() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits: {{ burst: [{{ name: burst, per: address, rate: 60/h, burst: 2 }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: burst }}]"
    ))
    .await;
    let first = gateway.get("/a").await;
    assert_eq!(first.status(), 200);
    assert_eq!(header(&first, "ratelimit-policy"), "\"burst\";q=60;w=3600");
    assert_eq!(header(&first, "ratelimit"), "\"burst\";r=1;t=60");
    let told =
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| header(&first, name));
    assert_eq!(told, ["60", "1", "60"]);
    assert_eq!(gateway.get("/b").await.status(), 200);

    let refused = gateway.get("/c").await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert!(header(&refused, "ratelimit").starts_with("\"burst\";r=0;t="), "{refused:?}");
    assert_eq!(header(&refused, "x-ratelimit-remaining"), "0");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!((&problem["code"], &problem["status"]), (&json!("rate_limit_exceeded"), &json!(429)));
    assert_eq!(problem["violated-policies"], json!(["burst"]));

    let line = gateway.log(|line| line["code"] == "rate_limit_exceeded").await;
    assert_eq!(line["stage"], "coarse_limit");
    let id = problem["request_id"].as_str().unwrap();
    let explained = gateway.cli(["explain", id]).await.succeeded();
    assert!(explained.contains("over burst"), "{explained}");
    let series = |outcome| format!("policy=\"burst\",rule=\"burst\",outcome=\"{outcome}\"");
    for (outcome, count) in [("admitted", 2.0), ("refused", 1.0)] {
        let metric = format!("bartizan_limit_decisions_total{{{}", series(outcome));
        assert_eq!(gateway.metric(&metric).await, count, "{outcome}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_refusal_charges_nothing_in_any_dimension() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = ready(&format!(
        "identity: {{ shop: {} }}\n\
         limits: {{ both: [{{ per: address, rate: 5/h }}, {{ per: user, rate: 2/h }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: shop, limit: both }}]",
        issuer.provider("")
    ))
    .await;
    let ask = async |user: &str| {
        let token = issuer.token(json!({ "sub": user }));
        gateway.client().get(gateway.url("/")).bearer_auth(token).send().await.unwrap()
    };
    for expected in [200, 200, 429, 429, 429] {
        assert_eq!(ask("ada").await.status(), expected);
    }
    let refused = ask("ada").await;
    let explained = gateway.cli(["explain", header(&refused, "x-request-id")]).await.succeeded();
    let by_user = explained.lines().find(|line| line.starts_with("both/user")).unwrap_or_default();
    assert!(by_user.contains("user shop/ada") && by_user.contains("0 of 2"), "{explained}");
    let by_address = explained.lines().find(|line| line.starts_with("both/address")).unwrap_or_default();
    assert!(by_address.contains("given back") && by_address.contains("3 of 5"), "{explained}");
    assert!(explained.contains("refused first by both/user-3600s"), "{explained}");
    // Had the refusals been charged, the address would have nothing left for anybody else.
    let response = ask("grace").await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header(&response, "ratelimit-policy"),
        "\"address-3600s\";q=5;w=3600, \"user-3600s\";q=2;w=3600"
    );
    assert!(header(&response, "ratelimit").starts_with("\"address-3600s\";r=2;"), "{response:?}");
    assert_eq!(ask("grace").await.status(), 200);
    assert_eq!(ask("joan").await.status(), 200);
    let refused = ask("joan").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.json::<Value>().await.unwrap()["violated-policies"], json!(["address-3600s"]));

    // Who is not known is counted by the address alone, before the token is looked at.
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 429);
    gateway.stop().await;
}

/// Scripts of other origins may read what they need to wait.
#[tokio::test]
async fn a_browser_is_told_too() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits: {{ few: [{{ per: address, rate: 1/h }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few, cors: [\"https://shop.test\"] }}]"
    ))
    .await;
    for expected in [200, 429] {
        let request = gateway.client().get(gateway.url("/")).header("origin", "https://shop.test");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), expected);
        assert_eq!(header(&response, "access-control-allow-origin"), "https://shop.test");
        let exposed = header(&response, "access-control-expose-headers");
        assert!(exposed.contains("retry-after") && exposed.contains("ratelimit-policy"), "{exposed}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_costs_what_its_operation_does() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits: {{ calls: [{{ per: address, rate: 10/h }}] }}\n\
         routes: [{{ path: /calls/**, to: \"{upstream}\", auth: none, limit: calls, cost: {{ \"POST /calls/start\": 5 }} }}]"
    ))
    .await;
    let start = async || gateway.client().post(gateway.url("/calls/start")).send().await.unwrap().status();
    assert_eq!(start().await, 200);
    assert_eq!(statuses(&gateway, "/calls/start", 1).await, [200]);
    assert_eq!(start().await, 429, "four are left");
    assert_eq!(statuses(&gateway, "/calls/1", 5).await, [200, 200, 200, 200, 429]);
    gateway.stop().await;
}

#[tokio::test]
async fn rules_count_what_they_say_and_nobody_who_is_exempt() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits:
  login:
    rules:
      - {{ per: address, rate: 2/h, on: \"POST /login\" }}
      - {{ per: address, rate: 4/h, priority: -1 }}
    skip: [/health]
  others: {{ rules: [{{ per: address, rate: 1/h }}], allow: [127.0.0.0/8] }}
  watched: [{{ per: address, rate: 1/h, mode: shadow }}]
  tenants: [{{ per: \"header:x-tenant\", rate: 1/h }}]
routes:
  - {{ path: /login, to: \"{upstream}\", auth: none, limit: login }}
  - {{ path: /health, to: \"{upstream}\", auth: none, limit: login }}
  - {{ path: /others, to: \"{upstream}\", auth: none, limit: others }}
  - {{ path: /watched, to: \"{upstream}\", auth: none, limit: watched }}
  - {{ path: /tenants, to: \"{upstream}\", auth: none, limit: tenants }}
  - {{ path: /unlimited, to: \"{upstream}\", auth: none }}"
    ))
    .await;
    let login = async || gateway.client().post(gateway.url("/login")).send().await.unwrap().status().as_u16();
    assert_eq!([login().await, login().await, login().await], [200, 200, 429]);
    assert_eq!(
        statuses(&gateway, "/login", 5).await,
        [200, 200, 200, 200, 429],
        "the lower rule counts the rest"
    );
    for path in ["/health", "/others", "/watched", "/unlimited"] {
        assert_eq!(statuses(&gateway, path, 6).await, [200; 6], "{path}");
    }
    let metric =
        "bartizan_limit_decisions_total{policy=\"watched\",rule=\"address-3600s\",outcome=\"would_refuse\"";
    assert_eq!(gateway.metric(metric).await, 5.0);
    assert!(gateway.get("/watched").await.headers().get("ratelimit").is_none(), "a shadow says nothing");

    for (tenant, expected) in [("a", 200), ("a", 429), ("b", 200), ("", 200), ("", 429)] {
        let request = gateway.client().get(gateway.url("/tenants"));
        let request = if tenant.is_empty() { request } else { request.header("x-tenant", tenant) };
        assert_eq!(request.send().await.unwrap().status(), expected, "{tenant}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn so_many_at_once_and_no_more() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits: {{ few: [{{ per: address, concurrent: 2 }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
    ))
    .await;
    let (one, two) = (gateway.get("/drip").await, gateway.get("/drip").await);
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200), "their bodies have not ended");
    let refused = gateway.get("/").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "1"));
    upstream.open_gate();
    assert_eq!(one.text().await.unwrap(), "firstlast");
    assert_eq!(gateway.get("/").await.status(), 200);
    drop(two);
    gateway.stop().await;
}

/// Switches protocols with everybody and keeps the connection until the other side closes it.
async fn switching() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                let switched =
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
                stream.write_all(switched.as_bytes()).await.unwrap();
                // Until the gateway closes.
                let _ = stream.read(&mut head).await;
            });
        }
    });
    url
}

/// A tunnel is a request in flight until it closes.
#[tokio::test]
async fn an_upgraded_connection_keeps_its_place() {
    let upstream = switching().await;
    let gateway = Gateway::start(&format!(
        "limits: {{ few: [{{ per: address, concurrent: 1 }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
    ))
    .await;
    let connect = async || {
        let mut connection = RawConnection::open(gateway.http()).await;
        let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        connection.send(head).await;
        let answer = connection.read_until("\r\n\r\n").await;
        (connection, String::from_utf8(answer).unwrap())
    };
    let (tunnel, answer) = connect().await;
    assert!(answer.contains("101 Switching"), "{answer}");
    let (_, answer) = connect().await;
    assert!(answer.contains("429 Too Many"), "{answer}");
    drop(tunnel);
    eventually("a place", async || connect().await.1.contains("101 Switching")).await;
    gateway.stop().await;
}

/// Who tries out a stricter rule must neither weaken the one in force nor learn nothing.
#[tokio::test]
async fn a_rule_that_only_reports_changes_nothing_and_tells() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits:
  tried:
    - {{ per: address, rate: 2/h }}
    - {{ name: strict, per: address, rate: 1/h, priority: 1, mode: shadow }}
    - {{ name: few, per: route, concurrent: 1, mode: shadow }}
routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: tried }}]"
    ))
    .await;
    let waiting = gateway.get("/drip").await;
    assert_eq!(waiting.status(), 200);
    assert_eq!(statuses(&gateway, "/", 2).await, [200, 429]);
    for rule in ["strict", "few"] {
        let metric = format!(
            "bartizan_limit_decisions_total{{policy=\"tried\",rule=\"{rule}\",outcome=\"would_refuse\""
        );
        assert!(gateway.metric(&metric).await >= 1.0, "{rule}");
    }
    upstream.open_gate();
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_counted_outlives_a_reload() {
    let upstream = Upstream::start().await;
    let document = |rate: &str| {
        format!(
            "limits: {{ few: [{{ name: few, per: address, rate: {rate}, algorithm: fixed-window }}] }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
        )
    };
    let gateway = Gateway::start(&document("3/h")).await;
    assert_eq!(statuses(&gateway, "/", 3).await, [200; 3]);
    gateway.rewrite(&document("4/h"));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(statuses(&gateway, "/", 2).await, [200, 429]);
    gateway.stop().await;
}
