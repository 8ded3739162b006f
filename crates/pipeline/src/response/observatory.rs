//! Scores headers as Mozilla's HTTP Observatory does (algorithm version 4), for tests only.
//!
//! Subresource integrity is left out: it reads the page, not its headers, and is neutral for a page without
//! foreign scripts. So is the preload list, which is about the site's name. The table in the tests below holds
//! what the original scanner answered for the same headers.

use std::collections::{HashMap, HashSet};

use http::{HeaderMap, header::SET_COOKIE};

/// What the Observatory looks at.
pub(super) struct Site<'s> {
    /// The headers of the page, fetched over HTTPS with a valid certificate.
    pub(super) page: &'s HeaderMap,
    /// The headers of the answer to a preflight from [`FOREIGN_ORIGIN`].
    pub(super) preflight: &'s HeaderMap,
    /// What `http://` led to, itself first; empty when nothing listens there.
    pub(super) redirects: &'s [&'s str],
}

/// The origin that the Observatory asks with.
pub(super) const FOREIGN_ORIGIN: &str = "https://http-observatory.security.mozilla.org";

/// The score: 100 and more is an A+, 130 the most that headers alone can earn.
pub(super) fn score(site: &Site<'_>) -> i32 {
    let policy = text(site.page, "content-security-policy").map(|value| directives(&value));
    let modifiers = [
        content_security_policy(policy.as_ref()),
        framing(site.page, policy.as_ref()),
        cookies(site.page),
        cross_origin_resource_sharing(site.preflight),
        redirection(site.redirects),
        referrer_policy(site.page),
        if has_long_transport_security(site.page) { 0 } else { short_transport_security(site.page) },
        if text(site.page, "x-content-type-options").as_deref() == Some("nosniff") { 0 } else { -5 },
        resource_policy(site.page),
    ];
    let penalised = 100 + modifiers.iter().filter(|modifier| **modifier < 0).sum::<i32>();
    // Bonuses count only for those who earn an A without them.
    if penalised >= 90 { 100 + modifiers.iter().sum::<i32>() } else { penalised.max(0) }
}

type Directives = Option<HashMap<String, HashSet<String>>>;

/// The directives of a policy, or `None` if one comes twice.
fn directives(policy: &str) -> Directives {
    let mut directives = HashMap::new();
    for directive in policy.split(';') {
        let mut words = directive.split_whitespace().map(str::to_owned);
        let Some(name) = words.next() else { continue };
        if directives.insert(name, words.collect()).is_some() {
            return None;
        }
    }
    Some(directives)
}

const BROAD: [&str; 4] = ["ftp:", "http:", "https:", "*"];

fn content_security_policy(policy: Option<&Directives>) -> i32 {
    let Some(Some(policy)) = policy else { return -25 };
    let sources = |name: &str| {
        let listed = policy.get(name).or_else(|| policy.get("default-src")).cloned();
        let mut sources = listed.unwrap_or_else(|| HashSet::from(["*".to_owned()]));
        if sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha")) {
            sources.remove("'unsafe-inline'");
        }
        sources
    };
    let (scripts, styles, objects) = (sources("script-src"), sources("style-src"), sources("object-src"));
    let broad = |sources: &HashSet<String>| BROAD.iter().any(|source| sources.contains(*source));
    let inline = |sources: &HashSet<String>| sources.contains("'unsafe-inline'") || sources.contains("data:");
    let insecure = |sources: &HashSet<String>| {
        sources.iter().any(|source| source.starts_with("http:") || source.starts_with("ftp:"))
    };
    let passive = |name: &str| name == "img-src" || name == "media-src";
    let insecure_active = policy.iter().any(|(name, sources)| !passive(name) && insecure(sources));
    let insecure_passive = policy.iter().any(|(name, sources)| passive(name) && insecure(sources));
    if broad(&scripts) || inline(&scripts) || broad(&objects) || insecure_active {
        -20
    } else if scripts.contains("'unsafe-eval'") || styles.contains("'unsafe-eval'") || insecure_passive {
        -10
    } else if broad(&styles) || inline(&styles) {
        0
    } else if policy
        .get("default-src")
        .is_some_and(|sources| sources.len() == 1 && sources.contains("'none'"))
    {
        10
    } else {
        5
    }
}

fn framing(page: &HeaderMap, policy: Option<&Directives>) -> i32 {
    let by_policy =
        policy.and_then(Option::as_ref).is_some_and(|policy| policy.contains_key("frame-ancestors"));
    match text(page, "x-frame-options").as_deref() {
        _ if by_policy => 5,
        Some("deny" | "sameorigin") => 0,
        _ => -20,
    }
}

fn cookies(page: &HeaderMap) -> i32 {
    let hsts = has_long_transport_security(page);
    let mut strictest = Vec::new();
    for cookie in page.get_all(SET_COOKIE) {
        let cookie = cookie.to_str().unwrap().to_ascii_lowercase();
        let (name, attributes) = cookie.split_once('=').unwrap();
        let has =
            |attribute: &str| attributes.split(';').skip(1).any(|found| found.trim().starts_with(attribute));
        let session = name.contains("sess") || name.contains("login");
        strictest.push(match (has("secure"), session) {
            (false, true) if !hsts => -40,
            _ if session && !has("httponly") => -30,
            _ if name.contains("csrf") && !has("samesite") => -20,
            (false, false) if !hsts => -20,
            (false, true) => -10,
            (false, false) => -5,
            (true, _) if has("samesite") => 5,
            (true, _) => 0,
        });
    }
    strictest.into_iter().min().unwrap_or(0)
}

fn cross_origin_resource_sharing(preflight: &HeaderMap) -> i32 {
    let reflected = text(preflight, "access-control-allow-origin").as_deref() == Some(FOREIGN_ORIGIN);
    let credentials = text(preflight, "access-control-allow-credentials").as_deref() == Some("true");
    if reflected && credentials { -50 } else { 0 }
}

fn redirection(route: &[&str]) -> i32 {
    let parts: Vec<_> = route.iter().map(|url| url.split_once("://").unwrap()).collect();
    let host = |rest: &str| rest.split('/').next().unwrap().to_owned();
    match parts.as_slice() {
        [.., ("http", _)] => -20,
        [_, ("http", _), ..] => -10,
        [(_, first), (_, second), ..] if host(first) != host(second) => -5,
        _ => 0,
    }
}

fn referrer_policy(page: &HeaderMap) -> i32 {
    match text(page, "referrer-policy").as_deref() {
        Some("no-referrer" | "same-origin" | "strict-origin" | "strict-origin-when-cross-origin") => 5,
        Some(_) => -5,
        None => 0,
    }
}

fn transport_security_age(page: &HeaderMap) -> Option<u64> {
    let value = text(page, "strict-transport-security")?;
    value.split(';').find_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok())
}

fn has_long_transport_security(page: &HeaderMap) -> bool {
    transport_security_age(page).is_some_and(|age| age >= 15_552_000)
}

fn short_transport_security(page: &HeaderMap) -> i32 {
    if transport_security_age(page).is_some() { -10 } else { -20 }
}

fn resource_policy(page: &HeaderMap) -> i32 {
    match text(page, "cross-origin-resource-policy").as_deref() {
        Some("same-origin" | "same-site") => 10,
        Some("cross-origin") | None => 0,
        Some(_) => -5,
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().trim().to_ascii_lowercase())
}

mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const POLICY: &str = "default-src 'none'; script-src 'self' 'nonce-AAAA'; style-src 'self' 'nonce-AAAA'; \
                          form-action 'self'; frame-ancestors 'none'";

    fn page(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers: HeaderMap = [
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-security-policy", POLICY),
        ]
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        for (name, value) in changes {
            headers.insert(*name, HeaderValue::from_static(value));
            if value.is_empty() {
                headers.remove(*name);
            }
        }
        headers
    }

    /// The scores are the original's (`@mdn/mdn-http-observatory` 1.4.8) for a site that sent these headers.
    #[test]
    fn it_agrees_with_the_original() {
        let csp = "content-security-policy";
        let cases: [(&[(&str, &str)], i32); 24] = [
            (&[], 130),
            (&[(csp, "")], 75),
            (&[(csp, "default-src 'none'; script-src 'self' 'unsafe-inline'; frame-ancestors 'none'")], 80),
            (
                &[(
                    csp,
                    "default-src 'none'; script-src 'nonce-AAAA' 'unsafe-inline'; frame-ancestors 'none'",
                )],
                130,
            ),
            (&[(csp, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")], 120),
            (&[(csp, "default-src 'none'; script-src 'self' 'unsafe-eval'; frame-ancestors 'none'")], 110),
            (&[(csp, "default-src 'self'; frame-ancestors 'none'")], 125),
            (&[(csp, "default-src 'none'; img-src http:; frame-ancestors 'none'")], 110),
            (&[(csp, "default-src 'none'; connect-src http:; frame-ancestors 'none'")], 80),
            (&[(csp, "frame-ancestors 'none'")], 80),
            (&[(csp, "default-src 'none'; default-src 'self'")], 75),
            (&[("strict-transport-security", "max-age=3600")], 120),
            (&[("strict-transport-security", "")], 80),
            (&[("referrer-policy", "unsafe-url")], 120),
            (&[("referrer-policy", "")], 125),
            (&[("cross-origin-resource-policy", "cross-origin")], 120),
            (&[("cross-origin-resource-policy", "nobody")], 115),
            (&[("x-content-type-options", "")], 125),
            (&[(csp, "default-src 'none'")], 125),
            (&[(csp, "default-src 'none'"), ("x-frame-options", "")], 80),
            (&[("set-cookie", "__Host-session=1; Path=/; Secure; HttpOnly; SameSite=Lax")], 135),
            (&[("set-cookie", "theme=dark")], 125),
            (&[("set-cookie", "session=1")], 70),
            (&[("set-cookie", "session=1; Secure; HttpOnly")], 130),
        ];
        for (changes, expected) in cases {
            let site = Site { page: &page(changes), preflight: &HeaderMap::new(), redirects: &[] };
            assert_eq!(score(&site), expected, "{changes:?}");
        }
        let bare = Site { page: &HeaderMap::new(), preflight: &HeaderMap::new(), redirects: &[] };
        assert_eq!(score(&bare), 30);
    }

    #[test]
    fn redirects_cost_when_they_do_not_lead_straight_to_https() {
        let cases: [(&[&str], i32); 5] = [
            (&[], 0),
            (&["http://shop.test/", "https://shop.test/"], 0),
            (&["http://shop.test/"], -20),
            (&["http://shop.test/", "http://www.shop.test/", "https://www.shop.test/"], -10),
            (&["http://shop.test/", "https://www.shop.test/"], -5),
        ];
        for (route, expected) in cases {
            assert_eq!(redirection(route), expected, "{route:?}");
        }
    }
}
