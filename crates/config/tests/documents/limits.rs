//! What `limits`, `limit`, `cost` and `shared` mean.

use std::time::{Duration, SystemTime};

use bartizan_config::{
    Amount, Authentication, Certificate, Config, Dimension, Enforcement, LimitPolicy, LimitPolicyIndex,
    LimitRule, OnStoreError, Redis, SharedMode, SharedTls,
};
use bartizan_model::{Algorithm, Quota};
use http::Method;
use secrecy::ExposeSecret;

use crate::{REDIS_PASSWORD, folder, parse, parse_in, with};

fn config(text: &str) -> Config {
    let loaded = parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert!(loaded.warnings.is_empty(), "{text}\n{:?}", loaded.warnings);
    loaded.config
}

/// A document with a policy `a`, a route for known callers that has it, and one for everybody.
fn document(policy: &str, route: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n\
         identity: {{ users: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i\" }} }}, partners: {{ api_key: {{ keys: [{{ name: p, hash: \"${{PARTNER_KEY_HASH}}\" }}] }} }} }}\n\
         limits:\n  a: {policy}\n\
         routes:\n  - {{ path: /api/**, to: \"http://a\", auth: [users, partners], limit: a, {route} }}\n"
    )
}

fn policy(text: &str) -> LimitPolicy {
    let policies = config(&document(text, "")).limits;
    let [policy] = policies.as_slice() else { panic!("{policies:?}") };
    policy.as_ref().clone()
}

/// The rule with these keys, in a policy with another.
fn rule(text: &str) -> LimitRule {
    let mut rules = policy(&format!("[{{ {text} }}, {{ per: route, concurrent: 1000 }}]")).rules;
    assert_eq!(rules.len(), 2);
    rules.remove(0)
}

fn quota(amount: Amount) -> Quota {
    match amount {
        Amount::Rate(quota) => quota,
        Amount::Concurrent(_) => panic!("{amount:?}"),
    }
}

#[test]
fn a_bare_rule_has_the_documented_defaults() {
    let rule = rule("per: address, rate: 100/min");
    assert_eq!((rule.name.as_str(), rule.line.number()), ("address-60s", Some(5)));
    assert_eq!(rule.per, [Dimension::Address]);
    assert_eq!((rule.enforcement, rule.enabled, rule.priority), (Enforcement::Enforce, true, 0));
    assert!(rule.on.is_empty() && rule.counts(&Method::GET, "/anything"));
    let quota = quota(rule.amount);
    assert_eq!(quota.algorithm(), Algorithm::TokenBucket);
    assert_eq!(
        (quota.limit().get(), quota.burst().get(), quota.length()),
        (100, 100, Duration::from_mins(1))
    );
}

#[test]
fn a_rule_may_say_everything() {
    let written = rule(
        "name: login, per: [organization, \"header:X-Tenant\", \"claim:plan\"], rate: 20/15min, burst: 5, algorithm: token-bucket, \
         mode: shadow, priority: -3, enabled: false, on: [\"POST /api/login\", /api/sessions/*]",
    );
    let shown: Vec<_> = written.per.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["organization", "header:x-tenant", "claim:plan"]);
    assert_eq!((written.name.as_str(), written.priority, written.enabled), ("login", -3, false));
    assert_eq!(written.enforcement, Enforcement::Shadow);
    assert_eq!(quota(written.amount).burst().get(), 5);
    for (method, path, counted) in [
        (Method::POST, "/api/login", true),
        (Method::GET, "/api/login", false),
        (Method::GET, "/api/sessions/7", true),
        (Method::GET, "/api/sessions", false),
    ] {
        assert_eq!(written.counts(&method, path), counted, "{method} {path}");
    }
    for (name, algorithm) in
        [("sliding-window", Algorithm::SlidingWindow), ("fixed-window", Algorithm::FixedWindow)]
    {
        let windowed = quota(rule(&format!("per: user, rate: 10/s, algorithm: {name}")).amount);
        assert_eq!((windowed.algorithm(), windowed.burst()), (algorithm, windowed.limit()));
    }
    assert_eq!(rule("per: user, concurrent: 10").amount, Amount::Concurrent(10.try_into().unwrap()));
}

#[test]
fn a_policy_is_a_list_or_a_table() {
    let rules = "[{ per: address, rate: 1/s }, { per: user, rate: 1/s }]";
    let table = policy(&format!(
        "{{ rules: {rules}, skip: [/api/health, /api/docs/**], allow: [10.0.0.0/8, 192.0.2.7] }}"
    ));
    let list = policy(rules);
    assert_eq!(list.rules, table.rules);
    assert!(list.allow.is_empty());
    assert_eq!(table.skip.iter().map(|path| path.matches("/api/docs/a")).collect::<Vec<_>>(), [false, true]);
    let now = SystemTime::UNIX_EPOCH;
    assert!(table.allow[0].allows("::ffff:10.1.2.3".parse().unwrap(), || now));
    assert_eq!((table.name.as_str(), table.line.number()), ("a", Some(5)));
}

#[test]
fn probes_and_scrapes_are_not_counted_unless_a_policy_says_so() {
    let rules = "[{ per: address, rate: 1/s }]";
    let cases = [
        (rules.to_owned(), [true, true, false]),
        (format!("{{ rules: {rules} }}"), [true, true, false]),
        (format!("{{ rules: {rules}, skip: [] }}"), [false; 3]),
        (format!("{{ rules: {rules}, skip: [/api/x] }}"), [false, false, true]),
        ("[{ per: address, rate: 1/s, on: \"GET /health\" }]".to_owned(), [false, true, false]),
    ];
    for (text, expected) in cases {
        let text = document(&text, "").replace("/api/**", "/**");
        let loaded = parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let policy = &loaded.config.limits[0];
        let skips = |path: &str| policy.skip.iter().any(|pattern| pattern.matches(path));
        assert_eq!(["/health", "/metrics", "/api/x"].map(skips), expected, "{text}");
    }
}

#[test]
fn rules_are_named_after_what_they_count() {
    let rules = [
        "per: address, rate: 5/min",
        "per: address, rate: 10/min, on: /api/a",
        "per: address, rate: 20/15min",
        "per: [organization, endpoint], rate: 1/h",
        "per: address, rate: 1/100ms",
        "per: user, concurrent: 3",
        "per: \"header:x~tenant\", rate: 1/s",
        "per: prefix, rate: 1/s, name: route-1s",
        "per: route, rate: 1/s",
        "per: \"claim:a-claim-with-a-name-that-is-much-longer-than-any-name-of-a-rule\", rate: 1/s",
    ];
    let rules = rules.map(|rule| format!("{{ {rule} }}")).join(", ");
    let names: Vec<_> =
        policy(&format!("[{rules}]")).rules.iter().map(|rule| rule.name.to_string()).collect();
    let expected = [
        "address-60s",
        "address-60s-2",
        "address-900s",
        "organization-endpoint-3600s",
        "address-100ms",
        "user-concurrent",
        "header-x-tenant-1s",
        "route-1s",
        "route-1s-2",
        "claim-a-claim-with-a-name-that-is-much-longer-than-an-1s",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_cost_is_that_of_the_most_specific_operation() {
    let listed = "cost: { /api/**: 2, /api/calls/*: 3, GET /api/calls/*: 4, HEAD /api/calls/*: 5, POST /api/calls/start: 6, /api/calls/**: 7 }";
    let config = config(&document("[{ per: address, rate: 100/min }]", listed));
    let costs = &config.routes[0].costs;
    let cases = [
        (Method::GET, "/api", 2),
        (Method::GET, "/api/other", 2),
        (Method::PUT, "/api/calls/1", 3),
        (Method::GET, "/api/calls/1", 4),
        (Method::HEAD, "/api/calls/1", 5),
        (Method::POST, "/api/calls/start", 6),
        (Method::POST, "/api/calls/start/", 6),
        (Method::GET, "/api/calls/start", 4),
        (Method::GET, "/api/calls/1/2", 7),
        (Method::GET, "/api/calls", 7),
    ];
    for (method, path, cost) in cases {
        assert_eq!(costs.of(&method, path).get(), cost, "{method} {path}");
    }
    for (text, cost) in [("", 1), ("cost: 5", 5), ("cost: { POST /api/x: 9 }", 1)] {
        let config = config_of_cost(text);
        assert_eq!(config.routes[0].costs.of(&Method::GET, "/api/y").get(), cost, "{text}");
        assert_eq!(config.routes[0].costs.otherwise().get(), cost, "{text}");
    }
}

fn config_of_cost(cost: &str) -> Config {
    config(&document("[{ per: address, rate: 100/min }]", cost))
}

#[test]
fn routes_share_policies_and_may_have_several() {
    let text = with("limits: { a: [{ per: address, rate: 1/s }], b: [{ per: prefix, rate: 9/s }] }").replace(
        "routes: [{ path: /, to: \"http://a\", auth: none }]",
        "routes:\n  - { path: /1, to: \"http://a\", auth: none, limit: [b, qr] }\n  - { path: /2, to: \"http://a\", auth: none, limit: a }\n\
         \x20 - { path: /3, to: \"http://a\", auth: none, limit: [qr, a] }\n  - { path: /4, to: \"http://a\", auth: none }",
    );
    let config = config(&text);
    let names = |route: usize| -> Vec<_> {
        config.routes[route].limits.iter().map(|index| config.limits[index.0].name.as_str()).collect()
    };
    assert_eq!(
        [names(0), names(1), names(2), names(3)],
        [vec!["b", "qr"], vec!["a"], vec!["qr", "a"], vec![]]
    );
    assert_eq!(config.limits.len(), 3);
    assert!(config.shared.is_none());
}

/// By whom is counted, how much, and in how many seconds.
type Figures = (&'static str, u32, u64);

#[test]
fn presets_hold_the_promised_figures() {
    let (minute, hour) = (60, 3600);
    let cases: [(&str, &[Figures]); 21] = [
        ("voice", &[("address", 100, minute), ("user", 1000, hour), ("organization", 10_000, hour)]),
        ("analytics", &[("address", 50, minute), ("user", 500, hour), ("organization", 5000, hour)]),
        ("public", &[("address", 10, minute), ("user", 100, hour)]),
        ("auth", &[("address", 10, 5 * minute)]),
        ("admin", &[("address", 100, hour)]),
        ("qr", &[("address", 50, hour)]),
        ("chat", &[("address", 20, minute)]),
        ("api", &[("address", 1000, hour)]),
        ("upload", &[("address", 5, 5 * minute)]),
        ("generic", &[("address", 1000, hour)]),
        ("default", &[("address", 100, minute)]),
        ("account", &[("address", 3000, minute)]),
        ("token", &[("address", 3000, minute)]),
        ("introspection", &[("address", 6000, minute)]),
        ("metadata", &[("address", 6000, minute)]),
        ("strict", &[("address", 10, hour)]),
        ("login", &[("address", 5, minute), ("address", 20, 15 * minute)]),
        ("refresh", &[("address", 10, minute), ("address", 60, hour)]),
        ("static", &[("address", 200, minute), ("address", 5000, hour)]),
        ("api-burst", &[("address", 60, minute), ("address", 1000, hour)]),
        ("admin-burst", &[("address", 10, minute), ("address", 100, hour)]),
    ];
    for (name, figures) in cases {
        let text = with("").replace("auth: none", &format!("auth: none, limit: {name}"));
        let config = config(&text);
        let [policy] = config.limits.as_slice() else { panic!("{name}") };
        assert_eq!((policy.name.as_str(), policy.line.number()), (name, None));
        let skipped = |path| policy.skip.iter().any(|pattern| pattern.matches(path));
        assert!(skipped("/health") && skipped("/metrics") && !skipped("/healthy"), "{name}");
        let found: Vec<_> = policy
            .rules
            .iter()
            .map(|rule| {
                (
                    rule.per[0].to_string(),
                    quota(rule.amount).limit().get(),
                    quota(rule.amount).length().as_secs(),
                )
            })
            .collect();
        let figures: Vec<_> =
            figures.iter().map(|(per, limit, window)| ((*per).to_owned(), *limit, *window)).collect();
        assert_eq!(found, figures, "{name}");
    }
}

#[test]
fn a_public_route_has_only_what_a_preset_says_of_everybody() {
    let text = with("").replace("auth: none", "auth: none, limit: voice");
    let policies = config(&text).limits;
    let names = |authentication: &Authentication| -> Vec<_> {
        policies[0].rules_under(authentication).map(|rule| rule.name.to_string()).collect()
    };
    assert_eq!(names(&Authentication::Public), ["address-60s"]);
    let known = Authentication::Required(vec!["users".parse().unwrap()]);
    assert_eq!(names(&known), ["address-60s", "user-3600s", "organization-3600s"]);
    let switched_off = policy("[{ per: user, rate: 1/s, enabled: false }, { per: address, rate: 1/s }]");
    assert_eq!(switched_off.rules_under(&known).count(), 1);
}

/// The figures of the built-in table.
#[test]
fn a_table_of_costs_goes_by_its_name() {
    let text = document("[{ per: address, rate: 100/min }]", "cost: voice");
    let costs = &config(&text).routes.remove(0).costs;
    for (path, cost) in [
        ("/api/calls/start", 5),
        ("/api/calls/transcript", 2),
        ("/api/calls/end", 1),
        ("/api/voice/process", 10),
        ("/api/voice/synthesize", 8),
        ("/api/voice", 1),
    ] {
        assert_eq!(costs.of(&Method::POST, path).get(), cost, "{path}");
    }
}

#[test]
fn an_allowed_network_may_end_on_a_day() {
    let rules = "[{ per: address, rate: 1/s }]";
    let text = format!("{{ rules: {rules}, allow: [{{ network: 192.0.2.0/24, expires: 2999-01-31 }}] }}");
    let [allowed] = policy(&text).allow.try_into().unwrap();
    let (last, end) = (day(2999, 1, 30), day(2999, 1, 31));
    let allows = |address: &str, now| allowed.allows(address.parse().unwrap(), || now);
    assert!(allows("192.0.2.7", last) && !allows("192.0.2.7", end) && !allows("192.0.3.7", last));
}

fn day(year: i32, month: u8, day: u8) -> SystemTime {
    let date = time::Date::from_calendar_date(year, month.try_into().unwrap(), day).unwrap();
    date.midnight().assume_utc().into()
}

#[test]
fn a_rate_may_carry_its_burst() {
    let behind = rule("per: address, rate: 10/min burst 5");
    assert_eq!(behind.amount, rule("per: address, rate: 10/min, burst: 5").amount);
    assert_eq!(rule("per: address, rate: \"20/15min\"").amount, rule("per: address, rate: 20/15min").amount);
}

/// The example that the feature was specified with, to the letter; only where requests go is added.
#[test]
fn the_specified_example_loads() {
    let text = r#"
version: 1
listen: { http: "127.0.0.1:0" }
limits:
  voice:
    - { per: address, rate: 100/min, burst: 20 }
    - { per: user, rate: 1000/h }
    - { per: organization, rate: 10000/h }
  login: [ { per: address, rate: 5/min }, { per: address, rate: 20/15min } ]
routes:
  - path: /api/calls/**
    limit: voice
    cost: { "POST /api/calls/start": 5, "POST /api/voice/process": 10 }
    to: "http://127.0.0.1:3000"
    auth: none
shared: { redis: "redis://127.0.0.1:6379", mode: exact, on_error: local }
"#;
    let loaded = parse(text).unwrap_or_else(|error| panic!("{error}"));
    let route = &loaded.config.routes[0];
    let policy = &loaded.config.limits[route.limits[0].0];
    let counted: Vec<_> = policy.rules_under(&route.authentication).map(|rule| rule.name.as_str()).collect();
    assert_eq!(counted, ["address-60s"]);
    assert_eq!(route.costs.of(&Method::POST, "/api/calls/start").get(), 5);
    assert_eq!(loaded.warnings.len(), 4, "{:?}", loaded.warnings);
}

#[test]
fn what_every_request_meets_stands_behind_the_limits_of_each_route() {
    let config = config(
        "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nevery_request: { limit: [generic, qr] }\nunmatched: { limit: default }\nroutes:\n  \
         - { path: /a, to: \"http://a\", auth: none, limit: [qr, chat] }\n  - { path: /b, to: \"http://a\", auth: none, cost: 3 }\n",
    );
    let names = |indices: &[LimitPolicyIndex]| -> Vec<String> {
        indices.iter().map(|index| config.limits[index.0].name.to_string()).collect()
    };
    assert_eq!(names(&config.every_request), ["generic", "qr"]);
    assert_eq!(names(&config.routes[0].limits), ["qr", "chat", "generic"]);
    assert_eq!(names(&config.routes[1].limits), ["generic", "qr"]);
    assert_eq!(names(&config.unmatched), ["default", "generic", "qr"]);
}

#[test]
fn a_policy_of_the_document_replaces_a_preset() {
    let text = with("limits: { voice: [{ per: prefix, rate: 7/s }] }")
        .replace("auth: none", "auth: none, limit: voice");
    let policies = config(&text).limits;
    assert_eq!(policies.len(), 1);
    assert_eq!(policies[0].rules[0].per, [Dimension::Prefix]);
}

#[test]
fn a_shared_store_has_the_documented_defaults() {
    let shared = |text: &str| config(&with(&format!("shared: {text}"))).shared.unwrap();
    let bare = shared("{ redis: \"redis://127.0.0.1:6379\" }");
    assert_eq!(
        bare,
        shared("{ redis: \"redis://127.0.0.1:6379\", mode: exact, on_error: local, timeout: 5ms }")
    );
    assert_eq!(
        (bare.mode, bare.on_error, bare.timeout),
        (SharedMode::Exact, OnStoreError::Local, Duration::from_millis(5))
    );
    let Redis::Server(server) = &bare.redis else { panic!("{bare:?}") };
    assert_eq!(server.to_string(), "redis://127.0.0.1:6379");

    let other = shared("{ redis: \"redis://127.0.0.1:6380\", mode: leased, on_error: deny, timeout: 1s }");
    assert_eq!(
        (other.mode, other.on_error, other.timeout),
        (SharedMode::Leased, OnStoreError::Deny, Duration::from_secs(1))
    );
    assert_ne!(other, bare);

    let cluster = shared(
        "{ redis: [\"valkeys://limits:${REDIS_PASSWORD}@[::1]:7000\", \"rediss://limits:${REDIS_PASSWORD}@b\"], on_error: allow }",
    );
    let Redis::Cluster(nodes) = &cluster.redis else { panic!("{cluster:?}") };
    let shown: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["rediss://[::1]:7000", "rediss://b:6379"]);
    assert_eq!(nodes[0].url().expose_secret(), format!("valkeys://limits:{REDIS_PASSWORD}@[::1]:7000"));
    assert!(!format!("{cluster:?}").contains(REDIS_PASSWORD));
}

#[test]
fn a_shared_store_may_be_reached_by_tls_of_ones_own() {
    let folder = folder();
    let tls = "tls: { ca: ca.pem, cert: cert.pem, key: key.pem }";
    let text = with(&format!("shared: {{ redis: \"rediss://store\", {tls} }}"));
    let config = parse_in(folder.path(), &text).unwrap().config;
    let file = |name: &str| folder.path().join(name);
    let certificate = Certificate { cert: file("cert.pem"), key: file("key.pem") };
    let expected = SharedTls { ca: Some(file("ca.pem")), certificate: Some(certificate) };
    assert_eq!(config.shared.unwrap().tls, expected);
    assert_eq!(config.files, ["ca.pem", "cert.pem", "key.pem"].map(file));
    for (key, problem) in
        [("missing.pem", "there is no such file"), ("open.pem", "every user of this machine")]
    {
        let error = parse_in(folder.path(), &text.replace("key.pem", key)).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
