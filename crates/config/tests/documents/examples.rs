//! The documents under `examples/` and in the issue tracker parse, warn of nothing, and fit the schema.

use std::{fs, path::PathBuf};

use bartizan_config::{Authentication, Config, Http, Provider, Source, schema};
use serde_json::Value;

use crate::{environment, folder, parse_in, with};

fn examples() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut examples: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    examples.sort();
    examples
}

fn fits_schema(text: &str) -> Result<(), String> {
    let document: Value = serde_saphyr::from_str(text).unwrap();
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    validator.validate(&document).map_err(|error| format!("{}: {error}", error.instance_path()))
}

#[test]
fn every_example_parses_without_a_warning_and_fits_the_schema() {
    let examples = examples();
    let names: Vec<_> = examples.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "alerts.yaml",
            "bartizan.yaml",
            "behind-a-proxy.yaml",
            "exports.yaml",
            "identity.yaml",
            "limits.yaml",
            "presets.yaml"
        ]
    );
    let folder = folder();
    for (name, text) in &examples {
        let loaded = parse_in(folder.path(), text).unwrap_or_else(|error| panic!("{name}\n{error}"));
        assert!(loaded.warnings.is_empty(), "{name}: {:?}", loaded.warnings);
        fits_schema(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn the_document_of_the_readme_says_what_it_seems_to_say() {
    let text = r#"
version: 1
listen: { https: "0.0.0.0:443", http: redirect, admin: "127.0.0.1:9443" }
tls: { cert: ./cert.pem, key: ./key.pem }            # or: dev (self-signed, loopback only)
identity:
  shop-users: { jwt: { issuer: "https://id.shop.test", audience: orders, jwks: "https://id.shop.test/jwks" } }
  partners:   { api_key: { header: x-api-key } }
routes:
  - path: /api/orders/**
    to: http://orders:8080
    auth: [shop-users, partners]      # a route without `auth` is refused by `check`; public is `auth: none`
    require: [orders:read]
"#;
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    fs::write(&path, text).unwrap();
    let loaded = Config::load_from(&path, &Source::file(&path).with_environment(environment())).unwrap();
    let warnings: Vec<_> =
        loaded.warnings.iter().map(|warning| (warning.line, warning.message.as_str())).collect();
    assert_eq!(warnings, [(7, "`partners` has no keys: it admits nobody")]);

    let config = loaded.config;
    assert_eq!(config.listen.https, Some("0.0.0.0:443".parse().unwrap()));
    assert_eq!(config.listen.http.map(Http::address), Some("0.0.0.0:80".parse().unwrap()));
    assert_eq!(config.listen.metrics, "127.0.0.1:9464".parse().unwrap());
    assert_eq!(config.files, [folder.path().join("./cert.pem"), folder.path().join("./key.pem")]);
    assert_eq!(config.revision.len(), 12);
    let providers: Vec<_> = config.identity.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(providers, ["shop-users", "partners"]);
    assert!(matches!(config.identity[1].provider, Provider::ApiKey(_)));
    let [route] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!((route.line.number(), route.authentication_line.number()), (Some(9), Some(11)));
    assert!(matches!(&route.authentication, Authentication::Required(names) if names.len() == 2));
    let upstream = &config.upstreams[route.destination.upstream().unwrap().0];
    assert_eq!(
        (upstream.name.as_str(), upstream.targets[0].to_string().as_str()),
        ("orders-8080", "http://orders:8080")
    );
    fits_schema(text).unwrap();
}

#[test]
fn a_document_with_every_form_of_limits_fits_the_schema() {
    let text = r#"
version: 1
listen: { http: "127.0.0.1:0" }
identity: { users: { jwt: { issuer: i, audience: o, jwks: "https://i" } } }
limits:
  voice:
    - { per: address, rate: 100/min, burst: 20 }
    - { per: user, rate: 1000/h }
    - { per: [organization, endpoint], rate: 10000/h, algorithm: sliding-window }
    - { per: user, concurrent: 10 }
    - { per: "header:x-tenant", rate: 10/s, mode: shadow }
  login:
    rules: [{ per: address, rate: 5/min, on: ["POST /auth/login"], priority: 10, enabled: true, name: login-burst }]
    skip: ["/auth/health"]
    allow: ["10.0.0.0/8"]
routes:
  - path: /api/calls/**
    to: http://calls
    auth: users
    limit: voice
    cost: { "POST /api/calls/start": 5, "POST /api/calls/{id}/end": 1 }
  - { path: /auth/**, to: "http://auth", auth: none, limit: [login, auth], cost: 1 }
every_request: { limit: generic }
shared: { redis: "redis://127.0.0.1:6379", mode: exact, on_error: local, timeout: 5ms }
"#;
    let loaded = crate::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(warning.message.contains("`user-concurrent` is not shared"), "{warning}");
    assert_eq!(loaded.config.limits.len(), 4);
    fits_schema(text).unwrap();
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let refused = [
        with("rotues: []"),
        with("hardening: { max_conections: 1 }"),
        with("identity: { a: { jwt: {}, api_key: {} } }"),
        with("log: { format: xml }"),
        with("shutdown: { drain: 30 }"),
        with("limits: { a: [{ per: ip, rate: 1/s }] }"),
        with("limits: { a: [{ per: address, rate: 100 }] }"),
        with("limits: { a: [{ per: address, concurrent: 0 }] }"),
        with("limits: { a: { skip: [/health] } }"),
        with("").replace("auth: none", "auth: none, limit: api, cost: { calls: 5 }"),
        with("shared: { redis: localhost }"),
        with("shared: { mode: exact }"),
        with("roles: { viewer: [\"ord*:read\"] }"),
        "version: 2\nlisten: {}\nroutes: []".into(),
        "version: 1\nlisten: { http: \"127.0.0.1:80\" }\nroutes: [{ path: /, to: \"http://a\" }]".into(),
    ];
    for text in refused {
        assert!(fits_schema(&text).is_err(), "schema: {text}");
        assert!(crate::parse(&text).is_err(), "parser: {text}");
    }
}
