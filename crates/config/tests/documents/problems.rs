//! Every mistake is reported at its exact place, with what to do. `§` marks where; it is not part of the document.

use std::fs;

use bartizan_config::{Config, ConfigError, Diagnostic, Severity};

use crate::{folder, parse, parse_in, set_mode, with};

/// The document without its marks, and the line and column of each.
fn marked(text: &str) -> (String, Vec<(u32, u32)>) {
    let (mut plain, mut marks, mut line, mut column) = (String::new(), Vec::new(), 1, 1);
    for character in text.chars() {
        match character {
            '§' => marks.push((line, column)),
            '\n' => {
                (line, column) = (line + 1, 1);
                plain.push(character);
            }
            _ => {
                column += 1;
                plain.push(character);
            }
        }
    }
    (plain, marks)
}

/// All diagnostics of a document: of a refused one, or the warnings of an accepted one.
fn diagnostics(text: &str) -> Vec<Diagnostic> {
    match parse_in(folder().path(), text) {
        Ok(loaded) => loaded.warnings,
        Err(ConfigError::Invalid(diagnostics)) => diagnostics,
        Err(other) => panic!("{other}"),
    }
}

/// A document, and what is said at each mark (message, part of the hint).
type Case<'a> = (String, &'a [(&'a str, &'a str)]);

fn check(cases: &[Case<'_>], severity: Severity) {
    for (text, expected) in cases {
        let (plain, marks) = marked(text);
        let found = diagnostics(&plain);
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        let shown = shown.join("\n\n");
        assert_eq!(found.len(), expected.len(), "{text}\n{shown}");
        assert_eq!(marks.len(), expected.len(), "marks of {text}");
        for ((diagnostic, (message, hint)), place) in found.iter().zip(*expected).zip(marks) {
            assert_eq!(diagnostic.message, *message, "{text}");
            assert_eq!((diagnostic.line, diagnostic.column), place, "{text}\n{shown}");
            let given = diagnostic.hint.as_deref().unwrap_or_default();
            assert!(given.contains(hint) && hint.is_empty() == given.is_empty(), "hint `{given}` of {text}");
            assert_eq!(diagnostic.severity, severity, "{text}\n{shown}");
        }
    }
}

fn jwt(keys: &str) -> String {
    with(&format!("identity: {{ a: {{ jwt: {{ issuer: i, audience: o, {keys} }} }} }}"))
        .replace("auth: none", "auth: a")
}

fn upstream(keys: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nupstreams: {{ app: {{ {keys} }} }}\n\
         routes: [{{ path: /, to: app, auth: none }}]\n"
    )
}

/// A document with one further route, for somebody known.
fn route(keys: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nidentity: {{ users: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i\" }} }} }}\n\
         routes:\n  - {{ path: /first, to: \"http://a\", auth: users }}\n  - {keys}\n"
    )
}

fn listen(keys: &str) -> String {
    format!("version: 1\nlisten: {{ {keys} }}\nroutes: [{{ path: /, to: \"http://a\", auth: none }}]\n")
}

#[test]
fn mistakes_of_form() {
    let cases: [Case<'_>; 28] = [
        (with("§rotues: []"), &[("unknown key `rotues`", "did you mean `routes`?")]),
        (with("log: { §fromat: json }"), &[("unknown key `fromat`", "did you mean `format`?")]),
        (
            with("log: { §\"colour\": json }"),
            &[("unknown key `colour`", "known here: `format`, `level`, `requests`")],
        ),
        (
            with("telemetry: { otlp: \"${ISSUER}\" }\nlog: { §formt: json }"),
            &[("unknown key `formt`", "did you mean `format`?")],
        ),
        (with("log: {}\n§log: {}"), &[("duplicate key `log`", "keep one")]),
        (with("roles: { a: [], §a: [] }"), &[("duplicate key `a`", "keep one")]),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { GET: [a:b], §GET: [a:c] } }"),
            &[("duplicate key `GET`", "keep one")],
        ),
        (with("log: { format: §jsn }"), &[("`jsn` is not known here", "did you mean `json`?")]),
        (with("log: { requests: §yes }"), &[("expected `true` or `false`", "")]),
        (with("§log:"), &[("this key has no value", "leave the key out")]),
        (
            route("{ path: /, to: \"http://a\", auth: users, §require: }"),
            &[("this key has no value", "leave the key out")],
        ),
        (with("hardening: { max_connections: §many }"), &[("expected a whole number", "")]),
        (with("hardening: { max_connections: §-1 }"), &[("expected a whole number", "")]),
        (with("log: §[json]"), &[("expected a mapping (`key: value`)", "")]),
        (with("roles: { a: §{} }"), &[("expected a list (`[a, b]`)", "")]),
        (with("identity: { a: { §jtw: {} } }"), &[("`jtw` is not known here", "did you mean `jwt`?")]),
        (with("identity: { a: { api_key: {}, §jwt: {} } }"), &[("expected one key only", "")]),
        (
            with("shutdown: { drain: §\"${MISSING}\" }\nlog: { level: §\"${ALSO_MISSING}\" }"),
            &[
                ("the environment variable `MISSING` is not set: set it, or write `${MISSING:-default}`", ""),
                (
                    "the environment variable `ALSO_MISSING` is not set: set it, or write `${ALSO_MISSING:-default}`",
                    "",
                ),
            ],
        ),
        (
            with("shutdown: { drain: $§{MISSING} }"),
            &[("while parsing a flow mapping, did not find expected ',' or '}'", "in quotes")],
        ),
        (
            with("shutdown: { drain: §\"${not a name}\" }"),
            &[(
                "`${` is not followed by a variable and `}`: write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`",
                "",
            )],
        ),
        (with("log: &log {}\nshutdown:\n  §<<: *log"), &[("merge keys (`<<`) are not read", "alias")]),
        (with("log: §*nowhere"), &[("there is no anchor (`&name`) for this alias", "")]),
        (with("log: !tag §{}"), &[("tags (`!name`) are not read", "")]),
        (format!("{}---\n§version: 1\n", with("")), &[("a second document starts here", "one document")]),
        (
            "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nroutes: [§{ path: / }]".into(),
            &[("`to` is missing here", "")],
        ),
        ("§".into(), &[("`version` is missing", "version: 1")]),
        ("§- a".into(), &[("expected a mapping (`key: value`)", "")]),
        ("version: 1\nlog: §\"abc".into(), &[("unclosed quote", "")]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_the_document_as_a_whole() {
    let cases: [Case<'_>; 6] = [
        ("version: §2\nlisten: { http: \"127.0.0.1:0\" }\nroutes: [{ path: /, to: \"http://a\", auth: none }]".into(), &[("version 2 of this format is not known", "version: 1")]),
        ("version: 1\nlisten: { http: \"127.0.0.1:0\" }\nroutes: §[]".into(), &[("there is no route", "routes: [")]),
        ("§version: 1\nlisten: { http: \"127.0.0.1:0\" }".into(), &[("`routes` is missing", "routes: [")]),
        ("§version: 1\nroutes: [{ path: /, to: \"http://a\", auth: none }]".into(), &[("`listen` is missing", "127.0.0.1:8080")]),
        (with("shutdown: { drain: §soon }\nroles: { §\"a b\": [] }"), &[
            ("`soon` is not a duration: write for example `500ms`, `10s`, `5min`, `1h` or `30d`", ""),
            ("`a b` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`", ""),
        ]),
        (with("roles: { a: [§orders, §\"ord*:read\", \"*\"] }"), &[
            ("`orders` is not a permission: write `resource:action`, for example `orders:read`", ""),
            ("`ord*:read` is not a permission: write `resource:action`, for example `orders:read`", ""),
        ]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_listeners() {
    let cases: [Case<'_>; 15] = [
        (
            listen("http: §\":8080\""),
            &[(
                "`:8080` does not say which address to listen on: write `0.0.0.0:8080` for all of them or `127.0.0.1:8080` for this machine only",
                "",
            )],
        ),
        (
            listen("http: §8080"),
            &[(
                "`8080` does not say which address to listen on: write `0.0.0.0:8080` for all of them or `127.0.0.1:8080` for this machine only",
                "",
            )],
        ),
        (
            listen("http: §[a]"),
            &[("expected `redirect`, an address such as `0.0.0.0:80`, or `{ address, redirect }`", "")],
        ),
        (
            "version: 1\nlisten: §{ reuse_port: true }\nroutes: [{ path: /, to: \"http://a\", auth: none }]"
                .into(),
            &[("nothing listens for requests", "`https` or `http`")],
        ),
        (
            listen("https: §\"127.0.0.1:0\""),
            &[("`https` needs certificates, and there is no `tls`", "tls: dev")],
        ),
        (listen("http: §redirect"), &[("there is no `https` listener to redirect to", "add `https`")]),
        (
            listen("http: §{ address: \"127.0.0.1:0\", redirect: true }"),
            &[("there is no `https` listener to redirect to", "add `https`")],
        ),
        (
            format!("tls: §dev\n{}", listen("https: \"0.0.0.0:443\"")),
            &[("`tls: dev` is for loopback addresses, and `https` listens on 0.0.0.0:443", "127.0.0.1")],
        ),
        (
            listen("http: \"127.0.0.1:0\", admin: §\"0.0.0.0:9443\""),
            &[("the admin API would send its token in clear on 0.0.0.0:9443", "127.0.0.1")],
        ),
        (
            listen("http: \"127.0.0.1:80\", admin: §\"127.0.0.1:80\""),
            &[("`http` and `admin` both listen on 127.0.0.1:80", "own port")],
        ),
        (
            listen("http: §\"0.0.0.0:9464\""),
            &[("`http` and `metrics` both listen on 127.0.0.1:9464", "own port")],
        ),
        (
            listen("http: \"127.0.0.1:0\", proxy_protocol: §required"),
            &[(
                "`proxy_protocol: required` refuses every connection without `trusted_proxies`",
                "trusted_proxies",
            )],
        ),
        (
            listen("http: \"127.0.0.1:0\", trusted_proxies: [10.0.0.0/8, §10.0.0.1/8]"),
            &[("`10.0.0.1/8` has bits set beyond its prefix: write `10.0.0.0/8`", "")],
        ),
        (
            format!("tls: §{{}}\n{}", listen("https: \"127.0.0.1:0\"")),
            &[("`tls` holds no certificate", "`cert` and `key`")],
        ),
        (
            format!("tls: §devel\n{}", listen("https: \"127.0.0.1:0\"")),
            &[("`devel` is not known here: expected `dev`, or a mapping with `cert` and `key`", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_certificates() {
    let tls = |keys: &str| format!("tls: {{ {keys} }}\n{}", listen("https: \"127.0.0.1:0\""));
    let cases: [Case<'_>; 5] = [
        (tls("cert: §cert.pem"), &[("`cert` needs its `key`", "")]),
        (tls("key: §key.pem"), &[("`key` needs its `cert`", "")]),
        (
            tls("cert: cert.pem, key: key.pem, certificates: §[{ cert: cert.pem, key: key.pem }]"),
            &[("`certificates` and `cert` are two ways to say the same", "into the list")],
        ),
        (
            tls("cert: cert.pem, key: key.pem, client_certificate: §required"),
            &[("client certificates cannot be verified without `client_ca`", "client_ca")],
        ),
        (
            with("identity: { §a: { certificate: { clients: [{ san: s }] } } }")
                .replace("auth: none", "auth: a"),
            &[("`certificate` needs `tls.client_ca`: nobody is asked for a certificate", "client_ca")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_providers() {
    let hash = format!("sha256:{}", "0".repeat(64));
    let keys = |keys: &str| {
        with(&format!("identity: {{ a: {{ api_key: {{ keys: [{keys}] }} }} }}"))
            .replace("auth: none", "auth: a")
    };
    let cases: [Case<'_>; 22] = [
        (
            jwt("secret: §\"${SHORT_SECRET}\""),
            &[("the secret is 15 bytes long, and HS256 needs at least 32", "openssl rand")],
        ),
        (
            jwt("secret: §\"${SHORT_SECRET:-x}\", algorithms: [HS256, HS512]"),
            &[("the secret is 15 bytes long, and HS512 needs at least 64", "openssl rand")],
        ),
        (
            jwt("secret: \"${JWT_SECRET}\", algorithms: [§RS256]"),
            &[("`RS256` uses a public key, and there is a `secret`", "HS256")],
        ),
        (
            jwt("jwks: \"https://i\", algorithms: [ES256, §HS256]"),
            &[("`HS256` uses a shared secret, and `jwks` holds public keys", "sign with a public key")],
        ),
        (jwt("jwks: \"https://i\", algorithms: [§none]"), &[("`none` is not known here", "`HS256`")]),
        (
            jwt("jwks: \"https://i\", algorithms: §[]"),
            &[("`algorithms` is empty: no token would be accepted", "")],
        ),
        (jwt("jwks: \"https://i\", types: §[]"), &[("`types` is empty: no token would be accepted", "")]),
        (
            jwt("jwks: §\"http://id.test/jwks\""),
            &[("`http://id.test/jwks`: keys that travel in clear can be replaced on the way", "https")],
        ),
        (
            jwt("jwks: §\"ftp://id.test/jwks\""),
            &[(
                "`ftp://id.test/jwks`: `ftp` is not a scheme that can be used here: write `http` or `https`",
                "",
            )],
        ),
        (
            jwt("jwks: \"https://i\", secret: §\"${JWT_SECRET}\""),
            &[("`secret` and `jwks` exclude each other", "keep one")],
        ),
        (
            jwt("jwks: jwks.json, refresh: §1h"),
            &[("`refresh` is about fetching keys, and they come from a file", "leave it out")],
        ),
        (
            jwt("secret: \"${JWT_SECRET}\", ca: §ca.pem"),
            &[("`ca` is about fetching keys, and they come from a `secret`", "leave it out")],
        ),
        (jwt("jwks: \"https://i\", refresh: §0s"), &[("`refresh` must be longer than zero", "")]),
        (jwt("jwks: \"https://i\", max_bytes: §0"), &[("`max_bytes` must be greater than zero", "")]),
        (
            jwt("jwks: \"https://i\", header: §host"),
            &[("`host` frames the message and is written by the gateway itself", "")],
        ),
        (jwt("leeway: 1s").replace("issuer: i", "issuer: §i"), &[("this provider has no keys", "jwks")]),
        (
            with("identity: { §none: { jwt: { issuer: i, audience: o, jwks: \"https://i\" } } }"),
            &[("`none` is what `auth` says of a public route", "another name")],
        ),
        (
            keys("{ name: a, hash: §0123 }"),
            &[(
                "this is not the hash of a key: write `sha256:` and the 64 hexadecimal digits of its SHA-256",
                "",
            )],
        ),
        (
            keys(&format!("{{ name: a, hash: \"{hash}\" }}, {{ name: §a, hash: §\"{hash}\" }}")),
            &[("a second key is called `a`", ""), ("another entry has the same hash", "key of its own")],
        ),
        (
            format!(
                "roles: {{ viewer: [a:b] }}\n{}",
                keys(&format!("{{ name: a, hash: \"{hash}\", roles: [viewer, §viewr] }}"))
            ),
            &[("there is no role `viewr`", "did you mean `viewer`?")],
        ),
        (
            keys(&format!("{{ name: a, hash: \"{hash}\", roles: [§viewer] }}")),
            &[("there is no role `viewer`", "add `viewer` under `roles`")],
        ),
        (
            with("identity: { a: { jwt: { issuer: §\"\", audience: §[], jwks: \"https://i\" } } }")
                .replace("auth: none", "auth: a"),
            &[("this text is empty", ""), ("`audience` names nobody: no token would be accepted", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_upstreams() {
    let cases: [Case<'_>; 15] = [
        (upstream("targets: §[]"), &[("there is no target", "http://orders:8080")]),
        (
            upstream("targets: [§orders]"),
            &[("`orders` is not a URL: write for example `http://orders:8080`", "")],
        ),
        (
            upstream("targets: [§\"http://a/x\"]"),
            &[("`http://a/x`: a target is scheme, host and port only", "strip_prefix")],
        ),
        (upstream("targets: [\"http://a\", §\"http://a:80\"]"), &[("`http://a:80` is listed twice", "")]),
        (upstream("targets: §\"http://user:pass@a\""), &[("a URL here holds no user name and password", "")]),
        (
            upstream("targets: \"http://a\", ejection: { max_percent: §101 }"),
            &[("`max_percent` is 101, which is more than 100", "")],
        ),
        (
            upstream("targets: \"http://a\", retries: { budget_percent: §1000 }"),
            &[("`budget_percent` is 1000, which is more than 100", "")],
        ),
        (
            upstream("targets: \"http://a\", retries: { attempts: §11, statuses: [§200] }"),
            &[("`attempts` is 11, which is more than 10", ""), ("200 is no status of a failure", "")],
        ),
        (
            upstream("targets: \"http://a\", timeouts: { connect: §0s }"),
            &[("`connect` must be longer than zero", "")],
        ),
        (
            upstream("targets: \"http://a\", health: { path: §healthz }"),
            &[("`healthz` is not a path: write for example `/healthz`", "")],
        ),
        (
            upstream("targets: \"http://a\", health: { path: /, interval: §0ms, healthy_after: §0 }"),
            &[("`interval` must be longer than zero", ""), ("`healthy_after` must be greater than zero", "")],
        ),
        (
            upstream("targets: \"http://a\", max_connections: §0"),
            &[("`max_connections` must be greater than zero", "")],
        ),
        (
            upstream("targets: \"https://a\", tls: { cert: §cert.pem }"),
            &[("a client certificate is a `cert` and its `key`", "")],
        ),
        (
            with("hardening: { rate_window: §0s, max_header_bytes: §2MiB }"),
            &[
                ("`rate_window` must be longer than zero", ""),
                ("`max_header_bytes` is more than 1024KiB", ""),
            ],
        ),
        (with("hardening: { http2: { resets: §0 } }"), &[("`resets` must be greater than zero", "")]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_who_may_use_a_route() {
    let cases: [Case<'_>; 13] = [
        (
            route("§{ path: /, to: \"http://a\" }"),
            &[("this route does not say who may use it", "`auth: none` makes it public")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: §[] }"),
            &[("`auth` is an empty list", "`auth: none` makes the route public")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: [users, §none] }"),
            &[("`none` makes the route public, so nothing else can be listed beside it", "leave `none` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: §user }"),
            &[("there is no identity provider `user`", "did you mean `users`?")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: [§partners] }"),
            &[("there is no identity provider `partners`", "known here: `users`")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: none, require: §[a:b] }"),
            &[("`require` on a public route: nobody is authenticated there", "leave `require` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: none, mfa: §required }"),
            &[("`mfa` on a public route: nobody is authenticated there", "leave `mfa` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: §[] }"),
            &[("this list of permissions is empty", "leave `require` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: [§\"orders:*\"] }"),
            &[("`orders:*` is not a permission: write `resource:action`, for example `orders:read`", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { §PSOT: [a:b] } }"),
            &[("`PSOT` is not a method: did you mean `POST`?", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { §get: [a:b] } }"),
            &[("`get`: methods are written in upper case", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, methods: [GET], require: { §PUT: [a:b] } }"),
            &[("`PUT` is not among the `methods` of this route", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: §{ any: [a:b], GET: [a:b] } }"),
            &[(
                "expected a list of permissions, `{ any: [..] }`, `{ all: [..] }`, or one of these per method",
                "",
            )],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_what_a_route_matches_and_does() {
    let cases: [Case<'_>; 29] = [
        (route("{ path: §api, to: \"http://a\", auth: users }"), &[("path `api` must start with `/`", "")]),
        (
            route("{ path: §/a/**/b, to: \"http://a\", auth: users }"),
            &[("path `/a/**/b`: `**` is allowed at the end only", "")],
        ),
        (
            route("{ path: §/a/../b, to: \"http://a\", auth: users }"),
            &[("path `/a/../b`: dot segments never reach a route", "")],
        ),
        (
            route("§{ path: /first, to: \"http://a\", auth: none }"),
            &[(
                "the route in line 5 matches the same requests as `/first` here",
                "different hosts or methods",
            )],
        ),
        (
            route(
                "{ path: /x/*, to: \"http://a\", auth: none, methods: [GET, PUT] }\n  - §{ path: \"/x/{id}\", to: \"http://a\", auth: none, methods: [PUT] }",
            ),
            &[("the route in line 6 matches the same requests as `/x/{id}` here", "different hosts")],
        ),
        (
            route(
                "{ path: /x, to: \"http://a\", auth: none, hosts: [a.test, b.test] }\n  - §{ path: /x, to: \"http://a\", auth: none, host: B.test }",
            ),
            &[("the route in line 6 matches the same requests as `/x` here", "different hosts")],
        ),
        (
            route("{ path: /, to: §orders, auth: users }"),
            &[("there is no upstream `orders`", "http://orders:8080")],
        ),
        (
            route("{ path: /, to: §\"orders:80\", auth: users }"),
            &[("there is no upstream `orders:80`", "write a URL: `http://orders:80`")],
        ),
        (route("{ path: /, to: §[], auth: users }"), &[("there is no target", "http://orders:8080")]),
        (
            route("{ path: /, to: [§orders, \"http://a\"], auth: users }"),
            &[("`orders` is not a URL: write for example `http://orders:8080`", "")],
        ),
        (
            format!(
                "upstreams: {{ orders: {{ targets: http://a }} }}\n{}",
                route("{ path: /, to: §order, auth: users }")
            ),
            &[("there is no upstream `order`", "did you mean `orders`?")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: [§\"a.test:80\"] }"),
            &[("`a.test:80`: a host here has no port", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: §[] }"),
            &[("`hosts` is an empty list", "any host")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: [a.test], host: §b.test }"),
            &[("`host` and `hosts` are two ways to say the same", "keep one")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, methods: §[] }"),
            &[("`methods` is an empty list", "every method")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: { origins: \"*\", credentials: §true } }"),
            &[(
                "`credentials` with any origin: every site could act in the name of a visitor",
                "list the origins",
            )],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: [§\"https://a.test/\"] }"),
            &[("`https://a.test/` is not how a browser writes this origin: write `https://a.test`", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: §any }"),
            &[(
                "`any` is not known here: expected `same-origin`, `\"*\"`, a list of origins, or a mapping with `origins`",
                "",
            )],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: §[] }"),
            &[("there is no origin", "same-origin")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, headers: §htm }"),
            &[("`htm` is not known here: did you mean `html`?", "")],
        ),
        (
            route(
                "{ path: /, to: \"http://a\", auth: users, headers: { set: { X-A: b, §x-a: c, §host: d } } }",
            ),
            &[
                ("`x-a` is set twice", "upper and lower case"),
                ("`host` frames the message and is written by the gateway itself", ""),
            ],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, headers: { csp: §\"a\\nb\" } }"),
            &[("a header value holds printable ASCII only", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { hold: §17MiB } }"),
            &[("`hold` is more than 16384KiB", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { hold: §2MiB, max: 1MiB } }"),
            &[("`hold` is 2097152 bytes, more than the largest body (1048576 bytes)", "raise `max`")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { policy: stream, hold: §1KiB } }"),
            &[("`hold` has no meaning when bodies are streamed", "leave it out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, upgrade: [§h2c, §\"a b\"] }"),
            &[
                ("`h2c`: an upgrade to another HTTP would go round every check", ""),
                ("`a b` is not a protocol", "websocket"),
            ],
        ),
        (
            route("{ path: /api/x, to: \"http://a\", auth: users, strip_prefix: §/ap }"),
            &[("`/ap` is not the start of the route's path", "")],
        ),
        (
            route("{ path: /api/x, to: \"http://a\", auth: users, strip_prefix: §/* }"),
            &[("`/*`: a prefix is made of plain segments", "/api")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, timeouts: { response: §0s, idle: §1e3 } }"),
            &[
                ("`response` must be longer than zero", ""),
                ("`1e3` is not a duration: write for example `500ms`, `10s`, `5min`, `1h` or `30d`", ""),
            ],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn what_is_probably_not_meant() {
    let hash = format!("sha256:{}", "0".repeat(64));
    let cases: [Case<'_>; 10] = [
        (
            with("identity: { §a: { api_key: {} } }").replace("auth: none", "auth: a"),
            &[("`a` has no keys: it admits nobody", "sha256")],
        ),
        (
            with("identity: { §a: { jwt: { issuer: i, audience: o, jwks: \"https://i\" } } }"),
            &[("no route uses the identity provider `a`", "")],
        ),
        (with("upstreams: { §a: { targets: http://a } }"), &[("no route leads to the upstream `a`", "")]),
        (with("roles: { §a: [b:c] }"), &[("nobody holds the role `a`", "")]),
        (
            upstream("targets: \"http://a\", tls: §{ ca: ca.pem }"),
            &[("`tls` has no effect: no target is an `https:` URL", "")],
        ),
        (
            with("tls: §{ cert: cert.pem, key: key.pem }"),
            &[("nothing uses `tls`: there is no `https` listener", "")],
        ),
        (
            listen("http: \"127.0.0.1:0\", metrics: §\"0.0.0.0:0\""),
            &[("whoever reaches this address reads the metrics: they have no token", "firewall")],
        ),
        (
            listen("http: \"127.0.0.1:0\", trusted_proxies: [§\"::/0\"]"),
            &[("everybody is a trusted proxy: any client may claim any address", "only")],
        ),
        (
            jwt(&format!("secret: §\"{}\"", crate::LONG_SECRET)),
            &[("whoever reads this document knows the secret", "${JWT_SECRET}")],
        ),
        (
            with(&format!("identity: {{ a: {{ api_key: {{ keys: [{{ name: n, hash: \"{hash}\" }}] }} }} }}"))
                .replace("auth: none", "auth: a, mfa: §required"),
            &[("nobody can pass: only a token says how many factors were used", "jwt")],
        ),
    ];
    check(&cases, Severity::Warning);
}

#[test]
fn files_are_readable_and_keys_are_private() {
    let folder = folder();
    let shown = folder.path().display();
    let cases = [
        ("cert.pem", "key.pem", None),
        (
            "missing.pem",
            "key.pem",
            Some((Severity::Error, 14, format!("cannot read `{shown}/missing.pem`: there is no such file"))),
        ),
        ("folder", "key.pem", Some((Severity::Error, 14, format!("`{shown}/folder` is not a file")))),
        (
            "cert.pem",
            "open.pem",
            Some((
                Severity::Error,
                29,
                format!("every user of this machine has access to the key `{shown}/open.pem` (mode 0644)"),
            )),
        ),
        (
            "cert.pem",
            "group.pem",
            Some((
                Severity::Warning,
                29,
                format!("a whole group has access to the key `{shown}/group.pem` (mode 0640)"),
            )),
        ),
        (
            "/nonexistent/c.pem",
            "key.pem",
            Some((Severity::Error, 14, "cannot read `/nonexistent/c.pem`: there is no such file".into())),
        ),
    ];
    for (cert, key, expected) in cases {
        let text = format!("tls: {{ cert: {cert}, key: {key} }}\n{}", listen("https: \"127.0.0.1:0\""));
        let found = match parse_in(folder.path(), &text) {
            Ok(loaded) => loaded.warnings,
            Err(error) => error.diagnostics().to_vec(),
        };
        let found: Vec<_> =
            found.into_iter().map(|found| (found.severity, found.column, found.message)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
    set_mode(&folder.path().join("key.pem"), 0o604);
    let text = upstream("targets: \"https://a\", tls: { ca: cert.pem, cert: cert.pem, key: key.pem }");
    let error = parse_in(folder.path(), &text).unwrap_err().to_string();
    assert!(error.contains("(mode 0604)") && error.contains("chmod 600"), "{error}");
}

#[test]
fn documents_that_are_bombs_are_refused_quickly() {
    let laughs = (1..9).fold("l0: &l0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*l{}", level - 1); 9].join(", ");
        format!("{text}l{level}: &l{level} [{aliases}]\n")
    });
    let roles = format!("roles:\n{}", laughs.lines().map(|line| format!("  {line}\n")).collect::<String>());
    let deep = format!("roles: {}", "[".repeat(10_000));
    let nested = (0..2000).map(|level| format!("{}a:\n", " ".repeat(level % 400))).collect::<String>();
    for text in [
        laughs.clone(),
        with(&roles),
        with(&deep),
        with(&nested),
        with(&"log: ${".repeat(10_000)),
        "- ".repeat(100_000),
    ] {
        let started = std::time::Instant::now();
        let error = parse(&text).unwrap_err();
        assert!(!error.diagnostics().is_empty());
        assert!(started.elapsed().as_secs() < 5, "{:?}: {error}", started.elapsed());
    }
}

#[test]
fn long_documents_and_other_encodings_are_refused() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Config::load(&path).unwrap_err();
        let found = error.diagnostics()[0].clone();
        (found.line, found.column, found.message)
    };
    let long = format!("{}# {}", with(""), "x".repeat(1024 * 1024));
    assert_eq!(load(long.as_bytes()), (1, 1, "the document is longer than 1 MiB".into()));
    assert_eq!(load(&vec![0xff; 2 * 1024 * 1024]), (1, 1, "the document is longer than 1 MiB".into()));
    assert_eq!(load(b"version: 1\nlog: \xc3\xa9\xff"), (2, 7, "this byte is not UTF-8".into()));
    assert_eq!(load(&[0xff, 0xfe, b'v', 0]), (1, 1, "this byte is not UTF-8".into()));
    let error = Config::load(&folder.path().join("missing.yaml")).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
}

#[test]
fn a_diagnostic_reads_like_a_compiler_s() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    fs::write(&path, "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nrotues: []\n").unwrap();
    let error = Config::load(&path).unwrap_err();
    let expected = format!(
        "{}:3:1: error: unknown key `rotues`\n  |\n3 | rotues: ...\n  | ^^^^^^\nhelp: did you mean `routes`?",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn many_mistakes_are_counted_but_not_all_shown() {
    let routes: String =
        (0..1000).map(|index| format!("  - {{ path: /{index}, to: \"http://a\" }}\n")).collect();
    let error =
        parse(&format!("version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes:\n{routes}")).unwrap_err();
    assert_eq!(error.diagnostics().len(), 200);
}
