//! Providers where people log in (`OpenID` Connect).

use bartizan_model::Name;
use secrecy::SecretString;

use crate::ClaimSource;

/// `accounts.providers.NAME:`.
#[derive(Debug, Clone)]
pub struct OpenIdProvider {
    /// Its name here.
    pub name: Name,
    /// Its `iss`, from which everything else about it is fetched.
    pub issuer: String,
    /// What the gateway is called there.
    pub client_id: String,
    /// What it proves itself with there; `None`: PKCE alone.
    pub client_secret: Option<SecretString>,
    /// Where people come back to: `…/PREFIX/providers/NAME/callback`.
    pub redirect_uri: String,
    /// What it is asked for. Default `openid`, `email` and `profile`.
    pub scopes: Vec<String>,
    /// For whose addresses it speaks, in lower case: who has one of these is the person with this address here.
    pub domains: Vec<String>,
    /// Whether people who have no account here get one.
    pub sign_up: bool,
    /// The organisation that those join with the role `user`, by name or id.
    pub organization: Option<String>,
    /// Which claims say who somebody is.
    pub claims: LoginClaims,
    /// The roles that it may give, where its claims name roles; any other that they name is nothing.
    pub roles: Vec<String>,
}

/// Which claims of an ID token say who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginClaims {
    /// By which id the provider knows them. Default `sub`.
    pub subject: ClaimSource,
    /// Their address. Default `email`.
    pub email: ClaimSource,
    /// What is `true` where the address has been verified. Default `email_verified`.
    pub email_verified: ClaimSource,
    /// What they are called; `None`: `name`, else `preferred_username`.
    pub name: Option<ClaimSource>,
    /// The organisation that those join who get an account; `None`, or where it says nothing: that of the provider.
    pub organization: Option<ClaimSource>,
    /// What they are, by the names of roles; `None`: the provider gives no roles.
    pub roles: Option<ClaimSource>,
}

impl Default for LoginClaims {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            email: "email".into(),
            email_verified: "email_verified".into(),
            name: None,
            organization: None,
            roles: None,
        }
    }
}
