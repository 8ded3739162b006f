//! `limits:`, and `cost` of a route.

use std::{num::NonZeroU32, time::SystemTime};

use bartizan_model::{Algorithm, Name};
use ipnet::IpNet;
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
    Dimension, Enforcement, OperationPattern, PathPattern,
    forms::{Forms, OneOrMany, Parsed, expected},
    located::{At, Optional},
    word::{Priority, Rate},
};

/// A policy, written out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitPolicy {
    /// Its rules. All that apply to a request are decided together: when one refuses, nothing is counted.
    pub(crate) rules: At<Vec<At<LimitRule>>>,
    /// Requests for these paths are not counted. Default: `/health` and `/metrics`, unless a rule names them under `on`;
    /// an empty list counts them.
    #[serde(default)]
    #[schemars(extend("default" = ["/health", "/metrics"]))]
    pub(crate) skip: Optional<Vec<At<Parsed<PathPattern>>>>,
    /// Requests from these networks are not counted, for good or until a day.
    #[serde(default)]
    #[schemars(extend("examples" = [["10.0.0.0/8", { "network": "203.0.113.0/24", "expires": "2027-01-31" }]]))]
    pub(crate) allow: Optional<Vec<At<Parsed<Allowed>>>>,
}

/// One rule: either a `rate` or a number of `concurrent` requests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitRule {
    /// Names it in refusals and statistics. Default: made of `per` and the window, for example `address-60s`.
    #[serde(default)]
    pub(crate) name: Optional<Parsed<Name>>,
    /// Who has this much to themselves: one dimension, or a list for their combination.
    #[schemars(extend("examples" = ["address", ["organization", "endpoint"]]))]
    pub(crate) per: At<Parsed<OneOrMany<Dimension>>>,
    /// How much in what time; `10/min burst 5` also says how much at once.
    #[serde(default)]
    pub(crate) rate: Optional<Parsed<Rate>>,
    /// How much of the rate at once, with the algorithm `token-bucket` only. Default: all of it.
    #[serde(default)]
    pub(crate) burst: Optional<Parsed<NonZeroU32>>,
    /// How a rate is counted.
    #[serde(default)]
    #[schemars(extend("default" = "token-bucket"))]
    pub(crate) algorithm: Optional<LimitAlgorithm>,
    /// How many requests in flight at once, counted by each gateway for itself.
    #[serde(default)]
    pub(crate) concurrent: Optional<Parsed<NonZeroU32>>,
    /// Whether it refuses, or only reports what it would have refused.
    #[serde(default)]
    #[schemars(extend("default" = "enforce"))]
    pub(crate) mode: Optional<Enforcement>,
    /// The operations it counts. Default: all.
    #[serde(default)]
    #[schemars(extend("examples" = ["POST /auth/login"]))]
    pub(crate) on: Optional<Parsed<OneOrMany<OperationPattern>>>,
    /// Of the rules of one policy with the same `per` that match a request, only those with the highest priority
    /// apply; equal ones apply together.
    #[serde(default)]
    #[schemars(extend("default" = 0))]
    pub(crate) priority: Optional<Parsed<Priority>>,
    /// Whether it counts at all.
    #[serde(default)]
    #[schemars(extend("default" = true))]
    pub(crate) enabled: Optional<Parsed<bool>>,
}

/// Every request: those of routes, with a `limit` of their own or without, CORS preflights, and those that no route takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EveryRequest {
    /// How much anybody may ask in all, beside what the route says: the names of one or more policies under `limits`, or of
    /// built-in ones. Where nobody is known, rules that count by who asks are left out. Without it there is no such limit.
    #[serde(default)]
    #[schemars(extend("examples" = ["generic"]))]
    pub(crate) limit: Optional<Parsed<OneOrMany<Name>>>,
}

/// Requests that no route takes: their host, path, method or upgrade is not served.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unmatched {
    /// How often somebody may ask for what is not there: the names of one or more policies under `limits`, or of built-in
    /// ones. Rules that count by who asks, `route` or `endpoint` are left out. Without it there is no limit.
    #[serde(default)]
    #[schemars(extend("examples" = ["default"]))]
    pub(crate) limit: Optional<Parsed<OneOrMany<Name>>>,
}

/// How the use of a rate is counted.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LimitAlgorithm {
    /// A bucket that holds `burst` and refills evenly at the rate (the generic cell rate algorithm).
    TokenBucket,
    /// Never more than the rate in one window after the other, and less than twice the rate in any that lies across
    /// two: there it is estimated, to a unit for use that is even.
    SlidingWindow,
    /// Never more than the rate in a window that begins with the first request; up to twice the rate around its end.
    FixedWindow,
}

impl From<LimitAlgorithm> for Algorithm {
    fn from(algorithm: LimitAlgorithm) -> Self {
        match algorithm {
            LimitAlgorithm::TokenBucket => Self::TokenBucket,
            LimitAlgorithm::SlidingWindow => Self::SlidingWindow,
            LimitAlgorithm::FixedWindow => Self::FixedWindow,
        }
    }
}

/// What the requests of a route cost.
pub(crate) enum Cost {
    /// The same for all.
    Every(NonZeroU32),
    /// What the built-in table with this name says.
    BuiltIn(&'static str),
    /// By operation.
    ByOperation(Entries<Parsed<NonZeroU32>, OperationPattern>),
}

/// The built-in tables of costs.
pub(crate) const COST_TABLES: [&str; 1] = ["voice"];

/// Who is not counted: a network, or with the day on which that ends.
#[derive(Clone)]
pub(crate) enum Allowed {
    Network(IpNet),
    Table(AllowedTable),
}

/// A network whose requests are not counted, written out.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AllowedNetwork")]
pub(crate) struct AllowedTable {
    /// The network, or a single address.
    pub(crate) network: At<Parsed<IpNet>>,
    /// The day (UTC) from which on it is counted again. `bartizan check` warns from two weeks before.
    #[serde(default)]
    pub(crate) expires: Optional<Parsed<SystemTime>>,
}

impl Forms for Allowed {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "a network such as `10.0.0.0/8`, or a mapping with `network` and `expires`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Parsed<IpNet>>(),
            generator.subschema_for::<AllowedTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        IpNet::word(word).map(Self::Network)
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        AllowedTable::deserialize(MapAccessDeserializer::new(mapping)).map(|table| Ok(Self::Table(table)))
    }
}

impl Forms for LimitPolicy {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a list of rules, or a mapping with `rules`, `skip` and `allow`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Vec<LimitRule>>(),
            generator.subschema_for::<Self>(),
        ] })
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Result<Self, String>, A::Error> {
        let rules = At::unplaced(Vec::deserialize(SeqAccessDeserializer::new(list))?);
        Ok(Ok(Self { rules, skip: Optional::default(), allow: Optional::default() }))
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(mapping)).map(Ok)
    }
}

impl Forms for Cost {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "a whole number from 1, `voice`, or a mapping of operations to such numbers";
    const WORD_ONLY: bool = false;

    fn decimal() -> String {
        expected::<Self>()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Parsed<NonZeroU32>>(),
            { "enum": COST_TABLES },
            generator.subschema_for::<Entries<Parsed<NonZeroU32>, OperationPattern>>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match COST_TABLES.iter().find(|name| **name == word) {
            Some(name) => Ok(Self::BuiltIn(name)),
            None => NonZeroU32::word(word).map(Self::Every),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Entries::deserialize(MapAccessDeserializer::new(mapping))
            .map(|entries| Ok(Self::ByOperation(entries)))
    }
}
