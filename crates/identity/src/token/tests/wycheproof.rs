//! Project Wycheproof's vectors for JWS and JWK, through the same functions as every token: form, header, choice of
//! the key, signature. (The payloads are no claims, so claims are not read.) What is encrypted (JWE) is no token here.

use bartizan_config::Algorithm;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    InvalidReason, TokenHeader,
    key::{KeySet, algorithm_named},
    tests::wycheproof::{load, tests},
    token::{check_signature, compact::CompactToken},
};

/// Where our verdict is not the file's: test, whether we accept, why.
type Exception = (u64, bool, &'static str);

const SIGNATURE_EXCEPTIONS: &[Exception] = &[
    (346, false, "the key says PS256 and the token PS384; test 338 demands that such a token is refused"),
    (347, false, "ES512 is not offered"),
    (350, false, "as 346"),
    (351, false, "ES512 is not offered"),
    (367, true, "byte for byte the token of test 357, which is valid"),
    (370, true, "byte for byte the token of test 357, which is valid"),
    (372, false, "`?` in the header is not base64url (RFC 7515, section 2)"),
    (373, false, "`?` in the payload is not base64url (RFC 7515, section 2)"),
];

const KEY_EXCEPTIONS: &[Exception] = &[(2, false, SYMMETRIC)];
const CRYPTO_EXCEPTIONS: &[Exception] = &[(48, false, SYMMETRIC)];
const SYMMETRIC: &str = "a JWK set is a public document: symmetric keys in it are never used";

#[test]
fn json_web_signature() {
    run("json_web_signature_test.json", 401, SIGNATURE_EXCEPTIONS);
}

#[test]
fn json_web_key() {
    run("json_web_key_test.json", 26, KEY_EXCEPTIONS);
}

#[test]
fn json_web_crypto() {
    run("json_web_crypto_test.json", 83, CRYPTO_EXCEPTIONS);
}

fn run(file: &str, at_least: usize, exceptions: &[Exception]) {
    let Some(vectors) = load(file) else { return };
    let (mut count, mut excepted) = (0, 0);
    for (group, test) in tests(&vectors) {
        let key = group.get("public").unwrap_or(&group["private"]);
        let id = test["tcId"].as_u64().unwrap();
        let encrypted = test.get("jwe").and_then(Value::as_str);
        let exception = exceptions.iter().find(|(exception, ..)| *exception == id);
        let is_valid = test["result"] == "valid" && encrypted.is_none();
        let expected = exception.map_or(is_valid, |(_, accepted, _)| *accepted);
        let token = encrypted.or_else(|| test["jws"].as_str()).unwrap_or_default();
        let verdict = verify(key, token);
        let comment = &test["comment"];
        assert_eq!(verdict.is_ok(), expected, "{file} {id} ({comment}): {verdict:?} {exception:?}");
        count += 1;
        excepted += usize::from(exception.is_some());
    }
    assert!(count >= at_least, "{file}: only {count} tests ran");
    assert_eq!(excepted, exceptions.len(), "{file}: every exception is needed");
    println!("{file}: {count} tests, {excepted} of them exceptions");
}

/// The verdict on a token by a vector's key: a JWK set as it is, one public key as a set of its own, one symmetric
/// key as a shared secret.
fn verify(key: &Value, token: &str) -> Result<(), InvalidReason> {
    let (keys, set) = match key.get("keys") {
        Some(keys) => (keys.as_array().unwrap().as_slice(), key.clone()),
        None => (std::slice::from_ref(key), json!({ "keys": [key] })),
    };
    let by_set = KeySet::from_jwks(set.to_string().as_bytes()).unwrap().0;
    let shared_secret = match keys {
        [only] if only["kty"] == "oct" => {
            assert!(check(&by_set, token).is_err(), "a symmetric key in a set is not used");
            Some(secret(only))
        }
        _ => None,
    };
    match shared_secret {
        Some(secret) => check(&secret.ok_or(InvalidReason::UnknownKey)?, token),
        None => check(&by_set, token),
    }
}

/// What the configuration would make of a symmetric key; `None` if it refuses it.
fn secret(jwk: &Value) -> Option<KeySet> {
    let hmac = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    let algorithm =
        jwk["alg"].as_str().and_then(algorithm_named).filter(|algorithm| hmac.contains(algorithm))?;
    let bytes = URL_SAFE_NO_PAD.decode(jwk["k"].as_str().unwrap()).unwrap();
    KeySet::from_secret_bytes(&bytes, &[algorithm]).ok()
}

fn check(keys: &KeySet, token: &str) -> Result<(), InvalidReason> {
    let token = CompactToken::parse(token.as_bytes())?;
    let header = TokenHeader::parse(&token.header)?;
    check_signature(&token, &header, keys)
}
