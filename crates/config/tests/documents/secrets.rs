//! Secrets never show: not in diagnostics, not in `Debug`.

use crate::{LONG_SECRET, parse, with};

#[test]
fn secrets_are_in_no_diagnostic() {
    let inline = "inline-secret-inline-secret-inline-secret";
    let documents = [
        with(&format!("identity: {{ a: {{ jwt: {{ issuer: i, audience: o, secret: \"{inline}\", leeway: soon }} }} }}")),
        with(&format!("identity: {{ a: {{ jwt: {{ issuer: i, audience: o, secert: {inline} }} }} }}")),
        with(&format!("identity:\n  a:\n    jwt:\n      issuer: i\n      audience: o\n      secret: |\n        {inline}: [")),
        with(&format!("identity:\n  a:\n    jwt:\n      secret: \"{inline}")),
        with(&format!("identity: {{ a: {{ api_key: {{ keys: [{{ name: n, hash: {inline} }}] }} }} }}")),
        with(&format!("identity: {{ a: {{ signature: {{ keys: [{{ id: p, algorithm: ed25519, secret: \"{inline}\" }}] }} }} }}")),
        with(&format!("identity: {{ a: {{ signature: {{ keys: [{{ id: p, algorithm: hmac-sha256, secret: \"base64:{inline}\" }}] }} }} }}")),
        with(&format!("upstreams: {{ a: {{ targets: [\"http://a\"], sign: {{ id: g, algorithm: rsa, secret: \"{inline}\" }} }} }}")),
        with(&format!("identity: {{ a: {{ api_key: {{ keys: [{{ name: n, key: {inline} }}] }} }} }}")),
        with(&format!("telemetry: {{ otlp: \"http://user:{inline}@collector\" }}")),
        with(&format!("upstreams: {{ a: {{ targets: [\"https://{inline}@a\"] }} }}")),
        with("log: { format: \"${JWT_SECRET}\" }"),
        with("log: { level: \"${JWT_SECRET}\", format: xml }"),
        with("shutdown: { drain: \"${JWT_SECRET}\" }"),
        with("telemetry: { otlp: \"http://${JWT_SECRET}/\" }\nshutdown: { drain: \"x${JWT_SECRET}\" }"),
        with("roles: { \"${JWT_SECRET}\": [a:b] }\nrotues: 1"),
        with("identity: { a: { \"${JWT_SECRET}\": 1 } }"),
        "version: 1\nlisten: { http: \"${JWT_SECRET}\" }\nroutes: [{ path: \"${JWT_SECRET}\", to: \"${JWT_SECRET}\", auth: \"${JWT_SECRET}\", require: [\"${JWT_SECRET}\"], cors: [\"${JWT_SECRET}\"], headers: \"${JWT_SECRET}\" }]".into(),
    ];
    for text in documents {
        let shown = match parse(&text) {
            Ok(loaded) => format!("{:?} {:?}", loaded.warnings, loaded.config.identity),
            Err(error) => format!("{error} {error:?}"),
        };
        for secret in [inline, LONG_SECRET] {
            assert!(!shown.contains(secret), "{text}\n{shown}");
        }
    }
}

#[test]
fn short_values_of_the_environment_do_not_rewrite_messages() {
    let message = |value: &str, lines: &str| {
        let environment = [("VALUE", value)].into_iter().collect();
        let source = bartizan_config::Source::text("").with_environment(environment);
        match bartizan_config::Config::parse(&with(lines), &source) {
            Err(bartizan_config::ConfigError::Invalid(found)) => {
                let error =
                    found.into_iter().find(|found| found.severity == bartizan_config::Severity::Error);
                error.unwrap().message
            }
            other => panic!("{other:?}"),
        }
    };
    let both = "identity: { a: { jwt: { issuer: \"${VALUE}\", audience: o, jwks: \"https://i\" } } }\nlog: { requests: perhaps }";
    for value in ["true", "false", "expect"] {
        assert_eq!(message(value, both), "expected `true` or `false`", "{value}");
    }
    let drain = "shutdown: { drain: \"${VALUE}\" }";
    assert!(message("hunter2", drain).starts_with("`hunter2`"), "{}", message("hunter2", drain));
    for value in ["hunter22", "hunter2-hunter2", LONG_SECRET] {
        let shown = message(value, drain);
        assert!(shown.contains("${VALUE}") && !shown.contains(value), "{shown}");
    }
}

#[test]
fn secrets_are_not_in_debug() {
    let text = with("identity: { a: { jwt: { issuer: i, audience: o, secret: \"${JWT_SECRET}\" } } }");
    let source = bartizan_config::Source::text("").with_environment(crate::environment());
    let loaded = bartizan_config::Config::parse(&text, &source).unwrap();
    for shown in [format!("{:?}", loaded.config), format!("{source:?}")] {
        assert!(!shown.contains(LONG_SECRET), "{shown}");
    }
}
