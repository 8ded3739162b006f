//! The JSON Schema (draft 2020-12) of the document, for editors and for the configuration reference.
//!
//! It is made from the file types, so it knows every key; what it cannot know is whether names refer to
//! something and whether files exist. It is a little stricter than the parser about forms that differ between
//! YAML readers: a name made of digits has to be quoted.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

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
    schema
}
