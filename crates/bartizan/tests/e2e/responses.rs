//! What goes back to the client: security headers, CORS, cookies, and what Mozilla's scanner thinks of it.

use std::{net::SocketAddr, path::PathBuf, process::Stdio};

use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinSet,
    time::timeout,
};

use crate::{
    certificates::{Authority, replace},
    harness::{Gateway, PATIENCE},
    service::Service,
    upstream::Body,
};

/// A page at `/`, JSON under `/api`; both with headers that a gateway should not let pass, and with cookies.
async fn shop() -> Service {
    Service::start(async |request: http::Request<hyper::body::Incoming>| {
        let nonce = request.headers().get("x-csp-nonce").map_or("", |nonce| nonce.to_str().unwrap());
        let response = Response::builder()
            .header("server", "Shop/1.0")
            .header("x-powered-by", "PHP/5.3")
            .header("x-xss-protection", "1; mode=block")
            .header("access-control-allow-origin", "*")
            .header("set-cookie", "session=1; Secure; HttpOnly; SameSite=Lax; Path=/")
            .header("set-cookie", "theme=dark; Secure; HttpOnly; SameSite=Strict");
        let (kind, body) = if request.uri().path().starts_with("/api") {
            ("application/json", "{\"orders\":[]}".to_owned())
        } else {
            let page = "<!doctype html><title>Shop</title><script nonce=\"NONCE\">0</script>";
            ("text/html; charset=utf-8", page.replace("NONCE", nonce))
        };
        let body: Body = Full::from(body).boxed();
        response.header("content-type", kind).body(body).unwrap()
    })
    .await
}

/// Speaks HTTPS and HTTP.
struct Guard {
    gateway: Gateway,
    browser: reqwest::Client,
}

impl Guard {
    async fn start(authority: &Authority, document: &str) -> Self {
        Self::start_with(authority, "\"127.0.0.1:0\"", document).await
    }

    /// With another plain listener.
    async fn start_with(authority: &Authority, http: &str, document: &str) -> Self {
        let launch = Gateway::launch(&format!(
            "version: 1\n\
             listen: {{ https: \"127.0.0.1:0\", http: {http}, admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }}\n\
             tls: {{ cert: ./gateway.pem, key: ./gateway.key }}\n{document}"
        ));
        authority.issue(&["localhost", "127.0.0.1"]).write(launch.folder(), "gateway");
        replace(&launch.folder().join("ca.pem"), &authority.pem());
        Self { gateway: launch.start().await, browser: authority.browser().build().unwrap() }
    }

    /// As a browser asks for a page.
    async fn open(&self, path: &str) -> reqwest::Response {
        let request = self.browser.get(format!("https://{}{path}", self.gateway.https()));
        request.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8").send().await.unwrap()
    }
}

fn public(shop: &Service, besides: &str) -> String {
    format!("routes: [{{ path: /**, to: \"{shop}\", auth: none{besides} }}]")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    assert!(headers.get_all(name).iter().count() < 2, "{name} twice");
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

const YEAR: &str = "max-age=31536000; includeSubDomains";

#[tokio::test]
async fn a_page_gets_everything_that_browsers_honour() {
    let (shop, authority) = (shop().await, Authority::new());
    let guard = Guard::start(&authority, &public(&shop, "")).await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let response = guard.open("/").await;
        let headers = response.headers().clone();
        let expected = [
            ("strict-transport-security", YEAR),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-xss-protection", ""),
            ("server", ""),
            ("x-powered-by", ""),
            ("access-control-allow-origin", ""),
        ];
        for (name, value) in expected {
            assert_eq!(text(&headers, name), value, "{name}");
        }
        let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
        assert_eq!(
            cookies,
            [
                "session=1; Secure; HttpOnly; SameSite=Lax; Path=/",
                "theme=dark; Secure; HttpOnly; SameSite=Strict"
            ]
        );

        let page = response.text().await.unwrap();
        let nonce = page.split_once("nonce=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0)).unwrap();
        assert!(nonce.len() >= 22, "128 bits: {nonce}");
        let policy = text(&headers, "content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri ",
            "form-action ",
            &format!("'nonce-{nonce}'"),
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
        nonces.push(nonce.to_owned());
    }
    assert_ne!(nonces[0], nonces[1]);
    guard.gateway.stop().await;
}

#[tokio::test]
async fn an_api_answer_gets_the_lean_set() {
    let (shop, authority) = (shop().await, Authority::new());
    let guard = Guard::start(&authority, &public(&shop, "")).await;
    let response =
        guard.browser.get(format!("https://{}/api/orders", guard.gateway.https())).send().await.unwrap();
    let expected = [
        ("strict-transport-security", YEAR),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", ""),
        ("x-xss-protection", ""),
        ("server", ""),
    ];
    for (name, value) in expected {
        assert_eq!(text(response.headers(), name), value, "{name}");
    }
    assert_eq!(response.text().await.unwrap(), "{\"orders\":[]}");
}

#[tokio::test]
async fn refusals_are_as_well_dressed_and_say_what_to_do() {
    let (shop, authority) = (shop().await, Authority::new());
    let document = format!(
        "identity: {{ partners: {{ api_key: {{}} }} }}\nroutes: [{{ path: /api/**, to: \"{shop}\", auth: partners }}]"
    );
    let guard = Guard::start(&authority, &document).await;
    for (path, status, code) in [
        ("/api/orders", 401, "missing_authentication_token"),
        ("/elsewhere", 404, "route_not_found"),
        ("/api%2forders", 400, "malformed_request"),
    ] {
        let response = guard.open(path).await;
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers().clone();
        let expected = [
            ("strict-transport-security", YEAR),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("content-type", "application/problem+json"),
            ("x-xss-protection", ""),
        ];
        for (name, value) in expected {
            assert_eq!(text(&headers, name), value, "{path}: {name}");
        }
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{path}");
        assert_eq!(problem["request_id"], text(&headers, "x-request-id"), "{path}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{path}: {member}");
        }
    }
}

#[tokio::test]
async fn strict_transport_is_for_https_only() {
    let (shop, authority) = (shop().await, Authority::new());
    let guard = Guard::start(&authority, &public(&shop, "")).await;
    for path in ["/", "/api/orders", "/api%2forders"] {
        let response = guard.gateway.get(path).await;
        assert_eq!(text(response.headers(), "strict-transport-security"), "", "{path}");
        assert_eq!(text(response.headers(), "x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn a_route_has_the_last_word() {
    let (shop, authority) = (shop().await, Authority::new());
    let document = format!(
        r#"
routes:
  - {{ path: /off, to: "{shop}", auth: none, headers: off }}
  - path: /own
    to: "{shop}"
    auth: none
    headers: {{ csp: "default-src 'self'; script-src 'nonce-{{nonce}}'", set: {{ x-frame-options: SAMEORIGIN, x-extra: "1" }} }}
"#
    );
    let guard = Guard::start(&authority, &document).await;
    let off = guard.open("/off").await;
    for (name, value) in [
        ("server", "Shop/1.0"),
        ("content-security-policy", ""),
        ("x-frame-options", ""),
        ("strict-transport-security", ""),
    ] {
        assert_eq!(text(off.headers(), name), value, "{name}");
    }
    let own = guard.open("/own").await;
    let headers = own.headers().clone();
    let page = own.text().await.unwrap();
    let nonce = page.split_once("nonce=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0)).unwrap();
    assert_eq!(
        text(&headers, "content-security-policy"),
        format!("default-src 'self'; script-src 'nonce-{nonce}'")
    );
    assert_eq!((text(&headers, "x-frame-options"), text(&headers, "x-extra")), ("SAMEORIGIN", "1"));
}

// === CORS ===

const SHOP: &str = "https://shop.test";

async fn cors(shop: &Service) -> Gateway {
    Gateway::start(&format!(
        r#"
identity: {{ partners: {{ api_key: {{}} }} }}
routes:
  - {{ path: /api/same/**, to: "{shop}", auth: none }}
  - {{ path: /api/any/**, to: "{shop}", auth: none, cors: "*" }}
  - {{ path: /api/list/**, to: "{shop}", auth: partners, methods: [GET, PUT], cors: {{ origins: [{SHOP}], credentials: true, max_age: 1h }} }}
"#
    ))
    .await
}

fn preflight(
    gateway: &Gateway,
    path: &str,
    origin: &str,
    method: &str,
    headers: &str,
) -> reqwest::RequestBuilder {
    let request = gateway.client().request(Method::OPTIONS, gateway.url(path));
    let request = request.header("origin", origin).header("access-control-request-method", method);
    if headers.is_empty() { request } else { request.header("access-control-request-headers", headers) }
}

/// A list in a header, in any order and case.
fn listed(headers: &HeaderMap, name: &str) -> Vec<String> {
    let mut items: Vec<_> = text(headers, name).split(',').map(|item| item.trim().to_lowercase()).collect();
    items.sort();
    items.retain(|item| !item.is_empty());
    items
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_gateway_without_a_credential() {
    let shop = shop().await;
    let gateway = cors(&shop).await;
    let response =
        preflight(&gateway, "/api/list/1", SHOP, "PUT", "x-api-key,content-type").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(text(headers, "access-control-allow-origin"), SHOP);
    assert_eq!(text(headers, "access-control-allow-credentials"), "true");
    assert_eq!(text(headers, "access-control-max-age"), "3600");
    assert_eq!(listed(headers, "access-control-allow-methods"), ["get", "head", "put"]);
    let allowed = listed(headers, "access-control-allow-headers");
    assert!(
        ["x-api-key", "content-type"].iter().all(|name| allowed.contains(&(*name).to_owned())),
        "{allowed:?}"
    );
    assert!(listed(headers, "vary").contains(&"origin".to_owned()));
    assert_eq!(shop.connections(), 0, "the upstream was not asked");

    let any = preflight(&gateway, "/api/any/1", "https://anybody.test", "GET", "").send().await.unwrap();
    assert_eq!(any.status(), StatusCode::NO_CONTENT);
    assert_eq!(text(any.headers(), "access-control-allow-origin"), "*");
    assert_eq!(text(any.headers(), "access-control-allow-credentials"), "");
}

#[tokio::test]
async fn a_preflight_that_is_not_allowed_grants_nothing() {
    let shop = shop().await;
    let gateway = cors(&shop).await;
    let cases = [
        ("another origin", "/api/list/1", "https://evil.test", "GET", ""),
        ("an origin that begins alike", "/api/list/1", "https://shop.test.evil.test", "GET", ""),
        ("another scheme", "/api/list/1", "http://shop.test", "GET", ""),
        ("another port", "/api/list/1", "https://shop.test:8443", "GET", ""),
        ("no origin at all", "/api/list/1", "null", "GET", ""),
        ("another header", "/api/list/1", SHOP, "GET", "x-secret"),
        ("a route that allows none", "/api/same/1", SHOP, "GET", ""),
    ];
    for (name, path, origin, method, headers) in cases {
        let response = preflight(&gateway, path, origin, method, headers).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name}");
        for granted in ["access-control-allow-methods", "access-control-allow-headers"] {
            assert_eq!(text(response.headers(), granted), "", "{name}");
        }
        let allowed = if origin == SHOP && path != "/api/same/1" { SHOP } else { "" };
        assert_eq!(text(response.headers(), "access-control-allow-origin"), allowed, "{name}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "cross_origin_refused", "{name}");
    }
    let method = preflight(&gateway, "/api/list/1", SHOP, "DELETE", "").send().await.unwrap();
    assert!(method.status().is_client_error(), "a method that the route does not admit: {}", method.status());
    assert_eq!(shop.connections(), 0);
}

#[tokio::test]
async fn an_answer_may_be_read_by_those_who_may_ask() {
    let shop = shop().await;
    let gateway = cors(&shop).await;
    let cases = [
        ("/api/any/1", "https://anybody.test", 200, "*"),
        ("/api/list/1", SHOP, 401, SHOP),
        ("/api/list/1", "https://evil.test", 401, ""),
        ("/api/same/1", SHOP, 200, ""),
    ];
    for (path, origin, status, allowed) in cases {
        let response = gateway.client().get(gateway.url(path)).header("origin", origin).send().await.unwrap();
        assert_eq!(response.status(), status, "{path} {origin}");
        let headers = response.headers();
        assert_eq!(text(headers, "access-control-allow-origin"), allowed, "{path} {origin}");
        let credentials = if allowed == SHOP { "true" } else { "" };
        assert_eq!(text(headers, "access-control-allow-credentials"), credentials, "{path} {origin}");
        assert_eq!(
            listed(headers, "access-control-expose-headers").is_empty(),
            allowed.is_empty(),
            "{path} {origin}"
        );
        assert_eq!(
            listed(headers, "vary").contains(&"origin".to_owned()),
            path.starts_with("/api/list"),
            "{path} {origin}"
        );
    }
    let refused =
        |origin| gateway.client().delete(gateway.url("/api/list/1")).header("origin", origin).send();
    for (origin, allowed) in [(SHOP, SHOP), ("https://evil.test", "")] {
        let response = refused(origin).await.unwrap();
        assert_eq!(response.status(), 405, "{origin}");
        let headers = response.headers();
        assert_eq!(listed(headers, "allow"), ["get", "put"], "{origin}");
        assert_eq!(text(headers, "access-control-allow-origin"), allowed, "{origin}: a method not allowed");
        assert!(listed(headers, "vary").contains(&"origin".to_owned()), "{origin}");
    }
    let plain = gateway.client().request(Method::OPTIONS, gateway.url("/api/any/1")).send().await.unwrap();
    assert_eq!(plain.status(), 200, "OPTIONS without an origin is a request like any other");
}

// === Mozilla's HTTP Observatory ===

const SCANNER: &str = "@mdn/mdn-http-observatory";

#[tokio::test]
async fn the_observatory_gives_an_a_plus() {
    let Some(scanner) = scanner() else { return };
    let (shop, authority) = (shop().await, Authority::new());
    let guard =
        Guard::start_with(&authority, "{ address: \"127.0.0.1:0\", redirect: true }", &public(&shop, ""))
            .await;
    let port = usual_ports(guard.gateway.https(), guard.gateway.http()).await;
    let host = format!("localhost:{port}");
    let mut node = Command::new("node");
    node.arg(scanner.join("src/scan.js")).arg(host);
    node.env("NODE_EXTRA_CA_CERTS", guard.gateway.folder().join("ca.pem"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, node.output()).await.expect("the scanner hangs").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let scan: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    let score = scan["scan"]["score"].as_i64().unwrap_or_else(|| panic!("{scan:#}"));
    assert!(score >= 130, "{scan:#}");
    assert_eq!(scan["scan"]["grade"], "A+", "{scan:#}");
}

/// The scanner expects HTTPS on port 443 and a redirect to it on port 80, or both on the one port it is given: a
/// TLS handshake (RFC 8446, section 5.1) goes to `https`, anything else to `http`.
async fn usual_ports(https: SocketAddr, http: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut first = [0];
                let Ok(1) = client.peek(&mut first).await else { return };
                let Ok(mut gateway) = TcpStream::connect(if first == [22] { https } else { http }).await
                else {
                    return;
                };
                let _ = copy_bidirectional(&mut client, &mut gateway).await;
            });
        }
    });
    port
}

/// Mozilla's scanner, as `cargo xtask setup` installs it. Where everything must be there, it must be.
fn scanner() -> Option<PathBuf> {
    let package = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("observatory/node_modules").join(SCANNER);
    if package.join("conf/hsts-preload.json").is_file() {
        return Some(package);
    }
    let advice = format!("{SCANNER} is not installed: run `cargo xtask setup`");
    assert!(std::env::var_os("CI").is_none(), "{advice}");
    eprintln!("SKIPPED: {advice}");
    None
}
