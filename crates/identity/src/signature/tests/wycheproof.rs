//! Project Wycheproof's vectors for the algorithms of signed requests, which are those of tokens as well: each by the keys
//! that verify requests and, where the message is text and the key is written so, by the JWKs that verify tokens and `DPoP` proofs.

use bartizan_config::{Algorithm, SignatureAlgorithm, VerifyingMaterial};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Keys;
use crate::{
    key::parse_jwk,
    signature::key::VerificationKey,
    tests::wycheproof::{hex, load, tests},
};

#[test]
fn ed25519() {
    public_keys("ed25519_test.json", SignatureAlgorithm::Ed25519, Algorithm::EdDSA);
}

#[test]
fn ecdsa_secp256r1_sha256_p1363() {
    let file = "ecdsa_secp256r1_sha256_p1363_test.json";
    public_keys(file, SignatureAlgorithm::EcdsaP256Sha256, Algorithm::ES256);
}

fn public_keys(file: &str, of_requests: SignatureAlgorithm, of_tokens: Algorithm) {
    let Some(vectors) = load(file) else { return };
    let keys = Keys::new();
    let mut as_text = 0;
    for (group, test) in tests(&vectors) {
        let path = keys.file("key", group["publicKeyPem"].as_str().unwrap());
        let key = VerificationKey::new(of_requests, &VerifyingMaterial::PublicKey(path)).unwrap();
        let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
        let expected = test["result"] == "valid";
        let about = format!("{file} {} ({})", test["tcId"], test["comment"]);
        assert_eq!(key.verify(&message, &signature), expected, "{about}");
        if let (Ok(message), Some(jwk)) = (str::from_utf8(&message), group["publicKeyJwk"].as_object()) {
            let key = parse_jwk(jwk).unwrap();
            let signature = URL_SAFE_NO_PAD.encode(&signature);
            assert_eq!(key.verifies(of_tokens, message, &signature), expected, "{about}, of a token");
            as_text += 1;
        }
    }
    assert!(as_text > 50, "{file}: {as_text} messages are text");
}

/// A secret shorter than the hash is refused, and so is a tag that was cut, valid as it may be elsewhere.
#[test]
fn hmac_sha256() {
    let Some(vectors) = load("hmac_sha256_test.json") else { return };
    let mut accepted = 0;
    for (group, test) in tests(&vectors) {
        let secret = VerifyingMaterial::Secret(hex(&test["key"]).into());
        let Ok(key) = VerificationKey::new(SignatureAlgorithm::HmacSha256, &secret) else {
            assert_eq!(group["keySize"], 128, "{test}");
            continue;
        };
        let expected = test["result"] == "valid" && group["tagSize"] == 256;
        assert_eq!(key.verify(&hex(&test["msg"]), &hex(&test["tag"])), expected, "{test}");
        accepted += usize::from(expected);
    }
    assert_eq!(accepted, 30);
}
