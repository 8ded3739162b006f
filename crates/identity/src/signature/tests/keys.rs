//! Keys that are none.

use bartizan_config::{SignatureAlgorithm, VerifyingMaterial};

use super::{Keys, SECRET, key, lenient, public_ed25519};
use crate::{Authenticator, IdentityError};

#[test]
fn keys_that_cannot_work_are_refused() {
    let keys = Keys::new();
    let refused = |algorithm, material| {
        let provider = super::provider("partners", lenient(vec![key("p", algorithm, material)]));
        let index = std::sync::Arc::new(bartizan_policy::PermissionIndex::new([]));
        Authenticator::of_providers(&[provider], &[], &index, None).unwrap_err()
    };
    let file = |name: &str, text: &str| VerifyingMaterial::PublicKey(keys.file(name, text));
    let ed25519 = public_ed25519();
    let cases = [
        (
            SignatureAlgorithm::HmacSha256,
            VerifyingMaterial::Secret(b"short".to_vec().into()),
            "a secret of 5 bytes: at least 32 are needed",
        ),
        (
            SignatureAlgorithm::Ed25519,
            VerifyingMaterial::Secret(SECRET.as_bytes().to_vec().into()),
            "`ed25519` does not work with what is configured",
        ),
        (
            SignatureAlgorithm::HmacSha256,
            file("good", &ed25519),
            "`hmac-sha256` does not work with what is configured",
        ),
        (SignatureAlgorithm::EcdsaP256Sha256, file("good", &ed25519), "no key for `ecdsa-p256-sha256`"),
        (SignatureAlgorithm::RsaPssSha512, file("good", &ed25519), "no key for `rsa-pss-sha512`"),
        (SignatureAlgorithm::Ed25519, file("bad", "no PEM"), "no PEM section `PUBLIC KEY` in it"),
    ];
    for (algorithm, material, expected) in cases {
        let error = refused(algorithm, material);
        assert_eq!(error.to_string(), format!("the key `p` of `partners`: {expected}"));
    }
    let nowhere = VerifyingMaterial::PublicKey(keys.path().join("nowhere"));
    let error = refused(SignatureAlgorithm::Ed25519, nowhere);
    assert!(matches!(error, IdentityError::SignatureKey { .. }), "{error}");
}
