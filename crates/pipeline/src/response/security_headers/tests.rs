use std::time::Duration;

use http::Method;

use super::*;
use crate::response::{
    CompiledCors, PreflightOutcome,
    observatory::{FOREIGN_ORIGIN, Site, score},
};

fn compile(profile: HeaderProfile, content_security_policy: Option<&str>) -> SecurityHeaders {
    let headers = Headers {
        profile,
        content_security_policy: content_security_policy.map(Into::into),
        set: Vec::new(),
    };
    SecurityHeaders::compile(&headers, &Cors::SameOrigin)
}

/// Header names and values, as written in a table.
type Listed<'t> = &'t [(&'static str, &'static str)];

fn facts() -> ResponseFacts<'static> {
    ResponseFacts { status: StatusCode::OK, secure: true, authenticated: false, nonce: None }
}

fn header_map(headers: Listed<'_>) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// What reaches the client of an answer with these headers.
fn answer(rules: &SecurityHeaders, upstream: Listed<'_>, facts: &ResponseFacts<'_>) -> HeaderMap {
    let mut headers = header_map(upstream);
    rules.apply(&mut headers, facts);
    headers
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    assert!(headers.get_all(name).iter().count() < 2 || name == "set-cookie", "{name} comes twice");
    headers.get(name).map(|value| value.to_str().unwrap())
}

const HTML_TYPE: (&str, &str) = ("content-type", "text/html; charset=utf-8");

#[test]
fn html_earns_130_at_the_observatory() {
    let redirects: [&[&str]; 2] = [&[], &["http://shop.test/", "https://shop.test/"]];
    let cookies = [
        (None, 130),
        (Some(("set-cookie", "session=1; Secure; HttpOnly")), 130),
        (Some(("set-cookie", "session=1; Secure; HttpOnly; SameSite=Lax")), 135),
    ];
    let rules = compile(HeaderProfile::Auto, None);
    let nonce = Nonce::generate().unwrap();
    for facts in [facts(), ResponseFacts { nonce: Some(&nonce), ..facts() }] {
        for redirects in redirects {
            for (cookie, expected) in cookies {
                let upstream: Vec<_> = std::iter::once(HTML_TYPE).chain(cookie).collect();
                let page = answer(&rules, &upstream, &facts);
                assert_eq!(
                    page.get("set-cookie").map(HeaderValue::as_bytes),
                    cookie.map(|(_, value)| value.as_bytes())
                );
                assert_eq!(
                    score(&Site { page: &page, preflight: &preflight(&Cors::SameOrigin), redirects }),
                    expected
                );
            }
        }
    }
}

#[test]
fn what_is_not_html_earns_130_too() {
    let page = answer(&compile(HeaderProfile::Auto, None), &[("content-type", "application/json")], &facts());
    assert_eq!(score(&Site { page: &page, preflight: &HeaderMap::new(), redirects: &[] }), 130);
}

#[test]
fn cors_for_a_list_costs_nothing_unless_it_lists_the_observatory() {
    let listed = |origin: &str| Cors::Allow {
        origins: Origins::List(vec![origin.into()]),
        methods: vec![Method::GET],
        headers: Vec::new(),
        expose: Vec::new(),
        credentials: true,
        max_age: Duration::from_mins(10),
    };
    let page = answer(&compile(HeaderProfile::Auto, None), &[HTML_TYPE], &facts());
    for (origin, expected) in [("https://shop.test", 130), (FOREIGN_ORIGIN, 50)] {
        let site = Site { page: &page, preflight: &preflight(&listed(origin)), redirects: &[] };
        assert_eq!(score(&site), expected, "{origin}");
    }
}

fn preflight(cors: &Cors) -> HeaderMap {
    let request = header_map(&[("origin", FOREIGN_ORIGIN), ("access-control-request-method", "GET")]);
    match CompiledCors::compile(cors, &[]).preflight(&request) {
        PreflightOutcome::Allowed(headers) => headers,
        PreflightOutcome::Refused(_) => HeaderMap::new(),
    }
}

#[test]
fn the_profile_follows_the_content_type() {
    let (html, api) = (Some("DENY"), None);
    let cases = [
        (HeaderProfile::Auto, Some("text/html"), html),
        (HeaderProfile::Auto, Some("Text/HTML ; charset=utf-8"), html),
        (HeaderProfile::Auto, Some("application/xhtml+xml"), html),
        (HeaderProfile::Auto, Some("application/json"), api),
        (HeaderProfile::Auto, Some("text/htmlx"), api),
        (HeaderProfile::Auto, None, api),
        (HeaderProfile::Html, Some("application/json"), html),
        (HeaderProfile::Html, None, html),
        (HeaderProfile::Api, Some("text/html"), api),
    ];
    for (profile, content_type, expected) in cases {
        let upstream: Vec<_> = content_type.map(|text| ("content-type", text)).into_iter().collect();
        let headers = answer(&compile(profile, None), &upstream, &facts());
        assert_eq!(value(&headers, "x-frame-options"), expected, "{profile:?} {content_type:?}");
        assert_eq!(
            value(&headers, "x-content-type-options"),
            Some("nosniff"),
            "{profile:?} {content_type:?}"
        );
    }
}

#[test]
fn off_leaves_everything_but_what_is_set() {
    let upstream = [
        HTML_TYPE,
        ("server", "shop/1"),
        ("x-xss-protection", "1"),
        ("strict-transport-security", "max-age=0"),
    ];
    let mut rules = compile(HeaderProfile::Off, Some("script-src 'nonce-{nonce}'"));
    assert_eq!(answer(&rules, &upstream, &facts()), header_map(&upstream));
    rules.set = vec![(SERVER, HeaderValue::from_static("shop"))];
    assert_eq!(value(&answer(&rules, &upstream, &facts()), "server"), Some("shop"));
}

/// Every case: what the upstream sends, and what a browser then sees of the same header. An empty text is none.
#[test]
fn the_profile_is_a_floor() {
    let year = "max-age=31536000; includeSubDomains";
    let two_years = "max-age=63072000; includeSubDomains; preload";
    let cases = [
        ("x-frame-options", "SAMEORIGIN", "DENY"),
        ("x-content-type-options", "sniff", "nosniff"),
        ("permissions-policy", "camera=*", "camera=(), microphone=(), geolocation=()"),
        ("cross-origin-opener-policy", "unsafe-none", "same-origin"),
        ("cross-origin-resource-policy", "cross-origin", "same-origin"),
        ("content-security-policy", "default-src 'self'", "default-src 'self'"),
        ("content-security-policy-report-only", "default-src 'self'", "default-src 'self'"),
        ("referrer-policy", "unsafe-url", "strict-origin-when-cross-origin"),
        ("referrer-policy", "no-referrer", "no-referrer"),
        ("referrer-policy", "Same-Origin", "Same-Origin"),
        ("referrer-policy", "strict-origin, unsafe-url", "strict-origin-when-cross-origin"),
        ("strict-transport-security", "max-age=0", year),
        ("strict-transport-security", "max-age=63072000", year),
        ("strict-transport-security", "max-age=never; includeSubDomains", year),
        ("strict-transport-security", two_years, two_years),
        ("x-xss-protection", "1; mode=block", ""),
        ("server", "nginx/1.2.3", ""),
        ("x-powered-by", "Express", ""),
        ("x-aspnet-version", "4", ""),
        ("x-aspnetmvc-version", "5", ""),
        ("set-cookie", "session=1", "session=1"),
        ("etag", "\"1\"", "\"1\""),
    ];
    let rules = compile(HeaderProfile::Auto, None);
    for (name, sent, expected) in cases {
        let headers = answer(&rules, &[HTML_TYPE, (name, sent)], &facts());
        assert_eq!(value(&headers, name).unwrap_or_default(), expected, "{name}: {sent}");
    }
}

/// Two values are as good as none to a browser, or worse: the second wins, or neither.
#[test]
fn headers_that_come_twice_are_replaced() {
    let upstream = [
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("strict-transport-security", "max-age=0"),
        ("referrer-policy", "no-referrer"),
        ("referrer-policy", "unsafe-url"),
        HTML_TYPE,
    ];
    let headers = answer(&compile(HeaderProfile::Auto, None), &upstream, &facts());
    assert_eq!(value(&headers, "strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
    assert_eq!(value(&headers, "referrer-policy"), Some("strict-origin-when-cross-origin"));
}

#[test]
fn transport_security_is_for_tls_only() {
    let rules = compile(HeaderProfile::Auto, None);
    let plain = ResponseFacts { secure: false, ..facts() };
    for upstream in
        [&[HTML_TYPE][..], &[HTML_TYPE, ("strict-transport-security", "max-age=63072000; includeSubDomains")]]
    {
        assert_eq!(value(&answer(&rules, upstream, &plain), "strict-transport-security"), None);
    }
}

#[test]
fn a_configured_policy_replaces_the_upstreams() {
    let nonce = Nonce::generate().unwrap();
    let rules = compile(HeaderProfile::Auto, Some("script-src 'nonce-{nonce}' 'strict-dynamic'"));
    let upstream = [HTML_TYPE, ("content-security-policy", "default-src *")];
    let headers = answer(&rules, &upstream, &ResponseFacts { nonce: Some(&nonce), ..facts() });
    let expected = format!("script-src 'nonce-{}' 'strict-dynamic'", nonce.header_value().to_str().unwrap());
    assert_eq!(value(&headers, "content-security-policy"), Some(expected.as_str()));
    assert_eq!(
        value(&answer(&rules, &upstream, &facts()), "content-security-policy"),
        Some("script-src 'strict-dynamic'")
    );
}

#[test]
fn a_policy_that_is_no_header_closes_everything() {
    let headers = answer(&compile(HeaderProfile::Auto, Some("default-src *\n")), &[HTML_TYPE], &facts());
    assert_eq!(value(&headers, "content-security-policy"), Some(API_POLICY));
}

#[test]
fn the_built_in_policy_names_the_nonce_for_scripts_and_styles() {
    let nonce = Nonce::generate().unwrap();
    let headers = answer(
        &compile(HeaderProfile::Auto, None),
        &[HTML_TYPE],
        &ResponseFacts { nonce: Some(&nonce), ..facts() },
    );
    let source = format!("'self' 'nonce-{}'", nonce.header_value().to_str().unwrap());
    let policy = value(&headers, "content-security-policy").unwrap();
    assert!(policy.contains(&format!("script-src {source}; style-src {source};")), "{policy}");
}

#[test]
fn workers_are_not_bound_by_the_policy_for_machines() {
    for content_type in ["text/javascript; charset=utf-8", "application/javascript"] {
        let headers =
            answer(&compile(HeaderProfile::Auto, None), &[("content-type", content_type)], &facts());
        assert_eq!(value(&headers, "content-security-policy"), None, "{content_type}");
        assert_eq!(value(&headers, "cross-origin-resource-policy"), Some("same-origin"), "{content_type}");
    }
}

#[test]
fn an_answer_without_content_keeps_the_stored_pages_policy() {
    let nonce = Nonce::generate().unwrap();
    for status in [StatusCode::NOT_MODIFIED, StatusCode::SWITCHING_PROTOCOLS] {
        let facts = ResponseFacts { status, authenticated: true, nonce: Some(&nonce), ..facts() };
        let headers =
            answer(&compile(HeaderProfile::Auto, None), &[("etag", "\"1\""), ("server", "shop/1")], &facts);
        let expected =
            [("etag", "\"1\""), ("strict-transport-security", "max-age=31536000; includeSubDomains")];
        assert_eq!(headers, header_map(&expected), "{status}");
    }
}

#[test]
fn only_what_is_for_everybody_may_be_embedded_by_everybody() {
    let allow = |origins| Cors::Allow {
        origins,
        methods: Vec::new(),
        headers: Vec::new(),
        expose: Vec::new(),
        credentials: false,
        max_age: Duration::ZERO,
    };
    let cases = [
        (Cors::SameOrigin, "same-origin"),
        (allow(Origins::List(vec!["https://shop.test".into()])), "same-origin"),
        (allow(Origins::Any), "cross-origin"),
    ];
    for (cors, expected) in cases {
        let headers =
            Headers { profile: HeaderProfile::Auto, content_security_policy: None, set: Vec::new() };
        let headers =
            answer(&SecurityHeaders::compile(&headers, &cors), &[("content-type", "image/png")], &facts());
        assert_eq!(value(&headers, "cross-origin-resource-policy"), Some(expected), "{cors:?}");
    }
}

#[test]
fn answers_to_authenticated_callers_stay_out_of_shared_caches() {
    let cases: [(Listed<'_>, Option<&str>); 5] = [
        (&[], Some("no-store")),
        (&[("etag", "\"1\"")], Some("private, no-cache")),
        (&[("last-modified", "Sat, 01 Jan 2028 00:00:00 GMT")], Some("private, no-cache")),
        (&[("cache-control", "public, max-age=60")], Some("public, max-age=60")),
        (&[("expires", "Sat, 01 Jan 2028 00:00:00 GMT")], None),
    ];
    let rules = compile(HeaderProfile::Auto, None);
    for (upstream, expected) in cases {
        let headers = answer(&rules, upstream, &ResponseFacts { authenticated: true, ..facts() });
        assert_eq!(value(&headers, "cache-control"), expected, "{upstream:?}");
    }
    assert_eq!(value(&answer(&rules, &[], &facts()), "cache-control"), None);
}

#[test]
fn what_is_set_by_hand_has_the_last_word() {
    let mut rules = compile(HeaderProfile::Auto, None);
    rules.set = vec![
        (X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
        (SET_COOKIE, HeaderValue::from_static("b=2")),
    ];
    let headers = answer(&rules, &[HTML_TYPE, ("set-cookie", "a=1")], &facts());
    assert_eq!(value(&headers, "x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[test]
fn a_nonce_is_made_where_a_policy_takes_one() {
    use HeaderProfile::{Api, Auto, Html, Off};
    let (own, fixed) = (Some("script-src 'nonce-{nonce}'"), Some("script-src 'self'"));
    let (browser, api) = ("application/xhtml+xml;q=0.9, text/HTML;q=0.8, */*;q=0.1", "application/json, */*");
    let cases = [
        (Auto, None, browser, true),
        (Auto, None, api, false),
        (Auto, own, api, true),
        (Auto, fixed, browser, false),
        (Html, None, api, true),
        (Html, fixed, browser, false),
        (Api, own, browser, false),
        (Off, own, browser, false),
    ];
    for (profile, policy, accept, expected) in cases {
        let made = compile(profile, policy).nonce(&header_map(&[("accept", accept)])).is_some();
        assert_eq!(made, expected, "{profile:?} {policy:?} {accept}");
    }
}
