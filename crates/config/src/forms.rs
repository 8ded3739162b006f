//! Values as they are written: a word that parses itself, or one of several forms (a word, a list, a mapping).
//!
//! `#[serde(untagged)]` would read several forms too, but it loses where things stand and says only that "no
//! variant matched". Here the form decides, and what is inside is read in place. A word that does not parse is
//! kept as its error ([`Parsed`]), so that one reading of the document reports every such word.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor, value::SeqAccessDeserializer},
};

use crate::{interpolation, located::At};

/// A value in one of its forms. A form that is not overridden is refused.
pub(crate) trait Forms: Sized {
    /// Its name in the schema; empty for one that is written out wherever it is used.
    const NAME: &'static str;
    /// What may stand here, for messages.
    const EXPECTED: &'static str;
    /// Whether a word is its only form; then `1.10` and `0x10` stay as they are written.
    const WORD_ONLY: bool = true;

    /// What is wrong with a decimal number that is not in quotes.
    fn decimal() -> String {
        "this reads as a decimal number: put it in quotes".into()
    }

    /// Its JSON Schema.
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// `key: word`.
    fn word(_word: &str) -> Result<Self, String> {
        Err(expected::<Self>())
    }

    /// `key: [..]`.
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, String>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(expected::<Self>()))
    }

    /// `key: {..}`.
    fn mapping<'de, A: MapAccess<'de>>(mut mapping: A) -> Result<Result<Self, String>, A::Error> {
        while mapping.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Err(expected::<Self>()))
    }
}

pub(crate) fn expected<T: Forms>() -> String {
    format!("expected {}", T::EXPECTED)
}

/// What was read, or what is wrong with it.
#[derive(Clone)]
pub(crate) struct Parsed<T>(pub(crate) Result<T, String>);

impl<'de, T: Forms> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if T::WORD_ONLY {
            deserializer.deserialize_str(FormsVisitor(PhantomData))
        } else {
            deserializer.deserialize_any(FormsVisitor(PhantomData))
        }
    }
}

impl<T: Forms> JsonSchema for Parsed<T> {
    fn inline_schema() -> bool {
        T::NAME.is_empty()
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn schema_id() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

struct FormsVisitor<T>(PhantomData<T>);

impl<'de, T: Forms> Visitor<'de> for FormsVisitor<T> {
    type Value = Parsed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(Parsed(interpolation::expand(word).and_then(|word| T::word(&word))))
    }

    fn visit_bool<E: de::Error>(self, word: bool) -> Result<Self::Value, E> {
        self.visit_str(if word { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, word: i64) -> Result<Self::Value, E> {
        self.visit_str(&word.to_string())
    }

    fn visit_u64<E: de::Error>(self, word: u64) -> Result<Self::Value, E> {
        self.visit_str(&word.to_string())
    }

    fn visit_f64<E: de::Error>(self, _word: f64) -> Result<Self::Value, E> {
        Ok(Parsed(Err(T::decimal())))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Parsed(Err(expected::<T>())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::list(list).map(Parsed)
    }

    fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<Self::Value, A::Error> {
        T::mapping(mapping).map(Parsed)
    }
}

/// One word, or a list of them.
#[derive(Clone)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<At<Parsed<T>>>),
}

impl<T: Forms + Clone> At<OneOrMany<T>> {
    /// All of them, each with its place.
    pub(crate) fn all(&self) -> Vec<At<Parsed<T>>> {
        match &self.value {
            OneOrMany::One(value) => vec![self.with(Parsed(Ok(value.clone())))],
            OneOrMany::Many(values) => values.clone(),
        }
    }
}

impl<T: Forms> Forms for OneOrMany<T> {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "one value or a list of values";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Parsed<T>>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }

    fn word(word: &str) -> Result<Self, String> {
        T::word(word).map(Self::One)
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Result<Self, String>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(|values| Ok(Self::Many(values)))
    }
}
