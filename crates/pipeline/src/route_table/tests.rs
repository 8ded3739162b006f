use http::Method;

use super::*;
use crate::tests::{config, pipeline};

/// What a look-up finds, in short: the route's path, `405 …`, or `404`.
fn find(pipeline: &crate::Pipeline, host: &str, path: &str, method: &str) -> String {
    match pipeline.routes().find(host, path, &Method::from_bytes(method.as_bytes()).unwrap()) {
        Found::Route(route) => format!("{} {}", route.config.path.as_str(), route.config.hosts.join(",")),
        Found::MethodNotAllowed { allow, first } => {
            format!("405 {}, as route {}", allow.to_str().unwrap(), first.index.0)
        }
        Found::NotFound => "404".into(),
    }
    .trim_end()
    .into()
}

#[tokio::test]
async fn the_most_specific_path_wins_whatever_the_order() {
    let pipeline = pipeline(&config(
        "
  - { path: /**, to: u, auth: none }
  - { path: /api/**, to: u, auth: none }
  - { path: /api/*/items, to: u, auth: none }
  - { path: /api/orders, to: u, auth: none }
  - { path: /api/orders/**, to: u, auth: none }
  - { path: \"/api/orders/{id}\", to: u, auth: none }
  - { path: /api/orders/latest, to: u, auth: none }
  - { path: /, to: u, auth: none }",
    ));
    let cases = [
        ("/", "/"),
        ("/apiary", "/**"),
        ("/API", "/**"),
        ("/api", "/api/**"),
        ("/api/", "/api/**"),
        ("/api/orders", "/api/orders"),
        ("/api/orders/", "/api/orders"),
        ("/api/orders/17", "/api/orders/{id}"),
        ("/api/orders/17/", "/api/orders/{id}"),
        ("/api/orders/latest", "/api/orders/latest"),
        ("/api/orders/latest/x", "/api/orders/**"),
        ("/api/orders/17/lines", "/api/orders/**"),
        ("/api/orders/items", "/api/orders/{id}"),
        ("/api/carts/items", "/api/*/items"),
        ("/api/carts/items/x", "/api/**"),
        ("/api/carts", "/api/**"),
    ];
    for (path, expected) in cases {
        assert_eq!(find(&pipeline, "shop.test", path, "GET"), expected, "{path}");
    }
}

#[tokio::test]
async fn hosts_come_before_paths() {
    let pipeline = pipeline(&config(
        "
  - { path: /a/b, to: u, auth: none }
  - { path: /**, host: shop.test, to: u, auth: none }
  - { path: /**, host: \"*.shop.test\", to: u, auth: none }
  - { path: /x, host: \"*.eu.shop.test\", to: u, auth: none }",
    ));
    let cases = [
        ("shop.test", "/a/b", "/** shop.test"),
        ("SHOP.test:8443", "/a/b", "/** shop.test"),
        ("shop.test.", "/a/b", "/** shop.test"),
        ("www.shop.test", "/a/b", "/** *.shop.test"),
        ("a.eu.shop.test", "/x", "/x *.eu.shop.test"),
        ("a.eu.shop.test", "/y", "/** *.shop.test"),
        ("notshop.test", "/a/b", "/a/b"),
        ("notshop.test", "/c", "404"),
        ("[::1]:80", "/a/b", "/a/b"),
    ];
    for (host, path, expected) in cases {
        assert_eq!(find(&pipeline, host, path, "GET"), expected, "{host}{path}");
    }
}

#[tokio::test]
async fn a_path_is_not_opened_by_a_wider_route_when_its_method_is_closed() {
    let pipeline = pipeline(&config(
        "
  - { path: /**, to: u, auth: none }
  - { path: /reports, methods: [GET], to: u, auth: none }
  - { path: /reports, methods: [PUT, POST], to: u, auth: none }",
    ));
    let cases = [
        ("GET", "/reports"),
        ("HEAD", "/reports"),
        ("POST", "/reports"),
        ("DELETE", "405 GET, POST, PUT, as route 1"),
        ("get", "405 GET, POST, PUT, as route 1"),
    ];
    for (method, expected) in cases {
        assert_eq!(find(&pipeline, "shop.test", "/reports", method), expected, "{method}");
    }
}
