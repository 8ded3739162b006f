//! What the schema declares of entities and contexts.
//!
//! Whoever asks a question may say more than that (`AuthZEN` 1.0, sections 5.1 to 5.4), and Cedar takes no record with a
//! member that is not declared. No validated policy can read such a member, so leaving it out changes no decision; a
//! declared one of the wrong type stays an error.

use std::collections::HashMap;

use cedar_policy::SchemaFragment;
use serde_json::{Map, Value};

/// The shapes of one schema, in its JSON form.
#[derive(Debug, Default)]
pub(crate) struct DeclaredShapes {
    /// By the name of the entity type.
    entities: HashMap<String, Shape>,
    /// By the name of the action.
    contexts: HashMap<String, Shape>,
    /// What shapes call by name.
    common: HashMap<String, Shape>,
}

/// A record, or the name of one, as it stands in a namespace.
#[derive(Debug)]
struct Shape {
    namespace: String,
    written: Value,
}

impl DeclaredShapes {
    /// Of all fragments together.
    pub(crate) fn of(fragments: &[SchemaFragment]) -> Self {
        let mut declared = Self::default();
        for fragment in fragments {
            let Ok(Value::Object(namespaces)) = fragment.clone().to_json_value() else { continue };
            for (namespace, contents) in namespaces {
                declared.add(&namespace, &contents);
            }
        }
        declared
    }

    /// Leaves out the attributes that entities of this type do not have.
    pub(crate) fn keep_attributes(&self, entity_type: &str, attributes: &mut Map<String, Value>) {
        if let Some(shape) = self.entities.get(entity_type) {
            self.keep(&shape.namespace, &shape.written, attributes);
        }
    }

    /// Leaves out what the context of this action does not have.
    pub(crate) fn keep_context(&self, action: &str, context: &mut Map<String, Value>) {
        if let Some(shape) = self.contexts.get(action) {
            self.keep(&shape.namespace, &shape.written, context);
        }
    }

    fn add(&mut self, namespace: &str, contents: &Value) {
        let named = |kind: &str| contents.get(kind).and_then(Value::as_object).into_iter().flatten();
        let shape = |written: Option<&Value>| Shape {
            namespace: namespace.to_owned(),
            written: written.cloned().unwrap_or(Value::Null),
        };
        for (name, written) in named("commonTypes") {
            self.common.insert(qualified(namespace, name), shape(Some(written)));
        }
        for (name, entity) in named("entityTypes") {
            self.entities.insert(qualified(namespace, name), shape(entity.get("shape")));
        }
        // Questions name actions outside of any namespace alone.
        for (name, action) in named("actions").filter(|_| namespace.is_empty()) {
            let context = action.get("appliesTo").and_then(|applies| applies.get("context"));
            self.contexts.insert(name.clone(), shape(context));
        }
    }

    /// As deep as the members are: names of records are followed only where there is one.
    fn keep(&self, namespace: &str, written: &Value, members: &mut Map<String, Value>) {
        if let Some(shape) = self.named(namespace, written) {
            return self.keep(&shape.namespace, &shape.written, members);
        }
        let attributes = written.get("attributes").and_then(Value::as_object);
        members.retain(|name, _| attributes.is_some_and(|attributes| attributes.contains_key(name)));
        for (name, value) in members {
            let declared = attributes.and_then(|attributes| attributes.get(name));
            if let (Some(declared), Value::Object(inner)) = (declared, value)
                && (is_record(declared) || self.named(namespace, declared).is_some())
            {
                self.keep(namespace, declared, inner);
            }
        }
    }

    /// The common type that is meant, if one is.
    fn named(&self, namespace: &str, written: &Value) -> Option<&Shape> {
        if is_record(written) {
            return None;
        }
        let name = written.get("name").or_else(|| written.get("type"))?.as_str()?;
        self.common.get(&qualified(namespace, name)).or_else(|| self.common.get(name))
    }
}

fn is_record(written: &Value) -> bool {
    written.get("type").and_then(Value::as_str) == Some("Record")
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}::{name}") }
}
