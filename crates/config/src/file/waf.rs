//! `waf:`, of the document and of routes.

use std::{path::PathBuf, time::SystemTime};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use super::route::choice;
use crate::{
    OnLargeBody, PathPattern, RuleIds, WafAction,
    forms::{Forms, OneOrMany, Parsed},
    located::{At, Optional},
    word::{ByteSize, MediaType, RuleTag, RuleVariable},
};

/// The web application firewall, written out. What a route leaves out is taken from the document's `waf`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Waf {
    /// Which rules: `starter` for those that every gateway carries, `crs` for the OWASP Core Rule Set.
    #[schemars(extend("default" = "starter"))]
    pub(crate) rules: Optional<RulesName>,
    /// The folder of the Core Rule Set: it holds `rules/`, and `crs-setup.conf` or its example. Without it the newest
    /// that `bartizan rules install` has put into the state directory is taken, then Debian's `modsecurity-crs`.
    #[schemars(extend("examples" = ["/opt/crs-4.28.0"]))]
    pub(crate) path: Optional<Parsed<PathBuf>>,
    /// Own rule files, where `*`, `?` and `[..]` may stand in the file's name. They are read after the rules; those
    /// whose names end in `-config.conf` or `-before.conf`, before them.
    #[schemars(extend("examples" = ["./waf/*.conf"]))]
    pub(crate) include: Optional<Parsed<OneOrMany<PathBuf>>>,
    /// What happens when the rules object.
    #[schemars(extend("default" = "block"))]
    pub(crate) mode: Optional<WafModeName>,
    /// How easily the rules object: a word for `paranoia` and `threshold`, which count where they are written.
    #[schemars(extend("default" = "medium"))]
    pub(crate) sensitivity: Optional<SensitivityName>,
    /// The paranoia level, 1 to 4: how many rules look. Higher levels find more, also where there is nothing.
    #[schemars(extend("default" = 1, "minimum" = 1, "maximum" = 4))]
    pub(crate) paranoia: Optional<Parsed<u32>>,
    /// The paranoia level up to which rules look without what they find leading to a refusal. Default: that of `paranoia`.
    #[schemars(extend("minimum" = 1, "maximum" = 4))]
    pub(crate) detection_paranoia: Optional<Parsed<u32>>,
    /// The anomaly score from which a request is refused, or one for requests and one for responses.
    #[schemars(extend("default" = 5))]
    pub(crate) threshold: Optional<Parsed<Threshold>>,
    /// The most of a request body that is looked at, up to 16MiB. It is held until then. Default: what the route lets
    /// through (`body.max`), up to 16MiB.
    pub(crate) max_body: Optional<Parsed<ByteSize>>,
    /// What happens to a longer one: it is refused (413), or its front is looked at.
    #[schemars(extend("default" = "refuse"))]
    pub(crate) on_large_body: Optional<OnLargeBody>,
    /// Whether responses are looked at, too: `on`, `off`, or everything written out. Bodies of the selected media types
    /// are held back until they have been looked at; all others are streamed as ever.
    #[schemars(extend("default" = "off"))]
    pub(crate) responses: Optional<Parsed<Responses>>,
    /// What follows from what a class of rules finds, where that is not the same for all. Those of a route come behind
    /// those of the document; the last one that names a tag of a rule counts.
    pub(crate) actions: Optional<Vec<At<ClassAction>>>,
    /// What rules are not to look at: the number of a rule or a range of them, a tag, or everything written out. Those of
    /// the document apply to every route, those of a route to it alone.
    pub(crate) exclude: Optional<Vec<At<Parsed<Exclusion>>>>,
}

/// Which rules.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RulesName {
    /// Those that every gateway carries.
    #[default]
    Starter,
    /// The OWASP Core Rule Set.
    Crs,
}

/// What the firewall does with a request that its rules object to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WafMode")]
pub(crate) enum WafModeName {
    /// Refuses it.
    #[default]
    Block,
    /// Only reports that it would have refused it.
    Log,
    /// Does not look at all.
    Off,
}

/// How easily the rules object.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Sensitivity")]
pub(crate) enum SensitivityName {
    /// To two findings of the severity critical: paranoia level 1, threshold 10.
    Low,
    /// To one: paranoia level 1, threshold 5.
    #[default]
    Medium,
    /// To one of the severity warning, too, and more rules look: paranoia level 2, threshold 3.
    High,
}

/// Anomaly scores from which is refused.
pub(crate) enum Threshold {
    Inbound(u32),
    Table(ThresholdTable),
}

/// Anomaly scores from which is refused, written out.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Threshold")]
pub(crate) struct ThresholdTable {
    /// Of requests.
    #[schemars(extend("default" = 5))]
    pub(crate) inbound: Optional<Parsed<u32>>,
    /// Of responses.
    #[schemars(extend("default" = 4))]
    pub(crate) outbound: Optional<Parsed<u32>>,
}

/// Which responses are looked at.
pub(crate) enum Responses {
    Off,
    On,
    Table(ResponsesTable),
}

/// Which responses are looked at, written out.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "InspectedResponses")]
pub(crate) struct ResponsesTable {
    /// The most of a body that is looked at and held back, up to 16MiB. The rest is streamed unseen.
    #[schemars(extend("default" = "512KiB"))]
    pub(crate) max_body: Optional<Parsed<ByteSize>>,
    /// The media types whose bodies are looked at.
    #[schemars(extend("default" = ["text/html", "text/plain", "text/xml", "application/json", "application/xml"]))]
    pub(crate) types: Optional<Vec<At<Parsed<MediaType>>>>,
}

/// What follows from what a class of rules finds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassAction {
    /// The class: a tag that its rules carry.
    pub(crate) tag: At<Parsed<RuleTag>>,
    /// `block`: it counts and can refuse. `deny`: it refuses at once, whatever the anomaly score. `drop`: the same, and the
    /// connection is closed. `challenge`: it refuses, and asks a person for a second factor; whoever has shown one within 15
    /// minutes passes. `limit`: it is reported, and the request counts for ten more in the limits of its route, which may
    /// refuse it. `log`: it is only reported. In the mode `log` nothing refuses in any case.
    pub(crate) action: At<WafAction>,
}

/// Something that rules are not to look at. `rule` or `tag` says which rules.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["rule"] }, { "required": ["tag"] }]))]
pub(crate) struct Exclusion {
    /// The number of a rule, or a range of numbers.
    #[serde(default)]
    pub(crate) rule: Optional<Parsed<RuleIds>>,
    /// A tag: all rules that carry it.
    #[serde(default)]
    pub(crate) tag: Optional<Parsed<RuleTag>>,
    /// The variable that these rules leave out. Without it they are left out themselves.
    #[serde(default)]
    pub(crate) target: Optional<Parsed<RuleVariable>>,
    /// Only for requests to this path.
    #[serde(default)]
    pub(crate) path: Optional<Parsed<PathPattern>>,
    /// Why, for those who read it later.
    #[serde(default)]
    pub(crate) reason: Optional<Parsed<String>>,
    /// The day (UTC) on which it ends. `bartizan check` warns from two weeks before.
    #[serde(default)]
    pub(crate) expires: Optional<Parsed<SystemTime>>,
}

impl Forms for Waf {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "`starter`, `crs`, `off`, or a mapping with `rules`, `mode`, `paranoia`, `exclude` and others";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["starter", "crs", "off"] },
            generator.subschema_for::<Self>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word == "off" {
            return Ok(Self { mode: Optional::unplaced(WafModeName::Off), ..Self::default() });
        }
        let rules = choice(word, &["starter", "crs", "off"])?;
        Ok(Self { rules: Optional::unplaced(rules), ..Self::default() })
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(mapping)).map(Ok)
    }
}

impl Forms for Threshold {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a whole number, or a mapping with `inbound` and `outbound`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Parsed<u32>>(),
            generator.subschema_for::<ThresholdTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        u32::word(word).map(Self::Inbound)
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        ThresholdTable::deserialize(MapAccessDeserializer::new(mapping)).map(|table| Ok(Self::Table(table)))
    }
}

impl Forms for Exclusion {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "the number of a rule, a range such as `942000-942999`, a tag, or a mapping with `rule` or `tag`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<Parsed<RuleIds>>(),
            generator.subschema_for::<Parsed<RuleTag>>(),
            generator.subschema_for::<Self>(),
        ] })
    }

    /// What begins with a digit is meant as a number.
    fn word(word: &str) -> Result<Self, String> {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            let rule = Optional::unplaced(Parsed(Ok(RuleIds::word(word)?)));
            return Ok(Self { rule, ..Self::default() });
        }
        Ok(Self { tag: Optional::unplaced(Parsed(Ok(RuleTag::word(word)?))), ..Self::default() })
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(mapping)).map(Ok)
    }
}

impl Forms for Responses {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`on`, `off`, or a mapping with `max_body` and `types`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["on", "off"] },
            generator.subschema_for::<ResponsesTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(format!("`{word}` is not known here: expected {}", Self::EXPECTED)),
        }
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        ResponsesTable::deserialize(MapAccessDeserializer::new(mapping)).map(|table| Ok(Self::Table(table)))
    }
}
