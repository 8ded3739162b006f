//! `accounts.providers:`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    ClaimSource,
    forms::Parsed,
    located::{At, Optional},
    word::{Secret, Url},
};

/// A provider where people log in (`OpenID` Connect).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["issuer", "client_id", "redirect_uri"]))]
pub(crate) struct OpenIdProvider {
    /// Its `iss`: the URL under which it describes itself at `/.well-known/openid-configuration`. `https:`, or `http:` on
    /// loopback.
    #[schemars(extend("examples" = ["https://id.company.test"]))]
    pub(crate) issuer: At<Parsed<Url>>,
    /// What the gateway is called there.
    pub(crate) client_id: At<Parsed<String>>,
    /// What the gateway proves itself with there. Without it, PKCE alone protects the login.
    #[serde(default)]
    pub(crate) client_secret: Optional<Parsed<Secret>>,
    /// Where people come back to, as it is registered there: a URL of this gateway that ends with the prefix of accounts
    /// and `/providers/NAME/callback`.
    #[schemars(extend("examples" = ["https://shop.test/auth/providers/company/callback"]))]
    pub(crate) redirect_uri: At<Parsed<Url>>,
    /// What it is asked for.
    #[serde(default)]
    #[schemars(extend("default" = ["openid", "email", "profile"]))]
    pub(crate) scopes: Optional<Vec<At<Parsed<String>>>>,
    /// For whose addresses it speaks: who logs in there with a verified address of one of these domains is the person with
    /// that address here. Without it people are known by what they are called there alone.
    #[serde(default)]
    pub(crate) domains: Optional<Vec<At<Parsed<String>>>>,
    /// Whether people who have no account here get one.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) sign_up: Optional<Parsed<bool>>,
    /// The organisation that those join, by name or id.
    #[serde(default)]
    pub(crate) organization: Optional<Parsed<String>>,
    /// The roles that it may give, where `claims.roles` names roles: of the configuration, built in, or the organisation's own. What
    /// is not listed it does not give, `super_admin` neither.
    #[serde(default)]
    pub(crate) roles: Optional<Vec<At<Parsed<String>>>>,
    /// Which claims of its ID tokens say who somebody is.
    #[serde(default)]
    pub(crate) claims: Optional<LoginClaims>,
}

/// Which claims of an ID token are read: by name, by JSON Pointer (RFC 6901), or by an expression
/// (`jmespath:join(':', [tid, oid])`).
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LoginClaims {
    /// By which id the provider knows somebody. It must never give it to somebody else.
    #[schemars(extend("default" = "sub"))]
    pub(crate) subject: Optional<Parsed<ClaimSource>>,
    /// Their address.
    #[schemars(extend("default" = "email"))]
    pub(crate) email: Optional<Parsed<ClaimSource>>,
    /// What is `true` where the address has been verified. It must be said where `email` is.
    #[schemars(extend("default" = "email_verified"))]
    pub(crate) email_verified: Optional<Parsed<ClaimSource>>,
    /// What they are called. Default `name`, else `preferred_username`.
    pub(crate) name: Optional<Parsed<ClaimSource>>,
    /// The organisation that those join who get an account, by name or id; where it says nothing, `organization` of the
    /// provider.
    pub(crate) organization: Optional<Parsed<ClaimSource>>,
    /// What they are: names of roles, in an array or in one text with spaces between them. At each login there they get those of
    /// them that `roles` of the provider lists, and lose those that it named before and names no longer.
    pub(crate) roles: Optional<Parsed<ClaimSource>>,
    /// Claims that the provider lets its users write themselves: none of the claims above but `name` may be one of them or
    /// inside one, and no expression may read one.
    pub(crate) user_writable: Optional<Vec<At<Parsed<String>>>>,
}
