//! `require:` of a route: a list, `{any: [..]}`, `{all: [..]}`, or one of these per method.

use bartizan_model::Permission;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{
        MapAccess, SeqAccess,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use super::Entries;
use crate::{
    forms::{Forms, Parsed},
    located::{At, Optional},
};

/// A permission and its place.
type Permissions = Vec<At<Parsed<Permission>>>;

/// `GET: [..]`.
pub(crate) type MethodEntry = (At<Parsed<MethodKey>>, At<Parsed<RequirementSet>>);

/// What a caller must be permitted.
pub(crate) enum Require {
    /// The same for every method.
    Every(RequirementSet),
    /// By method.
    ByMethod(Vec<MethodEntry>),
}

/// Permissions of which all or any must be held.
#[derive(Clone)]
pub(crate) enum RequirementSet {
    All(Permissions),
    Any(Permissions),
}

/// A key of a mapping by method.
#[derive(Clone)]
pub(crate) enum MethodKey {
    /// This method.
    Method(Method),
    /// `"*"`: every method that is not listed.
    Otherwise,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AllOrAny", extend("minProperties" = 1, "maxProperties" = 1))]
struct Quantified {
    /// Every one of these.
    all: Optional<Permissions>,
    /// At least one of these.
    any: Optional<Permissions>,
}

impl Quantified {
    fn set(self) -> Result<RequirementSet, String> {
        match (self.all.value(), self.any.value()) {
            (Some(all), None) => Ok(RequirementSet::All(all)),
            (None, Some(any)) => Ok(RequirementSet::Any(any)),
            _ => Err("expected exactly one of `all` and `any`".into()),
        }
    }
}

impl Forms for Require {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "a list of permissions, `{ any: [..] }`, `{ all: [..] }`, or one of these per method";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Parsed<RequirementSet>>(),
            generator.subschema_for::<Entries<Parsed<RequirementSet>, MethodKey>>(),
        ] })
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Result<Self, String>, A::Error> {
        RequirementSet::list(list).map(|set| set.map(Self::Every))
    }

    fn mapping<'de, A: MapAccess<'de>>(mut mapping: A) -> Result<Result<Self, String>, A::Error> {
        let (mut sets, mut methods) = (Vec::new(), Vec::new());
        while let Some(key) = mapping.next_key::<At<String>>()? {
            match key.as_str() {
                "all" => sets.push(RequirementSet::All(mapping.next_value()?)),
                "any" => sets.push(RequirementSet::Any(mapping.next_value()?)),
                method => methods.push((key.with(Parsed(MethodKey::word(method))), mapping.next_value()?)),
            }
        }
        Ok(match (sets.pop(), sets.is_empty(), methods.is_empty()) {
            (Some(set), true, true) => Ok(Self::Every(set)),
            (None, _, false) => Ok(Self::ByMethod(methods)),
            _ => Err(format!("expected {}", Self::EXPECTED)),
        })
    }
}

impl Forms for RequirementSet {
    const NAME: &'static str = "Requirement";
    const EXPECTED: &'static str = "a list of permissions, `{ any: [..] }` or `{ all: [..] }`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Permissions>(),
            generator.subschema_for::<Quantified>(),
        ] })
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Result<Self, String>, A::Error> {
        Permissions::deserialize(SeqAccessDeserializer::new(list)).map(|all| Ok(Self::All(all)))
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Quantified::deserialize(MapAccessDeserializer::new(mapping)).map(Quantified::set)
    }
}

impl Forms for MethodKey {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a method such as `GET`, or `\"*\"`";

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "*" }, generator.subschema_for::<Parsed<Method>>()] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "*" => Ok(Self::Otherwise),
            method => Method::word(method).map(Self::Method),
        }
    }
}
