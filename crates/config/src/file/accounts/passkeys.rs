//! `accounts.passkeys:`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::{HostPattern, Origin},
};

/// Who passkeys are for (W3C, Web Authentication Level 3).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["id"]))]
pub(crate) struct Passkeys {
    /// The domain that passkeys belong to. With another one, all that were registered are worth nothing.
    #[schemars(extend("examples" = ["shop.test"]))]
    pub(crate) id: At<Parsed<HostPattern>>,
    /// The origins of the pages that may ask for them: `id` itself or hosts under it. Default `https://` and `id`.
    #[serde(default)]
    #[schemars(extend("examples" = [["https://shop.test", "https://account.shop.test"]]))]
    pub(crate) origins: Optional<Parsed<OneOrMany<Origin>>>,
}
