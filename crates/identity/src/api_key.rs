//! API keys: long random strings, known here only by hashes.
//!
//! A key is [`written`] in the configuration, or kept in the store. Those of the store are all in memory ([`live`]): a
//! request costs a keyed hash and a look-up, however many keys there are and however many of those that are tried are
//! wrong, and no request asks the store. What changes there is read twice a second. What a key may do is worked out when
//! it is first used with a configuration ([`stored`]).

mod index;
pub(crate) mod live;
pub(crate) mod owners;
pub(crate) mod record;
pub(crate) mod stored;
pub(crate) mod uses;
mod written;

pub use live::LiveKeys;
pub(crate) use written::ApiKeyTable;
pub use written::{generate_api_key, hash_api_key};
