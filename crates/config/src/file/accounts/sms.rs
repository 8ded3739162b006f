//! `accounts.sms:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::Parsed,
    located::{At, Optional},
    word::{SigningSecret, Url},
};

/// How codes are sent to telephones: each message is posted as JSON (`to`, `text`) to a service of yours, which has it sent.
/// Codes by SMS are the weakest second factor: where a role asks for one, they are not enough.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["webhook", "secret"]))]
pub(crate) struct Sms {
    /// Where each message is posted to.
    #[schemars(extend("examples" = ["https://messages.shop.test/sms"]))]
    pub(crate) webhook: At<Parsed<Url>>,
    /// What each post is signed with, so that the service knows whom it is from: HTTP Message Signatures (RFC 9421) with
    /// `hmac-sha256`, over method, URL, `content-type` and `content-digest`. At least 32 bytes.
    pub(crate) secret: At<Parsed<SigningSecret>>,
    /// How long the answer may take, at most 30 s.
    #[serde(default)]
    #[schemars(extend("default" = "5s"))]
    pub(crate) timeout: Optional<Parsed<Duration>>,
}
