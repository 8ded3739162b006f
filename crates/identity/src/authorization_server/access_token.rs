//! What is in the tokens: access tokens (RFC 9068) and ID tokens (`OpenID` Connect Core 1.0, section 2).

use std::time::{Duration, SystemTime};

use bartizan_config::Tokens;
use bartizan_model::{Grant, Zone};
use serde_json::{Map, Value, json};

use super::{
    TokenError, authentication::Authentication, epochs::Epochs, scope::Scope, signing_key::SigningKey,
};
use crate::session::moment::milliseconds;

/// The claim `sub_type` of a machine: the client that calls with the token may be another one (RFC 8693).
const MACHINE: &str = "service";
/// The claim of the zone that a machine calls from, where it is not that of its provider.
const ZONE: &str = "zone";

/// What a token is bound to: whoever uses it must prove to have it (RFC 7800).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Binding {
    /// The thumbprint of a key (RFC 9449, section 6.1).
    pub(crate) dpop_key: Option<String>,
    /// The base64url SHA-256 of a certificate (RFC 8705, section 3.1).
    pub(crate) certificate: Option<String>,
}

impl Binding {
    pub(crate) fn is_none(&self) -> bool {
        self.dpop_key.is_none() && self.certificate.is_none()
    }

    fn confirmation(&self) -> Value {
        let mut members = Map::new();
        if let Some(key) = &self.dpop_key {
            members.insert("jkt".into(), key.as_str().into());
        }
        if let Some(certificate) = &self.certificate {
            members.insert("x5t#S256".into(), certificate.as_str().into());
        }
        Value::Object(members)
    }
}

/// Who a token is about, as the store says at this moment.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) organization: String,
    pub(crate) roles: Vec<String>,
    /// What they may do, before any scope.
    pub(crate) permissions: Vec<Grant>,
    /// When less of it will be true, in seconds.
    pub(crate) until: Option<i64>,
    /// Whether it is a machine, with no person behind it.
    pub(crate) is_machine: bool,
    /// From which zone a machine calls; `None`: from its provider's.
    pub(crate) zone: Option<Zone>,
    /// In which it is issued.
    pub(crate) epochs: Epochs,
}

/// Everything else that an access token says.
#[derive(Debug, Clone)]
pub(crate) struct AccessToken<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) client: &'a str,
    pub(crate) scope: &'a Scope,
    pub(crate) resources: &'a [String],
    pub(crate) session: Option<&'a str>,
    pub(crate) family: Option<&'a str>,
    /// How and when the subject was proven; nothing for machines.
    pub(crate) authentication: Map<String, Value>,
    pub(crate) binding: &'a Binding,
    /// Who acts for the subject (RFC 8693, section 4.1).
    pub(crate) actor: Option<Value>,
    /// Which services it was exchanged by, each with the epoch in which: what ends their tokens ends it, too.
    pub(crate) exchanged_by: Vec<(String, i64)>,
    /// The `jti` of every token that this one was exchanged from: revoked, they end it.
    pub(crate) origins: Vec<String>,
    /// No later than this, in seconds.
    pub(crate) latest: Option<i64>,
}

impl AccessToken<'_> {
    /// The signed token, and for how long it counts.
    pub(crate) fn issue(&self, tokens: &Tokens, key: &SigningKey) -> Result<(String, Duration), TokenError> {
        let now = seconds();
        let lifetime = i64::try_from(tokens.access.as_secs()).unwrap_or(i64::MAX);
        let ends = [self.latest, self.subject.until].into_iter().flatten();
        let expires = ends.fold(now.saturating_add(lifetime), i64::min);
        let audience = match self.resources {
            [only] => json!(only),
            several => json!(several),
        };
        let mut claims = claims(json!({
            "iss": tokens.issuer,
            "sub": self.subject.id,
            "aud": audience,
            "exp": expires,
            "iat": now,
            "jti": uuid::Uuid::new_v4().to_string(),
            "client_id": self.client,
            "scope": self.scope.to_string(),
            "permissions": self.scope.permissions(&self.subject.permissions),
            "roles": self.subject.roles,
        }));
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                claims.insert(name.into(), value);
            }
        };
        add("sub_type", self.subject.is_machine.then(|| MACHINE.into()));
        add(ZONE, self.subject.zone.map(|zone| zone.as_str().into()));
        add("org_id", some_text(&self.subject.organization));
        add("sid", self.session.and_then(some_text));
        add("grant_id", self.family.map(Value::from));
        add("cnf", (!self.binding.is_none()).then(|| self.binding.confirmation()));
        add("act", self.actor.clone());
        add("origin_jti", (!self.origins.is_empty()).then(|| json!(self.origins)));
        add("epochs", self.subject.epochs.claim(&self.exchanged_by));
        claims.extend(self.authentication.clone());
        let remaining = Duration::from_secs(u64::try_from(expires - now).unwrap_or(0));
        Ok((key.sign("at+jwt", &claims)?, remaining))
    }
}

/// What an ID token says.
#[derive(Debug)]
pub(crate) struct IdToken<'a> {
    pub(crate) subject: &'a str,
    pub(crate) client: &'a str,
    pub(crate) session: &'a str,
    pub(crate) authentication: Authentication,
    pub(crate) nonce: &'a str,
    /// The address, and whether mail to it has been read.
    pub(crate) email: Option<(&'a str, bool)>,
    pub(crate) name: Option<&'a str>,
}

impl IdToken<'_> {
    pub(crate) fn issue(&self, tokens: &Tokens, key: &SigningKey) -> Result<String, TokenError> {
        let now = seconds();
        let mut claims = claims(json!({
            "iss": tokens.issuer,
            "sub": self.subject,
            "aud": self.client,
            "exp": now + i64::try_from(tokens.access.as_secs()).unwrap_or(0),
            "iat": now,
        }));
        claims.extend(self.authentication.claims());
        for (name, value) in [
            ("sid", some_text(self.session)),
            ("nonce", some_text(self.nonce)),
            ("email", self.email.map(|(email, _)| email.into())),
            ("email_verified", self.email.map(|(_, is_verified)| is_verified.into())),
            ("name", self.name.map(Value::from)),
        ] {
            if let Some(value) = value {
                claims.insert(name.into(), value);
            }
        }
        key.sign("JWT", &claims)
    }
}

/// Whether a token of ours is about a machine: it says so, or was given to the client that it is about (RFC 9068, section
/// 2.2).
pub(crate) fn is_machine(claims: &Map<String, Value>) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    text("sub_type") == Some(MACHINE) || (text("client_id").is_some() && text("client_id") == text("sub"))
}

/// The zone that a machine of ours calls from, where its token says one.
pub(crate) fn zone_of_machine(claims: &Map<String, Value>) -> Option<Zone> {
    claims.get(ZONE).filter(|_| is_machine(claims))?.as_str()?.parse().ok()
}

fn claims(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn some_text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| text.into())
}

fn seconds() -> i64 {
    milliseconds(SystemTime::now()) / 1000
}
