//! `routes:`.

use std::time::Duration;

use bartizan_model::{Name, Zone};
use http::{HeaderName, HeaderValue, Method};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize,
    de::{
        MapAccess, SeqAccess,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

use super::{Cost, Entries, Require, RoutePolicy, Waf};
use crate::{
    HeaderProfile, MultiFactor, PathPattern, SignatureComponent,
    forms::{Forms, OneOrMany, Parsed},
    located::{At, Optional},
    suggestion,
    word::{ByteSize, HostPattern, Origin},
};

/// One route.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["path", "to", "auth"]))]
pub(crate) struct Route {
    /// What it matches.
    pub(crate) path: At<Parsed<PathPattern>>,
    /// The host names it answers for. Without it: any.
    #[serde(default)]
    pub(crate) hosts: Optional<Parsed<OneOrMany<HostPattern>>>,
    /// The same as `hosts`, for one.
    #[serde(default)]
    pub(crate) host: Optional<Parsed<HostPattern>>,
    /// Methods it admits; others are answered 405. Without it: all.
    #[serde(default)]
    pub(crate) methods: Optional<Vec<At<Parsed<Method>>>>,
    /// Where requests go: a URL, a list of URLs, or a name under `upstreams`.
    #[schemars(extend("examples" = ["http://orders:8080", "orders"]))]
    pub(crate) to: At<Parsed<OneOrMany<String>>>,
    /// Who may ask: the names of one or more identity providers, any of which is enough, or `none` for a public
    /// route.
    #[serde(default)]
    pub(crate) auth: Optional<Parsed<OneOrMany<Name>>>,
    /// What the signature of a request must cover besides the `components` of its provider, where a provider of
    /// `auth` reads signatures.
    #[serde(default)]
    #[schemars(extend("examples" = [["@query", "content-type"]]))]
    pub(crate) signed: Optional<Vec<At<Parsed<SignatureComponent>>>>,
    /// What the caller must be permitted: a list (every one of them), `{ any: [..] }`, `{ all: [..] }`, or one
    /// of these per method, where `"*"` stands for the methods not listed. Without it being authenticated is
    /// enough.
    #[serde(default)]
    pub(crate) require: Optional<Parsed<Require>>,
    /// Whether the caller must have used more than one factor: a session's person, or whoever a token speaks of (`amr`, RFC
    /// 8176, or `acr`). `within 15m`: and not longer ago than that (`auth_time`).
    #[serde(default)]
    #[schemars(extend("default" = "off", "examples" = ["within 15m"]))]
    pub(crate) mfa: Optional<Parsed<MultiFactor>>,
    /// What is asked of the policies, once the permissions have been found; `off` asks nothing.
    #[serde(default)]
    pub(crate) policy: Optional<Parsed<RoutePolicy>>,
    /// The zone in which the service is: only callers from the zones that `zones` admits to it get there.
    #[serde(default)]
    pub(crate) zone: Optional<Parsed<Zone>>,
    /// How much may be asked: the names of one or more policies under `limits`, or of built-in ones. All of them
    /// apply together. Without it there is no limit.
    #[serde(default)]
    #[schemars(extend("examples" = ["voice", ["api", "upload"]]))]
    pub(crate) limit: Optional<Parsed<OneOrMany<Name>>>,
    /// What a request takes from the rates of its limits: one number for all, or a number for each operation. The
    /// most specific operation that matches counts; others cost 1.
    #[serde(default)]
    #[schemars(extend("default" = 1))]
    pub(crate) cost: Optional<Parsed<Cost>>,
    /// Cross-origin resource sharing: `same-origin` for none, `"*"` for any origin without credentials, a list
    /// of origins, or everything written out.
    #[serde(default)]
    #[schemars(extend("default" = "same-origin"))]
    pub(crate) cors: Optional<Parsed<Cors>>,
    /// Response headers: a profile, or everything written out.
    #[serde(default)]
    #[schemars(extend("default" = "auto"))]
    pub(crate) headers: Optional<Parsed<Headers>>,
    /// What happens to request bodies before they are forwarded: a policy, or everything written out.
    #[serde(default)]
    #[schemars(extend("default" = "hold"))]
    pub(crate) body: Optional<Parsed<Body>>,
    /// The web application firewall: the rules' name, `off`, or everything written out. What is left out is taken from
    /// the document's `waf`; without either there is none.
    #[serde(default)]
    #[schemars(extend("default" = "off"))]
    pub(crate) waf: Optional<Parsed<Waf>>,
    /// Protocols a client may upgrade to; an empty list refuses all.
    #[serde(default)]
    #[schemars(extend("default" = ["websocket"]))]
    pub(crate) upgrade: Optional<Vec<At<Parsed<String>>>>,
    /// Removed from the front of the path before forwarding, by segment.
    #[serde(default)]
    #[schemars(extend("examples" = ["/api"]))]
    pub(crate) strip_prefix: Optional<Parsed<PathPattern>>,
    /// Forward the client's `Host` instead of the target's.
    #[serde(default)]
    #[schemars(extend("default" = true))]
    pub(crate) preserve_host: Optional<Parsed<bool>>,
    /// Timeouts.
    #[serde(default)]
    pub(crate) timeouts: Optional<RouteTimeouts>,
}

/// Timeouts of a route.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RouteTimeouts {
    /// From the forwarded request to the response head. Upgraded connections are exempt.
    #[schemars(extend("default" = "60s"))]
    pub(crate) response: Optional<Parsed<Duration>>,
    /// The longest silence in a response body or an upgraded connection.
    #[schemars(extend("default" = "5min"))]
    pub(crate) idle: Optional<Parsed<Duration>>,
}

/// Cross-origin resource sharing.
pub(crate) enum Cors {
    SameOrigin,
    Any,
    Origins(OneOrMany<Origin>),
    Table(Box<CorsTable>),
}

/// Cross-origin resource sharing (Fetch standard), written out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cors")]
pub(crate) struct CorsTable {
    /// `"*"` for any origin, or a list of origins.
    pub(crate) origins: At<Parsed<OneOrMany<String>>>,
    /// Which methods. Default: the route's, or GET, HEAD, POST, PUT, PATCH, DELETE.
    #[serde(default)]
    pub(crate) methods: Optional<Vec<At<Parsed<Method>>>>,
    /// Which request headers. Default: `authorization`, `content-type`, `x-request-id` and the headers that
    /// carry the credentials of the route, with sessions `x-csrf-token`.
    #[serde(default)]
    pub(crate) headers: Optional<Vec<At<Parsed<HeaderName>>>>,
    /// Which response headers scripts may read. Default: `x-request-id`, and on a route with `limit` what is told of
    /// limits.
    #[serde(default)]
    pub(crate) expose: Optional<Vec<At<Parsed<HeaderName>>>>,
    /// Whether browsers may send cookies: pages of these origins then act with a person's session, if they know its token.
    /// Never together with `"*"`.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) credentials: Optional<Parsed<bool>>,
    /// How long a browser may remember the answer to a preflight.
    #[serde(default)]
    #[schemars(extend("default" = "10min"))]
    pub(crate) max_age: Optional<Parsed<Duration>>,
}

/// Response headers of a route, written out.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Headers {
    /// The set of security headers.
    #[schemars(extend("default" = "auto"))]
    pub(crate) profile: Optional<HeaderProfile>,
    /// Replaces the profile's `content-security-policy` on HTML. `{nonce}` stands for a nonce made for each
    /// response, which the upstream receives as `x-csp-nonce`.
    #[schemars(extend("examples" = ["default-src 'self'; script-src 'nonce-{nonce}'"]))]
    pub(crate) csp: Optional<Parsed<HeaderValue>>,
    /// Set on every response of the route, after the profile.
    pub(crate) set: Optional<Entries<Parsed<HeaderValue>, HeaderName>>,
}

/// What happens to request bodies, written out.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Body {
    /// What happens before a body is forwarded.
    #[schemars(extend("default" = "hold"))]
    pub(crate) policy: Optional<BodyPolicyName>,
    /// Bytes held at most, up to 16MiB.
    #[schemars(extend("default" = "64KiB"))]
    pub(crate) hold: Optional<Parsed<ByteSize>>,
    /// The largest body; a larger one is answered 413.
    #[schemars(extend("default" = "10MiB"))]
    pub(crate) max: Optional<Parsed<ByteSize>>,
}

/// What happens to a request body before it is forwarded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BodyPolicy")]
pub(crate) enum BodyPolicyName {
    /// Forward it as it comes.
    Stream,
    /// Hold up to `hold` bytes, then stream what is beyond.
    #[default]
    Hold,
    /// Hold up to `hold` bytes and refuse (413) a longer one.
    Refuse,
}

impl Forms for Cors {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`same-origin`, `\"*\"`, a list of origins, or a mapping with `origins`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "enum": ["same-origin", "*"] },
            generator.subschema_for::<Parsed<OneOrMany<Origin>>>(),
            generator.subschema_for::<CorsTable>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        match word {
            "same-origin" => Ok(Self::SameOrigin),
            "*" => Ok(Self::Any),
            origin if origin.contains(':') => {
                Origin::word(origin).map(|origin| Self::Origins(OneOrMany::One(origin)))
            }
            _ => Err(format!("`{word}` is not known here: expected {}", Self::EXPECTED)),
        }
    }

    fn list<'de, A: SeqAccess<'de>>(list: A) -> Result<Result<Self, String>, A::Error> {
        OneOrMany::list(list).map(|origins| origins.map(Self::Origins))
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        CorsTable::deserialize(MapAccessDeserializer::new(mapping))
            .map(|table| Ok(Self::Table(Box::new(table))))
    }
}

impl Forms for Headers {
    const NAME: &'static str = "";
    const EXPECTED: &'static str =
        "`auto`, `html`, `api`, `off`, or a mapping with `profile`, `csp` and `set`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<HeaderProfile>(),
            generator.subschema_for::<Self>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        let profile = choice(word, &["auto", "html", "api", "off"])?;
        Ok(Self { profile: Optional::unplaced(profile), ..Self::default() })
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(mapping)).map(Ok)
    }
}

impl Forms for Body {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "`stream`, `hold`, `refuse`, or a mapping with `policy`, `hold` and `max`";
    const WORD_ONLY: bool = false;

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            generator.subschema_for::<BodyPolicyName>(),
            generator.subschema_for::<Self>(),
        ] })
    }

    fn word(word: &str) -> Result<Self, String> {
        let policy = choice(word, &["stream", "hold", "refuse"])?;
        Ok(Self { policy: Optional::unplaced(policy), ..Self::default() })
    }

    fn mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Result<Self, String>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(mapping)).map(Ok)
    }
}

/// One of the unit variants of an enum.
pub(super) fn choice<'a, T: Deserialize<'a>>(word: &'a str, known: &[&str]) -> Result<T, String> {
    T::deserialize(StrDeserializer::<serde::de::value::Error>::new(word)).map_err(|_| {
        let hint = suggestion::hint(word, known.iter().copied()).unwrap_or_default();
        format!("`{word}` is not known here: {hint}")
    })
}
