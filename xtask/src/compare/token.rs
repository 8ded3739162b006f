//! The certificate, the key set and the token of a comparison, all made with `openssl` and thrown away with it.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::command::{self, command};

/// An Ed25519 public key ends its DER form (RFC 8410, section 4).
const ED25519_KEY_LENGTH: usize = 32;

/// Writes `cert.pem`, `key.pem` (ECDSA P-256) and `jwks.json` into a folder, and returns a token signed with `EdDSA`.
pub(super) fn make(folder: &Path) -> Result<String> {
    let openssl = |arguments: &[&str]| {
        let mut openssl = command("openssl", arguments);
        openssl.current_dir(folder);
        command::output(openssl)
    };
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ])?;
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "token-key.pem"])?;
    let public = openssl(&["pkey", "-in", "token-key.pem", "-pubout", "-outform", "DER"])?;
    let public = public.last_chunk::<ED25519_KEY_LENGTH>().context("openssl wrote no Ed25519 key")?;
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "bench", "x": BASE64_URL_SAFE_NO_PAD.encode(public),
    });
    fs::write(folder.join("jwks.json"), json!({ "keys": [key] }).to_string())?;

    let signed = unsigned()?;
    fs::write(folder.join("token.txt"), &signed)?;
    let signature = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", "token-key.pem", "-in", "token.txt"])?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// The part of the token that is signed (RFC 7515, section 5.1).
fn unsigned() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "bench" });
    let claims = json!({
        "iss": "https://bench.test", "aud": "bench", "sub": "bench", "iat": now, "exp": now + 86_400, "permissions": ["orders:read"],
    });
    let encode = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    Ok(format!("{}.{}", encode(header), encode(claims)))
}
