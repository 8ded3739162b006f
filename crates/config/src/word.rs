//! The words of the document: text that parses itself into what it means.
//!
//! Each file holds one family. A message never quotes a part of a word, only the whole of it: what came from
//! the environment is recognised by its whole value when messages are cleaned.

mod address;
mod alerts;
mod dimension;
mod header;
mod log_levels;
mod multi_factor;
mod name;
mod operation_pattern;
mod policy;
mod priority;
mod quantity;
mod rate;
mod redis_url;
mod scalar;
mod secret;
mod signature;
mod smtp_url;
mod store_url;
mod syslog_url;
mod url;
mod utc_offset;
mod waf;

use std::path::PathBuf;

use schemars::{Schema, SchemaGenerator, json_schema};

pub use self::rate::{Rate, RateError};
pub(crate) use self::{
    alerts::{HeaderText, Moment, SecretText, TimeOfDay},
    log_levels::LogLevels,
    policy::{ActionName, EntityType},
    priority::Priority,
    quantity::ByteSize,
    redis_url::RedisUrl,
    secret::{KeyHash, Password, Secret, SigningSecret},
    smtp_url::SmtpUrl,
    store_url::StoreUrl,
    syslog_url::SyslogUrl,
    url::{HostPattern, Origin, Url},
    utc_offset::UtcOffset,
    waf::{MediaType, RuleTag, RuleVariable},
};
use crate::forms::Forms;

/// Any text but none.
impl Forms for String {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a text";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word.trim().is_empty() { Err("this text is empty".into()) } else { Ok(word.into()) }
    }
}

/// A file; relative paths start from the document's folder.
impl Forms for PathBuf {
    const NAME: &'static str = "File";
    const EXPECTED: &'static str = "the path of a file";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "The path of a file. A relative one starts from the folder of this document.",
            "examples": ["./cert.pem"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        String::word(word).map(Self::from)
    }
}
