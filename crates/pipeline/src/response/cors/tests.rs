use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SHOP: &str = "https://shop.test";
const LOCAL: &str = "http://localhost:5173";

/// Header names and values, as written in a table.
type Listed<'t> = &'t [(&'static str, &'static str)];

fn allow(origins: Origins, credentials: bool) -> Cors {
    Cors::Allow {
        origins,
        methods: vec![Method::GET, Method::PUT],
        headers: vec![http::header::AUTHORIZATION, http::header::CONTENT_TYPE],
        expose: vec![HeaderName::from_static("x-request-id")],
        credentials,
        max_age: Duration::from_mins(10),
    }
}

fn listed() -> CompiledCors {
    CompiledCors::compile(&allow(Origins::List(vec![SHOP.into(), LOCAL.into()]), true), &[])
}

fn anybody() -> CompiledCors {
    CompiledCors::compile(&allow(Origins::Any, false), &[])
}

fn header_map(headers: Listed<'_>) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn allowed(cors: &CompiledCors, request: &HeaderMap) -> HeaderMap {
    match cors.preflight(request) {
        PreflightOutcome::Allowed(headers) => headers,
        PreflightOutcome::Refused(reason) => panic!("refused: {reason}"),
    }
}

#[test]
fn a_preflight_has_an_origin_and_asks_for_a_method() {
    let both = header_map(&[("origin", SHOP), ("access-control-request-method", "PUT")]);
    let cases = [
        (Method::OPTIONS, both.clone(), true),
        (Method::PUT, both, false),
        (Method::OPTIONS, header_map(&[("origin", SHOP)]), false),
        (Method::OPTIONS, header_map(&[("access-control-request-method", "PUT")]), false),
    ];
    for (method, request, expected) in cases {
        assert_eq!(CompiledCors::is_preflight(&method, &request), expected, "{method} {request:?}");
    }
}

#[test]
fn an_allowed_preflight_says_all_it_may() {
    let request = header_map(&[
        ("origin", LOCAL),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization,content-type"),
        ("access-control-request-private-network", "true"),
    ]);
    let common = [
        ("access-control-allow-methods", "GET, PUT, HEAD"),
        ("access-control-allow-headers", "authorization, content-type"),
        ("access-control-max-age", "600"),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ];
    let mut expected = header_map(&common);
    expected.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    assert_eq!(allowed(&anybody(), &request), expected);
    expected.insert("access-control-allow-origin", HeaderValue::from_static(LOCAL));
    expected.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    assert_eq!(allowed(&listed(), &request), expected);
}

/// Every case: the preflight, and words of the refusal, or `granted`.
#[test]
fn a_preflight_is_judged_by_origin_method_and_headers() {
    let (origin, method, headers) =
        ("origin", "access-control-request-method", "access-control-request-headers");
    let foreign = "is not allowed";
    let cases: [(Listed<'_>, &str); 19] = [
        (&[(origin, SHOP), (method, "PUT")], "granted"),
        (&[(origin, SHOP), (method, "HEAD")], "granted"),
        (&[(origin, SHOP), (method, "GET"), (headers, "Authorization , CONTENT-TYPE")], "granted"),
        (&[(origin, SHOP), (method, "GET"), (headers, "")], "granted"),
        (&[(origin, SHOP), (method, "GET"), (headers, ",authorization,,")], "granted"),
        (&[(origin, "https://evil.test"), (method, "GET")], "origin `https://evil.test` is not allowed"),
        (&[(origin, "https://SHOP.test"), (method, "GET")], foreign),
        (&[(origin, "https://shop.test:443"), (method, "GET")], foreign),
        (&[(origin, "https://shop.test.evil.test"), (method, "GET")], foreign),
        (&[(origin, "http://shop.test"), (method, "GET")], foreign),
        (&[(origin, "null"), (method, "GET")], "origin `null` is not allowed"),
        (&[(origin, "*"), (method, "GET")], foreign),
        (&[(origin, ""), (method, "GET")], foreign),
        (&[(origin, SHOP), (method, "put")], "method `put` is not allowed"),
        (&[(origin, SHOP), (method, "DELETE")], "method `DELETE` is not allowed"),
        (&[(origin, SHOP), (method, "")], "method `` is not allowed"),
        (
            &[(origin, SHOP), (method, "GET"), (headers, "authorization, x-admin")],
            "request header `x-admin` is not allowed",
        ),
        (&[(origin, SHOP), (method, "GET"), (headers, "*")], "request header `*` is not allowed"),
        (&[(origin, SHOP)], "exactly one `access-control-request-method`"),
    ];
    for (request, expected) in cases {
        let said = match listed().preflight(&header_map(request)) {
            PreflightOutcome::Allowed(_) => "granted".to_owned(),
            PreflightOutcome::Refused(reason) => reason.as_str().to_owned(),
        };
        assert!(said.contains(expected), "{request:?}: {said}");
    }
}

#[test]
fn two_origins_are_ambiguous_and_long_ones_are_cut_in_the_log() {
    let mut request = header_map(&[("origin", SHOP), ("access-control-request-method", "GET")]);
    request.append(ORIGIN, HeaderValue::from_static(LOCAL));
    assert!(matches!(listed().preflight(&request), PreflightOutcome::Refused(_)));
    request.insert(ORIGIN, HeaderValue::try_from("a\t".repeat(5_000)).unwrap());
    let PreflightOutcome::Refused(reason) = listed().preflight(&request) else { panic!("allowed") };
    assert!(reason.as_str().len() < 600 && !reason.as_str().contains('\t'), "{reason}");
}

#[test]
fn null_is_an_origin_like_any_other_when_listed_and_a_star_never_is() {
    for (origin, granted) in [("null", true), ("*", false)] {
        let cors = CompiledCors::compile(&allow(Origins::List(vec![origin.into()]), true), &[]);
        let mut response = HeaderMap::new();
        cors.response_headers(Some(&HeaderValue::from_static(origin)), &mut response);
        assert_eq!(response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), granted, "{origin}");
    }
}

#[test]
fn same_origin_grants_nothing() {
    let cors = CompiledCors::compile(&Cors::SameOrigin, &[]);
    let request = header_map(&[("origin", SHOP), ("access-control-request-method", "GET")]);
    assert!(matches!(cors.preflight(&request), PreflightOutcome::Refused(_)));
    let mut response = header_map(&[("access-control-allow-origin", "*"), ("vary", "accept")]);
    cors.response_headers(request.get(ORIGIN), &mut response);
    assert_eq!(response, header_map(&[("vary", "accept")]));
}

#[test]
fn methods_come_from_the_rule_then_the_route_then_the_common_ones() {
    let cases: [(&[Method], &[Method], &str); 4] = [
        (&[Method::POST], &[Method::GET], "POST"),
        (&[], &[Method::GET], "GET, HEAD"),
        (&[], &[Method::HEAD, Method::GET], "HEAD, GET"),
        (&[], &[], "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ];
    for (rule, route, expected) in cases {
        let granted = granted_methods(rule, route);
        assert_eq!(list(granted.iter().map(Method::as_str)).unwrap(), expected, "{rule:?} {route:?}");
    }
}

/// Of every answer: what the client's origin is, what the upstream sends, and what is left.
#[test]
fn the_gateway_replaces_what_the_upstream_says() {
    let shop = ("access-control-allow-origin", SHOP);
    let credentials = ("access-control-allow-credentials", "true");
    let exposed = ("access-control-expose-headers", "x-request-id");
    let everybody = ("access-control-allow-origin", "*");
    let vary = ("vary", "origin");
    let cases: [(CompiledCors, Option<&str>, Listed<'_>, Listed<'_>); 9] = [
        (listed(), Some(SHOP), &[], &[shop, credentials, exposed, vary]),
        (
            listed(),
            Some("https://evil.test"),
            &[("access-control-allow-origin", "https://evil.test"), credentials],
            &[vary],
        ),
        (listed(), Some("*"), &[], &[vary]),
        (listed(), None, &[everybody], &[vary]),
        (listed(), None, &[("vary", "accept, Origin")], &[("vary", "accept, Origin")]),
        (listed(), None, &[("vary", "*")], &[("vary", "*")]),
        (listed(), None, &[("vary", "accept")], &[("vary", "accept"), vary]),
        (
            anybody(),
            Some("https://evil.test"),
            &[credentials, ("access-control-max-age", "1")],
            &[everybody, exposed],
        ),
        (anybody(), None, &[("access-control-allow-private-network", "true")], &[everybody, exposed]),
    ];
    for (cors, origin, upstream, expected) in cases {
        let mut response = header_map(upstream);
        cors.response_headers(origin.map(HeaderValue::from_static).as_ref(), &mut response);
        assert_eq!(response, header_map(expected), "{origin:?} {upstream:?}");
    }
}

fn some_origin() -> impl Strategy<Value = String> {
    const TEMPTING: &[&str] =
        &["*", "null", "", "https://*.test", "https://*", SHOP, LOCAL, "https://shop.test\u{e9}", "a\nb"];
    prop_oneof![
        prop::sample::select(TEMPTING).prop_map(str::to_owned),
        "https?://[a-c]{1,2}(\\.test)?(:[0-9]{1,2})?"
    ]
}

proptest! {
    #[test]
    fn only_listed_origins_are_echoed_and_never_a_star_with_credentials(
        list in prop::collection::vec(some_origin(), 0..5),
        any in any::<bool>(),
        credentials in any::<bool>(),
        foreign in some_origin(),
        place in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let origins = if any { Origins::Any } else { Origins::List(list.clone()) };
        let listed = place.filter(|_| !list.is_empty()).map(|place| place.get(&list).clone());
        let asked = listed.unwrap_or(foreign);
        let cors = CompiledCors::compile(&allow(origins, credentials), &[]);
        let Ok(origin) = HeaderValue::from_str(&asked) else { return Ok(()) };
        let mut request = header_map(&[("access-control-request-method", "GET")]);
        request.insert(ORIGIN, origin.clone());

        let mut response = HeaderMap::new();
        cors.response_headers(Some(&origin), &mut response);
        let mut answers = vec![response];
        if let PreflightOutcome::Allowed(headers) = cors.preflight(&request) {
            answers.push(headers);
        }
        prop_assert_eq!(answers.len() == 2, answers[0].contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        for answer in answers {
            let with_credentials = answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS);
            prop_assert!(!with_credentials || credentials);
            prop_assert!(!with_credentials || answer.values().all(|value| value != "*"));
            let Some(granted) = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN) else { continue };
            if any {
                prop_assert_eq!(granted, "*");
            } else {
                prop_assert_eq!(granted, &origin);
                prop_assert!(list.iter().any(|listed| granted.as_bytes() == listed.as_bytes()));
            }
        }
    }
}
