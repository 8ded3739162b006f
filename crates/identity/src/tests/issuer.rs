//! An issuer of tokens, good and bad ones.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        RsaKeyPair,
    },
};
use bartizan_config::{Algorithm, ClaimNames, IdentityProvider, JwtKeys, JwtProvider, Provider};
use bartizan_model::{CallerType, Line, Zone};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};

/// The moment at which tests take place: 2026-01-01T00:00:00Z.
pub(crate) const NOW: u64 = 1_767_225_600;

pub(crate) fn now() -> SystemTime {
    after(0)
}

/// `NOW` and some seconds.
pub(crate) fn after(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + seconds)
}

/// A signing key under an id.
pub(crate) struct Issuer {
    pub(crate) id: &'static str,
    name: &'static str,
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) fn ed25519(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ed_der(key.as_ref());
        Self { id, name: "EdDSA", algorithm: jsonwebtoken::Algorithm::EdDSA, key }
    }

    pub(crate) fn p256(id: &'static str) -> Self {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(key.as_ref());
        Self { id, name: "ES256", algorithm: jsonwebtoken::Algorithm::ES256, key }
    }

    pub(crate) fn p384(id: &'static str) -> Self {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(key.as_ref());
        Self { id, name: "ES384", algorithm: jsonwebtoken::Algorithm::ES384, key }
    }

    /// One RSA key serves all tests: making one is slow.
    pub(crate) fn rsa(id: &'static str, algorithm: jsonwebtoken::Algorithm, name: &'static str) -> Self {
        static PEM: LazyLock<String> = LazyLock::new(|| {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
            let text = STANDARD.encode(der.as_ref());
            format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
        });
        let key = EncodingKey::from_rsa_pem(PEM.as_bytes()).unwrap();
        Self { id, name, algorithm, key }
    }

    pub(crate) fn rs256(id: &'static str) -> Self {
        Self::rsa(id, jsonwebtoken::Algorithm::RS256, "RS256")
    }

    pub(crate) fn hs256(secret: &[u8]) -> Self {
        let key = EncodingKey::from_secret(secret);
        Self { id: "secret", name: "HS256", algorithm: jsonwebtoken::Algorithm::HS256, key }
    }

    /// The public key, with `kid` and without `alg`.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.remove("alg");
        members.insert("kid".into(), self.id.into());
        jwk
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.name, "kid": self.id, "typ": "JWT" })
    }

    /// A token with the usual header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of any header and payload, properly signed.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }
}

/// Claims that meet every rule for an hour from [`NOW`].
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://id.shop.test",
        "aud": "orders",
        "sub": "alice",
        "exp": NOW + 3600,
        "iat": NOW,
        "scope": "openid orders:read",
        "roles": ["clerk"],
        "org_id": "acme",
    })
}

/// Claims with some of them replaced; `null` removes one.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().shift_remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

pub(crate) fn jwks(issuers: &[&Issuer]) -> String {
    json!({ "keys": issuers.iter().map(|issuer| issuer.jwk()).collect::<Vec<_>>() }).to_string()
}

/// Settings as the configuration makes them by default.
pub(crate) fn settings(keys: JwtKeys) -> JwtProvider {
    JwtProvider {
        issuer: "https://id.shop.test".into(),
        audiences: vec!["orders".into(), "https://orders.shop.test".into()],
        keys,
        algorithms: vec![
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
        ],
        types: vec!["JWT".into(), "at+jwt".into()],
        leeway: Duration::from_secs(30),
        max_bytes: 8192,
        header: http::header::AUTHORIZATION,
        claims: ClaimNames::default(),
        principal: CallerType::User,
        zone: Zone::Public,
        service_zone: Zone::Public,
        dpop: bartizan_config::Dpop::default(),
    }
}

pub(crate) fn provider(name: &str, provider: Provider) -> Arc<IdentityProvider> {
    Arc::new(IdentityProvider { name: name.parse().unwrap(), line: Line::NONE, provider })
}
