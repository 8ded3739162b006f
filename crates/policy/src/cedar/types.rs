//! The entity types of the gateway itself, parsed once.

use bartizan_model::{CallerType, Zone};
use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::PoliciesError;

/// The names of entity types.
#[derive(Debug, Clone)]
pub(crate) struct Types {
    user: EntityTypeName,
    service: EntityTypeName,
    api_key: EntityTypeName,
    organization: EntityTypeName,
    role: EntityTypeName,
    zone: EntityTypeName,
    route: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    pub(crate) fn new() -> Result<Self, PoliciesError> {
        let name = |text: &str| {
            text.parse::<EntityTypeName>().map_err(|error| PoliciesError::general(error.to_string()))
        };
        Ok(Self {
            user: name(CallerType::User.as_str())?,
            service: name(CallerType::Service.as_str())?,
            api_key: name(CallerType::ApiKey.as_str())?,
            organization: name("Organization")?,
            role: name("Role")?,
            zone: name("Zone")?,
            route: name("Route")?,
            action: name("Action")?,
        })
    }

    pub(crate) fn caller(&self, caller_type: CallerType, id: &str) -> EntityUid {
        let name = match caller_type {
            CallerType::User => &self.user,
            CallerType::Service => &self.service,
            CallerType::ApiKey => &self.api_key,
        };
        entity(name, id)
    }

    pub(crate) fn organization(&self, id: &str) -> EntityUid {
        entity(&self.organization, id)
    }

    pub(crate) fn role(&self, id: &str) -> EntityUid {
        entity(&self.role, id)
    }

    pub(crate) fn zone(&self, zone: Zone) -> EntityUid {
        entity(&self.zone, zone.as_str())
    }

    pub(crate) fn route(&self, id: &str) -> EntityUid {
        entity(&self.route, id)
    }

    pub(crate) fn action(&self, id: &str) -> EntityUid {
        entity(&self.action, id)
    }
}

pub(crate) fn entity(name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
}
