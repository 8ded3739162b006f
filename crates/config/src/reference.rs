//! The configuration reference in Markdown, made from the schema: every key with its type, default and meaning.

use serde_json::{Map, Value};

use crate::schema;

const INTRODUCTION: &str = "\
The configuration is one YAML document. Unknown and duplicate keys are errors, and so is a key without a value. \
`bartizan check` says what is wrong, where, and what to do; `bartizan schema` prints the JSON Schema for editors.";

/// The reference.
pub fn reference() -> String {
    let schema = schema();
    let mut lines = vec!["# Configuration reference".to_owned(), INTRODUCTION.into()];
    lines.extend(text(&schema, "description"));
    lines.push("## The document".into());
    lines.extend(keys(&schema));
    lines.push("## Types".into());
    for (name, definition) in members(&schema, "$defs") {
        lines.push(format!("### {name}"));
        lines.extend(text(definition, "description"));
        lines.extend(body(definition));
    }
    lines.join("\n\n") + "\n"
}

/// What a type is made of.
fn body(definition: &Value) -> Vec<String> {
    if definition.get("properties").is_some() {
        return keys(definition);
    }
    if let Some(choices) = choices(definition) {
        let alternatives: Vec<&Value> =
            choices.iter().filter(|choice| choice.get("properties").is_some()).collect();
        if alternatives.len() == choices.len() {
            let rows = alternatives.into_iter().flat_map(|choice| {
                let meaning = choice.get("description");
                members(choice, "properties")
                    .map(move |(key, value)| row(key, value, "one of these", meaning))
            });
            return vec![table(rows)];
        }
        return vec![choices.iter().map(choice).collect::<Vec<_>>().join("\n")];
    }
    let examples = definition.get("examples").and_then(Value::as_array);
    let examples: Vec<String> = examples.into_iter().flatten().map(code).collect();
    let kind = kind(definition);
    match examples.as_slice() {
        [] => vec![format!("Written as: {kind}.")],
        examples => vec![format!("Written as: {kind}, for example {}.", examples.join(", "))],
    }
}

fn choice(choice: &Value) -> String {
    match text(choice, "description") {
        Some(meaning) => format!("- {}: {meaning}", kind(choice)),
        None => format!("- {}", kind(choice)),
    }
}

/// A table of the keys of a mapping.
fn keys(mapping: &Value) -> Vec<String> {
    let required: Vec<&str> = mapping
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows = members(mapping, "properties").map(|(key, value)| {
        let absent = if required.contains(&key.as_str()) { "required" } else { "" };
        row(key, value, absent, None)
    });
    vec![table(rows)]
}

fn table(rows: impl Iterator<Item = String>) -> String {
    let head = ["| key | type | default | meaning |".to_owned(), "|---|---|---|---|".to_owned()];
    head.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn row(key: &str, value: &Value, absent: &str, meaning: Option<&Value>) -> String {
    let default = value.get("default").map_or_else(|| absent.to_owned(), code);
    let meaning = value.get("description").or(meaning).and_then(Value::as_str).unwrap_or_default();
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    format!("| `{key}` | {} | {} | {} |", cell(&kind(value)), cell(&default), cell(meaning))
}

/// A type in words.
fn kind(schema: &Value) -> String {
    if let Some(name) =
        schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next())
    {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return code(value);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(code).collect::<Vec<_>>().join(" or ");
    }
    if let Some(choices) = choices(schema) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        let names = schema.get("propertyNames").map_or_else(|| "text".into(), kind);
        return format!("mapping of {names} to {}", kind(values));
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "anything".into(), kind))
        }
        Some(Value::String(name)) => word(name).into(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".into(),
    }
}

fn word(name: &str) -> &'static str {
    match name {
        "string" => "text",
        "integer" => "whole number",
        "boolean" => "`true` or `false`",
        _ => "mapping",
    }
}

fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

fn members<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text(schema: &Value, key: &str) -> Option<String> {
    schema.get(key).and_then(Value::as_str).map(String::from)
}

/// A value as the document writes it.
fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`").replace(',', ", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_schema_has_a_row_and_every_link_a_heading() {
        let (schema, reference) = (schema(), reference());
        let definitions: Vec<_> = members(&schema, "$defs").collect();
        for (name, definition) in &definitions {
            assert!(reference.contains(&format!("\n### {name}\n")), "{name}");
            for (key, _) in members(definition, "properties") {
                assert!(reference.contains(&format!("\n| `{key}` | ")), "{name}.{key}");
            }
        }
        for link in reference.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(definitions.iter().any(|(name, _)| name.to_lowercase() == link), "{link}");
        }
        assert!(reference.contains("| `leeway` | [Duration](#duration) | `30s` |"), "{reference}");
    }
}
