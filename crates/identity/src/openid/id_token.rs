//! What a provider says about a person (`OpenID` Connect Core 1.0, section 2).

use std::time::{Duration, SystemTime};

use bartizan_config::{Algorithm, ClaimSource, LoginClaims};
use serde_json::Value;

use super::OpenIdError;
use crate::{
    InvalidReason,
    key::KeySet,
    token::{
        CompactToken, Object, TokenHeader, check_audience, check_signature, check_times, found, json, list,
    },
};

/// The longest ID token that is read.
const MAX_BYTES: usize = 32 * 1024;
/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_mins(1);
/// The longest subject (section 2: 255 characters).
const LONGEST_SUBJECT: usize = 255;

/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// By which id. The provider never gives it to somebody else.
    pub subject: String,
    /// Their address, where the provider has verified it.
    pub verified_email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// To which organisation they belong, by name or id, where the provider is asked that.
    pub organization: Option<String>,
    /// The roles that the provider names, where it is asked that.
    pub roles: Vec<String>,
}

/// What one document of a provider says of a person: its ID token, or the answer of its `UserInfo` endpoint.
#[derive(Debug)]
pub(super) struct Said {
    /// `sub` itself, by which the documents of one person are known.
    pub(super) sub: Option<String>,
    subject: Option<String>,
    email: Option<String>,
    is_verified: bool,
    name: Option<String>,
    organization: Option<String>,
    /// `None`: it does not say.
    roles: Option<Vec<String>>,
}

/// What an ID token must fit.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) claims: &'a LoginClaims,
}

impl Expected<'_> {
    /// Believes the token, or says why not (section 3.1.3.7).
    pub(super) fn check(&self, token: &str, keys: &KeySet, now: SystemTime) -> Result<Said, OpenIdError> {
        if token.len() > MAX_BYTES {
            return Err(InvalidReason::TooLong.into());
        }
        let token = CompactToken::parse(token.as_bytes())?;
        let header = TokenHeader::parse(&token.header)?;
        // Whoever knows the client's secret or public key must not be able to make one up.
        if matches!(header.algorithm(), Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
            return Err(InvalidReason::Algorithm.into());
        }
        if !matches!(header.token_type(), None | Some("jwt")) {
            return Err(InvalidReason::Type.into());
        }
        check_signature(&token, &header, keys)?;
        let members = json::parse_object(&token.payload).map_err(|_| InvalidReason::Claims)?;
        self.check_claims(&members, now)?;
        Ok(Said::of(&members, self.claims)?)
    }

    fn check_claims(&self, members: &Object, now: SystemTime) -> Result<(), OpenIdError> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err(InvalidReason::Issuer.into());
        }
        check_audience(members, &[self.client_id.to_owned()])?;
        // Issued to another client that is allowed to name us: not a login here.
        let several = members.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
        match members.get("azp") {
            None if several => return Err(InvalidReason::Audience.into()),
            Some(party) if party != self.client_id => return Err(InvalidReason::Audience.into()),
            _ => {}
        }
        check_times(members, LEEWAY, now)?;
        if !members.contains_key("iat") {
            return Err(InvalidReason::Claims.into());
        }
        if text("nonce") == Some(self.nonce) { Ok(()) } else { Err(OpenIdError::Nonce) }
    }
}

/// Names of roles, as tokens have them.
fn names(value: &Value) -> Result<Vec<String>, InvalidReason> {
    Ok(list(Some(value))?.into_iter().map(str::to_owned).collect())
}

impl Said {
    pub(super) fn of(members: &Object, claims: &LoginClaims) -> Result<Self, InvalidReason> {
        let value = |source: &ClaimSource| found(members, source).map_err(|_| InvalidReason::Claims);
        let text =
            |source: &ClaimSource| Ok(value(source)?.as_deref().and_then(Value::as_str).map(str::to_owned));
        let of = |source: &Option<ClaimSource>| -> Result<Option<String>, InvalidReason> {
            source.as_ref().map_or(Ok(None), text)
        };
        let named = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            sub: named("sub"),
            subject: text(&claims.subject)?.filter(|subject| {
                (1..=LONGEST_SUBJECT).contains(&subject.len()) && !subject.contains(char::is_control)
            }),
            email: text(&claims.email)?,
            is_verified: value(&claims.email_verified)?.as_deref() == Some(&Value::Bool(true)),
            name: if claims.name.is_some() {
                of(&claims.name)?
            } else {
                named("name").or_else(|| named("preferred_username"))
            },
            organization: of(&claims.organization)?.filter(|name| !name.is_empty()),
            roles: match &claims.roles {
                Some(source) => {
                    value(source)?.filter(|found| !found.is_null()).map(|found| names(&found)).transpose()?
                }
                None => None,
            },
        })
    }

    /// Whether something is missing that the provider may say elsewhere.
    pub(super) fn lacks(&self, claims: &LoginClaims) -> bool {
        let lacks_organization = claims.organization.is_some() && self.organization.is_none();
        self.verified_email().is_none()
            || self.name.is_none()
            || lacks_organization
            || self.lacks_roles(claims)
    }

    /// Whether nobody knows yet what somebody is.
    pub(super) fn lacks_roles(&self, claims: &LoginClaims) -> bool {
        claims.roles.is_some() && self.roles.is_none()
    }

    /// Their address, if this document vouches for it.
    pub(super) fn verified_email(&self) -> Option<&String> {
        self.email.as_ref().filter(|_| self.is_verified)
    }

    /// Who they are, with what another document says that this one does not. An address counts by the document that it stands
    /// in, or one that names the same.
    pub(super) fn proven(self, other: Option<Self>) -> Result<Proven, OpenIdError> {
        let subject = self.subject.clone().ok_or(InvalidReason::Subject)?;
        let mut verified_email = self.verified_email().cloned();
        let (mut name, mut organization, mut roles) = (self.name, self.organization, self.roles);
        if let Some(other) = other {
            let is_same = self.email.is_none() || self.email == other.email;
            verified_email = verified_email.or(other.verified_email().filter(|_| is_same).cloned());
            name = name.or(other.name);
            organization = organization.or(other.organization);
            roles = roles.or(other.roles);
        }
        Ok(Proven { subject, verified_email, name, organization, roles: roles.unwrap_or_default() })
    }
}
