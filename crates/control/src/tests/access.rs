//! Who is let in, and what the others are told.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::fixture::{Admin, Answer, METRICS};
use crate::guard::Connection;

const OPEN: [&str; 2] = ["/healthz", "/readyz"];
const GUARDED: [&str; 8] = [
    "/v1/status",
    "/v1/configuration",
    "/v1/requests",
    "/v1/requests/some-id",
    "/v1/addresses",
    "/v1/upstreams",
    "/metrics",
    "/openapi.json",
];

#[tokio::test]
async fn only_probes_are_open() {
    let admin = Admin::new();
    for path in OPEN.into_iter().chain(GUARDED).chain(["/nothing", "/v1", "/"]) {
        let mut request = admin.request(Method::GET, path, None);
        request.headers_mut().remove(header::AUTHORIZATION);
        let answer = admin.send(request).await;
        if OPEN.contains(&path) {
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            continue;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.code(), "missing_authentication_token");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="bartizan""#);
    }
}

#[tokio::test]
async fn nothing_but_the_token_opens() {
    let admin = Admin::new();
    let right = admin.token.authorization().to_str().unwrap().to_owned();
    let token = &right["Bearer ".len()..];
    let cases = [
        (right.clone(), true),
        (format!("bearer {token}"), true),
        (format!("BEARER {token}"), true),
        (token.to_owned(), false),
        (format!("Basic {token}"), false),
        (format!("Bearer  {token}"), false),
        (format!("Bearer {token} "), false),
        (format!("Bearer {token}x"), false),
        (format!("Bearer {}", &token[1..]), false),
        (format!("Bearer {}", token.to_uppercase()), false),
        ("Bearer ".to_owned(), false),
        ("Bearer".to_owned(), false),
        (String::new(), false),
        (format!("Bearer {}", "\u{e9}".repeat(43)), false),
    ];
    for (authorization, opens) in cases {
        let mut request = admin.request(Method::GET, "/v1/status", None);
        let value = HeaderValue::from_bytes(authorization.as_bytes()).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
        let answer = admin.send(request).await;
        if opens {
            assert_eq!(answer.status, StatusCode::OK, "{authorization}");
        } else {
            assert_eq!(answer.code(), "invalid_authentication_token", "{authorization}");
            assert_eq!(
                answer.header("www-authenticate"),
                r#"Bearer realm="bartizan", error="invalid_token""#
            );
        }
    }
    let mut twice = admin.request(Method::GET, "/v1/status", None);
    twice.headers_mut().append(header::AUTHORIZATION, admin.token.authorization());
    assert_eq!(admin.send(twice).await.code(), "invalid_authentication_token");
}

#[tokio::test]
async fn in_the_clear_no_name_can_be_rebound_to_us() {
    // host, status in the clear, status over TLS
    let cases = [
        ("127.0.0.1", 200, 200),
        ("127.0.0.1:9443", 200, 200),
        ("[::1]:9443", 200, 200),
        ("localhost:9443", 200, 200),
        ("LOCALHOST", 200, 200),
        ("10.1.2.3:9443", 200, 200),
        ("attacker.test:9443", 421, 200),
        ("localhost.attacker.test", 421, 200),
        ("127.0.0.1.attacker.test", 421, 200),
        ("user@127.0.0.1", 400, 400),
        ("a b", 400, 400),
        ("", 400, 400),
    ];
    let admin = Admin::new();
    for (host, in_the_clear, over_tls) in cases {
        for (secure, expected) in [(false, in_the_clear), (true, over_tls)] {
            let mut request = admin.request(Method::GET, "/v1/status", None);
            request.headers_mut().insert(header::HOST, HeaderValue::from_static(host));
            request.extensions_mut().insert(Connection { peer: ([127, 0, 0, 1], 1).into(), secure });
            assert_eq!(admin.send(request).await.status, expected, "{host:?}, secure: {secure}");
        }
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let admin = Admin::new();
    let mut none = admin.request(Method::GET, "/v1/status", None);
    none.headers_mut().remove(header::HOST);
    let mut two = admin.request(Method::GET, "/v1/status", None);
    two.headers_mut().append(header::HOST, HeaderValue::from_static("127.0.0.1:9443"));
    let other = admin.request(Method::GET, "http://127.0.0.2:9443/v1/status", None);
    for request in [none, two, other] {
        assert_eq!(admin.send(request).await.code(), "malformed_request");
    }
    let same = admin.request(Method::GET, "http://127.0.0.1:9443/v1/status", None);
    assert_eq!(admin.send(same).await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let cases = [
        (false, "http://127.0.0.1:9443", true),
        (true, "https://127.0.0.1:9443", true),
        (false, "https://127.0.0.1:9443", false),
        (true, "http://127.0.0.1:9443", false),
        (false, "http://127.0.0.1", false),
        (false, "http://127.0.0.1:3000", false),
        (false, "http://localhost:9443", false),
        (false, "https://attacker.test", false),
        (false, "null", false),
        (false, "", false),
    ];
    let admin = Admin::new();
    for (secure, origin, served) in cases {
        let mut request = admin.request(Method::POST, "/v1/configuration/reload", None);
        request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
        request.extensions_mut().insert(Connection { peer: ([127, 0, 0, 1], 1).into(), secure });
        let answer = admin.send(request).await;
        if served {
            assert_eq!(answer.status, StatusCode::OK, "{origin}");
        } else {
            assert_eq!(answer.code(), "cross_origin_refused", "{origin}");
        }
        assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let admin = Admin::new();
    let cases = [
        (Method::GET, "/", 404, "not_found", ""),
        (Method::GET, "/v1/status/", 404, "not_found", ""),
        (Method::POST, "/v1/nothing", 404, "not_found", ""),
        (Method::POST, "/v1/status", 405, "method_not_allowed", "GET,HEAD"),
        (Method::OPTIONS, "/v1/status", 405, "method_not_allowed", "GET,HEAD"),
        (Method::TRACE, "/v1/requests/some-id", 405, "method_not_allowed", "GET,HEAD"),
        (Method::PUT, "/v1/addresses", 405, "method_not_allowed", "GET,HEAD,POST,DELETE"),
        (Method::GET, "/v1/configuration/reload", 405, "method_not_allowed", "POST"),
        (Method::DELETE, "/healthz", 405, "method_not_allowed", "GET,HEAD"),
    ];
    for (method, path, status, code, allow) in cases {
        let answer = admin.send(admin.request(method.clone(), path, None)).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.code(), code, "{method} {path}");
        let mut methods: Vec<_> = answer.header("allow").split(',').collect();
        let mut expected: Vec<_> = allow.split(',').collect();
        methods.sort_unstable();
        expected.sort_unstable();
        assert_eq!(methods, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn answers_are_not_kept_and_carry_the_request_id() {
    let admin = Admin::new();
    let cases = [("chosen-by-the-client", true), ("not an id", false), ("", false)];
    for (sent, kept) in cases {
        let mut request = admin.request(Method::GET, "/v1/status", None);
        request.headers_mut().insert(HeaderName::from_static("x-request-id"), HeaderValue::from_static(sent));
        let answer = admin.send(request).await;
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent:?}");
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn the_metrics_listener_has_metrics_and_probes_only() {
    let admin = Admin::new();
    let cases = [("/metrics", 200), ("/healthz", 200), ("/readyz", 200)];
    for (path, status) in
        cases.into_iter().chain(GUARDED.map(|path| (path, 404))).filter(|case| *case != ("/metrics", 404))
    {
        // Scraped by name, from wherever the collector is.
        let request =
            Request::get(path).header(header::HOST, "gateway.internal:9100").body(Body::empty()).unwrap();
        let answer = Answer::of(admin.control.metrics_router(), request).await;
        assert_eq!(answer.status, status, "{path}");
        if path == "/metrics" {
            assert_eq!(answer.body, METRICS);
            assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        }
    }
    let request = Request::post("/metrics").body(Body::empty()).unwrap();
    assert_eq!(Answer::of(admin.control.metrics_router(), request).await.code(), "method_not_allowed");
}
