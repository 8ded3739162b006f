//! Policies over a small shop, from the configuration to the judgement.

mod authzen;
mod oracle;
mod permissions_first;
mod problems;

use std::{path::PathBuf, sync::Arc, time::UNIX_EPOCH};

use bartizan_config::{Config, Policies as Configured, PolicyFile, PolicyMode, Source};
use bartizan_model::{CallerType, Grant, Line, Principal, PrincipalKind, Zone};
use http::Method;

use super::{Caller, Judgement, Policies, PoliciesError, RequestFacts, Ruling};

const ROUTES: &str = r#"
  - { path: "/orders/**", to: "http://a", auth: [shop, billing], zone: data, require: { GET: ["orders:read"], "*": ["orders:write", "orders:audit"] } }
  - { path: "/orders/{id}/refund", methods: [POST], to: "http://a", auth: [shop, billing],
      policy: { action: "orders:refund", resource: { type: Order, id: "{id}" } } }
  - { path: "/orgs/{org}/bills/{id}", to: "http://a", auth: [shop, billing],
      policy: { resource: { type: "Billing::Bill", id: "{org}/{id}" }, parents: [{ type: Organization, id: "{org}" }] } }
  - { path: "/people/{id}", to: "http://a", auth: [shop, billing], policy: { resource: { type: User, id: "shop/{id}" } } }
  - { path: /open, to: "http://a", auth: none }
  - { path: /off, to: "http://a", auth: [shop, billing], policy: off }
"#;

/// A provider of tokens, its settings open for more of them.
fn tokens_of(issuer: &str) -> String {
    format!(
        "{{ jwt: {{ issuer: {issuer}, audience: a, secret: \"0123456789abcdef0123456789abcdef\", algorithms: [HS256]"
    )
}

fn config(policies: &str, zones: &str) -> Config {
    config_of(ROUTES, policies, zones)
}

fn config_of(routes: &str, policies: &str, zones: &str) -> Config {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n{zones}\n\
         identity: {{ shop: {} }} }}, billing: {}, principal: service }} }} }}\nroutes:{routes}",
        tokens_of("a"),
        tokens_of("b"),
    );
    let mut config = match Config::parse(&text, &Source::text("")) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    };
    if !policies.is_empty() {
        config.policies = Some(configured(policies));
    }
    config
}

fn configured(text: &str) -> Configured {
    Configured { line: Line::new(1), mode: PolicyMode::Enforce, files: vec![file(text)], schemas: Vec::new() }
}

fn file(text: &str) -> PolicyFile {
    PolicyFile { path: PathBuf::from("shop.cedar"), text: text.into() }
}

fn compile(policies: &str) -> Result<Arc<Policies>, PoliciesError> {
    Policies::compile(&config(policies, "")).map(Option::unwrap)
}

fn caller(
    caller_type: CallerType,
    id: &str,
    zone: Zone,
    roles: &[&str],
    organization: Option<&str>,
) -> Caller {
    let principal = Principal {
        id: id.into(),
        kind: PrincipalKind::Token,
        organization: organization.map(Into::into),
        provider: "shop".parse().unwrap(),
        multi_factor: false,
    };
    let grants: [Grant; 1] = ["orders:*".parse().unwrap()];
    Caller::new(&principal, caller_type, zone, roles.iter().copied(), &grants)
}

fn facts<'a>(method: &'a Method, path: &'a str) -> RequestFacts<'a> {
    RequestFacts {
        method,
        path,
        address: [203, 0, 113, 7].into(),
        secure: true,
        multi_factor: false,
        moved: false,
        arrived: UNIX_EPOCH + std::time::Duration::from_secs(1_763_731_805),
    }
}

/// What the policies say of a request to the route whose pattern is `route`.
fn judge_with(config: &Config, caller: &Caller, method: &Method, route: &str, path: &str) -> Judgement {
    let policies = Policies::compile(config).unwrap().unwrap();
    let route = config.routes.iter().find(|candidate| candidate.path.as_str() == route).unwrap();
    policies.of_route(route).unwrap().unwrap().judge(caller, &facts(method, path))
}

fn judge(policies: &str, caller: &Caller, method: &Method, route: &str, path: &str) -> String {
    let judgement = judge_with(&config(policies, ""), caller, method, route, path);
    let names: Vec<_> = judgement.determining.iter().map(|policy| &*policy.id).collect();
    format!("{} {}", judgement.ruling.as_str(), names.join(",")).trim_end().to_owned()
}

const SHOP: &str = r#"
@id("clerks-read")
permit (principal in Role::"clerk", action == Action::"orders:read", resource);

@id("clerks-write")
permit (principal in Role::"clerk", action in Action::"orders:*", resource)
when { context.secure && principal.grants.contains("orders:*") };

@id("no-deleting")
forbid (principal, action, resource) when { context.method == "DELETE" };
"#;

#[test]
fn what_nobody_permits_is_denied_and_forbid_wins() {
    let clerk = caller(CallerType::User, "ann", Zone::Data, &["clerk"], None);
    let stranger = caller(CallerType::User, "bob", Zone::Data, &[], None);
    let orders = |caller, method| judge(SHOP, caller, &method, "/orders/**", "/orders/7");
    assert_eq!(orders(&clerk, Method::GET), "permitted clerks-read,clerks-write");
    assert_eq!(orders(&clerk, Method::HEAD), "permitted clerks-read,clerks-write", "HEAD does what GET does");
    assert_eq!(
        orders(&clerk, Method::POST),
        "permitted clerks-write",
        "through the groups of its permissions"
    );
    assert_eq!(orders(&clerk, Method::DELETE), "forbidden no-deleting");
    assert_eq!(orders(&stranger, Method::GET), "not_permitted");
    assert_eq!(orders(&stranger, Method::DELETE), "forbidden no-deleting");
    let refund = judge(SHOP, &clerk, &Method::POST, "/orders/{id}/refund", "/orders/7/refund");
    assert_eq!(refund, "permitted clerks-write", "an action that a route names is in its family");
}

#[test]
fn a_session_that_has_moved_can_be_refused() {
    let config = config(
        "permit (principal, action, resource);\n\
         forbid (principal, action, resource) when { context.moved };",
        "",
    );
    let policies = Policies::compile(&config).unwrap().unwrap();
    let route = config.routes.iter().find(|route| route.path.as_str() == "/orders/**").unwrap();
    let asked = policies.of_route(route).unwrap().unwrap();
    let ann = caller(CallerType::User, "ann", Zone::Data, &[], None);
    for (moved, ruling) in [(false, Ruling::Permitted), (true, Ruling::Forbidden)] {
        let facts = RequestFacts { moved, ..facts(&Method::GET, "/orders/7") };
        assert_eq!(asked.judge(&ann, &facts).ruling, ruling);
    }
}

#[test]
fn what_cannot_be_evaluated_is_denied_even_where_something_permits() {
    // Cedar would leave the policy that forbids out.
    let policies = "permit (principal, action, resource);\n\
                    forbid (principal, action, resource) when { context.zone.trust + 9223372036854775807 < 0 };";
    let public = caller(CallerType::User, "ann", Zone::Public, &[], None);
    assert_eq!(judge(policies, &public, &Method::GET, "/people/{id}", "/people/7"), "permitted shop.cedar:1");
    let trusted = caller(CallerType::User, "ann", Zone::Data, &[], None);
    let found = judge_with(&config(policies, ""), &trusted, &Method::GET, "/people/{id}", "/people/7");
    assert_eq!(found.ruling, Ruling::Failed);
    assert!(!found.passes() && found.errors[0].contains("overflow"), "{found}");
}

#[test]
fn entities_are_named_by_the_path() {
    let ann = caller(CallerType::User, "ann", Zone::Public, &[], Some("acme"));
    let policies = r#"
permit (principal, action, resource is Billing::Bill)
when { principal has organization && resource in principal.organization };
@id("own") permit (principal, action, resource is User) when { principal == resource };
@id("one") permit (principal, action == Action::"orders:refund", resource == Order::"7 é");
"#;
    let bill = |path| judge(policies, &ann, &Method::GET, "/orgs/{org}/bills/{id}", path);
    assert_eq!(bill("/orgs/acme/bills/3"), "permitted shop.cedar:2");
    assert_eq!(bill("/orgs/other/bills/3"), "not_permitted");
    assert_eq!(judge(policies, &ann, &Method::GET, "/people/{id}", "/people/ann"), "permitted own");
    assert_eq!(judge(policies, &ann, &Method::GET, "/people/{id}", "/people/bob"), "not_permitted");
    let refund = |path| judge(policies, &ann, &Method::POST, "/orders/{id}/refund", path);
    assert_eq!(refund("/orders/7%20%C3%A9/refund"), "permitted one", "escapes are undone");
    assert_eq!(refund("/orders/8/refund"), "not_permitted");
    assert_eq!(refund("/orders/%FF/refund"), "failed", "what is no text names nothing");
}

#[test]
fn zones_refuse_callers_from_elsewhere() {
    let orders = |zones: &str, zone| {
        let caller = caller(CallerType::Service, "billing", zone, &[], None);
        judge_with(&config("", zones), &caller, &Method::GET, "/orders/**", "/orders/7").to_string()
    };
    let permitted = "permitted by policy `built-in/permissions` (built-in:2)";
    assert_eq!(orders("", Zone::Services), permitted);
    assert_eq!(orders("", Zone::Data), permitted);
    for zone in [Zone::Public, Zone::Gateway] {
        assert!(orders("", zone).starts_with("forbidden by policy `built-in/zone-data`"), "{zone}");
    }
    assert_eq!(orders("zones: { data: { callers: [public] } }", Zone::Public), permitted);
    assert!(orders("zones: { data: { callers: [public] } }", Zone::Services).starts_with("forbidden"));
    assert!(orders("zones: { data: { callers: [] } }", Zone::Data).starts_with("forbidden"));
}

#[test]
fn the_same_id_at_two_providers_is_two_principals() {
    let policies = "permit (principal == User::\"shop/ann\", action, resource);";
    let ann = caller(CallerType::User, "ann", Zone::Data, &[], None);
    assert!(judge(policies, &ann, &Method::GET, "/orders/**", "/orders/7").starts_with("permitted"));
    let service = caller(CallerType::Service, "ann", Zone::Data, &[], None);
    assert_eq!(judge(policies, &service, &Method::GET, "/orders/**", "/orders/7"), "not_permitted");
    let slash = caller(CallerType::User, "shop/ann", Zone::Data, &[], None);
    assert_eq!(judge(policies, &slash, &Method::GET, "/orders/**", "/orders/7"), "not_permitted");
}

#[test]
fn shadow_reports_and_lets_pass() {
    let mut config = config("permit (principal, action == Action::\"orders:read\", resource);", "");
    config.policies.as_mut().unwrap().mode = PolicyMode::Shadow;
    let ann = caller(CallerType::User, "ann", Zone::Data, &[], None);
    let found = judge_with(&config, &ann, &Method::POST, "/orders/**", "/orders/7");
    assert!(found.passes() && found.ruling == Ruling::NotPermitted, "{found}");
}

#[test]
fn routes_that_ask_nothing_have_no_policies() {
    let config = config(SHOP, "");
    let policies = Policies::compile(&config).unwrap().unwrap();
    for route in &config.routes {
        let asks = policies.of_route(route).unwrap().is_some();
        assert_eq!(asks, !matches!(route.path.as_str(), "/open" | "/off"), "{}", route.path.as_str());
    }
    let schema = policies.schema();
    assert!(schema.contains("action \"orders:refund\" in [\"*:refund\", \"orders:*\"]"), "{schema}");
    assert!(!schema.contains("/open") && !schema.contains("/off"), "{schema}");
}

#[test]
fn without_policies_and_zones_there_is_no_second_tier() {
    let mut config = config("", "");
    config.zones.clear();
    assert!(Policies::compile(&config).unwrap().is_none());
}
