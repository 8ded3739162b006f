use std::{fmt, str::FromStr};

use crate::ModelError;

/// A part of a system, by how much is trusted of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Zone {
    /// Open to everybody (a demilitarised zone). What nobody has said anything about is here.
    #[default]
    Public,
    /// What stands at the border: gateways and what they serve themselves.
    Gateway,
    /// Services that call each other.
    Services,
    /// Where data is kept.
    Data,
}

impl Zone {
    /// Every zone, the least trusted first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Gateway, Self::Services, Self::Data];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Gateway => "gateway",
            Self::Services => "services",
            Self::Data => "data",
        }
    }

    /// How much is trusted of what is there, from 0 to 3.
    pub const fn trust(self) -> u8 {
        match self {
            Self::Public => 0,
            Self::Gateway => 1,
            Self::Services => 2,
            Self::Data => 3,
        }
    }

    /// Who may call what is there, unless the configuration says otherwise: each zone the next one, and its own.
    pub const fn default_callers(self) -> &'static [Self] {
        match self {
            Self::Public => &Self::ALL,
            Self::Gateway => &[Self::Public, Self::Gateway],
            Self::Services => &[Self::Gateway, Self::Services],
            Self::Data => &[Self::Services, Self::Data],
        }
    }
}

/// What networks call the zone that is open to everybody.
const DMZ: &str = "dmz";

/// By its name; `dmz` is [`Zone::Public`], too.
impl FromStr for Zone {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let named = Self::ALL.into_iter().find(|zone| zone.as_str() == text);
        let zone = named.or_else(|| (text == DMZ).then_some(Self::Public));
        zone.ok_or_else(|| ModelError::Zone(text.into()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_their_names_and_grow_in_trust() {
        for zone in Zone::ALL {
            assert_eq!(zone.to_string().parse(), Ok(zone));
        }
        assert!(Zone::ALL.is_sorted_by_key(|zone| zone.trust()));
        assert_eq!("dmz".parse(), Ok(Zone::Public));
        assert!("moon".parse::<Zone>().is_err() && "Data".parse::<Zone>().is_err());
    }
}
