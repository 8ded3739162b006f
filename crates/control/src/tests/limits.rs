//! Limits as an operator sees them.

use std::num::NonZeroU32;

use bartizan_config::Amount;
use bartizan_limits::{Charge, Factors, InFlight, Limit, Outcome};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::Admin;

/// Counts so many requests by each rate of a policy, as the gateway does.
async fn ask(admin: &Admin, policy: &str, value: &str, times: usize) {
    let limits = &admin.system.limits;
    let policy = limits.config.limits.iter().find(|listed| listed.name.as_str() == policy).unwrap();
    for rule in &policy.rules {
        let Amount::Rate(quota) = rule.amount else { continue };
        let value = if rule.per.len() > 1 { with_route(value) } else { value.to_owned() };
        let limit = Limit { name: Limit::name_of(&policy.name, &rule.name), quota };
        let (cost, factors) = (NonZeroU32::MIN, Factors::default());
        for _ in 0..times {
            let charge = Charge { limit: &limit, value: value.as_bytes(), cost, factors };
            let (decision, _) = limits.limiter.decide(&[charge]).await.unwrap();
            let outcome = Outcome::of(&decision.standings[0]);
            limits.limiter.statistics(&limit.name).record(limits.limiter.now(), value.as_bytes(), outcome);
        }
    }
}

/// The value of the rule by address and route.
fn with_route(address: &str) -> String {
    format!("{}:{address},3:/**,", address.len())
}

/// Statistics live as long as a configuration holds them.
fn hold(admin: &Admin) -> Vec<impl Sized> {
    let limits = &admin.system.limits;
    let rules =
        limits.config.limits.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
    rules.map(|(policy, rule)| limits.limiter.statistics(&Limit::name_of(&policy.name, &rule.name))).collect()
}

#[tokio::test]
async fn policies_are_listed_with_what_they_have_seen() {
    let admin = Admin::new();
    let _held = hold(&admin);
    ask(&admin, "voice", "192.0.2.7", 6).await;
    ask(&admin, "watched", "192.0.2.8", 3).await;
    let listed = admin.get("/v1/limits").await.json();
    assert_eq!((&listed["shared_store_decides"], &listed["allowances"]), (&Value::Null, &json!([])));
    let nothing = json!({ "requests": 0, "refusals": 0, "near_misses": 0, "distinct_values": 0 });
    let seen = |requests, refusals, near_misses| {
        json!({
            "requests": requests, "refusals": refusals, "near_misses": near_misses, "distinct_values": 1
        })
    };
    let quota = |units, algorithm| {
        json!({
            "units": units, "window_seconds": 3600.0, "burst": units, "algorithm": algorithm
        })
    };
    let expected = json!([
        { "name": "voice", "line": 4, "rules": [
            {
                "name": "address-3600s", "line": 5, "per": ["address"], "quota": quota(5, "token-bucket"),
                "concurrent": null, "mode": "enforce", "enabled": true,
                "hour": seen(6, 1, 1), "day": seen(6, 1, 1)
            },
            {
                "name": "address-route-3600s", "line": 6, "per": ["address", "route"],
                "quota": quota(100, "sliding-window"), "concurrent": null, "mode": "enforce", "enabled": true,
                "hour": seen(6, 0, 0), "day": seen(6, 0, 0)
            },
            {
                "name": "address-concurrent", "line": 7, "per": ["address"], "quota": null, "concurrent": 2,
                "mode": "enforce", "enabled": true, "hour": nothing, "day": nothing
            },
        ] },
        { "name": "watched", "line": 8, "rules": [
            {
                "name": "address-3600s", "line": 8, "per": ["address"], "quota": quota(1, "token-bucket"),
                "concurrent": null, "mode": "shadow", "enabled": true,
                "hour": seen(3, 2, 1), "day": seen(3, 2, 1)
            },
        ] },
    ]);
    assert_eq!(listed["policies"], expected);
}

#[tokio::test]
async fn the_top_is_ranked_and_filtered() {
    let admin = Admin::new();
    let _held = hold(&admin);
    ask(&admin, "voice", "192.0.2.7", 9).await;
    ask(&admin, "voice", "192.0.2.8", 7).await;
    ask(&admin, "watched", "192.0.2.9", 1).await;
    let value = |value: &str, count| json!({ "value": value, "at_least": count, "at_most": count });
    let rule = |policy: &str, rule: &str, values: &[Value]| {
        json!({
            "policy": policy, "rule": rule, "values": values
        })
    };
    let both = [value("192.0.2.7", 9), value("192.0.2.8", 7)];
    let routes = [value(&with_route("192.0.2.7"), 9), value(&with_route("192.0.2.8"), 7)];
    let refused = [value("192.0.2.7", 4), value("192.0.2.8", 2)];
    let cases = [
        (
            "",
            json!([
                rule("voice", "address-3600s", &both),
                rule("voice", "address-route-3600s", &routes),
                rule("watched", "address-3600s", &[value("192.0.2.9", 1)]),
            ]),
        ),
        ("?by=refusals&over=day", json!([rule("voice", "address-3600s", &refused)])),
        ("?policy=voice&rule=address-3600s&limit=1", json!([rule("voice", "address-3600s", &both[..1])])),
        ("?policy=voice&rule=address-concurrent", json!([])),
    ];
    for (query, expected) in cases {
        assert_eq!(
            admin.get(&format!("/v1/limits/top{query}")).await.json(),
            json!({ "rules": expected }),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_standing_says_what_is_left_until_it_is_reset() {
    let admin = Admin::new();
    ask(&admin, "voice", "192.0.2.7", 6).await;
    let limits = &admin.system.limits;
    let concurrent = InFlight {
        name: "voice/address-concurrent",
        value: b"192.0.2.7",
        at_most: NonZeroU32::new(2).unwrap(),
    };
    let _place = limits.limiter.concurrency().try_enter(&[concurrent]).unwrap();
    let left = async || {
        let mut standings = Vec::new();
        for value in ["192.0.2.7", &with_route("192.0.2.7")] {
            let answer = admin.get(&format!("/v1/limits/standing?policy=voice&value={value}")).await.json();
            standings.extend(answer["standings"].as_array().unwrap().clone());
        }
        let left = |standing: &Value| {
            (standing["rule"].as_str().unwrap().to_owned(), standing["remaining"].as_u64().unwrap())
        };
        (standings.iter().map(left).collect::<Vec<_>>(), standings)
    };
    let named = |named: [(&str, u64); 3]| named.map(|(name, left)| (name.to_owned(), left)).to_vec();
    let (remaining, standings) = left().await;
    assert_eq!(
        remaining,
        named([("address-3600s", 0), ("address-concurrent", 1), ("address-route-3600s", 94)])
    );
    assert_eq!((&standings[0]["counted_by"], &standings[0]["quota"]), (&json!("gateway"), &json!(5)));
    let wait = standings[0]["retry_after_seconds"].as_f64().unwrap();
    assert!((700.0..=720.0).contains(&wait), "{wait}");
    assert_eq!(
        (&standings[2]["retry_after_seconds"], &standings[1]["reset_seconds"]),
        (&Value::Null, &Value::Null)
    );

    let reset = |rule: Option<&str>, value: &str| {
        json!({ "policy": "voice", "rule": rule, "value": value }).to_string()
    };
    let forgotten = admin.post("/v1/limits/reset", Some(&reset(Some("address-3600s"), "192.0.2.7"))).await;
    assert_eq!(forgotten.json(), json!({ "rules": ["address-3600s"] }));
    let (remaining, _) = left().await;
    assert_eq!(
        remaining,
        named([("address-3600s", 5), ("address-concurrent", 1), ("address-route-3600s", 94)])
    );
    let forgotten = admin.post("/v1/limits/reset", Some(&reset(None, &with_route("192.0.2.7")))).await;
    assert_eq!(forgotten.json(), json!({ "rules": ["address-route-3600s"] }));
}

#[tokio::test]
async fn statistics_begin_afresh_and_what_is_counted_stays_counted() {
    let admin = Admin::new();
    let _held = hold(&admin);
    ask(&admin, "voice", "192.0.2.7", 6).await;
    ask(&admin, "watched", "192.0.2.7", 1).await;
    let limiter = &admin.system.limits.limiter;
    limiter.overall().record(limiter.now(), b"192.0.2.7", Outcome::Admitted);
    // Of all policies, and of all rules together.
    let seen = async || {
        let listed = admin.get("/v1/limits").await.json();
        let of = |policy: &Value| policy["rules"][0]["day"]["requests"].as_u64().unwrap();
        let policies = listed["policies"].as_array().unwrap().iter();
        let named = |name: &str| policies.clone().find(|policy| policy["name"] == name).map(of).unwrap();
        [named("voice"), named("watched"), listed["day"]["requests"].as_u64().unwrap()]
    };
    let reset = async |body: Value| admin.post("/v1/limits/statistics/reset", Some(&body.to_string())).await;
    assert_eq!(seen().await, [6, 1, 1]);
    let forgotten = reset(json!({ "policy": "voice", "rule": "address-3600s" })).await.json();
    assert_eq!(forgotten, json!({ "rules": ["voice/address-3600s"], "overall": false }));
    assert_eq!(seen().await, [0, 1, 1]);
    assert_eq!(reset(json!({})).await.json()["overall"], json!(true));
    assert_eq!(seen().await, [0, 0, 0]);
    let standing = admin.get("/v1/limits/standing?policy=voice&value=192.0.2.7").await.json();
    assert_eq!(standing["standings"][0]["remaining"], 0, "what was counted");
    assert_eq!(reset(json!({ "policy": "nothing" })).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_allowance_is_told_until_it_ends_or_is_ended() {
    let admin = Admin::new();
    let set = async |body: Value| admin.post("/v1/limits/allow", Some(&body.to_string())).await;
    let by_value = set(json!({ "policy": "voice", "value": "2001:DB8::7", "for_seconds": 60 })).await.json();
    assert_eq!((&by_value["value"], &by_value["network"]), (&json!("2001:db8::/64"), &Value::Null));
    let by_network =
        set(json!({ "policy": "voice", "network": "192.0.2.7/24", "for_seconds": 3600.5 })).await.json();
    assert_eq!((&by_network["value"], &by_network["network"]), (&Value::Null, &json!("192.0.2.0/24")));
    let listed = async || admin.get("/v1/limits").await.json()["allowances"].as_array().unwrap().len();
    assert_eq!(listed().await, 2);
    set(json!({ "policy": "voice", "network": "2001:db8:1::/48", "for_seconds": 60 })).await;
    let combined = with_route("192.0.2.9");
    for (value, expected) in [
        ("2001:db8::8", true),
        ("192.0.2.9", true),
        (&combined, true),
        ("192.0.3.9", false),
        ("2001:db8:1:2::/64", true),
        ("2001:db8:1:2::7", true),
        ("2001:db8:2:2::/64", false),
    ] {
        let standings = admin.get(&format!("/v1/limits/standing?policy=voice&value={value}")).await.json();
        assert_eq!(standings["standings"][0]["allowed_until"].is_string(), expected, "{value}");
    }
    let end = json!({ "policy": "voice", "value": "2001:db8::9", "for_seconds": 0 });
    assert_eq!(set(end.clone()).await.json()["value"], "2001:db8::/64");
    assert_eq!(listed().await, 2);
    let ended = set(end).await;
    assert_eq!((ended.status, ended.code()), (StatusCode::NOT_FOUND, "not_found".into()));
    for number in 1..256 {
        let address = format!("192.0.2.{number}");
        set(json!({ "policy": "watched", "value": address, "for_seconds": 60 })).await;
    }
    let full = set(json!({ "policy": "voice", "value": "192.0.3.1", "for_seconds": 60 })).await;
    assert_eq!((full.status, full.code()), (StatusCode::CONFLICT, "limit_allowances_full".into()));
}

#[tokio::test]
async fn without_a_policy_all_are_meant() {
    let admin = Admin::new();
    let _held = hold(&admin);
    ask(&admin, "voice", "192.0.2.7", 2).await;
    ask(&admin, "watched", "192.0.2.7", 1).await;
    let reset = admin.post("/v1/limits/reset", Some(r#"{"value":"192.0.2.7"}"#)).await;
    assert_eq!(reset.json(), json!({ "rules": ["voice/address-3600s", "watched/address-3600s"] }));
    let set = async |body: Value| admin.post("/v1/limits/allow", Some(&body.to_string())).await;
    set(json!({ "policy": "voice", "value": "192.0.2.7", "for_seconds": 60 })).await;
    let allowed = set(json!({ "value": "192.0.2.7", "for_seconds": 60 })).await.json();
    assert_eq!(allowed["policy"], Value::Null);
    let standings = admin.get("/v1/limits/standing?value=192.0.2.7").await.json();
    let standings = standings["standings"].as_array().unwrap();
    assert!(standings.len() > 2 && standings.iter().all(|standing| standing["allowed_until"].is_string()));
    let end = json!({ "value": "192.0.2.7", "for_seconds": 0 });
    assert_eq!(set(end.clone()).await.status, StatusCode::OK);
    assert_eq!(
        admin.get("/v1/limits").await.json()["allowances"],
        json!([]),
        "those of single policies end, too"
    );
    let ended = set(end).await;
    assert!(ended.body.contains("no policy lets anybody off as `192.0.2.7`"), "{}", ended.body);
    let no_rule = admin.post("/v1/limits/reset", Some(r#"{"value":"ada"}"#)).await;
    assert_eq!(no_rule.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn everybody_of_a_policy_begins_afresh() {
    let admin = Admin::new();
    for value in ["192.0.2.7", "192.0.2.8"] {
        ask(&admin, "voice", value, 5).await;
        ask(&admin, "watched", value, 1).await;
    }
    let left = async |policy: &str, value: &str| {
        let standing = admin.get(&format!("/v1/limits/standing?policy={policy}&value={value}")).await.json();
        standing["standings"][0]["remaining"].as_u64().unwrap()
    };
    let begun = admin.post("/v1/limits/afresh", Some(r#"{"policy":"voice","rule":"address-3600s"}"#)).await;
    assert_eq!(begun.json(), json!({ "rules": ["address-3600s"] }));
    for value in ["192.0.2.7", "192.0.2.8"] {
        assert_eq!((left("voice", value).await, left("watched", value).await), (5, 0));
    }
    let begun = admin.post("/v1/limits/afresh", Some(r#"{"policy":"watched"}"#)).await;
    assert_eq!(
        (begun.json(), left("watched", "192.0.2.7").await),
        (json!({ "rules": ["address-3600s"] }), 1)
    );
}

#[tokio::test]
async fn all_rules_together_count_each_request_once_and_by_its_address() {
    let admin = Admin::new();
    let limiter = &admin.system.limits.limiter;
    for (address, outcome) in
        [("192.0.2.7", Outcome::Admitted), ("192.0.2.7", Outcome::Refused), ("192.0.2.8", Outcome::Admitted)]
    {
        limiter.overall().record(limiter.now(), address.as_bytes(), outcome);
    }
    let listed = admin.get("/v1/limits").await.json();
    let value = |value: &str, count| json!({ "value": value, "at_least": count, "at_most": count });
    let expected = json!({
        "requests": 3, "refusals": 1, "addresses": 2,
        "top_addresses": [value("192.0.2.7", 2), value("192.0.2.8", 1)],
        "top_refused_addresses": [value("192.0.2.7", 1)],
    });
    assert_eq!((&listed["hour"], &listed["day"]), (&expected, &expected));
}

#[tokio::test]
async fn an_address_is_meant_however_it_is_written() {
    let admin = Admin::new();
    ask(&admin, "watched", "2001:db8:1:2::/64", 2).await;
    let standing = admin.get("/v1/limits/standing?policy=watched&value=2001:DB8:1:2:3::4").await.json();
    assert_eq!(standing["standings"][0]["remaining"], 0);
    let reset = json!({ "policy": "watched", "value": "2001:DB8:1:2::/64" }).to_string();
    let forgotten = admin.post("/v1/limits/reset", Some(&reset)).await.json();
    assert_eq!(forgotten, json!({ "rules": ["address-3600s"] }));
}

#[tokio::test]
async fn what_no_rule_could_count_is_refused_with_a_hint() {
    let admin = Admin::new();
    let hint = "write an address such as `203.0.113.7`";
    for (path, body) in [("reset", json!({})), ("allow", json!({ "for_seconds": 60 }))] {
        let mut body = body;
        (body["policy"], body["value"]) = (json!("watched"), json!("ada"));
        let answer = admin.post(&format!("/v1/limits/{path}"), Some(&body.to_string())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(answer.body.contains(hint), "{}", answer.body);
    }
    let answer = admin.get("/v1/limits/standing?policy=watched&value=ada").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains(hint), "{}", answer.body);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_told_so_in_plain_words() {
    let admin = Admin::new();
    for path in ["reset", "allow", "forecast"] {
        for body in ["[]", "null", r#"["watched", null, "192.0.2.7"]"#, "7"] {
            let answer = admin.post(&format!("/v1/limits/{path}"), Some(body)).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}");
            let is_plain = answer.body.contains("expected a JSON object") && !answer.body.contains("struct");
            assert!(is_plain, "{path} {body}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_forecast_tells_every_rule_and_what_is_left_out() {
    let admin = Admin::new();
    let ask = async |document: &str| {
        admin.post("/v1/limits/forecast", Some(&json!({ "document": document }).to_string())).await
    };
    let forecast = ask("limits: { watched: [{ per: address, rate: 2/h }] }").await.json();
    let terms = |units, mode| {
        let quota = json!({
            "units": units, "window_seconds": 3600.0, "burst": units, "algorithm": "token-bucket"
        });
        json!({ "per": ["address"], "quota": quota, "mode": mode })
    };
    let watched = &forecast["rules"][2];
    assert_eq!((&watched["policy"], &watched["rule"]), (&json!("watched"), &json!("address-3600s")));
    assert_eq!((&watched["now"], &watched["then"]), (&terms(1, "shadow"), &terms(2, "enforce")));
    assert_eq!((&forecast["requests"], &forecast["refused_then"]), (&json!(0), &json!(0)));
    assert_eq!(forecast["not_forecast"][0]["what"], "voice/address-concurrent");

    let cases = [
        ("limits: { voice: [{ per: address, rate: 0/h }] }", Some((1, 41)), "admits nothing"),
        ("limits: {}\nversion: 1", Some((2, 1)), "unknown key `version`"),
        ("routes: [{ path: /**, limit: nobody }]", None, "there is no limit policy `nobody`"),
    ];
    for (document, place, message) in cases {
        let answer = ask(document).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_value".into())
        );
        let problem: crate::Problem = serde_json::from_str(&answer.body).unwrap();
        let found = problem.diagnostics.first();
        assert_eq!(found.map(|found| (found.line, found.column)), place, "{document}");
        let told = found.map_or(&problem.detail, |found| &found.message);
        assert!(told.contains(message), "{told}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let admin = Admin::new();
    let long = "x".repeat(1025);
    let cases = [
        (Method::GET, "top?limit=0".into(), "", 400),
        (Method::GET, "top?limit=51".into(), "", 400),
        (Method::GET, "top?by=luck".into(), "", 400),
        (Method::GET, "top?policy=a%20b".into(), "", 400),
        (Method::GET, "top?policy=nowhere".into(), "", 404),
        (Method::GET, "top?policy=watched&rule=nowhere".into(), "", 404),
        (Method::GET, "standing".into(), "", 400),
        (Method::GET, format!("standing?value={long}"), "", 400),
        (Method::GET, "standing?value=%ff".into(), "", 400),
        (Method::GET, "standing?value=%c3%28".into(), "", 400),
        (Method::GET, "standing?value=%C3%A9".into(), "", 422),
        (Method::GET, "standing?value=&rule=nowhere".into(), "", 404),
        (Method::POST, "reset".into(), r#"{"policy":"voice"}"#, 422),
        (Method::POST, "reset".into(), r#"{"policy":"nowhere","value":"a"}"#, 404),
        (Method::POST, "reset".into(), r#"{"policy":"voice","rule":"nowhere","value":"a"}"#, 404),
        (Method::POST, "reset".into(), r#"{"policy":"voice","value":"a","all":true}"#, 422),
        (
            Method::POST,
            "reset".into(),
            r#"{"policy":"voice","rule":"address-route-3600s","value":"192.0.2.7"}"#,
            422,
        ),
        (Method::POST, "afresh".into(), "{}", 422),
        (Method::POST, "afresh".into(), r#"{"policy":"nowhere"}"#, 404),
        (Method::POST, "afresh".into(), r#"{"policy":"voice","rule":"nowhere"}"#, 404),
        (Method::POST, "allow".into(), r#"{"policy":"voice","for_seconds":1}"#, 422),
        (
            Method::POST,
            "allow".into(),
            r#"{"policy":"voice","value":"a","network":"192.0.2.7","for_seconds":1}"#,
            422,
        ),
        (
            Method::POST,
            "allow".into(),
            r#"{"policy":"voice","value":"a","network":null,"for_seconds":1}"#,
            422,
        ),
        (Method::POST, "allow".into(), r#"{"policy":null,"value":"a","for_seconds":1}"#, 422),
        (Method::POST, "allow".into(), r#"{"policy":"voice","value":"a"}"#, 422),
        (Method::POST, "allow".into(), r#"{"policy":"voice","value":"a","for_seconds":-1}"#, 422),
        (Method::POST, "allow".into(), r#"{"policy":"voice","value":"a","for_seconds":2678401}"#, 422),
        (Method::POST, "allow".into(), r#"{"policy":"voice","network":"0.0.0.0/0","for_seconds":1}"#, 422),
        (Method::POST, "allow".into(), r#"{"policy":"nowhere","value":"a","for_seconds":1}"#, 404),
        (Method::POST, "allow".into(), r#"{"policy":"nowhere","value":"a","for_seconds":0}"#, 404),
    ];
    for (method, target, body, status) in cases {
        let body = (method == Method::POST).then_some(body);
        let answer = admin.send(admin.request(method, &format!("/v1/limits/{target}"), body)).await;
        assert_eq!(answer.status, status, "{target} {body:?}");
    }
    assert_eq!(admin.get("/v1/limits").await.json()["allowances"], json!([]));
}
