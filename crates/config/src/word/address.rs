//! Addresses to listen on and networks to trust.
//!
//! An address to listen on always says which interface it means: `8080` and `:8080` are refused, because one
//! reader takes them for this machine only and the next for the whole network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bartizan_model::canonical_network;
use ipnet::IpNet;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::forms::Forms;

impl Forms for SocketAddr {
    const NAME: &'static str = "Address";
    const EXPECTED: &'static str = "an address and port such as `0.0.0.0:443` or `[::]:443`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(.+:[0-9]{1,5}|\$\{.*\})$",
            "description": "An address and a port. `0.0.0.0` and `[::]` mean every address of this machine, `127.0.0.1` and `localhost` this machine only. Port 0 takes a free port.",
            "examples": ["0.0.0.0:443", "[::]:443", "127.0.0.1:8080"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if let Ok(address) = word.parse() {
            return Ok(address);
        }
        if let Some(port) = word.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            return Ok(Self::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        }
        let port = word.strip_prefix(':').unwrap_or(word);
        if port.parse::<u16>().is_ok() {
            return Err(format!(
                "`{word}` does not say which address to listen on: write `0.0.0.0:{port}` for all of them or `127.0.0.1:{port}` for this machine only"
            ));
        }
        Err(format!("`{word}` is not an address and port: write for example `0.0.0.0:443` or `[::]:443`"))
    }
}

impl Forms for IpNet {
    const NAME: &'static str = "Network";
    const EXPECTED: &'static str = "a network such as `10.0.0.0/8`, or a single address";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A network in CIDR notation, or a single address. An IPv4-mapped one is IPv4.",
            "examples": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let network: Self = match word.parse::<IpAddr>() {
            Ok(address) => address.into(),
            Err(_) => word
                .parse()
                .map_err(|_| format!("`{word}` is not a network: write for example `10.0.0.0/8`"))?,
        };
        let canonical = canonical_network(network);
        if network.trunc() == network {
            // Clients are compared as IPv4: as IPv6 it would contain none of them.
            Ok(canonical)
        } else {
            Err(format!("`{word}` has bits set beyond its prefix: write `{canonical}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_interface() {
        for (text, expected) in
            [("0.0.0.0:443", "0.0.0.0:443"), ("[::1]:80", "[::1]:80"), ("localhost:0", "127.0.0.1:0")]
        {
            assert_eq!(SocketAddr::word(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "443", ":443", "0.0.0.0", "example.test:443", "0.0.0.0:65536", "::1:80", "localhost"]
        {
            assert!(SocketAddr::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_are_whole() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(IpNet::word(text).map(|network| network.to_string()), Ok(expected.into()), "{text}");
        }
        for text in ["", "10.0.0.1/8", "::ffff:10.0.0.1/104", "10.0.0.0/33", "10/8", "proxy"] {
            assert!(IpNet::word(text).is_err(), "{text}");
        }
    }
}
