//! What services prove themselves with: secrets, public keys, certificates. All of them are there twice while one takes
//! the place of another.

use std::time::{Duration, SystemTime};

use bartizan_store::{Row, Statement, StoreError, Transaction};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AccountError, Accounts, Service, Visit,
    services::{changed, read_service},
};
use crate::{OpaqueToken, key::KeySet, session::moment};

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A secret (RFC 6749, section 2.3.1).
    Secret,
    /// Public keys, a JWK set (RFC 7517), whose private halves sign assertions (RFC 7523).
    Keys,
    /// A client certificate (RFC 8705).
    Certificate,
}

/// Something a service may prove itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCredential {
    /// Its id.
    pub id: String,
    /// Of which kind.
    pub kind: CredentialKind,
    /// Of public keys the JWK set, of a certificate what it must show; of a secret nothing.
    pub value: String,
    /// Since when it counts.
    pub created: SystemTime,
    /// Until when.
    pub expires: Option<SystemTime>,
}

/// A credential whose secret part this gateway does not know.
#[derive(Debug, Clone)]
pub enum NewCredential {
    /// A JWK set, or one JWK.
    Keys(String),
    /// `sha256:` and 64 hexadecimal digits for exactly one certificate, or a subject alternative name after `uri:`,
    /// `dns:` or `email:`.
    Certificate(String),
}

/// What secrets of services begin with.
const PREFIX: &str = "bzn_client";
const MOST: usize = 10;
const LONGEST: usize = 16 * 1024;
const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);

const ADD: &str = "INSERT INTO service_credentials (id, service_id, kind, value, created_at) \
    VALUES ($1, $2, $3, $4, $5)";

impl Accounts {
    /// Gives a service another secret, told here and never again. The one so far works for as long as `overlap` says.
    pub async fn rotate_service_secret(
        &self,
        id: &str,
        overlap: Duration,
        actor: &str,
        visit: &Visit,
    ) -> Result<(Service, SecretString), AccountError> {
        // Two at most: the one before the last goes at once.
        const DROP: &str = "DELETE FROM service_credentials WHERE service_id = $1 AND kind = 'secret' \
            AND (expires_at IS NOT NULL OR $2 = 0)";
        const END: &str =
            "UPDATE service_credentials SET expires_at = $2 WHERE service_id = $1 AND kind = 'secret'";
        if overlap > LONGEST_OVERLAP {
            return Err(AccountError::Invalid("two secrets may overlap for 30 days at most".into()));
        }
        let (mut transaction, before) = self.begin_service_change(id).await?;
        let until = moment::now().saturating_add(moment::span(overlap));
        transaction.execute(Statement::new(DROP).text(id).integer(moment::span(overlap))).await?;
        transaction.execute(Statement::new(END).text(id).integer(until)).await?;
        let secret = self.add_service_secret(&mut transaction, id).await?;
        let after = read_service(&mut transaction, id).await?;
        changed(transaction, ("service.rotate", Some(&before), Some(&after)), actor, visit).await?;
        Ok((after, secret))
    }

    /// Lets a service prove itself with this, too.
    pub async fn add_service_credential(
        &self,
        id: &str,
        new: &NewCredential,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        let (kind, value) = match new {
            NewCredential::Keys(document) => (CredentialKind::Keys, check_keys(document)?),
            NewCredential::Certificate(text) => (CredentialKind::Certificate, check_certificate(text)?),
        };
        if self.service(id).await?.credentials.len() >= MOST {
            return Err(AccountError::Invalid(format!(
                "a service has {MOST} credentials at most: remove one"
            )));
        }
        let add = Statement::new(ADD)
            .text(uuid::Uuid::now_v7().to_string())
            .text(id)
            .text(kind.word())
            .text(value)
            .integer(moment::now());
        self.change_service(id, "service.add_credential", add, actor, visit).await
    }

    /// Takes a credential away, at once.
    pub async fn remove_service_credential(
        &self,
        id: &str,
        credential: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Service, AccountError> {
        const REMOVE: &str = "DELETE FROM service_credentials WHERE service_id = $1 AND id = $2";
        let known = self.service(id).await?;
        if !known.credentials.iter().any(|known| known.id == credential) {
            return Err(AccountError::Missing("such credential of this service".into()));
        }
        let remove = Statement::new(REMOVE).text(id).text(credential);
        self.change_service(id, "service.remove_credential", remove, actor, visit).await
    }

    pub(crate) async fn add_service_secret(
        &self,
        transaction: &mut Transaction,
        service: &str,
    ) -> Result<SecretString, AccountError> {
        let token = OpaqueToken::generate(&PREFIX.parse()?)?;
        let digest = self.live.keys().digest(token.secret().expose_secret().as_bytes());
        let add = Statement::new(ADD)
            .text(uuid::Uuid::now_v7().to_string())
            .text(service)
            .text(CredentialKind::Secret.word())
            .text(digest.to_stored())
            .integer(moment::now());
        transaction.execute(add).await?;
        Ok(token.secret().clone())
    }
}

impl CredentialKind {
    /// As the store and the API call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Keys => "keys",
            Self::Certificate => "certificate",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let known =
            [Self::Secret, Self::Keys, Self::Certificate].into_iter().find(|kind| kind.word() == word);
        known.ok_or(StoreError::Nonsense { what: "the kind of a credential" })
    }
}

impl ServiceCredential {
    /// The credential of a row, if it has one. The hash of a secret stays behind.
    pub(crate) fn of(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(id) = row.optional_text("credential")? else { return Ok(None) };
        let kind = CredentialKind::of(&row.text("kind")?)?;
        let value = if kind == CredentialKind::Secret { String::new() } else { row.text("value")? };
        Ok(Some(Self {
            id,
            kind,
            value,
            created: moment::moment(row.integer("credential_created_at")?),
            expires: row.optional_integer("credential_expires_at")?.map(moment::moment),
        }))
    }
}

/// A set of public keys, all of which can be used. One key becomes a set of one.
fn check_keys(document: &str) -> Result<String, AccountError> {
    let refuse = |reason: String| AccountError::Invalid(format!("these keys cannot be used: {reason}"));
    if document.len() > LONGEST {
        return Err(refuse("more than 16 KiB".into()));
    }
    let value: serde_json::Value =
        serde_json::from_str(document).map_err(|error| refuse(format!("no JSON: {error}")))?;
    let text =
        if value.get("keys").is_some() { document.to_owned() } else { format!("{{\"keys\":[{document}]}}") };
    let (keys, refused) = KeySet::from_jwks(text.as_bytes()).map_err(|error| refuse(error.to_string()))?;
    if let Some(first) = refused.first() {
        return Err(refuse(format!("key {}: {}", first.position + 1, first.reason)));
    }
    if keys.len() == 0 {
        return Err(refuse("there is none".into()));
    }
    Ok(text)
}

/// What a certificate must show, in its one form.
fn check_certificate(text: &str) -> Result<String, AccountError> {
    let expected = || {
        let detail = "write `sha256:` and 64 hexadecimal digits, or a subject alternative name such as \
                      `uri:spiffe://shop.test/billing`, `dns:billing.shop.test` or `email:billing@shop.test`";
        AccountError::Invalid(detail.into())
    };
    let (kind, value) = text.trim().split_once(':').ok_or_else(expected)?;
    let is_plain = (1..=256).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    match kind {
        "sha256" => {
            let digits: String = value.chars().filter(|character| *character != ':').collect();
            let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hash { Ok(format!("sha256:{}", digits.to_ascii_lowercase())) } else { Err(expected()) }
        }
        "uri" | "dns" | "email" if is_plain => Ok(format!("{kind}:{value}")),
        _ => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certificate_must_show_has_one_form() {
        let hash = "AB:".repeat(31) + "cd";
        let cases = [
            (format!("sha256:{hash}"), Some(format!("sha256:{}cd", "ab".repeat(31)))),
            ("uri:spiffe://shop.test/billing".into(), Some("uri:spiffe://shop.test/billing".into())),
            (" dns:billing.shop.test ".into(), Some("dns:billing.shop.test".into())),
            ("sha256:abcd".into(), None),
            ("cn:billing".into(), None),
            ("uri:".into(), None),
            ("dns:a b".into(), None),
            ("billing".into(), None),
        ];
        for (text, expected) in cases {
            assert_eq!(check_certificate(&text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn only_public_keys_that_can_be_used_are_taken() {
        let public = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(check_keys(public).unwrap(), format!("{{\"keys\":[{public}]}}"));
        let private = public.replace("\"x\"", "\"d\":\"AA\",\"x\"");
        let symmetric = r#"{"kty":"oct","k":"AAAA"}"#;
        for wrong in [private.as_str(), symmetric, "{\"keys\":[]}", "", "[]", "{\"kty\":\"OKP\"}"] {
            assert!(matches!(check_keys(wrong), Err(AccountError::Invalid(_))), "{wrong}");
        }
    }
}
