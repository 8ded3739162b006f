//! A service proves that it is itself: by its secret, by an assertion that it signed, or by its certificate.
//!
//! What is wrong is not told: an unknown client, a wrong proof and a suspended service are the same to whoever asks. Of
//! secrets they cost the same, too: where there is none, the one that is presented is compared with one that nobody has.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use bartizan_model::{Grant, OrganizationId, Zone};
use bartizan_store::{Row, Statement, StoreError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{
    AccountError, Accounts, CredentialKind, Visit,
    audit::{Entry, Outcome},
    login::done,
    machine_words::stored_zone,
};
use crate::{
    ClientCertificate, InvalidReason, TokenHeader,
    api_key::{owners, record::OwnerId},
    holder::grants,
    key::KeySet,
    session::moment,
    token::{
        claims::{check_audience, check_times, text},
        compact::CompactToken,
        json,
    },
};

/// How a service proves itself.
#[derive(Clone, Copy)]
pub enum ServiceProof<'a> {
    /// Its secret, as `client_secret_basic` and `client_secret_post` bring it (RFC 6749, section 2.3.1).
    Secret(&'a SecretString),
    /// A JWT that it signed (`private_key_jwt`, RFC 7523): for one of these audiences, for an hour at most, once.
    Assertion {
        /// `client_assertion`.
        assertion: &'a str,
        /// The issuer and the token endpoint of this gateway.
        audiences: &'a [String],
    },
    /// The certificate of its connection, verified by the listener (`tls_client_auth`, RFC 8705, section 2.1).
    Certificate(&'a ClientCertificate),
}

/// Without what proves: an assertion is good until it was used.
impl fmt::Debug for ServiceProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(***)",
            Self::Assertion { .. } => "Assertion(***)",
            Self::Certificate(_) => "Certificate",
        })
    }
}

/// A service that has proven itself, and what it may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStanding {
    /// Its client id.
    pub id: String,
    /// Its name in its organisation.
    pub name: String,
    /// Whom it acts for.
    pub organization: OrganizationId,
    /// What it may do there, by its own permissions and its roles.
    pub grants: Vec<Grant>,
    /// What of the tokens that it is called with it may carry on (RFC 8693); nothing: it exchanges none.
    pub exchange: Vec<Grant>,
    /// From which zone it calls; `None`: from that of services of the provider.
    pub zone: Option<Zone>,
    /// Its roles, those of the organisation's own as `ORGANISATION/NAME`.
    pub roles: Vec<String>,
    /// When less of it will be true.
    pub until: Option<SystemTime>,
}

/// The furthest that the end of an assertion may lie ahead.
const LONGEST: Duration = Duration::from_mins(61);
/// How far the clocks of a service and of the gateway may differ.
const LEEWAY: Duration = Duration::from_secs(30);
const LONGEST_ASSERTION: usize = 8192;
/// The media types of assertions; without one they count as `JWT`.
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

const READ: &str = "SELECT c.value FROM services s JOIN service_credentials c ON c.service_id = s.id \
    WHERE s.id = $1 AND c.kind = $2 AND s.suspended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > $3)";

impl Accounts {
    /// The service with this client id, if `proof` is its own. [`AccountError::WrongCredentials`] if not.
    pub async fn authenticate_service(
        &self,
        client_id: &str,
        proof: ServiceProof<'_>,
        visit: &Visit,
    ) -> Result<ServiceStanding, AccountError> {
        let standing = self.recognize_service(client_id, proof, visit).await?;
        let entry = done("service.authenticate", client_id, client_id, visit, Value::Null);
        entry.write_alone(&self.store).await?;
        Ok(standing)
    }

    /// The same for those who ask as often as they are asked: only a proof that is wrong leaves an entry in the trail.
    pub(crate) async fn recognize_service(
        &self,
        client_id: &str,
        proof: ServiceProof<'_>,
        visit: &Visit,
    ) -> Result<ServiceStanding, AccountError> {
        let proven = match proof {
            ServiceProof::Secret(secret) => self.check_secret(client_id, secret).await?,
            ServiceProof::Assertion { assertion, audiences } => {
                self.check_assertion(client_id, assertion, audiences).await?
            }
            ServiceProof::Certificate(certificate) => self.check_certificate(client_id, certificate).await?,
        };
        let standing = if proven { self.service_standing(client_id).await? } else { None };
        if let Some(standing) = standing {
            return Ok(standing);
        }
        self.refuse_client("service.authenticate", client_id, visit).await?;
        Err(AccountError::WrongCredentials)
    }

    /// In the audit trail, as long as there are not too many of them.
    pub(crate) async fn refuse_client(
        &self,
        action: &'static str,
        client_id: &str,
        visit: &Visit,
    ) -> Result<(), StoreError> {
        let Some(left_out) = self.refusals.take(Instant::now()) else { return Ok(()) };
        let subject: String = client_id.chars().take(64).collect();
        let details = if left_out == 0 { Value::Null } else { json!({ "left_out_before": left_out }) };
        let (outcome, actor) = (Outcome::Refused, "");
        let entry = Entry { action, outcome, actor, subject: &subject, visit, details };
        entry.write_alone(&self.store).await
    }

    /// What a service may do now; `None` if it is suspended or gone. For what was issued to it earlier.
    pub async fn service_standing(&self, client_id: &str) -> Result<Option<ServiceStanding>, AccountError> {
        const ROW: &str = "SELECT name, organization_id, exchange, zone FROM services WHERE id = $1";
        let id = OwnerId::Service(client_id.into());
        let owner = owners::read(&self.store, &id).await?.filter(|owner| !owner.is_barred);
        let row = self.store.everywhere().row(Statement::new(ROW).text(client_id)).await?;
        let (Some(owner), Some(row)) = (owner, row) else { return Ok(None) };
        let organization = row.text("organization_id")?;
        let held = self.held_by(&owner, Some(&organization));
        Ok(Some(ServiceStanding {
            id: client_id.into(),
            name: row.text("name")?,
            organization: organization.as_str().into(),
            grants: held.grants,
            exchange: grants(&row.text("exchange")?)?.into_vec(),
            zone: stored_zone(&row.text("zone")?)?,
            roles: held.roles,
            until: held.until,
        }))
    }

    /// Every secret is compared in full, and where there is none, one that nobody has.
    async fn check_secret(&self, client_id: &str, secret: &SecretString) -> Result<bool, AccountError> {
        let presented = self.live.keys().digest(secret.expose_secret().as_bytes()).to_stored();
        let mut stored = self.credentials_of(client_id, CredentialKind::Secret).await?;
        if stored.is_empty() {
            stored.push(NOBODY.into());
        }
        let matches = stored.iter().map(|stored| stored.as_bytes().ct_eq(presented.as_bytes()));
        Ok(matches.fold(Choice::from(0), |any, one| any | one).into())
    }

    async fn check_assertion(
        &self,
        client_id: &str,
        assertion: &str,
        audiences: &[String],
    ) -> Result<bool, AccountError> {
        let sets = self.credentials_of(client_id, CredentialKind::Keys).await?;
        let now = SystemTime::now();
        let Ok((id, expires)) = verify_assertion(client_id, assertion, audiences, &sets, now) else {
            return Ok(false);
        };
        self.use_once(&id, expires).await
    }

    async fn check_certificate(
        &self,
        client_id: &str,
        certificate: &ClientCertificate,
    ) -> Result<bool, AccountError> {
        let known = self.credentials_of(client_id, CredentialKind::Certificate).await?;
        Ok(known.iter().any(|known| shows(certificate, known)))
    }

    async fn credentials_of(&self, client_id: &str, kind: CredentialKind) -> Result<Vec<String>, StoreError> {
        let read = Statement::new(READ).text(client_id).text(kind.word()).integer(moment::now());
        self.store.everywhere().rows(read).await?.iter().map(|row: &Row| row.text("value")).collect()
    }

    /// Whether this is the first time, on any gateway.
    pub(crate) async fn use_once(&self, id: &str, expires: SystemTime) -> Result<bool, AccountError> {
        const USE: &str = "INSERT INTO used_assertions (id, expires_at) VALUES ($1, $2)";
        let until = moment::milliseconds(expires + LEEWAY);
        match self.store.execute(Statement::new(USE).text(id).integer(until)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Duplicate) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// As long as a stored hash, and none.
const NOBODY: &str = "-------------------------------------------";

/// The rules of RFC 7523, section 3. Returns by what the assertion is remembered, and its end.
fn verify_assertion(
    client_id: &str,
    assertion: &str,
    audiences: &[String],
    sets: &[String],
    now: SystemTime,
) -> Result<(String, SystemTime), InvalidReason> {
    if assertion.len() > LONGEST_ASSERTION {
        return Err(InvalidReason::TooLong);
    }
    let token = CompactToken::parse(assertion.as_bytes())?;
    let header = TokenHeader::parse(&token.header)?;
    if !TYPES.contains(&header.token_type().unwrap_or("jwt")) {
        return Err(InvalidReason::Type);
    }
    let verifies = |set: &String| {
        let keys = KeySet::from_jwks(set.as_bytes()).ok();
        let key = keys.as_ref().and_then(|(keys, _)| keys.choose(&header).ok());
        key.is_some_and(|key| key.verifies(header.algorithm(), token.signed, token.signature))
    };
    if !sets.iter().any(verifies) {
        return Err(InvalidReason::Signature);
    }
    let claims = json::parse_object(&token.payload).map_err(|_| InvalidReason::Claims)?;
    if text(&claims, "iss") != Some(client_id) {
        return Err(InvalidReason::Issuer);
    }
    if text(&claims, "sub") != Some(client_id) {
        return Err(InvalidReason::Subject);
    }
    check_audience(&claims, audiences)?;
    let expires = check_times(&claims, LEEWAY, now)?;
    if expires.duration_since(now).is_ok_and(|ahead| ahead > LONGEST) {
        return Err(InvalidReason::Expiry);
    }
    let id = text(&claims, "jti").filter(|id| (1..=256).contains(&id.len())).ok_or(InvalidReason::Nonce)?;
    let remembered = Sha256::new().chain_update(client_id).chain_update([0]).chain_update(id).finalize();
    Ok((URL_SAFE_NO_PAD.encode(remembered), expires))
}

/// Whether the certificate is what [`CredentialKind::Certificate`] describes.
fn shows(certificate: &ClientCertificate, known: &str) -> bool {
    let Some((kind, value)) = known.split_once(':') else { return false };
    let has = |names: &[String]| names.iter().any(|name| name == value);
    match kind {
        "sha256" => {
            let digits = certificate.fingerprint.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            digits.map(|digit| char::from_digit(digit.into(), 16)).eq(value.chars().map(Some))
        }
        "uri" => has(&certificate.uris),
        "dns" => has(&certificate.dns_names),
        "email" => has(&certificate.emails),
        _ => false,
    }
}
