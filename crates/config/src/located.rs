//! Values that remember where they stand in the document.

use std::{fmt, marker::PhantomData, ops::Deref};

use bartizan_model::Line;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_saphyr::Location;

/// A place in the document, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    pub(crate) const fn line(self) -> Line {
        Line::new(self.line)
    }
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

/// Stands for "this key has no value" where an error can only name a missing field.
pub(crate) const NO_VALUE: &str = "";

/// A value and its place.
#[derive(Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) position: Position,
}

impl<T> At<T> {
    /// A value that a shorter form implies; its place is never reported.
    pub(crate) const fn unplaced(value: T) -> Self {
        Self { value, position: Position::START }
    }

    pub(crate) fn with<U>(&self, value: U) -> At<U> {
        At { value, position: self.position }
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(PLACED, Placed(PhantomData))
    }
}

/// The name under which the parser tells where a value stands, as `serde_saphyr::Spanned` asks for it: a mapping of a
/// marker, the value, the place where it is referenced and the one where it is defined. `Spanned` itself also takes values
/// that come from anywhere else, which is compiled for each of the hundreds of types of a document: four times the code of
/// this room.
const PLACED: &str = "__yaml_spanned";

struct Placed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Placed<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and its place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_struct(PLACED, &[], self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let _marker: Option<(IgnoredAny, IgnoredAny)> = map.next_entry()?;
        let value: Option<(IgnoredAny, T)> = map.next_entry()?;
        let referenced: Option<(IgnoredAny, Location)> = map.next_entry()?;
        let (Some((_, value)), Some((_, referenced))) = (value, referenced) else {
            return Err(A::Error::custom("the parser does not tell where a value stands"));
        };
        Ok(At { value, position: referenced.into() })
    }
}

/// A key that may be left out. A key without a value is an error: `require:` with everything below it
/// commented out must not mean that nothing is required.
#[derive(Clone)]
pub(crate) struct Optional<T>(Option<At<T>>);

impl<T> Optional<T> {
    /// A value that a shorter form implies; its place is never reported.
    pub(crate) const fn unplaced(value: T) -> Self {
        Self(Some(At::unplaced(value)))
    }

    /// The value, if there is one.
    pub(crate) fn value(self) -> Option<T> {
        self.0.map(|at| at.value)
    }

    /// A copy of the value, if there is one.
    pub(crate) fn get(&self) -> Option<T>
    where
        T: Copy,
    {
        self.0.as_ref().map(|at| at.value)
    }
}

impl<T> Deref for Optional<T> {
    type Target = Option<At<T>>;

    fn deref(&self) -> &Option<At<T>> {
        &self.0
    }
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Optional<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let At { value, position } = At::<Option<T>>::deserialize(deserializer)?;
        match value {
            Some(value) => Ok(Self(Some(At { value, position }))),
            None => Err(D::Error::missing_field(NO_VALUE)),
        }
    }
}

macro_rules! schema_of_the_value {
    ($wrapper:ident) => {
        impl<T: JsonSchema> JsonSchema for $wrapper<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                T::json_schema(generator)
            }
        }
    };
}

schema_of_the_value!(At);
schema_of_the_value!(Optional);
