//! What the forms of the document mean.

use std::time::Duration;

use bartizan_config::{
    Algorithm, Authentication, BodyPolicy, ClientCertificates, Config, ConfigError, Cors, Hardening,
    HeaderProfile, Http, JwtKeys, MultiFactor, Origins, Provider, ProxyProtocol, Requirement, Requirements,
    Route, Tls, Upstream,
};

use crate::{folder, parse, parse_in, with};

fn route(lines: &str) -> Route {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nidentity:\n  users: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i/jwks\", header: x-token }} }}\n\
         upstreams: {{ app: {{ targets: http://app:1 }} }}\nroutes:\n  - {{ path: /api/**, to: app, {lines} }}\n"
    );
    let loaded = parse(&text).unwrap_or_else(|error| panic!("{lines}\n{error}"));
    std::sync::Arc::into_inner(loaded.config.routes.into_iter().next().unwrap()).unwrap()
}

fn upstream(lines: &str) -> Upstream {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nupstreams: {{ app: {{ {lines} }} }}\nroutes: [{{ path: /, to: app, auth: none }}]"
    );
    parse(&text).unwrap_or_else(|error| panic!("{lines}\n{error}")).config.upstreams[0].as_ref().clone()
}

#[test]
fn a_bare_route_has_the_documented_defaults() {
    let route = route("auth: users");
    assert!(matches!(&route.authentication, Authentication::Required(names) if names[0].as_str() == "users"));
    assert_eq!(route.require, Requirements::Nothing);
    assert_eq!(route.cors, Cors::SameOrigin);
    assert_eq!(route.body, BodyPolicy::Hold { limit: 64 * 1024 });
    assert_eq!(route.max_body, 10 * 1024 * 1024);
    assert_eq!(route.upgrade, ["websocket"]);
    assert_eq!(route.headers.profile, HeaderProfile::Auto);
    assert_eq!(
        (route.timeouts.response, route.timeouts.idle),
        (Duration::from_mins(1), Duration::from_mins(5))
    );
    assert!(route.preserve_host && route.multi_factor == MultiFactor::Off);
    assert!(route.hosts.is_empty() && route.methods.is_empty() && route.strip_prefix.is_none());
}

#[test]
fn require_has_four_forms() {
    let permissions = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect::<Vec<_>>();
    let cases = [
        ("require: [a:r, b:r]", Requirement::All(permissions(&["a:r", "b:r"]))),
        ("require: { all: [a:r] }", Requirement::All(permissions(&["a:r"]))),
        ("require: { any: [a:r, b:r] }", Requirement::Any(permissions(&["a:r", "b:r"]))),
    ];
    for (text, expected) in cases {
        assert_eq!(route(&format!("auth: users, {text}")).require, Requirements::Every(expected), "{text}");
    }
    let by_method =
        route("auth: users, require: { GET: [a:r], POST: { any: [a:w, b:w] }, \"*\": [a:x] }").require;
    let Requirements::ByMethod { methods, otherwise } = by_method else { panic!("{by_method:?}") };
    assert_eq!(methods[0].method, http::Method::GET);
    assert_eq!(methods[1].requirement, Requirement::Any(permissions(&["a:w", "b:w"])));
    assert_eq!(otherwise, Some(Requirement::All(permissions(&["a:x"]))));
}

#[test]
fn cors_has_five_forms() {
    let cors = |text: &str| route(&format!("auth: users, methods: [GET], cors: {text}")).cors;
    assert_eq!(cors("same-origin"), Cors::SameOrigin);
    let cases = [
        ("\"*\"", Origins::Any),
        ("https://a.test", Origins::List(vec!["https://a.test".into()])),
        (
            "[https://a.test, http://localhost:5173]",
            Origins::List(vec!["https://a.test".into(), "http://localhost:5173".into()]),
        ),
        (
            "{ origins: [https://a.test], credentials: true, max_age: 1h, expose: [x-total] }",
            Origins::List(vec!["https://a.test".into()]),
        ),
    ];
    for (text, expected) in cases {
        let Cors::Allow { origins, methods, headers, expose, credentials, max_age } = cors(text) else {
            panic!("{text}")
        };
        assert_eq!(origins, expected, "{text}");
        assert_eq!(methods, [http::Method::GET]);
        assert_eq!(headers, ["authorization", "content-type", "x-request-id", "x-token"]);
        let written_out = text.starts_with('{');
        assert_eq!((credentials, max_age.as_secs()), if written_out { (true, 3600) } else { (false, 600) });
        assert_eq!(expose, [if written_out { "x-total" } else { "x-request-id" }]);
    }
}

#[test]
fn bodies_headers_and_the_rest_are_read() {
    let cases = [
        ("stream", BodyPolicy::Stream, 10 << 20),
        ("refuse", BodyPolicy::Refuse { limit: 64 << 10 }, 10 << 20),
        ("{ hold: 1MiB }", BodyPolicy::Hold { limit: 1 << 20 }, 10 << 20),
        ("{ policy: refuse, hold: 16MiB, max: 1GiB }", BodyPolicy::Refuse { limit: 16 << 20 }, 1 << 30),
    ];
    for (text, policy, max) in cases {
        let route = route(&format!("auth: none, body: {text}"));
        assert_eq!((route.body, route.max_body), (policy, max), "{text}");
    }
    let route = route(
        "auth: none, hosts: [Shop.test, \"*.shop.test\"], methods: [GET, PURGE], strip_prefix: /api, preserve_host: false, \
         upgrade: [WebSocket], timeouts: { response: 5s, idle: 1min }, \
         headers: { profile: html, csp: \"script-src 'nonce-{nonce}'\", set: { X-Team: shop } }",
    );
    assert_eq!(route.hosts, ["shop.test", "*.shop.test"]);
    assert_eq!(route.methods, ["GET", "PURGE"]);
    assert_eq!(route.strip_prefix.unwrap().as_str(), "/api");
    assert_eq!(route.upgrade, ["websocket"]);
    assert_eq!(route.headers.profile, HeaderProfile::Html);
    assert_eq!(route.headers.content_security_policy.as_deref(), Some("script-src 'nonce-{nonce}'"));
    assert_eq!(route.headers.set[0].0, "x-team");
    assert_eq!(route.timeouts.idle, Duration::from_mins(1));
    assert!(!route.preserve_host);
}

#[test]
fn written_defaults_are_the_defaults() {
    let written = "hardening: { max_connections: 16384, connections_per_address: 1024, connections_per_prefix: 4096, \
                   handshake_timeout: 10s, header_timeout: 15s, max_header_bytes: 32KiB, max_uri_bytes: 8KiB, max_header_count: 100, \
                   min_rate: 512, rate_window: 10s, max_held_bytes: 256MiB, max_requests_per_connection: 10000, underscore_headers: refuse, \
                   http2: { concurrent_streams: 128, resets: 200, control_frames: 200, continuations: 8, window: 30s } }";
    assert_eq!(parse(&with(written)).unwrap().config.hardening, Hardening::default());
    assert_eq!(parse(&with("")).unwrap().config.hardening, Hardening::default());
    assert_eq!(parse(&with("")).unwrap().config.drain, Duration::from_secs(30));

    let written = upstream(
        "targets: [http://app:1], protocol: auto, max_connections: 1024, timeouts: { connect: 3s, idle: 60s }, \
         ejection: { consecutive_failures: 5, base: 10s, max_percent: 50 }, \
         retries: { attempts: 1, budget_percent: 20, statuses: [502, 503, 504] }",
    );
    assert_eq!(written, upstream("targets: http://app:1"));
    let health = upstream("targets: http://app:1, health: { path: /healthz }").health.unwrap();
    let written = "targets: http://app:1, health: { path: /healthz, interval: 5s, timeout: 2s, unhealthy_after: 3, healthy_after: 2 }";
    assert_eq!(Some(health), upstream(written).health);
}

#[test]
fn listeners_and_certificates_are_read() {
    let folder = folder();
    let config = |lines: &str| {
        let text = format!("version: 1\n{lines}\nroutes: [{{ path: /, to: \"http://a\", auth: none }}]");
        parse_in(folder.path(), &text).unwrap_or_else(|error| panic!("{lines}\n{error}")).config
    };
    let dev = config("listen: { https: \"localhost:0\", http: redirect, reuse_port: true }\ntls: dev");
    assert_eq!(dev.tls, Some(Tls::Dev));
    assert_eq!(dev.listen.http, Some(Http::Redirect("127.0.0.1:0".parse().unwrap())));
    assert!(dev.listen.reuse_port);

    let served = config(
        "listen: { http: { address: \"[::1]:8080\" }, proxy_protocol: required, trusted_proxies: [10.0.0.0/8, \"::1\"] }",
    );
    assert_eq!(served.listen.http, Some(Http::Serve("[::1]:8080".parse().unwrap())));
    assert_eq!(served.listen.proxy_protocol, ProxyProtocol::Required);
    assert_eq!(served.listen.trusted_proxies.len(), 2);

    let redirect = config(
        "listen: { https: \"0.0.0.0:443\", http: { address: \"0.0.0.0:8080\", redirect: true } }\ntls: { cert: cert.pem, key: key.pem }",
    );
    assert_eq!(redirect.listen.http, Some(Http::Redirect("0.0.0.0:8080".parse().unwrap())));

    let listed = "listen: { https: \"0.0.0.0:443\" }\ntls: { certificates: [{ cert: cert.pem, key: key.pem }], client_ca: ca.pem";
    for (mode, optional) in
        [("", false), (", client_certificate: required", false), (", client_certificate: optional", true)]
    {
        let Some(Tls::Files { certificates, client_certificates }) =
            config(&format!("{listed}{mode} }}")).tls
        else {
            panic!()
        };
        assert_eq!(certificates.len(), 1);
        assert_eq!(matches!(client_certificates, ClientCertificates::Optional(_)), optional, "{mode}");
    }
}

#[test]
fn public_keys_and_shared_secrets_have_their_own_algorithms() {
    let jwt = |lines: &str| {
        let text = with(&format!("identity: {{ a: {{ jwt: {{ issuer: i, audience: [o, p], {lines} }} }} }}"));
        let folder = folder();
        let config = parse_in(folder.path(), &text).unwrap_or_else(|error| panic!("{lines}\n{error}")).config;
        match &config.identity[0].provider {
            Provider::Jwt(jwt) => std::sync::Arc::clone(jwt),
            other => panic!("{other:?}"),
        }
    };
    let public = jwt("jwks: \"http://127.0.0.1:1/jwks\"");
    assert_eq!(public.algorithms.len(), 9);
    assert!(!public.algorithms.contains(&Algorithm::HS256));
    assert!(matches!(&public.keys, JwtKeys::JwksUrl { refresh, .. } if refresh.as_secs() == 600));
    assert_eq!((public.types.as_slice(), public.max_bytes), (&["JWT".to_owned(), "at+jwt".into()][..], 8192));
    assert_eq!((public.leeway.as_secs(), public.header.as_str()), (30, "authorization"));

    assert_eq!(jwt("secret: \"${JWT_SECRET}\"").algorithms, [Algorithm::HS256]);
    assert_eq!(jwt("secret: \"${JWT_SECRET}\", algorithms: [HS512]").algorithms, [Algorithm::HS512]);
    assert!(matches!(&jwt("jwks: ./jwks.json").keys, JwtKeys::JwksFile(path) if path.ends_with("jwks.json")));
    let claims = &jwt("jwks: ./jwks.json, claims: { permissions: scp, organization: tenant }").claims;
    assert_eq!(
        (claims.permissions.as_slice(), &claims.organization, &claims.roles),
        (&["scp".into()][..], &"tenant".into(), &"roles".into())
    );
}

#[test]
fn routes_that_name_the_same_urls_share_an_upstream() {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nupstreams: { b-80: { targets: http://x } }\nroutes:\n\
                \x20 - { path: /1, to: http://a:80, auth: none }\n  - { path: /2, to: [http://a], auth: none }\n\
                \x20 - { path: /3, to: [http://a, http://b], auth: none }\n  - { path: /4, to: b-80, auth: none }\n\
                \x20 - { path: /5, to: http://b, auth: none }\n  - { path: /6, to: \"https://[::1]\", auth: none }\n";
    let config = parse(text).unwrap().config;
    let names: Vec<_> = config
        .routes
        .iter()
        .map(|route| config.upstreams[route.destination.upstream().unwrap().0].name.as_str().to_owned())
        .collect();
    assert_eq!(names, ["a-80", "a-80", "a-80-2", "b-80", "b-80-2", "--1-443"]);
}

#[test]
fn the_environment_is_read_in_every_text() {
    let text = with(
        "identity: { a: { jwt: { issuer: \"${ISSUER}/v1\", audience: \"${AUDIENCE:-orders}\", jwks: \"${ISSUER}/jwks\" } } }",
    );
    let config = parse(&text).unwrap().config;
    let Provider::Jwt(jwt) = &config.identity[0].provider else { panic!() };
    assert_eq!(jwt.issuer, "https://issuer-from-environment.test/v1");
    assert_eq!(jwt.audiences, ["orders"]);
    let text =
        with("hardening: { max_connections: \"${MOST:-77}\" }\nlog: { requests: \"${REQUESTS:-true}\" }");
    let config = parse(&text).unwrap().config;
    assert_eq!((config.hardening.max_connections, config.log.requests), (77, true));
}

#[test]
fn a_bare_target_becomes_a_loopback_gateway() {
    let cases = [
        ("3000", "http://localhost:3000"),
        ("localhost:3000", "http://localhost:3000"),
        ("192.0.2.1:80", "http://192.0.2.1:80"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("http://shop", "http://shop:80"),
        ("https://shop.test/", "https://shop.test:443"),
    ];
    for (target, expected) in cases {
        let config = Config::for_target(target).unwrap_or_else(|error| panic!("{target}: {error}"));
        assert_eq!(config.upstreams[0].targets[0].to_string(), expected, "{target}");
        assert_eq!(config.routes[0].authentication, Authentication::Public);
        assert_eq!(config.routes[0].path.as_str(), "/**");
        assert_eq!(config.listen.http.map(Http::address), Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(config.listen.admin, "127.0.0.1:9443".parse().unwrap());
    }
    for target in [
        "",
        "0",
        "99999",
        "ftp://x",
        "http://x/path",
        "http://user:pass@x",
        "user:pass@x",
        "a b",
        "x\"\nroutes: []",
    ] {
        let error = Config::for_target(target).unwrap_err();
        assert!(matches!(error, ConfigError::Target { .. }), "{target}: {error}");
        assert!(!error.to_string().contains("user:pass"), "{error}");
    }
}
