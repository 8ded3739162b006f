//! Mappings whose keys the user chooses, in the order of the document.

use std::{borrow::Cow, fmt, marker::PhantomData};

use bartizan_model::Name;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

use crate::{forms::Parsed, located::At};

/// `name: value` pairs.
pub(crate) struct Entries<V, K = Name>(pub(crate) Vec<(At<Parsed<K>>, At<V>)>);

impl<'de, V: Deserialize<'de>, K> Deserialize<'de> for Entries<V, K>
where
    Parsed<K>: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V, K>(PhantomData<(V, K)>);

impl<'de, V: Deserialize<'de>, K> Visitor<'de> for EntriesVisitor<V, K>
where
    Parsed<K>: Deserialize<'de>,
{
    type Value = Entries<V, K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = mapping.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

impl<V: JsonSchema, K> JsonSchema for Entries<V, K>
where
    Parsed<K>: JsonSchema,
{
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<Parsed<K>>(),
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}
