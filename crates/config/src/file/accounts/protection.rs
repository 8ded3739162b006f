//! `accounts.protection:`.

use std::{num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{forms::Parsed, located::Optional, word::Rate};

/// How often somebody may guess.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Protection {
    /// Failures within `window` that pause logins, for an account as for an address: 1 to 100.
    #[schemars(extend("default" = 5))]
    pub(crate) failures: Optional<Parsed<NonZeroU32>>,
    /// How long a failure counts: 1min to 1d.
    #[schemars(extend("default" = "15min"))]
    pub(crate) window: Optional<Parsed<Duration>>,
    /// The first pause, 1min to 1d. Each further one is twice as long, up to a day.
    #[schemars(extend("default" = "30min"))]
    pub(crate) pause: Optional<Parsed<Duration>>,
    /// Messages to one address, and links for another password that one client asks for: up to 100 in 1min to 1d.
    #[schemars(extend("default" = "3/h"))]
    pub(crate) resets: Optional<Parsed<Rate>>,
}
