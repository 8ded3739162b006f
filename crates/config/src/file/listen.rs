//! `listen:`.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use crate::{
    ProxyProtocol,
    forms::{Forms, Parsed},
    located::{At, Optional},
};

/// Where to listen.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listen {
    /// TLS with HTTP/1.1 and HTTP/2. Needs `tls`.
    pub(crate) https: Optional<Parsed<SocketAddr>>,
    /// Plain HTTP: an address that serves the routes, `redirect` (port 80 of the `https` address, every request
    /// is sent to HTTPS), or both parts written out.
    pub(crate) http: Optional<Parsed<Http>>,
    /// The admin API. On anything but a loopback address it needs `tls`.
    #[schemars(extend("default" = "127.0.0.1:9443"))]
    pub(crate) admin: Optional<Parsed<SocketAddr>>,
    /// `/metrics`, `/healthz` and `/readyz`, without a token: whoever reaches this address may read them.
    #[schemars(extend("default" = "127.0.0.1:9464"))]
    pub(crate) metrics: Optional<Parsed<SocketAddr>>,
    /// Peers whose `Forwarded`, `X-Forwarded-For` and PROXY header are believed. Nobody else's are.
    #[schemars(extend("default" = []))]
    pub(crate) trusted_proxies: Optional<Vec<At<Parsed<IpNet>>>>,
    /// Whether `trusted_proxies` end TLS and say by `Client-Cert` (RFC 9440) which certificate their client has shown them.
    /// They must remove the header where a client sends it itself. The certificate of a trusted proxy's own connection
    /// never counts as its client's.
    #[schemars(extend("default" = false))]
    pub(crate) client_cert: Optional<Parsed<bool>>,
    /// The PROXY protocol (versions 1 and 2) on `https` and `http`.
    #[schemars(extend("default" = "off"))]
    pub(crate) proxy_protocol: Optional<ProxyProtocol>,
    /// `SO_REUSEPORT`: lets a new process listen before the old one has stopped.
    #[schemars(extend("default" = false))]
    pub(crate) reuse_port: Optional<Parsed<bool>>,
}

/// The plain listener.
#[derive(Clone, Copy)]
pub(crate) enum Http {
    /// `redirect`.
    Redirect,
    /// An address, which serves the routes or redirects.
    Listen { address: SocketAddr, redirect: bool },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HttpListener")]
struct HttpTable {
    /// Where to listen.
    address: Parsed<SocketAddr>,
    /// Send every request to the HTTPS listener (308) instead of serving it.
    #[serde(default)]
    redirect: bool,
}

impl Forms for Http {
    const NAME: &'static str = "Http";
    const EXPECTED: &'static str = "`redirect`, an address such as `0.0.0.0:80`, or `{ address, redirect }`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "const": "redirect", "description": "Listen on port 80 of the `https` address and send every request there." },
            generator.subschema_for::<Parsed<SocketAddr>>(),
            generator.subschema_for::<HttpTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "redirect" => Ok(Self::Redirect),
            address => SocketAddr::word(address).map(|address| Self::Listen { address, redirect: false }),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        let HttpTable { address, redirect } = HttpTable::deserialize(MapAccessDeserializer::new(mapping))?;
        Ok(address.0.map(|address| Self::Listen { address, redirect }))
    }
}
