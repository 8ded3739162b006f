//! What risk makes of limits on the road, and what is remembered of the rules that decided.

mod refund;

use std::time::{Duration, Instant};

use bartizan_config::LimitsProposal;
use bartizan_limits::{
    Concurrency, Counted, Factors, Limiter, Nanos, Outcome as Counting, Period, Recommendation, RiskFactors,
};
use http::{HeaderMap, StatusCode};

use super::{
    concurrent::{self, Concurrent},
    rate,
};
use crate::{
    Code, Exchange, LimitEffect, Outcome, Pipeline, ProblemType, Record, Verdict,
    limits::{self, Kind, RuleReference},
    stage::limit,
    tests::{Body, KEY, config, exchange, get, pipeline},
};

/// A pipeline with one route, `/`, for `limits` under a policy `p`; callers have the API key of [`config`].
fn limited(limits: &str) -> Pipeline {
    pipeline(&config(&format!(
        "\n  - {{ path: /, to: u, auth: partners, limit: p }}\nlimits: {{ p: [{limits}] }}"
    )))
}

/// What `risk` and the caller's API key make of a request.
fn request(risk: RiskFactors) -> Exchange {
    let mut exchange = exchange(get("/").header("x-api-key", KEY));
    exchange.risk = risk;
    exchange
}

async fn ask(pipeline: &Pipeline, risk: RiskFactors) -> (Exchange, bool) {
    let mut exchange = request(risk);
    let verdict = pipeline.decide(&mut exchange, &mut Body(0)).await;
    (exchange, matches!(verdict, Verdict::Pass))
}

/// How many of ten requests are admitted, and the quota that the last is told.
async fn admitted(pipeline: &Pipeline, risk: RiskFactors) -> (usize, String) {
    let (mut admitted, mut told) = (0, String::new());
    for _ in 0..10 {
        let (exchange, passes) = ask(pipeline, risk).await;
        admitted += usize::from(passes);
        told = policy(&exchange);
    }
    (admitted, told)
}

fn policy(exchange: &Exchange) -> String {
    let mut headers = HeaderMap::new();
    exchange.route.as_ref().unwrap().limits.tell(&exchange.limited, &mut headers);
    headers["ratelimit-policy"].to_str().unwrap().replace('"', "")
}

fn on_address(quota: f64, cost: f64, window: f64) -> RiskFactors {
    RiskFactors { address: Factors::new(quota, cost, window), ..RiskFactors::default() }
}

fn on_user(quota: f64, cost: f64, window: f64) -> RiskFactors {
    RiskFactors { user: Factors::new(quota, cost, window), ..RiskFactors::default() }
}

#[tokio::test]
async fn risk_makes_limits_tighter_or_wider_in_both_stages_and_never_opens_or_locks_one() {
    let none = RiskFactors::default();
    let cases = [
        // Before it is known who asks.
        ("{ per: address, rate: 4/h ALGORITHM }", none, 4, "address-3600s;q=4;w=3600"),
        ("{ per: address, rate: 8/h ALGORITHM }", on_address(0.5, 2.0, 1.0), 2, "address-3600s;q=4;w=3600"),
        ("{ per: prefix, rate: 40/h ALGORITHM }", on_address(0.1, 1.0, 2.0), 4, "prefix-3600s;q=4;w=7200"),
        ("{ per: address, rate: 4/h ALGORITHM }", on_address(1.5, 1.0, 1.0), 6, "address-3600s;q=6;w=3600"),
        ("{ per: address, rate: 1/h ALGORITHM }", on_address(0.1, 5.0, 2.0), 1, "address-3600s;q=1;w=7200"),
        ("{ per: address, rate: 2/h ALGORITHM }", on_address(1.0, 5.0, 1.0), 1, "address-3600s;q=2;w=3600"),
        // Once it is known.
        ("{ per: user, rate: 40/h ALGORITHM }", on_user(0.1, 2.0, 2.0), 2, "user-3600s;q=4;w=7200"),
        ("{ per: key, rate: 3/h ALGORITHM }", on_user(2.0, 1.0, 1.0), 6, "key-3600s;q=6;w=3600"),
        ("{ per: user, rate: 1/h ALGORITHM }", on_user(0.1, 5.0, 2.0), 1, "user-3600s;q=1;w=7200"),
        // Not what the limit counts by.
        ("{ per: user, rate: 4/h ALGORITHM }", on_address(0.1, 5.0, 2.0), 4, "user-3600s;q=4;w=3600"),
        ("{ per: endpoint, rate: 4/h ALGORITHM }", on_address(0.1, 5.0, 2.0), 4, "endpoint-3600s;q=4;w=3600"),
        // The strictest of a combination.
        ("{ per: [user, address], rate: 8/h ALGORITHM }", on_address(0.5, 1.0, 1.0), 4, "q=4;w=3600"),
        ("{ per: [user, address], rate: 4/h ALGORITHM }", on_address(2.0, 1.0, 1.0), 4, "q=4;w=3600"),
    ];
    for algorithm in ["token-bucket", "sliding-window", "fixed-window"] {
        for (rule, risk, count, told) in cases {
            let rule = rule.replace("ALGORITHM", &format!(", algorithm: {algorithm}"));
            let (admitted, policy) = admitted(&limited(&rule), risk).await;
            assert_eq!(admitted, count, "{rule} {risk:?}");
            assert!(policy.contains(told), "{rule} {risk:?}: {policy}");
        }
    }
}

/// One request's risk is not the next one's.
#[tokio::test]
async fn what_a_risky_request_has_used_counts_and_nothing_else_of_it() {
    let pipeline = limited("{ per: address, rate: 10/h, algorithm: fixed-window }");
    let risky = on_address(0.5, 3.0, 2.0);
    assert!(ask(&pipeline, risky).await.1);
    assert!(!ask(&pipeline, risky).await.1, "three of five are used");
    let (admitted, told) = admitted(&pipeline, RiskFactors::default()).await;
    assert_eq!((admitted, told.as_str()), (7, "address-3600s;q=10;w=3600"));
    assert!(!ask(&pipeline, risky).await.1);
    assert!(ask(&pipeline, on_address(2.0, 1.0, 1.0)).await.1, "ten of twenty are used");
}

#[tokio::test]
async fn places_for_requests_in_flight_are_as_many_as_the_quota_factor_leaves() {
    for (risk, places) in [(1.0, 4), (0.5, 2), (0.1, 1), (1.5, 6)] {
        let pipeline = limited("{ per: address, concurrent: 4 }");
        let mut in_flight = Vec::new();
        for _ in 0..10 {
            in_flight.push(ask(&pipeline, on_address(risk, 5.0, 2.0)).await);
        }
        assert_eq!(in_flight.iter().filter(|(_, passes)| *passes).count(), places, "{risk}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_kind_of_problem_it_is() {
    let refusal = async |pipeline: &Pipeline, risk: RiskFactors| {
        let mut exchange = request(risk);
        match pipeline.decide(&mut exchange, &mut Body(0)).await {
            Verdict::Deny(refusal) => (refusal.problem, refusal.code, exchange),
            verdict => panic!("{verdict:?}"),
        }
    };
    let few = limited("{ per: address, rate: 1/h, algorithm: fixed-window }");
    assert!(ask(&few, RiskFactors::default()).await.1);
    let cases = [
        (RiskFactors::default(), ProblemType::QuotaExceeded),
        (on_address(2.0, 1.0, 1.0), ProblemType::QuotaExceeded),
        (on_user(0.1, 1.0, 1.0), ProblemType::QuotaExceeded),
        (on_address(0.5, 1.0, 1.0), ProblemType::AbnormalUsageDetected),
        (on_address(1.0, 5.0, 1.0), ProblemType::AbnormalUsageDetected),
    ];
    assert!(ask(&few, on_address(2.0, 1.0, 1.0)).await.1);
    for (risk, expected) in cases {
        let (problem, code, _) = refusal(&few, risk).await;
        assert_eq!((problem, code.as_str()), (expected, "rate_limit_exceeded"), "{risk:?}");
    }
}

#[tokio::test]
async fn who_has_too_many_requests_in_flight_is_told_how_many_there_may_be() {
    let pipeline =
        limited("{ name: flight, per: address, concurrent: 2 }, { name: hour, per: address, rate: 9/h }");
    let mut held = Vec::new();
    for _ in 0..2 {
        let (exchange, passes) = ask(&pipeline, RiskFactors::default()).await;
        assert!(passes && policy(&exchange) == "hour;q=9;w=3600", "{}", policy(&exchange));
        held.push(exchange);
    }
    let (exchange, passes) = ask(&pipeline, RiskFactors::default()).await;
    assert!(!passes);
    let mut headers = HeaderMap::new();
    exchange.route.as_ref().unwrap().limits.tell(&exchange.limited, &mut headers);
    let told =
        ["ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
    let told = told.map(|name| headers[name].to_str().unwrap());
    assert_eq!(told, ["\"flight\";q=2;qu=\"concurrent-requests\"", "\"flight\";r=0;t=1", "2", "0", "1"]);
}

/// A limit on requests in flight for every rule of the route that `exchange` went.
fn concurrent<'r>(exchange: &'r Exchange, limiter: &Limiter) -> Vec<Concurrent<'r>> {
    let rules = exchange.route.iter().flat_map(|route| &route.limits.coarse).enumerate();
    let rules = rules.filter_map(|(index, rule)| match &rule.kind {
        Kind::Concurrent { name, at_most } => Some((RuleReference::Coarse(index), rule, name, *at_most)),
        Kind::Rate(_) => None,
    });
    let limits = rules.map(|(reference, rule, name, at_most)| {
        let value = rule.value(exchange, limiter).unwrap();
        Concurrent::new(reference, rule, name, at_most, value, Factors::default(), limiter)
    });
    limits.collect()
}

/// Where more values are in flight than can be told apart, what enforces fails closed.
#[tokio::test]
async fn what_only_reports_refuses_nothing_when_there_is_no_room_for_another_value() {
    let shadow = "{ name: s, per: address, concurrent: 2, mode: shadow }";
    let enforced = "{ name: e, per: prefix, concurrent: 2 }";
    let second = "{ name: f, per: [address, route], concurrent: 2 }";
    // The rules, room for how many values; which is full, or how many places are held.
    let cases = [
        (vec![shadow], 0, Ok(0)),
        (vec![shadow], 1, Ok(1)),
        (vec![shadow, enforced], 0, Err(1)),
        (vec![shadow, enforced], 1, Ok(1)),
        (vec![shadow, enforced], 2, Ok(2)),
        (vec![enforced, shadow, second], 1, Err(2)),
        (vec![enforced, shadow, second], 2, Ok(2)),
        (vec![enforced, shadow, second], 3, Ok(3)),
    ];
    for (rules, room, expected) in cases {
        let pipeline = limited(&rules.join(", "));
        let (exchange, _) = ask(&pipeline, RiskFactors::default()).await;
        let concurrency = Concurrency::new(room);
        let places = concurrent::places(&concurrency, &mut concurrent(&exchange, pipeline.limiter()));
        let held = places.as_ref().map(|_| concurrency.len()).map_err(|full| *full);
        assert_eq!(held, expected, "{rules:?}, room for {room}");
        drop(places);
        assert!(concurrency.is_empty(), "{rules:?}, room for {room}");
    }
}

#[tokio::test]
async fn a_request_holds_a_place_of_what_enforces_and_of_what_only_reports_until_it_ends() {
    let pipeline = limited(
        "{ name: s, per: address, concurrent: 1, mode: shadow }, { name: e, per: address, concurrent: 2 }",
    );
    let mut in_flight = Vec::new();
    for expected in [
        [LimitEffect::Counted, LimitEffect::Counted],
        [LimitEffect::WouldRefuse, LimitEffect::Counted],
        [LimitEffect::WouldRefuse, LimitEffect::Refused],
    ] {
        let (exchange, _) = ask(&pipeline, RiskFactors::default()).await;
        let effects: Vec<_> = exchange.limited.standings.iter().map(|standing| standing.effect).collect();
        assert_eq!(effects, expected);
        in_flight.push(exchange);
    }
    assert_eq!(pipeline.limiter().concurrency().len(), 2);
    drop(in_flight);
    assert!(pipeline.limiter().concurrency().is_empty());
}

#[tokio::test]
async fn what_was_taken_with_a_factor_is_given_back_with_it() {
    for algorithm in ["token-bucket", "sliding-window", "fixed-window"] {
        let pipeline = limited(&format!(
            "{{ per: address, rate: 100/h, algorithm: {algorithm} }}, {{ per: user, rate: 1/d }}"
        ));
        let risky = on_address(0.5, 3.0, 2.0);
        let left = |exchange: &Exchange| exchange.limited.standings[0].standing.remaining;
        let (first, passes) = ask(&pipeline, risky).await;
        assert_eq!((passes, left(&first)), (true, 47));
        for risk in [risky, RiskFactors::default(), on_address(2.0, 5.0, 1.0)] {
            let (refused, passes) = ask(&pipeline, risk).await;
            assert!(!passes);
            assert_eq!(refused.limited.standings[0].effect, LimitEffect::GivenBack);
        }
        // The second stage may know more of the risk than the first.
        let mut exchange = request(risky);
        exchange.route = first.route.clone();
        limit::coarse(&mut exchange, pipeline.limiter()).await.unwrap();
        assert_eq!(left(&exchange), 44);
        exchange.identified = first.identified.clone();
        exchange.risk = on_address(0.1, 5.0, 1.0);
        limit::fine(&mut exchange, pipeline.limiter()).await.unwrap_err();
        assert_eq!(left(&exchange), 47, "{algorithm}");
        let mut exchange = request(risky);
        exchange.route = first.route.clone();
        limit::coarse(&mut exchange, pipeline.limiter()).await.unwrap();
        assert_eq!(left(&exchange), 44, "{algorithm}: no more and no less has come back");
    }
}

/// What is remembered of a request: each rule, what it did, what it took, and what was left.
async fn remembered(pipeline: &Pipeline, request: http::request::Builder) -> (Record, Vec<String>) {
    let mut exchange = exchange(request);
    let verdict = pipeline.decide(&mut exchange, &mut Body(0)).await;
    let code = if let Verdict::Deny(refusal) = verdict { Some(refusal.code) } else { None };
    let record = Record::of(exchange, StatusCode::OK, code);
    let rules = record.limit_rules();
    let told = rules.iter().map(|said| {
        let (name, standing) = (&said.rule.name, said.standing);
        let left = format!("{} of {}", standing.remaining, standing.quota);
        format!("{}/{name} {} {:?} {} {left}", said.policy, said.value, said.effect, said.units)
    });
    let told = told.collect();
    drop(rules);
    (record, told)
}

#[tokio::test]
async fn every_rule_that_decided_is_remembered_with_what_it_did() {
    let rules = "{ name: a, per: address, rate: 9/h }, { name: s, per: prefix, rate: 1/h, mode: shadow }, \
                 { name: c, per: address, concurrent: 5 }, { name: u, per: user, rate: 1/h }, \
                 { name: k, per: key, rate: 5/h }, { name: n, per: organization, rate: 1/h }";
    let pipeline = limited(rules);
    let key = || get("/").header("x-api-key", KEY);
    let (record, told) = remembered(&pipeline, key()).await;
    let expected = [
        "p/a 198.51.100.7 Counted 1 8 of 9",
        "p/s 198.51.100.0/24 Counted 1 0 of 1",
        "p/c 198.51.100.7 Counted 1 4 of 5",
        "p/u partners/acme Counted 1 0 of 1",
        "p/k partners/acme Counted 1 4 of 5",
    ];
    assert_eq!(told, expected);
    assert_eq!(record.limit_threat().unwrap().score, 35, "the user's is used up, the address is new");

    let (record, told) = remembered(&pipeline, key()).await;
    let expected = [
        "p/a 198.51.100.7 GivenBack 1 8 of 9",
        "p/s 198.51.100.0/24 WouldRefuse 1 0 of 1",
        "p/c 198.51.100.7 Counted 1 4 of 5",
        "p/u partners/acme Refused 1 0 of 1",
        "p/k partners/acme NotCounted 1 4 of 5",
    ];
    assert_eq!(told, expected);
    let threat = record.limit_threat().unwrap();
    assert_eq!(threat.score, 55, "refused, and used up; what only reports does not count");
    assert_eq!(threat.recommendations.as_slice(), [Recommendation::Challenge, Recommendation::ReviewQuota]);

    let (record, told) = remembered(&pipeline, get("/")).await;
    assert_eq!(told.len(), 3, "it stays counted when it is not known who asks: {told:?}");
    assert_eq!(record.limit_threat().unwrap().score, 15, "anonymous");
}

#[tokio::test]
async fn a_refusal_for_want_of_a_place_is_remembered_too() {
    let pipeline = limited("{ name: a, per: address, rate: 9/h }, { name: c, per: address, concurrent: 1 }");
    let held = ask(&pipeline, RiskFactors::default()).await;
    let (_, told) = remembered(&pipeline, get("/").header("x-api-key", KEY)).await;
    assert_eq!(told, ["p/c 198.51.100.7 Refused 1 0 of 1"]);
    drop(held);
    let (_, told) = remembered(&pipeline, get("/").header("x-api-key", KEY)).await;
    assert_eq!(told, ["p/a 198.51.100.7 Counted 1 7 of 9", "p/c 198.51.100.7 Counted 1 0 of 1"]);
}

#[tokio::test]
async fn what_is_remembered_is_bounded() {
    // Of any two, one admits more at once and the other more in the long run.
    let rule = |units| format!("{{ per: \"header:x-t\", rate: {units}/{}h, name: r{units} }}", units * units);
    let rules: Vec<_> = (1..=12).map(rule).collect();
    let pipeline = limited(&rules.join(", "));
    let long = |last: char| get("/").header("x-t", format!("{}{last}", "v".repeat(5000)));
    let (record, told) = remembered(&pipeline, long('a')).await;
    assert_eq!((told.len(), record.limits.left_out()), (limits::MOST_RULES, 4));
    let shown = |told: &[String]| told[0].split(' ').nth(1).unwrap().to_owned();
    let value = shown(&told);
    assert!(value.len() == 64 && value.starts_with("vvv") && value.contains("…#"), "{value}");
    let (record, told) = remembered(&pipeline, long('a')).await;
    assert_eq!(record.limits.left_out(), 4);
    assert!(told[0].starts_with("p/r1 ") && told[0].contains("Refused"), "{told:?}");
    assert_eq!(shown(&told), value, "the same value");
    assert_ne!(shown(&remembered(&pipeline, long('b')).await.1), value);
    let (record, told) = remembered(&pipeline, get("/nowhere")).await;
    assert!(told.is_empty() && record.limit_threat().is_none());
}

#[tokio::test]
async fn what_only_reports_counts_nothing_that_is_refused() {
    let refused_first = limited(
        "{ name: a, per: \"header:x-t\", rate: 1/h }, { name: s, per: prefix, rate: 3/h, mode: shadow }",
    );
    let of = |tenant: &'static str| get("/").header("x-t", tenant);
    for _ in 0..5 {
        remembered(&refused_first, of("one")).await;
    }
    let (_, told) = remembered(&refused_first, of("one")).await;
    assert_eq!(told, ["p/a one Refused 1 0 of 1"]);
    let (_, told) = remembered(&refused_first, of("two")).await;
    assert_eq!(told, ["p/a two Counted 1 0 of 1", "p/s 198.51.100.0/24 Counted 1 1 of 3"]);

    let refused_later =
        limited("{ name: s, per: prefix, rate: 3/h, mode: shadow }, { name: u, per: user, rate: 1/h }");
    let key = || get("/").header("x-api-key", KEY);
    remembered(&refused_later, key()).await;
    for _ in 0..5 {
        let (_, told) = remembered(&refused_later, key()).await;
        let expected = ["p/s 198.51.100.0/24 GivenBack 1 2 of 3", "p/u partners/acme Refused 1 0 of 1"];
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn who_asks_for_what_is_not_there_is_limited_too() {
    let pipeline = pipeline(&config(
        "\n  - { path: /here, methods: [GET], to: u, auth: none }\nunmatched: { limit: scan }\n\
         limits: { scan: [{ name: s, per: address, rate: 3/h }, { per: user, rate: 1/h }, { per: route, rate: 1/h }] }",
    ));
    let asked = [
        ("/a", Code::RouteNotFound, "scan/s 198.51.100.7 Counted 1 2 of 3"),
        ("/here", Code::MethodNotAllowed, "scan/s 198.51.100.7 Counted 1 1 of 3"),
        ("/b", Code::RouteNotFound, "scan/s 198.51.100.7 Counted 1 0 of 3"),
        ("/c", Code::RateLimitExceeded, "scan/s 198.51.100.7 Refused 1 0 of 3"),
    ];
    for (path, code, expected) in asked {
        let (record, told) = remembered(&pipeline, get(path).method("PUT")).await;
        assert_eq!((record.code, told), (Some(code), vec![expected.to_owned()]), "{path}");
        assert_eq!(record.trace.steps().last().unwrap().outcome, Outcome::Denied);
    }
    let (record, told) = remembered(&pipeline, get("/here")).await;
    assert!(record.code.is_none() && told.is_empty(), "what is there is not limited: {told:?}");
    let limiter = pipeline.limiter();
    assert_eq!(limiter.overall().totals(limiter.now(), Period::Hour).requests, 4);
}

#[tokio::test]
async fn what_holds_for_every_request_counts_preflights_and_routes_without_a_limit() {
    let config = config(
        "\n  - { path: /own, to: u, auth: none, limit: own, cost: 2, cors: [\"https://a.test\"] }\n  \
         - { path: /none, to: u, auth: none }\n\
         every_request: { limit: all }\n\
         limits: { own: [{ name: o, per: address, rate: 9/h }], all: [{ name: a, per: address, rate: 5/h }, { per: user, rate: 1/h }] }",
    );
    let pipeline = pipeline(&config);
    let preflight = |origin: &str| {
        let asked = get("/own").method("OPTIONS").header("origin", origin);
        asked.header("access-control-request-method", "GET")
    };
    let asked = [
        (
            get("/own"),
            None,
            vec!["own/o 198.51.100.7 Counted 2 7 of 9", "all/a 198.51.100.7 Counted 2 3 of 5"],
        ),
        (preflight("https://a.test"), None, vec!["all/a 198.51.100.7 Counted 1 2 of 5"]),
        (
            preflight("https://b.test"),
            Some(Code::CrossOriginRefused),
            vec!["all/a 198.51.100.7 Counted 1 1 of 5"],
        ),
        (get("/nowhere"), Some(Code::RouteNotFound), vec!["all/a 198.51.100.7 Counted 1 0 of 5"]),
        (get("/none"), Some(Code::RateLimitExceeded), vec!["all/a 198.51.100.7 Refused 1 0 of 5"]),
        (
            preflight("https://a.test"),
            Some(Code::RateLimitExceeded),
            vec!["all/a 198.51.100.7 Refused 1 0 of 5"],
        ),
    ];
    for (request, code, expected) in asked {
        let (record, told) = remembered(&pipeline, request).await;
        assert_eq!((record.code, told), (code, expected.into_iter().map(str::to_owned).collect()));
    }
    let limiter = pipeline.limiter();
    assert_eq!(limiter.overall().totals(limiter.now(), Period::Hour).requests, 6);
    let (proposal, deadline) = (LimitsProposal::default(), Instant::now() + Duration::from_hours(1));
    let forecast = pipeline.limit_history().forecast(&config, &proposal, limiter, deadline).unwrap();
    // Not what preflights used up, of which the forecast says that it leaves them out.
    assert_eq!((forecast.requests, forecast.refused_now), (2, 0));
    assert!(forecast.not_forecast.iter().any(|left_out| left_out.what == "CORS preflights"));
}

#[tokio::test]
async fn routes_of_one_path_with_other_methods_count_apart() {
    let route =
        |methods: &str| format!("\n  - {{ path: /, methods: [{methods}], to: u, auth: none, limit: p }}");
    let limits = "\nlimits: { p: [{ per: route, rate: 1/h }] }";
    let pipeline = pipeline(&config(&format!("{}{}{limits}", route("GET"), route("PUT, POST"))));
    let effects = [("GET", "Counted"), ("POST", "Counted"), ("GET", "Refused"), ("PUT", "Refused")];
    for (method, effect) in effects {
        let (_, told) = remembered(&pipeline, get("/").method(method)).await;
        assert!(told[0].contains(effect), "{method}: {told:?}");
    }
}

/// What was read before is another one's.
#[tokio::test]
async fn a_place_that_was_taken_was_free() {
    let pipeline = limited("{ name: e, per: address, concurrent: 1 }");
    let (exchange, _) = ask(&pipeline, RiskFactors::default()).await;
    let mut full = concurrent(&exchange, pipeline.limiter());
    assert_eq!(full[0].outcome(), Counting::Refused);
    // Meanwhile that has ended.
    let places = concurrent::places(&Concurrency::new(1), &mut full);
    assert_eq!((places.is_ok(), full[0].outcome()), (true, Counting::admitted(0, 1)));
}

#[test]
fn a_store_that_answers_has_all_of_its_time_in_the_second_stage_too() {
    let (now, waited) = (Instant::now(), Duration::from_millis(3));
    let in_vain = |counted| rate::waited_in_vain(counted, waited);
    assert_eq!(in_vain(Some(Counted::There { asked: now, answered: now })), Duration::ZERO);
    for counted in [None, Some(Counted::Nowhere), Some(Counted::Here(Nanos::new(1)))] {
        assert_eq!(in_vain(counted), waited, "{counted:?}");
    }
}

/// What a class of the firewall finds counts for ten more, and is refused where there is no room for that.
#[tokio::test]
async fn what_the_firewall_finds_counts_for_more() {
    let document = |mode: &str| {
        format!(
            "\n  - {{ path: /, to: u, auth: none, limit: p, waf: {{ {mode}actions: [{{ tag: attack-sqli, action: limit }}] }} }}\n\
             limits: {{ p: [{{ per: address, rate: 25/h, algorithm: fixed-window }}] }}"
        )
    };
    let ask = async |pipeline: &Pipeline, target: &str| {
        let mut exchange = exchange(get(target).header("user-agent", "Mozilla/5.0"));
        let verdict = pipeline.decide(&mut exchange, &mut Body(0)).await;
        let used: Vec<u64> = exchange.limited.standings.iter().map(|one| one.standing.remaining).collect();
        assert_eq!(used.len(), 1, "each limit is told once");
        match verdict {
            Verdict::Pass => Ok(()),
            Verdict::Deny(refusal) => Err(refusal.code),
            Verdict::Answer(_) => unreachable!("no preflight"),
        }
    };
    let attack = "/?id=1%27%20OR%20%271%27%3D%271";
    let pipeline = pipeline(&config(&document("")));
    // 1, 12, 23, 24 without the ten, 25, none.
    assert_eq!(ask(&pipeline, "/").await, Ok(()));
    assert_eq!(ask(&pipeline, attack).await, Ok(()));
    assert_eq!(ask(&pipeline, attack).await, Ok(()));
    assert_eq!(ask(&pipeline, attack).await, Err(Code::RateLimitExceeded));
    assert_eq!(ask(&pipeline, "/").await, Ok(()));
    assert_eq!(ask(&pipeline, "/").await, Err(Code::RateLimitExceeded));

    let reporting = crate::tests::pipeline(&config(&document("mode: log, ")));
    for _ in 0..10 {
        assert_eq!(ask(&reporting, attack).await, Ok(()));
    }
}
