//! Project Wycheproof's vectors for JWS and JWK, through the same functions as every token: form, header, choice of
//! the key, signature. (The payloads are no claims, so claims are not read.)

use std::{fs, path::PathBuf};

use bartizan_config::Algorithm;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    InvalidReason, TokenHeader,
    key::{KeySet, algorithm_named},
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

const KEY_EXCEPTIONS: &[Exception] =
    &[(2, false, "a JWK set is a public document: symmetric keys in it are never used")];

#[test]
fn json_web_signature() {
    run("json_web_signature_test.json", 401, SIGNATURE_EXCEPTIONS);
}

#[test]
fn json_web_key() {
    run("json_web_key_test.json", 26, KEY_EXCEPTIONS);
}

fn run(file: &str, at_least: usize, exceptions: &[Exception]) {
    let Some(vectors) = load(file) else { return };
    let (mut tests, mut excepted) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = group.get("public").unwrap_or(&group["private"]);
        for test in group["tests"].as_array().unwrap() {
            let id = test["tcId"].as_u64().unwrap();
            let exception = exceptions.iter().find(|(exception, ..)| *exception == id);
            let expected = exception.map_or(test["result"] == "valid", |(_, accepted, _)| *accepted);
            let verdict = verify(key, test["jws"].as_str().unwrap_or_default());
            assert_eq!(
                verdict.is_ok(),
                expected,
                "{file} {id} ({}): {verdict:?} {exception:?}",
                test["comment"]
            );
            tests += 1;
            excepted += usize::from(exception.is_some());
        }
    }
    assert!(tests >= at_least, "{file}: only {tests} tests ran");
    assert_eq!(Some(tests as u64), vectors["numberOfTests"].as_u64(), "{file}: all tests ran");
    assert_eq!(excepted, exceptions.len(), "{file}: every exception is needed");
    println!("{file}: {tests} tests, {excepted} of them exceptions");
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

/// A file of vectors. They are not part of the repository: without them there is nothing to test, which is an error
/// where everything must be tested.
fn load(file: &str) -> Option<Value> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("BARTIZAN_TEST_DATA").map_or_else(|| default.into(), PathBuf::from);
    let path = folder.join("wycheproof").join(file);
    match fs::read(&path) {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{} cannot be read: {error}", path.display());
            println!("SKIPPED: {} cannot be read ({error}): set BARTIZAN_TEST_DATA", path.display());
            None
        }
    }
}
