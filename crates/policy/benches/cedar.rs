//! The second tier: one decision with 1, 50 and 500 policies, of which a request's action concerns ten at most, and with as
//! many that all name it.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

use std::{fmt::Write, path::PathBuf, sync::Arc, time::SystemTime};

use bartizan_config::{Config, Policies as Configured, PolicyFile, Source};
use bartizan_model::{CallerType, Principal, PrincipalKind, Zone};
use bartizan_policy::{Caller, Policies, RequestFacts, RoutePolicies};
use divan::{Bencher, black_box};
use http::Method;

fn main() {
    divan::main();
}

/// Fifty permissions, one for each route.
fn config() -> Config {
    let mut text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n\
         identity: {{ keys: {{ api_key: {{ keys: [{{ name: a, hash: \"sha256:{}\" }}] }} }} }}\nroutes:\n",
        "0".repeat(64)
    );
    for number in 0..50 {
        let route = format!(
            "path: \"/things{number}/{{id}}\", to: \"http://a\", auth: keys, require: [\"things{number}:read\"]"
        );
        let policy = "policy: { resource: { type: Thing, id: \"{id}\" } }";
        // INVARIANT: writing to a string does not fail.
        let _ = writeln!(text, "  - {{ {route}, {policy} }}");
    }
    Config::parse(&text, &Source::text("")).unwrap().config
}

/// What the policies are about.
#[derive(Clone, Copy)]
enum About {
    /// One action each, in turn.
    EveryAction,
    /// The action that is asked about: none can be left out.
    TheOneAsked,
}

/// The route that is asked about.
const ASKED: usize = 7;

/// So many policies: two that concern every action, the others one each.
fn policies(config: &Config, about: About, count: usize) -> Arc<Policies> {
    let mut text =
        String::from("permit (principal in Role::\"clerk\", action in Action::\"*:read\", resource);\n");
    if count > 1 {
        text.push_str("forbid (principal, action, resource) unless { context.secure };\n");
    }
    for number in 2..count {
        let action = match about {
            About::EveryAction => number % 50,
            About::TheOneAsked => ASKED,
        };
        let _ = writeln!(
            text,
            "permit (principal, action == Action::\"things{action}:read\", resource == Thing::\"{number}\") when {{ context.mfa && context.address.isInRange(ip(\"10.0.0.0/8\")) }};"
        );
    }
    let files = vec![PolicyFile { path: PathBuf::from("bench.cedar"), text }];
    Policies::with_policies(config, Some(&Configured { files, ..Configured::default() })).unwrap()
}

fn asked(about: About, count: usize) -> RoutePolicies {
    let config = config();
    policies(&config, about, count).of_route(&config.routes[ASKED]).unwrap().unwrap()
}

#[divan::bench(args = [1, 50, 500])]
fn judge(bencher: Bencher<'_, '_>, count: usize) {
    judge_by(bencher, &asked(About::EveryAction, count));
}

/// The worst that so many policies can be.
#[divan::bench(args = [10, 50])]
fn judge_where_all_name_the_action(bencher: Bencher<'_, '_>, count: usize) {
    judge_by(bencher, &asked(About::TheOneAsked, count));
}

fn judge_by(bencher: Bencher<'_, '_>, asked: &RoutePolicies) {
    let principal = Principal {
        id: "ada".into(),
        kind: PrincipalKind::Token,
        organization: Some("acme".into()),
        provider: "shop".parse().unwrap(),
        multi_factor: true,
    };
    let caller = Caller::new(&principal, CallerType::User, Zone::Public, ["clerk", "auditor"], []);
    let facts = RequestFacts {
        method: &Method::GET,
        path: "/things7/42",
        address: [203, 0, 113, 7].into(),
        secure: true,
        multi_factor: true,
        moved: false,
        arrived: SystemTime::UNIX_EPOCH,
    };
    assert!(asked.judge(&caller, &facts).ruling.permits());
    bencher.bench(|| asked.judge(black_box(&caller), black_box(&facts)));
}
