//! What limits count by.

use http::{HeaderName, header};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{Dimension, forms::Forms, suggestion};

const PLAIN: [(&str, Dimension); 7] = [
    ("address", Dimension::Address),
    ("prefix", Dimension::Prefix),
    ("user", Dimension::User),
    ("organization", Dimension::Organization),
    ("key", Dimension::Key),
    ("endpoint", Dimension::Endpoint),
    ("route", Dimension::Route),
];

/// Headers that hold credentials: their values would be kept, and shown in statistics.
const SECRET: [HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];

/// The longest name of a claim.
const LONGEST_CLAIM: usize = 128;

impl Forms for Dimension {
    const NAME: &'static str = "Dimension";
    const EXPECTED: &'static str = "what is counted by, such as `address` or `user`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(address|prefix|user|organization|key|endpoint|route|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|claim:.+|\$\{.*\})$",
            "description": "`address` is the client's (of IPv6 its /64, since one client has that many), `prefix` its network (IPv4 /24, IPv6 /48); `user` is who asks, `organization` whom they act for, `key` their API key; `endpoint` is the method and the route, `route` the route alone; `header:NAME` is the value of a request header, which the client chooses, and `claim:NAME` of a claim of the token.",
            "examples": ["address", "user", "header:x-tenant", "claim:plan"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if let Some((_, dimension)) = PLAIN.iter().find(|(name, _)| *name == word) {
            return Ok(dimension.clone());
        }
        if let Some(name) = word.strip_prefix("header:") {
            return header(word, name);
        }
        if let Some(name) = word.strip_prefix("claim:") {
            let is_name = (1..=LONGEST_CLAIM).contains(&name.len())
                && !name.contains(|c: char| c.is_control() || c.is_whitespace());
            return if is_name {
                Ok(Self::Claim(name.into()))
            } else {
                Err(format!("`{word}` names no claim: write for example `claim:plan`"))
            };
        }
        let known = PLAIN.iter().map(|(name, _)| *name).chain(["header:NAME", "claim:NAME"]);
        let hint = suggestion::hint(word, known).unwrap_or_default();
        Err(format!("`{word}` is nothing to count by: {hint}"))
    }
}

fn header(word: &str, name: &str) -> Result<Dimension, String> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if SECRET.contains(&name) => {
            Err(format!("`{word}` holds credentials, which nobody should count by: write `user` or `key`"))
        }
        Ok(name) => Ok(Dimension::Header(name)),
        Err(_) => Err(format!("`{word}` names no header: write for example `header:x-tenant`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_reads_as_it_is_shown() {
        for text in [
            "address",
            "prefix",
            "user",
            "organization",
            "key",
            "endpoint",
            "route",
            "header:x-tenant",
            "claim:plan",
        ] {
            assert_eq!(Dimension::word(text).map(|dimension| dimension.to_string()), Ok(text.into()));
        }
        assert_eq!(Dimension::word("header:X-Tenant"), Dimension::word("header:x-tenant"));
        let long = format!("claim:{}", "x".repeat(129));
        for text in [
            "",
            "ip",
            "Address",
            "header:",
            "header:a b",
            "header:Authorization",
            "header:cookie",
            "claim:",
            "claim:a b",
            &long,
        ] {
            assert!(Dimension::word(text).is_err(), "{text}");
        }
    }
}
