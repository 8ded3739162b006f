//! Which route a request gets: by host, path and method, the most specific one. Spellings of a path are the matter
//! of `path_dodging.rs`.

use serde_json::Value;

use crate::{harness::Gateway, raw::RawAnswer, upstream::Upstream};

/// `/admin` and a host of its own are guarded; whatever else there is, is public and goes to the same place.
async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        r#"
identity: {{ partners: {{ api_key: {{}} }} }}
routes:
  - {{ path: /**, to: "{upstream}", auth: none }}
  - {{ path: /admin/**, to: "{upstream}", auth: partners }}
  - {{ path: /api, to: "{upstream}", auth: partners }}
  - {{ path: /**, hosts: [admin.test, "*.intern.test"], to: "{upstream}", auth: partners }}
"#
    ))
    .await
}

async fn ask(gateway: &Gateway, host: &str, target: &str) -> RawAnswer {
    gateway.raw(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn paths_are_compared_by_segment() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for target in ["/administration", "/apiary", "/api/orders", "/x/admin", "/admin.css", "/"] {
        assert_eq!(ask(&gateway, "shop.test", target).await.status, 200, "{target}");
        assert_eq!(upstream.received().await.uri.to_string(), target);
    }
}

#[tokio::test]
async fn no_spelling_of_a_host_dodges_its_route() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for host in [
        "admin.test",
        "ADMIN.test",
        "admin.test:80",
        "Admin.Test:8080",
        "admin.test.",
        "admin.test.:80",
        "a.intern.test",
        "a.b.INTERN.test",
        "a.intern.test.",
    ] {
        let answer = ask(&gateway, host, "/").await;
        assert!([400, 401].contains(&answer.status), "{host}: {}", answer.status);
    }
    for host in ["shop.test", "admin.test.evil.test", "xadmin.test", "intern.test", "xintern.test"] {
        assert_eq!(ask(&gateway, host, "/").await.status, 200, "{host}");
        upstream.received().await;
    }
    assert!(upstream.has_received_nothing().await);
    let absolute = ask(&gateway, "admin.test", "http://admin.test/").await;
    assert_eq!(absolute.status, 401);
}

#[tokio::test]
async fn the_most_specific_route_wins_whatever_the_order() {
    let (specific, general) = (Upstream::start().await, Upstream::start().await);
    let routes = [
        format!("{{ path: /orders/**, to: \"{general}\", auth: none }}"),
        format!("{{ path: /orders/new, to: \"{specific}\", auth: none }}"),
        format!("{{ path: /orders/*/lines, to: \"{specific}\", auth: none }}"),
        format!("{{ path: \"/orders/{{id}}\", methods: [DELETE], to: \"{specific}\", auth: none }}"),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let gateway =
            Gateway::start(&format!("routes: [{}]", order.map(|index| routes[index].as_str()).join(", ")))
                .await;
        for path in ["/orders/new", "/orders/7/lines"] {
            assert_eq!(gateway.get(path).await.status(), 200, "{path}");
            assert_eq!(specific.received().await.uri.path(), path);
        }
        for path in ["/orders", "/orders/7/lines/1", "/orders/new/1"] {
            assert_eq!(gateway.get(path).await.status(), 200, "{path}");
            assert_eq!(general.received().await.uri.path(), path);
        }
    }
}

#[tokio::test]
async fn what_is_not_routed_is_told_apart_from_what_is_not_admitted() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "routes: [{{ path: /orders, methods: [GET, POST], to: \"{upstream}\", auth: none }}, \
                  {{ path: /orders, methods: [DELETE], to: \"{upstream}\", auth: none }}]"
    ))
    .await;
    let nowhere = gateway.get("/elsewhere").await;
    assert_eq!(nowhere.status(), 404);
    assert_eq!(nowhere.json::<Value>().await.unwrap()["code"], "route_not_found");
    let put = gateway.client().put(gateway.url("/orders")).send().await.unwrap();
    assert_eq!(put.status(), 405);
    let allow = put.headers()["allow"].to_str().unwrap().to_owned();
    for method in ["GET", "POST", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    assert_eq!(put.json::<Value>().await.unwrap()["code"], "method_not_allowed");
    assert!(upstream.has_received_nothing().await);
    for method in [http::Method::HEAD, http::Method::DELETE] {
        let response = gateway.client().request(method.clone(), gateway.url("/orders")).send().await.unwrap();
        assert_eq!(response.status(), 200, "{method}: GET brings HEAD with it");
    }
}
