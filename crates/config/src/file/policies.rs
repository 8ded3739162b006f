//! `policies:`, `zones:`, and what a route says of them.

use std::path::PathBuf;

use bartizan_model::Zone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use crate::{
    PolicyMode,
    forms::{Forms, OneOrMany, Parsed},
    located::{At, Optional},
    word::{ActionName, EntityType},
};

/// Cedar policies.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policies {
    /// Files of policies in the Cedar language, where `*`, `?` and `[..]` may stand in the file's name.
    #[schemars(extend("examples" = ["./policies/*.cedar"]))]
    pub(crate) files: At<Parsed<OneOrMany<PathBuf>>>,
    /// Files of further entity types and actions in the language of Cedar schemas, for policies about things that no
    /// route names and for services that ask the gateway (`AuthZEN`). What routes and permissions say is in the schema
    /// already.
    #[serde(default)]
    #[schemars(extend("examples" = ["./policies/*.cedarschema"]))]
    pub(crate) schema: Optional<Parsed<OneOrMany<PathBuf>>>,
    /// Whether what no policy permits is refused, or only reported.
    #[serde(default)]
    #[schemars(extend("default" = "enforce"))]
    pub(crate) mode: Optional<PolicyMode>,
}

/// Who may call the routes of a zone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Zone")]
pub(crate) struct ZoneTable {
    /// The zones from which callers may come; an empty list closes the zone.
    pub(crate) callers: At<Vec<At<Parsed<Zone>>>>,
}

/// What the requests of a route ask of the policies.
pub(crate) enum RoutePolicy {
    /// `off`.
    Off,
    Table(Box<RoutePolicyTable>),
}

/// What the requests of a route ask of the policies, written out.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "RoutePolicy")]
pub(crate) struct RoutePolicyTable {
    /// The action: `Action::"orders:refund"` in policies. Without it the permission that the method requires, where it
    /// is one; else method and path, such as `GET /orders/**`.
    #[schemars(extend("examples" = ["orders:refund"]))]
    pub(crate) action: Optional<Parsed<ActionName>>,
    /// What is acted on. Without it the route itself: `Route::"/orders/**"`.
    pub(crate) resource: Optional<Entity>,
    /// What the resource belongs to, such as the organisation that the path names. The route, and with it its zone, is
    /// always among it.
    #[schemars(extend("default" = []))]
    pub(crate) parents: Optional<Vec<At<Entity>>>,
}

/// An entity that a request names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entity {
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(extend("examples" = ["Order"]))]
    pub(crate) entity_type: At<Parsed<EntityType>>,
    /// Its id, where `{name}` stands for the segment of the path that the route calls so.
    #[schemars(extend("examples" = ["{id}"]))]
    pub(crate) id: At<Parsed<String>>,
}

impl Forms for RoutePolicy {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`off`, or a mapping with `action`, `resource` and `parents`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "off" }, generator.subschema_for::<RoutePolicyTable>()] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "off" => Ok(Self::Off),
            _ => Err(format!("`{word}` is not known here: expected {}", Self::EXPECTED)),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        RoutePolicyTable::deserialize(MapAccessDeserializer::new(mapping))
            .map(|table| Ok(Self::Table(Box::new(table))))
    }
}
