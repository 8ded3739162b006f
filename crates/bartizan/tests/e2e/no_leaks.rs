//! What the outside learns of the inside: nothing. Refusals name no upstream, no reason and no version, the admin
//! API says nothing without its token, the metrics listener has metrics and health only, and no credential is ever
//! written to the log.

use std::os::unix::fs::PermissionsExt;

use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    harness::{Gateway, client},
    phrases::public,
    raw::RawConnection,
    upstream::Upstream,
};

const KEY: &str = "bzk_leaks-0123456789abcdef0123456789abcdef";
const KEY_HASH: &str = "a8b18b9b1a11e50de0323c048373365d961f123903c7bdb04f585def106ef272";

/// Somebody who answers every connection with something that is not HTTP.
async fn babbler() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"panic: inner-secret at 10.0.0.7\r\n\r\n").await;
        }
    });
    address.to_string()
}

#[tokio::test]
async fn a_refusal_says_nothing_of_the_inside() {
    let upstream = Upstream::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let babbler = babbler().await;
    let gateway = Gateway::start(&format!(
        "identity: {{ inner-circle: {{ api_key: {{ keys: [{{ name: inner-key, hash: \"sha256:{KEY_HASH}\" }}] }} }} }}
upstreams:
  inner-up: {{ targets: \"{upstream}\" }}
  inner-down: {{ targets: \"http://{nobody}\" }}
  inner-babbler: {{ targets: \"http://{babbler}\" }}
routes:
  - {{ path: /up, to: inner-up, auth: none, methods: [GET], body: {{ policy: refuse, hold: 10B, max: 10B }} }}
  - {{ path: /gate, to: inner-up, auth: none, timeouts: {{ response: 200ms }} }}
  - {{ path: /down, to: inner-down, auth: none }}
  - {{ path: /babble, to: inner-babbler, auth: none }}
  - {{ path: /guarded, to: inner-up, auth: inner-circle, require: [\"inner:permission\"] }}
"
    ))
    .await;
    let secrets = [
        upstream.address().to_string(),
        nobody.clone(),
        babbler.clone(),
        nobody.rsplit(':').next().unwrap().to_owned(),
        upstream.address().port().to_string(),
        "inner".to_owned(),
        "10.0.0.7".to_owned(),
        "hyper".to_owned(),
        "rustls".to_owned(),
        "hardening".to_owned(),
        ".rs".to_owned(),
        env!("CARGO_PKG_VERSION").to_owned(),
        KEY_HASH.to_owned(),
    ];
    let requests = [
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404),
        ("DELETE /up HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("GET /up HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world".to_owned(), 413),
        ("GET /guarded HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 401),
        ("GET /guarded HTTP/1.1\r\nHost: a\r\nX-Api-Key: wrong\r\n\r\n".to_owned(), 401),
        (format!("GET /guarded HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\r\n"), 403),
        ("GET /down HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 503),
        ("GET /babble HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 502),
        ("GET /gate HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 504),
        ("GET /up\r\n\r\n".to_owned(), 400),
        ("GET /up HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n".to_owned(), 400),
        ("GET /up HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000)), 414),
    ];
    for (request, status) in requests {
        let mut connection = RawConnection::open(gateway.http()).await;
        connection.send(&request).await;
        let answer = connection.read_answer().await;
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        let problem = answer.json();
        let members: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["type", "title", "status", "detail", "code", "request_id"], "{request:?}");
        let id = answer.request_id();
        for secret in &secrets {
            let said = |text: &str| text.replace(id, "").to_lowercase().contains(&secret.to_lowercase());
            assert!(!said(&problem.to_string()), "{request:?}: `{secret}` in {problem}");
            let field = answer.headers.iter().find(|(name, value)| said(name) || said(value));
            assert!(field.is_none(), "{request:?}: `{secret}` in {field:?}");
        }
        for name in ["server", "via", "x-powered-by"] {
            assert_eq!(answer.header(name), "", "{request:?}");
        }
        // The operator sees what the client does not.
        let line = gateway.log(|line| line["request_id"] == id).await;
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    }
}

#[tokio::test]
async fn the_admin_api_says_nothing_without_its_token() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let token = gateway.admin_token();
    let mode = std::fs::metadata(gateway.state_directory().join("admin-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(token.len() >= 32, "a token of {} characters", token.len());

    let base = format!("http://{}", gateway.admin());
    let wrong = format!("Bearer {}x", &token[..token.len() - 1]);
    let credentials = [
        None,
        Some(("authorization", wrong)),
        Some(("authorization", format!("Bearer {token}x"))),
        Some(("authorization", format!("Bearer {}", &token[..token.len() - 1]))),
        Some(("authorization", "Bearer ".to_owned())),
        Some(("authorization", token.clone())),
        Some(("authorization", format!("Basic {token}"))),
        Some(("x-api-key", token.clone())),
        Some(("cookie", format!("token={token}"))),
    ];
    let endpoints = [
        (Method::GET, "/v1/status"),
        (Method::GET, "/v1/configuration"),
        (Method::POST, "/v1/configuration/reload"),
        (Method::GET, "/v1/requests"),
        (Method::GET, "/v1/requests/0"),
        (Method::GET, "/v1/addresses"),
        (Method::POST, "/v1/addresses"),
        (Method::DELETE, "/v1/addresses?address=127.0.0.1"),
        (Method::GET, "/v1/upstreams"),
        (Method::GET, "/metrics"),
        (Method::GET, "/openapi.json"),
        (Method::GET, "/v1/nothing"),
        (Method::PATCH, "/v1/status"),
        (Method::GET, "/"),
    ];
    for (method, path) in &endpoints {
        for credential in &credentials {
            let mut request = client().request(method.clone(), format!("{base}{path}"));
            if let Some((name, value)) = credential {
                request = request.header(*name, value);
            }
            let answer = request.send().await.unwrap();
            let what = format!("{method} {path} with {credential:?}");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
            assert!(answer.headers().get("server").is_none(), "{what}");
            let text = answer.text().await.unwrap();
            assert!(
                !text.contains(&upstream.address().to_string()) && !text.contains(&token),
                "{what}: {text}"
            );
        }
    }
    // In the query it would end up in logs.
    let in_query =
        client().get(format!("{base}/v1/status?token={token}&access_token={token}")).send().await.unwrap();
    assert_eq!(in_query.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(gateway.ask_admin("/v1/status", None).await.status(), StatusCode::OK);
    assert!(!gateway.log_text().contains(&token), "the token is in the log");
    assert!(!gateway.stdout_text().contains(&token), "the token is on the terminal");
}

/// DNS rebinding: a page in the operator's browser that has made its own name point to the loopback address.
#[tokio::test]
async fn the_admin_api_answers_to_its_own_name_and_pages_of_its_own_only() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let ask = async |name: &'static str, value: &'static str| {
        let url = format!("http://{}/v1/status", gateway.admin());
        let request = client().get(url).bearer_auth(gateway.admin_token()).header(name, value);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("host", "localhost").await, 200);
    for (name, value) in [
        ("host", "evil.test"),
        ("host", "127.0.0.1.evil.test"),
        ("origin", "http://evil.test"),
        ("origin", "null"),
    ] {
        let status = ask(name, value).await;
        assert!((400..500).contains(&status), "{name}: {value}: {status}");
    }
}

#[tokio::test]
async fn the_metrics_listener_has_metrics_and_health_and_nothing_else() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let base = format!("http://{}", gateway.metrics());
    let marked = "marked-by-a-client";
    let request = client()
        .get(gateway.url(&format!("/{marked}?{marked}")))
        .header("user-agent", marked)
        .header("host", marked);
    assert_eq!(request.send().await.unwrap().status(), 200);
    client().request(Method::from_bytes(b"MARKED").unwrap(), gateway.url("/")).send().await.unwrap();

    for path in ["/metrics", "/healthz", "/readyz"] {
        let answer = client().get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap().to_lowercase();
        for secret in ["marked", &gateway.admin_token()] {
            assert!(!text.contains(&secret.to_lowercase()), "{path}: `{secret}` in {text}");
        }
        let posted = client().post(format!("{base}{path}")).json(&json!({})).send().await.unwrap();
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for path in [
        "/",
        "/v1/status",
        "/v1/configuration",
        "/v1/requests",
        "/v1/addresses",
        "/openapi.json",
        "/debug/pprof",
        "/metrics/../v1/status",
    ] {
        let mut connection = RawConnection::open(gateway.metrics()).await;
        let token = gateway.admin_token();
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(connection.read_to_end().await.status, 404, "{path}");
    }
}

/// Credentials in every place a client may put them, valid and not.
fn secrets() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| headers.append(name, value.parse().unwrap());
    set("authorization", "Bearer eyJzZWNyZXQtYmVhcmVy.eyJzZWNyZXQtY2xhaW1z.c2VjcmV0LXNpZ25hdHVyZQ");
    set("proxy-authorization", "Basic c2VjcmV0LXByb3h5");
    set("cookie", "session=secret-cookie");
    set("x-csrf-token", "secret-csrf");
    set("referer", "http://a/?token=secret-referer");
    headers
}

/// What must never be seen again.
const SECRETS: [&str; 9] = [
    KEY,
    KEY_HASH,
    "wrong-key-0123456789",
    "eyJzZWNyZXQtYmVhcmVy",
    "eyJzZWNyZXQtY2xhaW1z",
    "c2VjcmV0LXNpZ25hdHVyZQ",
    "c2VjcmV0LXByb3h5",
    "shared-between-issuer-and-gateway",
    // Cookie, query, body and the like.
    "secret-",
];

#[tokio::test]
async fn no_credential_is_ever_written_down() {
    let upstream = Upstream::start().await;
    for level in ["info", "debug", "trace"] {
        let gateway = Gateway::launch(&format!(
            "identity:
  partners: {{ api_key: {{ keys: [{{ name: acme, hash: \"sha256:{KEY_HASH}\", permissions: [\"orders:read\"] }}] }} }}
  users: {{ jwt: {{ issuer: \"https://id.test\", audience: shop, secret: \"${{TOKEN_SECRET}}\" }} }}
routes:
  - {{ path: /orders, to: \"{upstream}\", auth: [partners, users], require: [\"orders:read\"] }}
  - {{ path: /refunds, to: \"{upstream}\", auth: [partners, users], require: [\"refunds:write\"] }}
  - {{ path: /**, to: \"{upstream}\", auth: none }}
log: {{ format: json, level: {level}, requests: true }}
"
        ))
        .environment("TOKEN_SECRET", "shared-between-issuer-and-gateway-0123")
        .start()
        .await;
        let mut ids = Vec::new();
        for client in
            [client(), reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()]
        {
            for path in ["/orders", "/refunds", "/public", "/%2f"] {
                for key in [Some(KEY), Some("wrong-key-0123456789"), None] {
                    let url = gateway.url(&format!("{path}?access_token=secret-query"));
                    let mut request = client.post(url).headers(secrets()).body("password=secret-body");
                    if let Some(key) = key {
                        // One credential at a time.
                        let mut headers = secrets();
                        headers.remove("authorization");
                        request = client.post(gateway.url(path)).headers(headers).header("x-api-key", key);
                    }
                    let answer = request.send().await.unwrap();
                    ids.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
                }
            }
        }
        for id in &ids {
            gateway.log(|line| line["request_id"] == id.as_str()).await;
        }
        let seen = [
            ("log", gateway.log_text()),
            ("terminal", gateway.stdout_text()),
            ("requests", gateway.ask_admin("/v1/requests?limit=100", None).await.text().await.unwrap()),
            ("configuration", gateway.ask_admin("/v1/configuration", None).await.text().await.unwrap()),
            ("explain", gateway.cli(["explain", &ids[0]]).await.stdout),
        ];
        for (place, text) in seen {
            for secret in SECRETS {
                let line = text.lines().find(|line| line.contains(secret));
                assert!(line.is_none(), "{level}: `{secret}` in the {place}: {line:?}");
            }
        }
        assert!(gateway.log_text().contains(&format!("\"{}\"", level.to_uppercase())), "{level} is logged");
    }
}

/// A client cannot write lines of its own into the log.
#[tokio::test]
async fn a_log_line_stays_one_line() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, ", methods: [GET]").await;
    let forged = "{\\\"code\\\":\\\"forged\\\"}";
    let target = format!("/x%0a{forged}%1b[2J").replace('"', "%22").replace(['{', '}', '\\'], "");
    let answer =
        gateway.raw(format!("DELETE {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
    assert!(matches!(answer.status, 400 | 405), "{answer:?}");
    let line = gateway.log(|line| line["request_id"] == answer.request_id()).await;
    assert_ne!(line["code"], "forged");
    assert!(!gateway.log_text().contains('\u{1b}'), "a control character reached the log");
}
