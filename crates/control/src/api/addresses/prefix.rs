//! An address or a prefix as the API takes it: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`.
//!
//! The documented pattern accepts what [`Prefix::from_str`] accepts, no more and no less, so that the `OpenAPI` document
//! tells the truth. A prefix of length 0 is neither: it covers everybody.

use std::{borrow::Cow, net::IpAddr, str::FromStr};

use bartizan_model::canonical_network;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// An address or a prefix, without host bits; an IPv4-mapped one is IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpNet);

const HINT: &str =
    "write an address or a prefix, for example `203.0.113.7`, `203.0.113.0/24` or `2001:db8::/32`";

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        if address.contains(':') && address.contains('.') {
            return Err("write an IPv4-mapped address as the IPv4 address it is".into());
        }
        let address: IpAddr = address.parse().map_err(|_| HINT)?;
        let prefix = match length {
            None => IpNet::from(address),
            Some(length) => {
                let written_plainly = !length.starts_with(['0', '+']);
                if length == "0" {
                    return Err(everybody(text));
                }
                let length = length.parse().ok().filter(|_| written_plainly).ok_or(HINT)?;
                IpNet::new(address, length).map_err(|_| HINT)?
            }
        };
        // Also every IPv4 address written as IPv6, `::ffff:0:0/96`, is everybody.
        let prefix = canonical_network(prefix);
        if prefix.prefix_len() == 0 { Err(everybody(text)) } else { Ok(Self(prefix)) }
    }
}

fn everybody(text: &str) -> String {
    format!("`{text}` is everybody: write a longer prefix, for example `203.0.113.0/24`")
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl PartialSchema for Prefix {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "An address or a prefix, IPv4 or IPv6; not one of length 0, which covers everybody.",
            ))
            .pattern(Some(Self::pattern()))
            .examples(["203.0.113.7", "2001:db8::/32"])
            .into()
    }
}

impl ToSchema for Prefix {}

impl Prefix {
    fn pattern() -> String {
        let byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
        let v4 = format!("{byte}(\\.{byte}){{3}}(/([1-9]|[12][0-9]|3[0-2]))?");
        let group = "[0-9A-Fa-f]{1,4}";
        let mut v6 = vec![format!("({group}:){{7}}{group}")];
        // `::` stands for one group at least: up to seven on its left and right together.
        v6.push(format!("({group}:){{1,7}}:"));
        v6.extend((1..=6).map(|left| format!("({group}:){{1,{left}}}(:{group}){{1,{}}}", 7 - left)));
        v6.push(format!(":((:{group}){{1,7}}|:)"));
        format!("^({v4}|({})(/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?)$", v6.join("|"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_prefixes_have_one_form() {
        let cases = [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("2001:DB8::1", "2001:db8::1/128"),
            ("2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8/128"),
            ("::ffff:cb00:7107", "203.0.113.7/32"),
            ("::ffff:cb00:7107/120", "203.0.113.0/24"),
            ("::/1", "::/1"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                text.parse::<Prefix>().map(|prefix| prefix.0.to_string()),
                Ok(expected.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        let refused = [
            "",
            "/",
            "/24",
            "203.0.113",
            "203.0.113.7/",
            "203.0.113.7/33",
            "203.0.113.7/024",
            "203.0.113.7/+24",
            "203.0.113.07",
            "203.0.113.7/24/1",
            " 203.0.113.7",
            "203.0.113.7\n",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/129",
            "[::1]",
            "fe80::1%eth0",
            "::ffff:203.0.113.7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            "example.test",
        ];
        for text in refused {
            assert!(text.parse::<Prefix>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn everybody_is_told_from_what_is_malformed() {
        assert!("0.0.0.0/0".parse::<Prefix>().unwrap_err().contains("everybody"));
        assert!("::ffff:0:0/96".parse::<Prefix>().unwrap_err().contains("everybody"));
        assert!("0.0.0.0/00".parse::<Prefix>().unwrap_err().contains("write an address"));
    }

    proptest! {
        #[test]
        fn the_documented_pattern_promises_nothing_that_is_refused(
            text in proptest::string::string_regex(&Prefix::pattern()[1..Prefix::pattern().len() - 1]).unwrap()
        ) {
            prop_assert!(text.parse::<Prefix>().is_ok(), "{}", text);
        }
    }
}
