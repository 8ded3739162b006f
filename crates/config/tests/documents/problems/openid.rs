//! Mistakes of `accounts.providers`.

use bartizan_config::Severity;

use super::{Case, check};
use crate::with;

fn provider(text: &str) -> String {
    with(&format!("accounts: {{ session: {{ cookie: __Host-a }}, providers: {{ company: {{ {text} }} }} }}"))
}

const ISSUER: &str = "issuer: \"https://id.test\", client_id: gateway";
const BACK: &str = "redirect_uri: \"https://shop.test/auth/providers/company/callback\"";

#[test]
fn mistakes_of_providers() {
    let vouched = "nothing vouches for this address: `email_verified` is about the claim `email`";
    let cases: [Case<'_>; 13] = [
        (
            provider(&format!("issuer: §\"http://id.test\", client_id: gateway, {BACK}")),
            &[("whoever listens could log in as anybody: write `https`", "")],
        ),
        (
            provider(&format!(
                "{ISSUER}, redirect_uri: §\"http://shop.test/auth/providers/company/callback\""
            )),
            &[("whoever listens could log in as anybody: write `https`", "")],
        ),
        (
            provider(&format!(
                "{ISSUER}, redirect_uri: §\"https://shop.test/auth/providers/other/callback\""
            )),
            &[(
                "`https://shop.test/auth/providers/other/callback` does not lead back to this login",
                "/auth/providers/company/callback",
            )],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, scopes: §[email]")),
            &[("without the scope `openid` no provider says who somebody is", "")],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, domains: [§\"@shop.test\"]")),
            &[("`@shop.test` is not the domain of addresses", "company.test")],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, domains: [§localhost]")),
            &[("`localhost` is not the domain of addresses", "company.test")],
        ),
        (provider(&format!("{ISSUER}, {BACK}, claims: {{ email: §upn }}")), &[(vouched, "`email_verified`")]),
        (
            provider(&format!("{ISSUER}, {BACK}, claims: {{ subject: §\"jmespath:join(tid, oid)\" }}")),
            &[("in this expression `join` needs a text in quotes to put between the others", "")],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, claims: {{ organization: §/user_metadata/company }}")),
            &[(
                "users write `user_metadata` themselves: they would choose what they may",
                "/app_metadata/roles",
            )],
        ),
        (
            provider(&format!(
                "{ISSUER}, {BACK}, roles: [viewer], claims: {{ roles: §/user_metadata/roles }}"
            )),
            &[(
                "users write `user_metadata` themselves: they would choose what they may",
                "/app_metadata/roles",
            )],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, claims: {{ roles: §groups }}")),
            &[("nobody says which roles this provider may give", "roles: [viewer]")],
        ),
        (
            provider(&format!("{ISSUER}, {BACK}, roles: §[viewer]")),
            &[("this provider names no roles", "claims.roles")],
        ),
        (
            provider(&format!(
                "{ISSUER}, {BACK}, claims: {{ subject: §\"jmespath:not_null(nick, sub)\", user_writable: [nick] }}"
            )),
            &[("users write `nick` themselves: they would choose what they may", "/app_metadata/roles")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn strict_cookies_do_not_come_back_from_providers() {
    let document = |session: &str| {
        with(&format!(
            "accounts: {{ session: {{ cookie: __Host-a{session} }}, providers: {{ company: {{ {ISSUER}, {BACK} }} }} }}"
        ))
    };
    let warning = "whoever comes back from another provider is logged out until they follow a link of yours";
    check(&[(document(", same_site: §strict"), &[(warning, "same_site: lax")])], Severity::Warning);
}
