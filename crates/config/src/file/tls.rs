//! `tls:`.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use crate::{
    forms::{Forms, Parsed},
    located::{At, Optional},
};

/// What the HTTPS listener presents.
pub(crate) enum Tls {
    /// `dev`.
    Dev,
    /// Certificates.
    Table(Box<TlsTable>),
}

/// Certificates of the HTTPS listener, all PEM; read again when they change.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub(crate) struct TlsTable {
    /// The certificate chain, leaf first. Together with `key`; several pairs go under `certificates`.
    pub(crate) cert: Optional<Parsed<PathBuf>>,
    /// The private key. Other users must not be able to read it.
    pub(crate) key: Optional<Parsed<PathBuf>>,
    /// Several certificates: the first answers a client that names no server, the others are chosen by the
    /// name the client asks for.
    pub(crate) certificates: Optional<Vec<At<CertificateFiles>>>,
    /// Authorities that client certificates are verified against. Without it no client is asked for one.
    pub(crate) client_ca: Optional<Parsed<PathBuf>>,
    /// Whether a client must show a certificate, once `client_ca` is given.
    #[schemars(extend("default" = "required"))]
    pub(crate) client_certificate: Optional<ClientCertificate>,
}

/// A certificate chain and its key, both PEM.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateFiles {
    /// The certificate chain, leaf first.
    pub(crate) cert: At<Parsed<PathBuf>>,
    /// The private key. Other users must not be able to read it.
    pub(crate) key: At<Parsed<PathBuf>>,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificate {
    /// A client without one is served as an unauthenticated one.
    Optional,
    /// The handshake fails without one.
    Required,
}

impl Forms for Tls {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`dev`, or a mapping with `cert` and `key`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "const": "dev", "description": "A self-signed certificate made at start, on loopback addresses only." },
            generator.subschema_for::<TlsTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "dev" => Ok(Self::Dev),
            _ => Err(format!("`{word}` is not known here: expected {}", Self::EXPECTED)),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        TlsTable::deserialize(MapAccessDeserializer::new(mapping))
            .map(|table| Ok(Self::Table(Box::new(table))))
    }
}
