//! The claims of a token whose signature has been checked (RFC 7519, section 4).

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use bartizan_config::{ClaimSource, JwtProvider, Unevaluable};
use bartizan_model::Grant;
use serde_json::Value;

use super::json::{self, Object};
use crate::InvalidReason;

/// What a token says about its holder, after every rule has been met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) organization: Option<String>,
    pub(super) grants: Vec<Grant>,
    pub(super) roles: Vec<String>,
    pub(super) expires: SystemTime,
    pub(super) multi_factor: bool,
    /// When the person was asked last (`OpenID` Connect Core, section 2).
    pub(super) auth_time: Option<SystemTime>,
    pub(super) members: Object,
}

/// The authentication context classes that mean more than one factor: that of `OpenID` PAPE, and that of the REFEDS MFA
/// profile.
pub const MULTI_FACTOR_CLASSES: [&str; 2] =
    ["http://schemas.openid.net/pape/policies/2007/06/multi-factor", "https://refeds.org/profile/mfa"];

/// How many permissions, and how many roles, a token may list.
const MAX_LISTED: usize = 1000;

impl Claims {
    pub(super) fn check(
        payload: &[u8],
        settings: &JwtProvider,
        now: SystemTime,
    ) -> Result<Self, InvalidReason> {
        let members = json::parse_object(payload).map_err(|_| InvalidReason::Claims)?;
        if text(&members, "iss") != Some(settings.issuer.as_str()) {
            return Err(InvalidReason::Issuer);
        }
        check_audience(&members, &settings.audiences)?;
        let expires = check_times(&members, settings.leeway, now)?;
        let names = &settings.claims;
        Ok(Self {
            subject: found(&members, &names.subject)
                .map_err(|_| InvalidReason::Subject)?
                .as_deref()
                .and_then(Value::as_str)
                .filter(|text| is_identifier(text))
                .ok_or(InvalidReason::Subject)?
                .to_owned(),
            organization: organization(&members, &names.organization)?,
            grants: grants(&members, &names.permissions)?,
            roles: list(list_of(&members, &names.roles)?.as_deref())?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            expires,
            multi_factor: multi_factor(&members) || is_multi_factor_class(&members),
            auth_time: auth_time(&members, settings.leeway, now)?,
            members,
        })
    }

    /// What a claim holds, as one text: a list or an object as its JSON, with the members of objects in the order of
    /// their names, so that the same claim is always the same text.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        match claim(&self.members, name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            nested @ (Value::Array(_) | Value::Object(_)) => {
                let mut nested = nested.clone();
                nested.sort_all_objects();
                Some(nested.to_string())
            }
        }
    }
}

/// What the payload says about its issuer, before anything has been checked.
pub(super) fn unverified_issuer(payload: &[u8]) -> Result<String, InvalidReason> {
    let members = json::parse_object(payload).map_err(|_| InvalidReason::Claims)?;
    text(&members, "iss").map(str::to_owned).ok_or(InvalidReason::Issuer)
}

/// What is said where `source` looks.
pub(crate) fn found<'a>(
    members: &'a Object,
    source: &ClaimSource,
) -> Result<Option<Cow<'a, Value>>, Unevaluable> {
    match source {
        ClaimSource::Named(name) => Ok(claim(members, name).map(Cow::Borrowed)),
        ClaimSource::Expression(expression) => Ok(Some(Cow::Owned(expression.evaluate(members)?))),
    }
}

/// The claim with this name; what begins with a slash is a JSON Pointer (RFC 6901) to one inside another.
fn claim<'a>(members: &'a Object, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else { return members.get(name) };
    let (first, rest) = pointer.find('/').map_or((pointer, ""), |slash| pointer.split_at(slash));
    members.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

pub(crate) fn text<'a>(members: &'a Object, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

pub(crate) fn check_audience(members: &Object, expected: &[String]) -> Result<(), InvalidReason> {
    let is_expected = |value: &Value| match value.as_str() {
        Some(audience) => Ok(expected.iter().any(|ours| ours == audience)),
        None => Err(InvalidReason::Audience),
    };
    let named = match members.get("aud").ok_or(InvalidReason::Audience)? {
        // Every element is looked at, so that a list of something else than texts is never half understood.
        Value::Array(audiences) => {
            audiences.iter().try_fold(false, |found, audience| Ok(is_expected(audience)? || found))?
        }
        audience => is_expected(audience)?,
    };
    if named { Ok(()) } else { Err(InvalidReason::Audience) }
}

/// `exp` must be there and lie ahead; `nbf` and `iat`, where given, must not. `leeway` is granted to each.
pub(crate) fn check_times(
    members: &Object,
    leeway: Duration,
    now: SystemTime,
) -> Result<SystemTime, InvalidReason> {
    let expires = time(members, "exp", InvalidReason::Expiry)?.ok_or(InvalidReason::Expiry)?;
    let later_than_now = |time: SystemTime| time.duration_since(now).is_ok_and(|ahead| ahead > leeway);
    if now.duration_since(expires).is_ok_and(|past| past >= leeway) {
        return Err(InvalidReason::Expired);
    }
    if time(members, "nbf", InvalidReason::NotYetValid)?.is_some_and(later_than_now) {
        return Err(InvalidReason::NotYetValid);
    }
    if time(members, "iat", InvalidReason::IssuedInFuture)?.is_some_and(later_than_now) {
        return Err(InvalidReason::IssuedInFuture);
    }
    Ok(expires)
}

/// `auth_time`, where given, must not lie ahead.
fn auth_time(
    members: &Object,
    leeway: Duration,
    now: SystemTime,
) -> Result<Option<SystemTime>, InvalidReason> {
    let at = time(members, "auth_time", InvalidReason::AuthTime)?;
    match at {
        Some(at) if at.duration_since(now).is_ok_and(|ahead| ahead > leeway) => Err(InvalidReason::AuthTime),
        at => Ok(at),
    }
}

/// The last moment that a claim may name, 9999-12-31: far enough for anybody, near enough for every clock.
const END_OF_TIME: f64 = 253_402_300_799.0;

/// A `NumericDate`: seconds since 1970, possibly with a fraction.
fn time(members: &Object, name: &str, malformed: InvalidReason) -> Result<Option<SystemTime>, InvalidReason> {
    let Some(value) = members.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=END_OF_TIME).contains(seconds)).ok_or(malformed)?;
    let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| malformed)?;
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).map(Some).ok_or(malformed)
}

/// Whether a text can be an identifier: it travels on as a header value, where white space at its ends would be
/// lost and turn one identifier into another.
fn is_identifier(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
}

fn organization(members: &Object, source: &ClaimSource) -> Result<Option<String>, InvalidReason> {
    let found = found(members, source).map_err(|_| InvalidReason::Organization)?;
    match found.as_deref() {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str().filter(|text| is_identifier(text)) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(InvalidReason::Organization),
        },
    }
}

fn list_of<'a>(members: &'a Object, source: &ClaimSource) -> Result<Option<Cow<'a, Value>>, InvalidReason> {
    found(members, source).map_err(|_| InvalidReason::Permissions)
}

/// All grants that any of these lists. Scopes that are no grants (`openid`) grant nothing.
fn grants(members: &Object, sources: &[ClaimSource]) -> Result<Vec<Grant>, InvalidReason> {
    let mut grants = Vec::new();
    let mut listed = 0;
    for source in sources {
        let found = list_of(members, source)?;
        let texts = list(found.as_deref())?;
        listed += texts.len();
        if listed > MAX_LISTED {
            return Err(InvalidReason::Permissions);
        }
        grants.extend(texts.into_iter().filter_map(|text| text.parse::<Grant>().ok()));
    }
    Ok(grants)
}

/// A value that is an array of texts or one text of words separated by spaces (RFC 8693, section 4.2).
pub(crate) fn list(value: Option<&Value>) -> Result<Vec<&str>, InvalidReason> {
    let texts: Vec<&str> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(words)) => words.split(' ').filter(|word| !word.is_empty()).collect(),
        Some(Value::Array(elements)) => {
            elements.iter().map(Value::as_str).collect::<Option<_>>().ok_or(InvalidReason::Permissions)?
        }
        Some(_) => return Err(InvalidReason::Permissions),
    };
    if texts.len() > MAX_LISTED { Err(InvalidReason::Permissions) } else { Ok(texts) }
}

/// Whether `acr` is one of the classes that stand for several factors.
fn is_multi_factor_class(members: &Object) -> bool {
    text(members, "acr").is_some_and(|class| MULTI_FACTOR_CLASSES.contains(&class))
}

/// Whether `amr` (RFC 8176) proves more than one factor: it says `mfa`, or names methods of two different kinds.
/// Two passwords are one factor used twice.
pub(crate) fn multi_factor(members: &Object) -> bool {
    let Some(Value::Array(methods)) = members.get("amr") else { return false };
    let methods: Vec<&str> = methods.iter().filter_map(Value::as_str).collect();
    let uses = |kind: &[&str]| usize::from(methods.iter().any(|method| kind.contains(method)));
    let knowledge = uses(&["pwd", "pin", "kba"]);
    let possession = uses(&["otp", "hwk", "swk", "sms", "tel", "sc", "pop"]);
    let inherence = uses(&["fpt", "face", "iris", "retina", "vbm"]);
    methods.contains(&"mfa") || knowledge + possession + inherence >= 2
}
