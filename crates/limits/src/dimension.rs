//! What sort of thing a limit counts by, as far as risk is concerned.

use bartizan_config::Dimension;

/// The sort of a [`Dimension`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DimensionKind {
    /// Where a request comes from: an address or its network.
    Address,
    /// Who asks: a user or an API key.
    User,
    /// Whom they act for.
    Organization,
    /// Everything else: an endpoint, a route, a header, a claim.
    Other,
}

impl From<&Dimension> for DimensionKind {
    fn from(dimension: &Dimension) -> Self {
        match dimension {
            Dimension::Address | Dimension::Prefix => Self::Address,
            Dimension::User | Dimension::Key => Self::User,
            Dimension::Organization => Self::Organization,
            Dimension::Endpoint | Dimension::Route | Dimension::Header(_) | Dimension::Claim(_) => {
                Self::Other
            }
        }
    }
}
