//! What the gateway signs, a gateway accepts.

use std::path::PathBuf;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair, RsaKeyPair,
    },
};
use bartizan_config::{
    SignatureAlgorithm, SignatureComponent, SigningMaterial, UpstreamSigning, VerifyingMaterial,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::request::Parts;

use super::{Gate, Keys, SECRET, at, key, lenient, request, set};
use crate::{InvalidReason, Outgoing, RequestSigner, SignatureKeyError};

const NOW: u64 = 4_000_000_000;

fn signing(algorithm: SignatureAlgorithm, material: SigningMaterial) -> UpstreamSigning {
    UpstreamSigning {
        id: "gateway".into(),
        algorithm,
        material,
        components: vec![
            SignatureComponent::Method,
            SignatureComponent::TargetUri,
            SignatureComponent::CONTENT_DIGEST,
            SignatureComponent::Field("x-user-id".parse().unwrap()),
        ],
        tag: Some("shop".into()),
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

/// A fresh pair in two files.
fn pair(keys: &Keys, algorithm: SignatureAlgorithm) -> (PathBuf, PathBuf) {
    let x509 = |der: PublicKeyX509Der<'_>| pem("PUBLIC KEY", der.as_ref());
    let pkcs8 = |der: &[u8]| pem("PRIVATE KEY", der);
    let ecdsa = |curve| {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        (pkcs8(pair.to_pkcs8v1().unwrap().as_ref()), x509(pair.public_key().as_der().unwrap()))
    };
    let (private, public) = match algorithm {
        SignatureAlgorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().unwrap();
            (pkcs8(pair.to_pkcs8v1().unwrap().as_ref()), x509(pair.public_key().as_der().unwrap()))
        }
        SignatureAlgorithm::EcdsaP256Sha256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        SignatureAlgorithm::EcdsaP384Sha384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            (pkcs8(der.as_ref()), x509(pair.public_key().as_der().unwrap()))
        }
    };
    (keys.file("private", &private), keys.file("public", &public))
}

/// What arrives when `signer` has signed `POST /orders?id=1`.
fn sent(signer: &RequestSigner, content: Option<&[u8]>) -> Parts {
    let mut head = request("POST /orders?id=1\nHost: Shop.test:443\nX-User-Id: alice");
    set(&mut head.headers, "signature", "client=:AAAA:");
    set(&mut head.headers, "signature-input", "client=()");
    set(&mut head.headers, "content-digest", "sha-256=:AAAA:");
    let (mut headers, target) = (head.headers.clone(), head.uri.clone());
    let outgoing = Outgoing {
        method: &head.method,
        scheme: "https",
        authority: "Shop.test:443",
        target: &target,
        content,
    };
    signer.sign(&outgoing, &mut headers, at(NOW)).unwrap();
    head.headers = headers;
    head
}

#[test]
fn every_algorithm_signs_what_it_verifies() {
    let keys = Keys::new();
    for algorithm in [
        SignatureAlgorithm::Ed25519,
        SignatureAlgorithm::EcdsaP256Sha256,
        SignatureAlgorithm::EcdsaP384Sha384,
        SignatureAlgorithm::RsaPssSha512,
        SignatureAlgorithm::RsaV15Sha256,
        SignatureAlgorithm::HmacSha256,
    ] {
        let (ours, theirs) = if algorithm == SignatureAlgorithm::HmacSha256 {
            (
                SigningMaterial::Secret(SECRET.as_bytes().to_vec().into()),
                VerifyingMaterial::Secret(SECRET.as_bytes().to_vec().into()),
            )
        } else {
            let (private, public) = pair(&keys, algorithm);
            (SigningMaterial::PrivateKey(private), VerifyingMaterial::PublicKey(public))
        };
        let signer = RequestSigner::new(&signing(algorithm, ours)).unwrap();
        let mut settings = lenient(vec![key("gateway", algorithm, theirs)]);
        settings.components =
            signing(algorithm, SigningMaterial::Secret(SECRET.as_bytes().to_vec().into())).components;
        settings.tag = Some("shop".into());
        let gate = Gate::new(settings);

        let head = sent(&signer, Some(b"ten"));
        let content = gate.check(&head, NOW).unwrap().content.unwrap();
        content.verify(b"ten").unwrap();
        assert_eq!(gate.check(&head, NOW).unwrap_err(), InvalidReason::Replay, "it has a nonce");
        let mut other = sent(&signer, Some(b"ten"));
        set(&mut other.headers, "x-user-id", "mallory");
        assert_eq!(gate.check(&other, NOW).unwrap_err(), InvalidReason::Signature, "{algorithm:?}");
    }
}

#[test]
fn content_that_is_not_here_is_not_signed() {
    let signer =
        signing(SignatureAlgorithm::HmacSha256, SigningMaterial::Secret(SECRET.as_bytes().to_vec().into()));
    let signer = RequestSigner::new(&signer).unwrap();
    let streamed = sent(&signer, None);
    assert!(!streamed.headers.contains_key("content-digest"), "what the client said is not what we say");
    let input = streamed.headers["signature-input"].to_str().unwrap();
    assert!(
        input.starts_with("bartizan=(\"@method\" \"@target-uri\" \"x-user-id\");created=4000000000;"),
        "{input}"
    );
    assert_eq!(streamed.headers.get_all("signature-input").iter().count(), 1);
    let empty = sent(&signer, Some(b""));
    assert_eq!(empty.headers["content-digest"], crate::content_digest(b"").as_str());
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    let keys = Keys::new();
    let (private, public) = pair(&keys, SignatureAlgorithm::Ed25519);
    let refused =
        |algorithm, material| RequestSigner::new(&signing(algorithm, material)).unwrap_err().to_string();
    let file = SigningMaterial::PrivateKey;
    assert_eq!(refused(SignatureAlgorithm::Ed25519, file(public)), "no PEM section `PRIVATE KEY` in it");
    assert_eq!(
        refused(SignatureAlgorithm::RsaPssSha512, file(private.clone())),
        "no key for `rsa-pss-sha512`"
    );
    assert_eq!(
        refused(SignatureAlgorithm::HmacSha256, file(private)),
        "`hmac-sha256` does not work with what is configured"
    );
    let short = SigningMaterial::Secret(b"short".to_vec().into());
    let error = RequestSigner::new(&signing(SignatureAlgorithm::HmacSha256, short)).unwrap_err();
    assert!(matches!(error, SignatureKeyError::ShortSecret(5)), "{error}");
    let shown = format!(
        "{:?}",
        RequestSigner::new(&signing(
            SignatureAlgorithm::HmacSha256,
            SigningMaterial::Secret(SECRET.as_bytes().to_vec().into())
        ))
    );
    assert!(!shown.contains(SECRET), "{shown}");
}
