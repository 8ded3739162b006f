//! `accounts:` and `store:`.

mod limits;
mod mail;
mod passkeys;
mod protection;
mod second_factor;
mod sms;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::{
    limits::EndpointLimits,
    mail::{Mail, Smtp},
    passkeys::Passkeys,
    protection::Protection,
    second_factor::SecondFactor,
    sms::Sms,
};
use super::{Cors, Entries, OpenIdProvider, Tokens};
use crate::{
    PasswordProfile, PathPattern, SameSite, SignUp,
    forms::Parsed,
    located::{At, Optional},
    word::{ByteSize, StoreUrl},
};

/// The database of what outlives the process.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// Where it is: a file of SQLite for one gateway, a database of PostgreSQL for several.
    pub(crate) url: At<Parsed<StoreUrl>>,
}

/// People whom the gateway knows itself: they log in under `prefix`, and routes that list an identity provider of the
/// kind `session` let them in.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Accounts {
    /// Where the endpoints are: `POST /auth/login`, `GET /auth/session` and so on. Plain segments.
    #[schemars(extend("default" = "/auth"))]
    pub(crate) prefix: Optional<Parsed<PathPattern>>,
    /// Who may get an account without an operator. All but `off` needs `mail`.
    #[schemars(extend("default" = "off"))]
    pub(crate) sign_up: Optional<SignUp>,
    /// What a password must be, and what guessing one costs.
    pub(crate) password: Optional<Passwords>,
    /// How long a login lasts.
    pub(crate) session: Optional<Sessions>,
    /// How the gateway writes to people. Without it addresses are not verified, and a lost password is an operator's
    /// business.
    pub(crate) mail: Optional<Mail>,
    /// How often somebody may guess, and ask for messages.
    pub(crate) protection: Optional<Protection>,
    /// What people show besides their password.
    pub(crate) second_factor: Optional<SecondFactor>,
    /// Who passkeys are for. Default: the host of `tokens.issuer`, else of `mail.base_url`, where that is a name; without
    /// any of them there are no passkeys.
    pub(crate) passkeys: Optional<Passkeys>,
    /// How codes are sent to telephones. Without it, none are.
    pub(crate) sms: Optional<Sms>,
    /// Other providers where people can log in.
    pub(crate) providers: Optional<Entries<OpenIdProvider>>,
    /// Tokens that the gateway issues itself. Without it, it issues none.
    pub(crate) tokens: Optional<Tokens>,
    /// API keys that are kept in the store.
    pub(crate) api_keys: Optional<IssuedKeys>,
    /// What happened to accounts.
    pub(crate) audit: Optional<Audit>,
    /// Origins whose pages may log people in and act for them by the cookie (CORS with credentials): single-page applications
    /// that are served beside the gateway. Browsers send the cookie along within one site only: from `https://app.shop.test` to
    /// `https://api.shop.test`. List them in the `cors` of routes, too, with `credentials: true`.
    #[schemars(extend("default" = "same-origin", "examples" = [["https://app.shop.test"]]))]
    pub(crate) cors: Optional<Parsed<Cors>>,
    /// How much may be asked of the endpoints.
    pub(crate) limits: Optional<EndpointLimits>,
}

/// API keys that are kept in the store.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IssuedKeys {
    /// What new keys begin with, so that people and secret scanners recognise them: 1 to 32 letters, digits, `-` or `_`.
    #[schemars(extend("default" = "bzn_live"))]
    pub(crate) prefix: Optional<Parsed<String>>,
}

/// What happened to accounts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audit {
    /// How long it is kept, 1 day to 10 years.
    #[schemars(extend("default" = "90d"))]
    pub(crate) retention: Optional<Parsed<Duration>>,
}

/// What a password must be, and what guessing one costs.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Passwords {
    /// The rules.
    #[schemars(extend("default" = "nist"))]
    pub(crate) profile: Optional<PasswordProfile>,
    /// A file of passwords that nobody may choose: one a line, ten million at most; or SHA-1 or SHA-256 hashes in upper-case
    /// hexadecimal, sorted, with or without `:` and a count, as the downloader of Have I Been Pwned writes them, as many as
    /// there are. It is read at the start, and when the document is read again.
    pub(crate) blocklist: Optional<Parsed<PathBuf>>,
    /// Words that no password may consist of, as it may not of the names of the service and of the person: up to 16 of 3 to
    /// 64 characters.
    #[schemars(extend("examples" = [["acme", "rocket"]]))]
    pub(crate) context_words: Optional<Vec<At<Parsed<String>>>>,
    /// How passwords are hashed.
    pub(crate) argon2: Optional<Argon2>,
}

/// Argon2id (RFC 9106). Hashes made with other parameters are made anew at the next login.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Argon2 {
    /// Memory for each hash.
    #[schemars(extend("default" = "19MiB"))]
    pub(crate) memory: Optional<Parsed<ByteSize>>,
    /// Passes over it.
    #[schemars(extend("default" = 2))]
    pub(crate) iterations: Optional<Parsed<NonZeroU32>>,
    /// Lanes.
    #[schemars(extend("default" = 1))]
    pub(crate) parallelism: Optional<Parsed<NonZeroU32>>,
}

/// How long a login lasts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sessions {
    /// From the login, or from the last renewal. A session that nobody uses ends by then.
    #[schemars(extend("default" = "7d"))]
    pub(crate) lifetime: Optional<Parsed<Duration>>,
    /// A session in use that is older than this lasts for its `lifetime` again.
    #[schemars(extend("default" = "1d"))]
    pub(crate) renew_after: Optional<Parsed<Duration>>,
    /// The longest, however often it is renewed.
    #[schemars(extend("default" = "30d"))]
    pub(crate) absolute: Optional<Parsed<Duration>>,
    /// Sessions of one person at once; a further login ends the oldest.
    #[schemars(extend("default" = 5))]
    pub(crate) at_most: Optional<Parsed<NonZeroU32>>,
    /// What browsers do with the cookie when another site leads here.
    #[schemars(extend("default" = "lax"))]
    pub(crate) same_site: Optional<SameSite>,
    /// The name of the cookie. One that begins with `__Host-` is sent over TLS only, and to this host only; one that begins
    /// with `__Secure-` over TLS only.
    ///
    /// With a `domain` the default is `__Secure-bartizan`. Where the gateway serves plain HTTP on a loopback address alone,
    /// it is `bartizan`.
    #[schemars(extend("default" = "__Host-bartizan"))]
    pub(crate) cookie: Optional<Parsed<String>>,
    /// The domain whose hosts all get the cookie, for services beside the gateway that it leads to. Without it the host of
    /// the gateway alone does, which is safer: a cookie of a `domain` can be set by every host of it.
    #[schemars(extend("examples" = ["shop.test"]))]
    pub(crate) domain: Optional<Parsed<String>>,
}
