//! Documents about limits alone, and what whole ones say of limits.

use std::fs;

use bartizan_config::{ConfigError, LimitPolicy, LimitsProposal, Source};

use crate::{environment, folder};

fn parse(text: &str) -> LimitsProposal {
    let (proposal, warnings) =
        LimitsProposal::parse(text, &Source::text(".").with_environment(environment()))
            .unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    proposal
}

/// Without the lines, which a document that is written anew has not.
fn told(proposal: &LimitsProposal) -> Vec<String> {
    let unplaced = |policy: &LimitPolicy| {
        let mut policy = policy.clone();
        policy.line = bartizan_model::Line::NONE;
        policy.rules.iter_mut().for_each(|rule| rule.line = bartizan_model::Line::NONE);
        format!("{policy:?}")
    };
    let policies = proposal.policies.iter().map(|policy| unplaced(policy));
    policies.chain(proposal.routes.iter().map(|route| format!("{route:?}"))).collect()
}

#[test]
fn what_is_written_down_again_says_the_same() {
    let texts = [
        "limits: { a: [{ per: address, rate: 100/min }] }",
        "limits:
  long:
    rules:
      - { per: [address, \"header:X-Tenant\"], rate: 20/15min, burst: 3, on: [POST /auth/login, /a/**] }
      - { per: \"claim:$${plan}\", rate: 5/100ms, algorithm: sliding-window, mode: shadow, priority: -3 }
      - { name: days, per: organization, rate: 1/31d, algorithm: fixed-window, enabled: false }
      - { per: key, concurrent: 7 }
    skip: [/health, /metrics/**]
    allow: [10.0.0.0/8, { network: \"2001:db8::/32\", expires: 2027-03-09 }]
  short: [{ per: [user, endpoint], rate: 3/s }]",
        "limits: { a: [{ per: prefix, rate: 9/h }] }
routes:
  - { path: \"/a/{id}\", hosts: [a.test, \"*.b.test\"], methods: [GET, POST], limit: [a, voice], cost: 3 }
  - { path: /b/**, host: b.test, limit: a, cost: { \"POST /b/c\": 5, \"/b/*\": 2 } }
  - { path: /c }",
    ];
    for text in texts {
        let proposal = parse(text);
        assert_eq!(told(&parse(&proposal.document())), told(&proposal), "{}", proposal.document());
    }
}

#[test]
fn a_whole_configuration_is_told_by_its_version_and_gives_away_nothing_but_its_limits() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    fs::write(
        &path,
        "version: 1
listen: { http: \"127.0.0.1:0\" }
identity: { own: { jwt: { issuer: i, audience: o, secret: \"0123456789abcdef0123456789abcdef0123456789\" } } }
limits: { few: [{ per: user, rate: 9/h }] }
routes:
  - { path: /a, to: \"http://hidden.test\", auth: own, limit: [few, voice], cost: 2, methods: [POST] }
  - { path: /b, to: \"http://hidden.test\", auth: none }",
    )
    .unwrap();
    let (proposal, _) = LimitsProposal::load(&path).unwrap();
    let names: Vec<_> = proposal.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["few", "voice"], "built-in ones are written out");
    let document = proposal.document();
    assert!(!document.contains("hidden") && !document.contains("0123456789"), "{document}");
    let again = parse(&document);
    assert_eq!(told(&again), told(&proposal));
    assert_eq!(again.routes[0].limits.len(), 2);
    assert!(again.routes[1].limits.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("{}", "<config>:1:1", "`limits` is missing"),
        ("", "<config>:1:1", "missing"),
        ("version: 1", "<config>:1:1", "unknown key `version`"),
        ("limits: { a: [] }", "<config>:1:14", "`a` has no rules"),
        ("limits:\n  a: [{ per: address, rate: 0/min }]", "<config>:2:29", "admits nothing"),
        ("limits:\n  a: [{ per: address }]", "<config>:2:7", "neither `rate` nor `concurrent`"),
        ("routes: [{ limit: a }]", "<config>:1:12", "`path` is missing"),
        ("routes: [{ path: /a, to: \"http://a\" }]", "<config>:1:22", "unknown key `to`"),
        ("routes: [{ path: /a, limit: [a, a] }]", "<config>:1:33", "listed twice"),
        ("routes: [{ path: /a, limit: a, cost: { /b: 0 } }]", "<config>:1:44", "`0` is no count"),
    ];
    for (text, place, message) in cases {
        let error = LimitsProposal::parse(text, &Source::text(".")).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(message), "{text}\n{error}");
    }
    let long = LimitsProposal::parse(&" ".repeat(1024 * 1024 + 1), &Source::text(".")).unwrap_err();
    assert!(long.to_string().contains("longer than 1 MiB"), "{long}");
    let folder = folder();
    let missing = LimitsProposal::load(&folder.path().join("nowhere.yaml")).unwrap_err();
    assert!(matches!(missing, ConfigError::Read { .. }));
}
