//! From which zone a machine calls: a service, or an API key.

use bartizan_model::Zone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::failure::{Failure, FailureCode};

/// From which zone a machine calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineZone {
    /// `public`, `gateway`, `services` or `data`; null or none: the one of its identity provider.
    #[serde(default)]
    #[schema(example = "services")]
    pub zone: Option<String>,
}

/// The zone with this name.
pub(crate) fn read(zone: Option<&str>) -> Result<Option<Zone>, Failure> {
    let refuse =
        |error: bartizan_model::ModelError| Failure::new(FailureCode::InvalidValue, error.to_string());
    zone.map(str::parse).transpose().map_err(refuse)
}
