//! The configuration reference: the JSON Schema of the file, as a page.
//!
//! One section for the document and one for each named type, in the order in which a reader meets them.

use std::{collections::VecDeque, fmt::Write as _};

use serde_json::{Map, Value};

const HEAD: &str = "<!-- Written by `cargo xtask docs` from the types of the file; edit those. -->\n\n# Configuration reference\n\n\
Every key of `bartizan.yaml`. Unknown keys and keys given twice are errors. `bartizan schema` prints the same as a \
[JSON Schema](bartizan.schema.json) for editors, `bartizan check` validates a file.\n";

/// The page for a schema as `schemars` writes it (JSON Schema 2020-12, types under `$defs`).
pub(super) fn page(schema: &Value) -> String {
    let none = Map::new();
    let types = schema["$defs"].as_object().unwrap_or(&none);
    let mut text = HEAD.to_owned();
    section(&mut text, "The document", schema);
    let mut seen = Vec::new();
    let mut queue: VecDeque<_> = references(schema).into();
    while let Some(name) = queue.pop_front() {
        let Some(found) = types.get(&name).filter(|_| !seen.contains(&name)) else { continue };
        section(&mut text, &name, found);
        queue.extend(references(found));
        seen.push(name);
    }
    text
}

fn section(text: &mut String, name: &str, schema: &Value) {
    // Writing into a `String` cannot fail.
    let _ = write!(text, "\n## {name}\n");
    if let Some(description) = schema["description"].as_str() {
        let _ = write!(text, "\n{description}\n");
    }
    properties(text, schema);
    for keyword in ["oneOf", "anyOf"] {
        let Some(variants) = schema[keyword].as_array() else { continue };
        text.push_str("\nOne of:\n\n");
        for variant in variants {
            let _ = writeln!(text, "- {}{}", type_of(variant), dash(&described(variant)));
        }
        for variant in variants {
            properties(text, variant);
        }
    }
    if schema["type"] == "string" && schema["enum"].is_array() {
        let _ = write!(text, "\n{}\n", type_of(schema));
    }
}

/// The table of an object's keys.
fn properties(text: &mut String, schema: &Value) {
    let Some(properties) = schema["properties"].as_object().filter(|keys| !keys.is_empty()) else { return };
    text.push_str("\n| key | value | default | |\n|---|---|---|---|\n");
    for (key, value) in properties {
        let is_required =
            schema["required"].as_array().is_some_and(|keys| keys.iter().any(|name| name == key));
        let default = match value.get("default") {
            _ if is_required => "required".to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(default) => format!("`{default}`"),
        };
        let _ = writeln!(text, "| `{key}` | {} | {default} | {} |", type_of(value), described(value));
    }
}

fn dash(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(": {description}") }
}

/// A description on one line, fit for a table.
fn described(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', r"\|")
}

/// What a value may be, in a few words.
fn type_of(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let alternatives = ["enum", "oneOf", "anyOf"].iter().find_map(|keyword| schema[*keyword].as_array());
    if let Some(alternatives) = alternatives {
        let is_enum = schema["enum"].is_array();
        let words = alternatives.iter().filter(|one| one["type"] != "null" && !one.is_null()).map(|one| {
            if is_enum { format!("`{}`", one.as_str().unwrap_or_default()) } else { type_of(one) }
        });
        return words.collect::<Vec<_>>().join(" or ");
    }
    let names = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => vec!["any"],
    };
    names.into_iter().map(|name| plain_type(name, schema)).collect::<Vec<_>>().join(" or ")
}

fn plain_type(name: &str, schema: &Value) -> String {
    match name {
        "array" => format!("list of {}", type_of(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&schema["additionalProperties"]))
        }
        "object" => {
            let keys = schema["properties"].as_object().into_iter().flat_map(Map::keys);
            format!("`{{ {} }}`", keys.map(|key| format!("{key}: ..")).collect::<Vec<_>>().join(", "))
        }
        _ => name.to_owned(),
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The names of the types a schema mentions, in order.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => {
            let inside =
                members.iter().filter(|(key, _)| *key != "$defs").flat_map(|(_, value)| references(value));
            reference(schema).map(str::to_owned).into_iter().chain(inside).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_type_is_said_in_a_few_words() {
        for (schema, expected) in [
            (json!({"type": ["string", "null"]}), "string"),
            (json!({"$ref": "#/$defs/Route"}), "[Route](#route)"),
            (json!({"anyOf": [{"$ref": "#/$defs/Tls"}, {"type": "null"}]}), "[Tls](#tls)"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of string"),
            (json!({"type": "object", "additionalProperties": {"type": "integer"}}), "map of integer"),
            (json!({"type": "string", "enum": ["json", "pretty"]}), "`json` or `pretty`"),
            (json!({"const": "dev"}), "`dev`"),
            (json!({"type": "object", "properties": {"hold": {}}}), "`{ hold: .. }`"),
            (json!(true), "any"),
        ] {
            assert_eq!(type_of(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn every_type_that_is_mentioned_has_one_section() {
        let schema = json!({
            "properties": {
                "routes": {"type": "array", "items": {"$ref": "#/$defs/Route"}, "description": "What is\nserved."},
                "again": {"$ref": "#/$defs/Route"},
            },
            "required": ["routes"],
            "$defs": {
                "Route": {"properties": {"path": {"type": "string", "default": "/"}}},
                "Unused": {},
            },
        });
        let page = page(&schema);
        assert!(
            page.contains("| `routes` | list of [Route](#route) | required | What is served. |"),
            "{page}"
        );
        assert!(page.contains("| `path` | string | `\"/\"` |  |"), "{page}");
        assert_eq!(page.matches("## Route\n").count(), 1);
        assert!(!page.contains("Unused"));
    }
}
