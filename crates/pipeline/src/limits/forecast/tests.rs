use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_config::Source;
use bartizan_limits::{Nanos, Period, RiskFactors};
use bartizan_model::{Principal, PrincipalKind, Quota};
use http::{HeaderMap, Method, Request};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::*;
use crate::{
    Pipeline, Verdict,
    limits::{Facts, history::Layout, route_identity},
    tests::{Body, KEY, config, exchange, pipeline},
};

fn proposal(text: &str) -> LimitsProposal {
    LimitsProposal::parse(text, &Source::text("")).unwrap_or_else(|error| panic!("{error}")).0
}

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// A deadline that no test reaches.
fn far() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

/// A gateway, and what is asked of it.
struct Gate {
    runtime: Runtime,
    config: Config,
    pipeline: Pipeline,
}

impl Gate {
    fn new(routes_and_limits: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = config(routes_and_limits);
        let pipeline = {
            let _entered = runtime.enter();
            pipeline(&config)
        };
        Self { runtime, config, pipeline }
    }

    /// Whether a limit refuses.
    fn ask(&self, address: u8, request: http::request::Builder) -> bool {
        self.ask_at_risk(address, request, RiskFactors::default())
    }

    fn ask_at_risk(&self, address: u8, request: http::request::Builder, risk: RiskFactors) -> bool {
        let mut exchange = exchange(request.header("host", "shop.test"));
        exchange.risk = risk;
        exchange.client.address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, address));
        match self.runtime.block_on(self.pipeline.decide(&mut exchange, &mut Body(0))) {
            Verdict::Deny(refusal) => refusal.code == crate::Code::RateLimitExceeded,
            _ => false,
        }
    }

    fn forecast(&self, proposal: &LimitsProposal) -> Forecast {
        self.try_forecast(proposal, far()).unwrap()
    }

    fn try_forecast(&self, proposal: &LimitsProposal, deadline: Instant) -> Result<Forecast, ForecastError> {
        let limiter = self.pipeline.limiter();
        self.pipeline.limit_history().forecast(&self.config, proposal, limiter, deadline)
    }
}

/// Everything that limits can say, in windows so long that nothing is given back by time.
const EVERYTHING: &str = "
  - { path: /orders/**, to: u, auth: partners, limit: [all, users], cost: { \"POST /orders/**\": 3 } }
  - { path: /public/**, to: u, auth: none, limit: [all, watched], cost: 2 }
  - { path: /free, to: u, auth: none }
limits:
  all:
    rules:
      - { per: address, rate: 25/d }
      - { per: prefix, rate: 60/d, algorithm: fixed-window }
      - { per: [address, endpoint], rate: 9/d, on: [/orders/**, POST /public/a] }
      - { name: tenants, per: \"header:x-tenant\", rate: 40/d, algorithm: sliding-window }
      - { name: login, per: address, rate: 8/d, burst: 4, on: /public/login, priority: 1 }
    skip: [/public/health]
    allow: [192.0.2.4/32]
  users:
    - { per: user, rate: 16/d }
    - { per: [key, route], rate: 30/d, burst: 12 }
  watched:
    - { per: address, rate: 5/d, mode: shadow }
    - { per: address, rate: 3/d, enabled: false }
";

/// From which address, with which method, for what, as which tenant, with a key or without, at what risk.
type Asked = (u8, &'static str, &'static str, Option<&'static str>, u8, RiskFactors);

fn requests() -> impl Strategy<Value = Vec<Asked>> {
    let paths =
        ["/orders/1", "/orders/2", "/public/a", "/public/login", "/public/health", "/free", "/nowhere"];
    let request = (
        1..5_u8,
        prop::sample::select(vec!["GET", "POST", "OPTIONS"]),
        prop::sample::select(paths.to_vec()),
        // The last two in two lines.
        prop::sample::select(vec![None, Some("acme"), Some("globex"), Some("acme,1"), Some("acme,2")]),
        0..3_u8,
        prop_oneof![
            4 => Just(RiskFactors::default()),
            1 => prop::sample::select(vec![RiskFactors::MOVED, RiskFactors::LOW, RiskFactors::CRITICAL]),
        ],
    );
    prop::collection::vec(request, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// What was refused is what the replay refuses, by every rule, whatever came in which order.
    #[test]
    fn the_limits_in_use_refuse_in_the_replay_what_they_have_refused(requests in requests()) {
        let gate = Gate::new(EVERYTHING);
        let mut refused = 0;
        for (address, method, path, tenant, proof, risk) in requests {
            let mut request = Request::builder().method(method).uri(path);
            for line in tenant.into_iter().flat_map(|tenant| tenant.split(',')) {
                request = request.header("x-tenant", line);
            }
            if proof > 0 {
                request = request.header("x-api-key", if proof == 1 { KEY } else { "shop_wrong_wrong_wrong_wrong" });
            }
            if method == "OPTIONS" {
                // A preflight, which limits never count.
                request = request.header("origin", "https://a.test").header("access-control-request-method", "GET");
            }
            refused += u64::from(gate.ask_at_risk(address, request, risk));
        }
        let forecast = gate.forecast(&LimitsProposal::default());
        prop_assert_eq!((forecast.refused_now, forecast.refused_then), (refused, refused));
        prop_assert_eq!((forecast.missing, &forecast.not_forecast), (0, &Vec::new()));
        let limiter = gate.pipeline.limiter();
        for rule in &forecast.rules {
            let seen = limiter.seen(&format!("{}/{}", rule.policy, rule.rule)).unwrap();
            let refusals = seen.totals(limiter.now(), Period::Hour).refusals;
            prop_assert_eq!((rule.refused_now, rule.refused_then), (refusals, refusals), "{}", &rule.rule);
        }
        prop_assert_eq!(forecast.rules.len(), 8);
    }
}

#[test]
fn a_tighter_limit_names_who_would_be_refused_and_a_wider_one_refuses_fewer() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ name: each, per: address, rate: 5/d }] }",
    );
    for (address, count) in [(1, 8), (2, 4), (3, 1)] {
        (0..count).for_each(|_| _ = gate.ask(address, Request::get("/")));
    }
    // rate, refused in all, values that are refused, and who they are: requests, now, then
    let cases = [
        ("2/d", 8, vec![("192.0.2.1", 8, 3, 6), ("192.0.2.2", 4, 0, 2)]),
        ("5/d", 3, vec![("192.0.2.1", 8, 3, 3)]),
        ("7/d", 1, vec![("192.0.2.1", 8, 3, 1)]),
        ("8/d", 0, vec![]),
    ];
    for (rate, refused, named) in cases {
        let forecast = gate.forecast(&proposal(&format!(
            "limits: {{ calls: [{{ name: each, per: address, rate: {rate} }}] }}"
        )));
        assert_eq!(
            (forecast.requests, forecast.refused_now, forecast.refused_then),
            (13, 3, refused),
            "{rate}"
        );
        let found: Vec<_> = (forecast.values.iter())
            .map(|value| (value.value.as_str(), value.requests, value.refused_now, value.refused_then))
            .collect();
        assert_eq!(found, named, "{rate}");
        let [rule] = forecast.rules.as_slice() else { panic!("{:?}", forecast.rules) };
        assert_eq!((rule.requests, rule.refused_now, rule.refused_then), (13, 3, refused));
        assert_eq!(rule.values_refused, named.len() as u64);
        assert!(rule.now.is_some() && rule.then.is_some());
    }
}

#[test]
fn rules_that_come_and_go_are_told_apart() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ name: old, per: address, rate: 2/d }] }",
    );
    (0..5).for_each(|_| _ = gate.ask(1, Request::get("/")));
    let forecast =
        gate.forecast(&proposal("limits: { calls: [{ name: new, per: route, rate: 4/d, mode: shadow }] }"));
    // What only reports refuses nothing in all.
    assert_eq!((forecast.refused_now, forecast.refused_then), (3, 0));
    let rules: Vec<_> = (forecast.rules.iter())
        .map(|rule| {
            let there = (rule.now.is_some(), rule.then.is_some());
            (rule.rule.as_str(), there, rule.requests, rule.refused_now, rule.refused_then)
        })
        .collect();
    assert_eq!(rules, [("new", (false, true), 5, 0, 1), ("old", (true, false), 5, 3, 0)]);
    assert_eq!(forecast.values[0].value, &*route_identity(&[], &"/**".parse().unwrap(), &[]));
}

#[test]
fn the_limits_of_routes_can_be_proposed_with_built_in_policies_too() {
    let gate = Gate::new(
        "
  - { path: /a/**, to: u, auth: none, limit: default }
  - { path: /b/**, methods: [GET, POST], to: u, auth: none }",
    );
    (0..30).for_each(|_| _ = gate.ask(1, Request::get("/b/1")));
    let forecast = gate.forecast(&proposal(
        "routes: [{ path: /b/**, methods: [POST, GET], limit: public, cost: 2 }, { path: /a/**, limit: few }]\n\
         limits: { few: [{ per: address, rate: 1/d }] }",
    ));
    assert_eq!((forecast.refused_now, forecast.refused_then), (0, 25));
    let rules: Vec<_> = forecast.rules.iter().map(|rule| (rule.policy.as_str(), rule.requests)).collect();
    assert_eq!(rules, [("few", 0), ("public", 30), ("default", 0)]);
}

#[test]
fn what_cannot_be_forecast_is_said() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ per: \"header:x-tenant\", rate: 2/d }] }",
    );
    for _ in 0..2 {
        gate.ask(1, Request::get(format!("/{}", "a".repeat(300))));
    }
    let forecast = gate.forecast(&proposal(
        "
limits:
  calls:
    - { per: address, concurrent: 3 }
    - { per: \"header:x-other\", rate: 1/d }
    - { per: user, rate: 1/d }
    - { per: \"header:x-tenant\", rate: 1/d, on: \"/a/**\" }
  idle: [{ per: address, rate: 1/d }]
routes: [{ path: /gone, host: a.test, limit: calls }]",
    ));
    let left_out: Vec<_> = forecast.not_forecast.iter().map(|left_out| left_out.what.as_str()).collect();
    let expected = [
        "calls/address-concurrent",
        "calls/header-x-other-86400s",
        "route a.test/gone",
        "calls/user-86400s",
        "idle",
        "2 requests",
    ];
    assert_eq!(left_out, expected, "{forecast:#?}");
    // Without its path a request is not one for `/a/**`.
    let rule = &forecast.rules[0];
    assert_eq!((rule.rule.as_str(), rule.requests), ("header-x-tenant-86400s", 0));

    let nobody = proposal("routes: [{ path: /**, limit: nobody }]");
    let answer = gate.try_forecast(&nobody, far());
    assert_eq!(answer, Err(ForecastError::UnknownPolicy("nobody".parse().unwrap())));
    let busy = gate.pipeline.limit_history().turn();
    let answer = gate.try_forecast(&nobody, far());
    assert_eq!(answer, Err(ForecastError::Busy));
    drop(busy);
}

#[test]
fn what_routes_were_taken_away_from_is_left_out_and_reloads_keep_the_rest() {
    let gate = Gate::new(
        "
  - { path: /a, to: u, auth: none, limit: calls }
  - { path: /b, to: u, auth: none, limit: calls }
limits: { calls: [{ per: address, rate: 1/d }] }",
    );
    for path in ["/a", "/b", "/b"] {
        gate.ask(1, Request::get(path));
    }
    let _entered = gate.runtime.enter();
    let config = config(
        "
  - { path: /c, to: u, auth: none }
  - { path: /b, to: u, auth: none, limit: calls }
limits: { calls: [{ per: address, rate: 1/d }] }",
    );
    let reloaded = Pipeline::new(&config, Arc::default(), Some(&gate.pipeline)).unwrap();
    let forecast = reloaded
        .limit_history()
        .forecast(&config, &LimitsProposal::default(), reloaded.limiter(), far())
        .unwrap();
    assert_eq!((forecast.requests, forecast.refused_now, forecast.refused_then), (3, 1, 1));
    assert_eq!(forecast.not_forecast[0].what, "1 request");
}

/// Requests for the first route of `gate` at these times, in nanoseconds, from one of two addresses each.
fn record(gate: &Gate, times: impl Iterator<Item = u64>) {
    let layout = Arc::new(Layout::of(&gate.config));
    let headers = HeaderMap::new();
    for (address, time) in [1, 2].into_iter().cycle().zip(times) {
        let facts = Facts {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, address)),
            principal: None,
            own_rate: None,
            claims: None,
            headers: &headers,
            method: &Method::GET,
            path: "/",
            route: None,
            risk: &RiskFactors::MEDIUM,
        };
        gate.pipeline.limit_history().record(Nanos::new(time), &layout, 0, &facts);
    }
}

#[test]
fn the_rate_that_a_key_has_of_its_own_refuses_in_the_replay_as_it_did() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: partners, limit: calls }
limits: { calls: [{ name: each, per: address, rate: 3/h }] }",
    );
    let (layout, headers) = (Arc::new(Layout::of(&gate.config)), HeaderMap::new());
    let nightly = Principal {
        id: "nightly".into(),
        kind: PrincipalKind::ApiKey,
        organization: None,
        provider: "partners".parse().unwrap(),
        multi_factor: false,
    };
    let two = 2.try_into().unwrap();
    let facts = Facts {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        principal: Some(&nightly),
        own_rate: Some(Quota::token_bucket(two, Duration::from_hours(1), two).unwrap()),
        claims: None,
        headers: &headers,
        method: &Method::GET,
        path: "/",
        route: None,
        risk: &RiskFactors::MEDIUM,
    };
    for _ in 0..5 {
        gate.pipeline.limit_history().record(gate.pipeline.limiter().now(), &layout, 0, &facts);
    }
    let forecast = gate.forecast(&proposal("limits: { calls: [{ name: each, per: address, rate: 1/h }] }"));
    // What the key's rate refuses is given back to the address, which therefore never refuses now.
    assert_eq!((forecast.requests, forecast.refused_now, forecast.refused_then), (5, 3, 4));
    let [rule] = forecast.rules.as_slice() else { panic!("{:?}", forecast.rules) };
    assert_eq!((rule.refused_now, rule.refused_then), (0, 4));
}

#[test]
fn time_gives_back_in_the_replay_as_it_did() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ name: each, per: address, rate: 60/min, burst: 1 }] }",
    );
    // Twenty requests in 20 ms, which must have been.
    let limiter = gate.pipeline.limiter();
    let start = limiter.now().get();
    while limiter.now().get() < start + 20_000_000 {
        std::thread::yield_now();
    }
    record(&gate, (0..20).map(|tick| start + tick * 1_000_000));
    // Each asks every 2 ms, ten times in 18 ms. Of 1000/s it may all, of 250/s every other time.
    for (rate, refused) in [("100/100ms", 0), ("25/100ms", 10), ("60/min", 18)] {
        let text = format!("limits: {{ calls: [{{ name: each, per: address, rate: {rate}, burst: 1 }}] }}");
        let forecast = gate.forecast(&proposal(&text));
        assert_eq!((forecast.refused_now, forecast.refused_then), (18, refused), "{rate}");
    }
}

#[test]
fn an_hour_is_replayed_and_what_is_older_is_not_missed() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ name: each, per: route, rate: 3/min, burst: 1 }] }",
    );
    let (history, limiter) = (gate.pipeline.limit_history(), gate.pipeline.limiter());
    let start = limiter.now().get();
    record(&gate, (0..90 * 6).map(|number| start + number * 10 * SECOND));
    let snapshot = history.snapshot(Nanos::new(start + 90 * 60 * SECOND));
    let mut tally = Tally::new(10);
    let in_use = LimitsProposal::default();
    let side =
        |when, tally: &mut Tally| Side::new(when, &gate.config, &in_use, &snapshot.layouts, tally).unwrap().0;
    let (now, then) = (side(When::Now, &mut tally), side(When::Then, &mut tally));
    let replay = Replay { sides: [&now, &then], config: &gate.config, limiter, history, is_over: &|| false };
    let replayed = replay.run(snapshot, &mut tally).unwrap();
    // One every ten seconds, and one every twenty may.
    assert_eq!((replayed.requests, replayed.missing), (360, 0));
    assert_eq!((replayed.refused_now, replayed.refused_then), (180, 180));
}

#[test]
fn a_forecast_ends_at_its_deadline_and_the_next_may_begin() {
    let gate = Gate::new(
        "
  - { path: /**, to: u, auth: none, limit: calls }
limits: { calls: [{ name: each, per: route, rate: 3/min, burst: 1 }] }",
    );
    gate.ask(1, Request::get("/"));
    let in_use = LimitsProposal::default();
    assert_eq!(gate.try_forecast(&in_use, Instant::now()), Err(ForecastError::TookTooLong));
    assert_eq!(gate.forecast(&in_use).requests, 1);
}

#[test]
fn the_time_is_looked_at_all_along_the_replay() {
    let gate = Gate::new("\n  - { path: /**, to: u, auth: none, limit: voice }");
    let (config, limiter, history) = (&gate.config, gate.pipeline.limiter(), gate.pipeline.limit_history());
    let start = limiter.now().get();
    record(&gate, (1..=3000).map(|number| start + number * SECOND));
    for (over_at, expected) in [(2, Err(ForecastError::TookTooLong)), (99, Ok(3000))] {
        let snapshot = history.snapshot(Nanos::new(start + 3000 * SECOND));
        let (mut tally, in_use) = (Tally::new(10), LimitsProposal::default());
        let (side, _) = Side::new(When::Now, config, &in_use, &snapshot.layouts, &mut tally).unwrap();
        let looked = Cell::new(0);
        let is_over = || looked.replace(looked.get() + 1) >= over_at;
        let replay = Replay { sides: [&side, &side], config, limiter, history, is_over: &is_over };
        let replayed = replay.run(snapshot, &mut tally).map(|replayed| replayed.requests);
        assert_eq!((replayed, looked.get()), (expected, 3));
    }
}
