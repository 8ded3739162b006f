//! Lists that may be long: which part is asked for.

use bartizan_identity::account;
use serde::{Deserialize, Deserializer, de::Error};

/// Which part of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// What `next` of the part before was; without it the first part.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    #[serde(deserialize_with = "limit")]
    limit: Option<u32>,
}

/// How many of a list at most: 1 to 1000.
pub(crate) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        Some(limit) if !(1..=1000).contains(&limit) => Err(D::Error::custom("`limit` is 1 to 1000")),
        limit => Ok(limit),
    }
}

impl From<Page> for account::Page {
    fn from(Page { after, limit }: Page) -> Self {
        Self { after, limit }
    }
}
