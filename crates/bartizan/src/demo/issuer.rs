//! The identity provider of the demonstration: an Ed25519 key made at start, and tokens signed with it.
//!
//! The private key never leaves the process. Only tests and this demonstration sign here; the gateway verifies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Who the tokens say they are from.
pub(crate) const ISSUER: &str = "https://id.shop.test";
/// Whom they are for.
pub(crate) const AUDIENCE: &str = "shop";

const KEY_ID: &str = "demo";
const LIFETIME: Duration = Duration::from_hours(24);

/// Signs tokens.
pub(crate) struct Issuer {
    key: Ed25519KeyPair,
}

impl Issuer {
    /// An issuer with a new key.
    pub(crate) fn generate() -> Result<Self> {
        let key =
            Ed25519KeyPair::generate().map_err(|_| anyhow!("cannot make a signing key for the demo"))?;
        Ok(Self { key })
    }

    /// The public half, as a JWK set (RFC 7517, RFC 8037).
    pub(crate) fn jwks(&self) -> Value {
        let public = encode(self.key.public_key());
        json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": public,
        }] })
    }

    /// A token for `subject` that lasts a day. `changes` replace or add claims.
    pub(crate) fn token(&self, subject: &str, changes: &Value) -> String {
        let signed =
            unsigned(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": KEY_ID }), &claims(subject, changes));
        let signature = encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// A token that claims to need no signature (RFC 7519, section 6), which nobody may accept.
pub(crate) fn unsecured_token(subject: &str) -> String {
    let header = json!({ "alg": "none", "typ": "JWT" });
    format!("{}.", unsigned(&header, &claims(subject, &json!({ "permissions": ["*"] }))))
}

fn claims(subject: &str, changes: &Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject,
        "iat": now.as_secs(), "exp": (now + LIFETIME).as_secs(),
    });
    if let (Value::Object(claims), Value::Object(changes)) = (&mut claims, changes) {
        claims.extend(changes.clone());
    }
    claims
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
