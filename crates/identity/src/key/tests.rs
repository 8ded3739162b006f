use bartizan_config::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{KeySet, MAX_KEYS, jwk::KeyRefused, weakness::check_rsa};
use crate::{
    IdentityError, JwksError,
    tests::issuer::{Issuer, jwks},
};

/// What becomes of a set of one key.
fn load(key: &Value) -> Result<(), KeyRefused> {
    let (keys, refused) = KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    match refused.as_slice() {
        [] => {
            assert_eq!(keys.len(), 1);
            Ok(())
        }
        [refused] => {
            assert_eq!(keys.len(), 0);
            Err(refused.reason)
        }
        _ => panic!("one key, one reason"),
    }
}

fn with(issuer: &Issuer, changes: &Value) -> Value {
    let mut jwk = issuer.jwk();
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

#[test]
fn keys_are_used_or_refused_for_a_reason() {
    let (ed, p256, p384, rsa) =
        (Issuer::ed25519("e"), Issuer::p256("p"), Issuer::p384("q"), Issuer::rs256("r"));
    let (x256, x384) = (p256.jwk()["x"].clone(), p384.jwk()["x"].clone());
    let long = "k".repeat(257);
    let cases = [
        (ed.jwk(), Ok(())),
        (p256.jwk(), Ok(())),
        (p384.jwk(), Ok(())),
        (rsa.jwk(), Ok(())),
        (with(&ed, &json!({ "alg": "EdDSA", "use": "sig", "key_ops": ["verify"] })), Ok(())),
        (with(&ed, &json!({ "alg": "Ed25519" })), Ok(())),
        (with(&ed, &json!({ "alg": "ES256" })), Err(KeyRefused::Algorithm)),
        (with(&ed, &json!({ "alg": 1 })), Err(KeyRefused::Algorithm)),
        (with(&rsa, &json!({ "alg": "PS512" })), Ok(())),
        (with(&rsa, &json!({ "alg": "RSA-OAEP" })), Err(KeyRefused::Algorithm)),
        (with(&rsa, &json!({ "alg": "HS256" })), Err(KeyRefused::Algorithm)),
        (with(&p256, &json!({ "alg": "ES384" })), Err(KeyRefused::Algorithm)),
        (with(&ed, &json!({ "use": "enc" })), Err(KeyRefused::Use)),
        (with(&ed, &json!({ "use": ["sig"] })), Err(KeyRefused::Use)),
        (with(&ed, &json!({ "key_ops": ["sign"] })), Err(KeyRefused::Use)),
        (with(&ed, &json!({ "key_ops": "verify" })), Err(KeyRefused::Use)),
        (with(&ed, &json!({ "kid": 7 })), Err(KeyRefused::KeyId)),
        (with(&ed, &json!({ "kid": long })), Err(KeyRefused::KeyId)),
        (with(&ed, &json!({ "d": "AAAA" })), Err(KeyRefused::Private)),
        (with(&rsa, &json!({ "dp": "AAAA" })), Err(KeyRefused::Private)),
        (json!({ "kty": "oct", "k": "AAAA", "alg": "HS256" }), Err(KeyRefused::Symmetric)),
        (json!({ "kty": "RSA", "k": "AAAA" }), Err(KeyRefused::Private)),
        (with(&ed, &json!({ "kty": "RSA" })), Err(KeyRefused::Member("n"))),
        (with(&ed, &json!({ "kty": "okp" })), Err(KeyRefused::Type)),
        (with(&ed, &json!({ "crv": "Ed448" })), Err(KeyRefused::Type)),
        (with(&ed, &json!({ "crv": "X25519" })), Err(KeyRefused::Type)),
        (with(&p256, &json!({ "crv": "secp256k1" })), Err(KeyRefused::Type)),
        (with(&p256, &json!({ "crv": "P-521" })), Err(KeyRefused::Type)),
        (with(&p256, &json!({ "crv": "P-384" })), Err(KeyRefused::Member("x"))),
        (with(&p256, &json!({ "y": "AAAA" })), Err(KeyRefused::Member("y"))),
        (with(&p256, &json!({ "y": x256 })), Err(KeyRefused::Point)),
        (with(&p384, &json!({ "y": x384 })), Err(KeyRefused::Point)),
        (with(&ed, &json!({ "x": "AAAA" })), Err(KeyRefused::Point)),
        (with(&ed, &json!({ "x": "" })), Err(KeyRefused::Member("x"))),
        (with(&ed, &json!({ "x": "++++" })), Err(KeyRefused::Member("x"))),
        (with(&rsa, &json!({ "n": "AQAB" })), Err(KeyRefused::Size(17))),
        (with(&rsa, &json!({ "e": "AQ" })), Err(KeyRefused::Exponent)),
        (with(&rsa, &json!({ "e": "Aw" })), Err(KeyRefused::Exponent)),
        (with(&rsa, &json!({ "e": "AQAA" })), Err(KeyRefused::Exponent)),
        (with(&rsa, &json!({ "e": "/w==" })), Err(KeyRefused::Member("e"))),
        (json!("key"), Err(KeyRefused::NotAnObject)),
        (json!({}), Err(KeyRefused::Type)),
    ];
    for (key, expected) in cases {
        assert_eq!(load(&key), expected, "{key}");
    }
}

#[test]
fn rsa_moduli_have_a_size() {
    let number = |bytes: usize, first: u8| {
        let mut number = vec![0x5b; bytes];
        number[0] = first;
        number
    };
    let exponent = [1, 0, 1];
    let cases = [
        (number(256, 0x80), Ok(())),
        (number(256, 0x7f), Err(KeyRefused::Size(2047))),
        (number(257, 0), Err(KeyRefused::Size(2047))),
        (number(1024, 0xff), Ok(())),
        (number(1025, 1), Err(KeyRefused::Size(8193))),
        (vec![0; 300], Err(KeyRefused::Size(0))),
        ([number(256, 0x80).as_slice(), &[2]].concat(), Err(KeyRefused::Member("n"))),
    ];
    for (modulus, expected) in cases {
        assert_eq!(check_rsa(&modulus, &exponent), expected, "{} bytes", modulus.len());
    }
}

#[test]
fn one_bad_key_does_not_spoil_the_set() {
    let (good, twin, other) = (Issuer::ed25519("a"), Issuer::p256("twin"), Issuer::ed25519("twin"));
    let encryption = with(&Issuer::p256("enc"), &json!({ "use": "enc" }));
    let document = json!({ "keys": [encryption, good.jwk(), twin.jwk(), other.jwk()], "unknown": 1 });
    let (keys, refused) = KeySet::from_jwks(document.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    let reasons: Vec<_> = refused.iter().map(|key| (key.position, key.id.as_deref(), key.reason)).collect();
    assert_eq!(
        reasons,
        [
            (0, Some("enc"), KeyRefused::Use),
            (2, Some("twin"), KeyRefused::SameKeyId),
            (3, Some("twin"), KeyRefused::SameKeyId),
        ]
    );
}

#[test]
fn documents_that_are_no_sets() {
    let key = Issuer::ed25519("a").jwk();
    let many = json!({ "keys": vec![key.clone(); MAX_KEYS + 1] }).to_string();
    let cases = [
        ("", "json"),
        ("{", "json"),
        ("[]", "json"),
        (r#"{"keys":[],"keys":[]}"#, "json"),
        (r#"{"keys":[{"kid":"a","kid":"b"}]}"#, "json"),
        ("{}", "no set"),
        (r#"{"keys":{}}"#, "no set"),
        (&key.to_string(), "no set"),
        (&many, "many"),
    ];
    for (document, expected) in cases {
        let found = match KeySet::from_jwks(document.as_bytes()).unwrap_err() {
            JwksError::Json(_) => "json",
            JwksError::NotASet => "no set",
            JwksError::TooManyKeys => "many",
            other => panic!("{other}"),
        };
        assert_eq!(found, expected, "{document}");
    }
}

#[test]
fn the_epoch_moves_when_a_key_goes() {
    let (a, b, c) = (Issuer::ed25519("a"), Issuer::ed25519("b"), Issuer::ed25519("c"));
    let set = |issuers: &[&Issuer]| KeySet::from_jwks(jwks(issuers).as_bytes()).unwrap().0;
    let mut current = set(&[&a]);
    let replaced = Issuer::ed25519("b");
    let steps: &[(&[&Issuer], u64, &str)] = &[
        (&[&a], 0, "the same"),
        (&[&a, &b], 0, "one more"),
        (&[&b, &a], 0, "another order"),
        (&[&b], 1, "`a` has gone"),
        (&[&b, &c], 1, "one more"),
        (&[&replaced, &c], 2, "`b` is another key now"),
        (&[], 3, "all have gone"),
        (&[&a], 3, "one more"),
    ];
    for (issuers, epoch, step) in steps {
        current = set(issuers).after(&current);
        assert_eq!(current.epoch(), *epoch, "{step}");
    }
}

#[test]
fn secrets_are_as_long_as_the_hash() {
    let cases = [
        (31, vec![Algorithm::HS256], Some(32)),
        (32, vec![Algorithm::HS256], None),
        (47, vec![Algorithm::HS256, Algorithm::HS384], Some(48)),
        (48, vec![Algorithm::HS384], None),
        (63, vec![Algorithm::HS512], Some(64)),
        (64, vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512], None),
    ];
    for (length, algorithms, expected) in cases {
        let name = "internal".parse().unwrap();
        let needed = match KeySet::from_secret(&name, &"s".repeat(length).into(), &algorithms) {
            Ok(_) => None,
            Err(IdentityError::ShortSecret { least, .. }) => Some(least),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(needed, expected, "{length} bytes for {algorithms:?}");
    }
}

proptest! {
    #[test]
    fn no_document_causes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeySet::from_jwks(&bytes);
        let _ = crate::TokenHeader::parse(&bytes);
    }

    #[test]
    fn no_number_causes_a_panic(
        modulus in prop::collection::vec(any::<u8>(), 0..300),
        exponent in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let _ = check_rsa(&modulus, &exponent);
    }
}
