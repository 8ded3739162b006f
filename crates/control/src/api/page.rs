//! Lists that may be long: which part is asked for.

use bartizan_identity::account;
use serde::Deserialize;

/// Which part of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// What `next` of the part before was; without it the first part.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

impl From<Page> for account::Page {
    fn from(Page { after, limit }: Page) -> Self {
        Self { after, limit }
    }
}
