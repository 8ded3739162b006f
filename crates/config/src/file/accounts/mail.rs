//! `accounts.mail:`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::Parsed,
    located::{At, Optional},
    word::{Password, SmtpUrl, Url},
};

/// How the gateway writes to people: with `smtp` through a server, with `file` into a folder, for development.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["from", "base_url"]))]
pub(crate) struct Mail {
    /// Whom messages are from: an address, or a name and an address.
    #[schemars(extend("examples" = ["Shop <no-reply@shop.test>"]))]
    pub(crate) from: At<Parsed<String>>,
    /// Where the pages are that messages lead to. A message for a new account leads to
    /// `BASE_URL/verify-email#token=…`; others to `reset-password`, `confirm-email` and `invitation`.
    #[schemars(extend("examples" = ["https://shop.test/account"]))]
    pub(crate) base_url: At<Parsed<Url>>,
    /// The server that takes messages.
    #[serde(default)]
    pub(crate) smtp: Optional<Smtp>,
    /// A folder into which every message is written as a file, instead of being sent.
    #[serde(default)]
    pub(crate) file: Optional<Parsed<PathBuf>>,
}

/// A server that takes messages (RFC 6409).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct Smtp {
    /// Where it is.
    pub(crate) url: At<Parsed<SmtpUrl>>,
    /// Who the gateway is there. Without it, it does not log in.
    #[serde(default)]
    pub(crate) user: Optional<Parsed<String>>,
    /// Its password there.
    #[serde(default)]
    pub(crate) password: Optional<Parsed<Password>>,
}
