//! The JSON Schema (draft 2020-12) of the document, for editors and for the configuration reference.
//!
//! It is made from the file types, so it knows every key; what it cannot know is whether names refer to
//! something and whether files exist. It is a little stricter than the parser about forms that differ between
//! YAML readers: a name made of digits has to be quoted.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::file::Document;

/// The JSON Schema of the document.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    for (name, definition) in definitions.into_iter().flatten() {
        if let Some(definition) = definition.as_object_mut() {
            definition.insert("title".into(), json!(name));
        }
    }
    unwrap_descriptions(&mut schema);
    schema
}

/// Joins the lines of a paragraph, which the source code breaks and an editor should not.
fn unwrap_descriptions(schema: &mut Value) {
    let children: Vec<&mut Value> = match schema {
        Value::Object(members) => {
            unwrap_description(members);
            members.values_mut().collect()
        }
        Value::Array(items) => items.iter_mut().collect(),
        _ => return,
    };
    children.into_iter().for_each(unwrap_descriptions);
}

fn unwrap_description(members: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = members.get_mut("description") {
        let paragraphs: Vec<String> =
            text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema of every mapping in the schema.
    fn mappings<'a>(schema: &'a Value, found: &mut Vec<&'a Map<String, Value>>) {
        match schema {
            Value::Object(members) => {
                if members
                    .get("properties")
                    .is_some_and(|properties| properties.get("type").is_none_or(Value::is_object))
                {
                    found.push(members);
                }
                members.values().for_each(|member| mappings(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| mappings(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_mapping_refuses_unknown_keys_and_explains_the_known_ones() {
        let schema = schema();
        let mut found = Vec::new();
        mappings(&schema, &mut found);
        assert!(found.len() > 20, "{} mappings", found.len());
        for mapping in found {
            assert_eq!(mapping.get("additionalProperties"), Some(&json!(false)), "{mapping:?}");
            for (key, property) in mapping["properties"].as_object().unwrap() {
                let explained = property.get("description").or(mapping.get("description"));
                assert!(
                    explained.is_some_and(|text| text.as_str().is_some_and(|text| text.len() > 4)),
                    "{key}"
                );
            }
        }
    }
}
