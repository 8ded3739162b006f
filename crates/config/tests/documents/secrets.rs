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
fn secrets_are_not_in_debug() {
    let text = with("identity: { a: { jwt: { issuer: i, audience: o, secret: \"${JWT_SECRET}\" } } }");
    let source = bartizan_config::Source::text("").with_environment(crate::environment());
    let loaded = bartizan_config::Config::parse(&text, &source).unwrap();
    for shown in [format!("{:?}", loaded.config), format!("{source:?}")] {
        assert!(!shown.contains(LONG_SECRET), "{shown}");
    }
}
