use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use bartizan_config::Dpop;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::{
    DpopError, DpopProofs, NonceMaker, ProofMemory, ProvenRequest, ROOM, base64_sha256, is_target, seconds,
};
use crate::tests::issuer::Issuer;

const TOKEN: &[u8] = b"token";

fn request<'a>() -> ProvenRequest<'a> {
    let origins = smallvec::smallvec![("https", "shop.test")];
    ProvenRequest { method: "POST", origins, path: "/orders", token: Some(TOKEN), key: None }
}

fn claims(now: SystemTime) -> Value {
    json!({
        "jti": uuid::Uuid::new_v4().to_string(), "htm": "POST", "htu": "https://shop.test/orders",
        "iat": seconds(now), "ath": base64_sha256(TOKEN),
    })
}

fn headers(proofs: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for proof in proofs {
        headers.append("dpop", HeaderValue::from_str(proof).unwrap());
    }
    headers
}

fn signed(issuer: &Issuer, claims: &Value) -> String {
    let header = json!({ "typ": "dpop+jwt", "alg": issuer.header()["alg"], "jwk": issuer.jwk() });
    issuer.sign(&header.to_string(), &claims.to_string())
}

/// The thumbprint of the key, where the proof counts.
fn check(
    proofs: &DpopProofs,
    headers: &HeaderMap,
    request: &ProvenRequest<'_>,
    policy: &Dpop,
    now: SystemTime,
) -> Result<String, DpopError> {
    proofs.check(headers, request, policy, now).map(|proven| proven.thumbprint)
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"nonces")
}

#[test]
fn a_proof_is_for_one_request_and_one_token() {
    for issuer in [Issuer::ed25519("k"), Issuer::p256("k"), Issuer::rs256("k")] {
        let (proofs, now) = (DpopProofs::new(Some(key())), SystemTime::now());
        let check = |claims: &Value| {
            check(&proofs, &headers(&[&signed(&issuer, claims)]), &request(), &Dpop::default(), now)
        };
        let mut thumbprints = (0..2).map(|_| check(&claims(now)).unwrap());
        assert_eq!(thumbprints.next(), thumbprints.next(), "the same key has the same thumbprint");
        for (name, value, expected) in [
            ("htm", json!("GET"), DpopError::Method),
            ("htm", json!("post"), DpopError::Method),
            ("htu", json!("https://shop.test/order"), DpopError::Target),
            ("htu", json!("http://shop.test/orders"), DpopError::Target),
            ("htu", json!("https://evil.test/orders"), DpopError::Target),
            ("htu", Value::Null, DpopError::Target),
            ("ath", json!(base64_sha256(b"other")), DpopError::TokenHash),
            ("ath", Value::Null, DpopError::TokenHash),
            ("iat", json!("now"), DpopError::IssuedAt),
            ("iat", json!(seconds(now) + 31), DpopError::InFuture),
            ("iat", json!(seconds(now) - 61), DpopError::TooOld),
            ("jti", json!(""), DpopError::Identifier),
            ("jti", json!("x".repeat(257)), DpopError::Identifier),
        ] {
            let mut changed = claims(now);
            changed[name] = value;
            assert_eq!(check(&changed), Err(expected), "{changed}");
        }
    }
}

#[test]
fn a_proof_counts_once() {
    let (issuer, proofs, now) = (Issuer::ed25519("k"), DpopProofs::new(None), SystemTime::now());
    let claims = claims(now);
    let proof = signed(&issuer, &claims);
    let check = |proof: &str, at| check(&proofs, &headers(&[proof]), &request(), &Dpop::default(), at);
    check(&proof, now).unwrap();
    assert_eq!(check(&proof, now), Err(DpopError::Replay));
    assert_eq!(check(&proof, now + Duration::from_mins(1)), Err(DpopError::Replay));
    assert_eq!(check(&proof, now + Duration::from_secs(61)), Err(DpopError::TooOld));
    check(&signed(&Issuer::ed25519("k"), &claims), now).expect("the same id by another key");
    for seconds in [4, 30] {
        let before = self::claims(now - Duration::from_secs(seconds));
        assert_eq!(check(&signed(&issuer, &before), now), Err(DpopError::BeforeMemory), "{seconds}");
    }
}

#[test]
fn a_proof_by_another_key_takes_no_room() {
    let (issuer, proofs, now) = (Issuer::ed25519("k"), DpopProofs::new(None), SystemTime::now());
    let proof = signed(&issuer, &claims(now));
    let check = |key| {
        let request = ProvenRequest { key, ..request() };
        check(&proofs, &headers(&[&proof]), &request, &Dpop::default(), now)
    };
    assert_eq!(check(Some("another")), Err(DpopError::OtherKey));
    let thumbprint = check(None).expect("it was not used up");
    assert_eq!(check(Some(&thumbprint)), Err(DpopError::Replay));
}

#[test]
fn a_key_has_room_for_as_many_proofs_as_are_configured() {
    let (issuer, proofs, now) = (Issuer::ed25519("k"), DpopProofs::new(None), SystemTime::now());
    let check = |issuer: &Issuer, max_proofs| {
        let policy = Dpop { max_proofs, ..Dpop::default() };
        check(&proofs, &headers(&[&signed(issuer, &claims(now))]), &request(), &policy, now).map(drop)
    };
    assert_eq!([check(&issuer, 2), check(&issuer, 2)], [Ok(()); 2]);
    assert_eq!(check(&issuer, 2), Err(DpopError::NoRoom));
    assert_eq!(check(&Issuer::ed25519("k"), 2), Ok(()), "another key");
    assert_eq!(check(&issuer, 3), Ok(()), "after a reload that gives more");
}

#[test]
fn a_nonce_of_the_gateway_keeps_proofs_from_being_made_beforehand() {
    let (proofs, neighbour) = (DpopProofs::new(Some(key())), DpopProofs::new(Some(key())));
    let (now, issuer) = (SystemTime::now(), Issuer::ed25519("k"));
    let policy = Dpop { nonce: true, max_age: Duration::from_mins(10), ..Dpop::default() };
    let check = |nonce: Option<&str>, at: SystemTime| {
        let mut claims = claims(at);
        claims["nonce"] = nonce.into();
        check(&proofs, &headers(&[&signed(&issuer, &claims)]), &request(), &policy, at)
    };
    assert_eq!(check(None, now), Err(DpopError::Nonce));
    assert_eq!(check(Some("invented"), now), Err(DpopError::Nonce));
    let nonce = neighbour.nonce(now).unwrap();
    check(Some(nonce.to_str().unwrap()), now).unwrap();
    check(Some(nonce.to_str().unwrap()), now + Duration::from_mins(2)).unwrap();
    let late = check(Some(nonce.to_str().unwrap()), now + Duration::from_mins(3));
    assert_eq!(late, Err(DpopError::Nonce));
    let stranger = DpopProofs::new(None).nonce(now).unwrap();
    assert_eq!(check(Some(stranger.to_str().unwrap()), now), Err(DpopError::Nonce));
}

#[test]
fn a_proof_may_be_for_any_of_the_origins_that_are_configured() {
    let (issuer, proofs, now) = (Issuer::ed25519("k"), DpopProofs::new(None), SystemTime::now());
    let check = |url: &str| {
        let origins = smallvec::smallvec![("https", "api.shop.test"), ("http", "localhost:8080")];
        let mut claims = claims(now);
        claims["htu"] = url.into();
        let headers = headers(&[&signed(&issuer, &claims)]);
        check(&proofs, &headers, &ProvenRequest { origins, ..request() }, &Dpop::default(), now).map(drop)
    };
    assert_eq!(check("https://api.shop.test/orders"), Ok(()));
    assert_eq!(check("http://localhost:8080/orders"), Ok(()));
    assert_eq!(check("https://shop.test/orders"), Err(DpopError::Target), "what the request says itself");
    assert_eq!(check("http://api.shop.test/orders"), Err(DpopError::Target));
}

#[test]
fn what_is_no_proof() {
    let (issuer, proofs, now) = (Issuer::ed25519("k"), DpopProofs::new(None), SystemTime::now());
    let check = |values: &[&str]| check(&proofs, &headers(values), &request(), &Dpop::default(), now);
    let with = |header: &Value| issuer.sign(&header.to_string(), &claims(now).to_string());
    let good = signed(&issuer, &claims(now));
    assert_eq!(check(&[]), Err(DpopError::Missing));
    assert_eq!(check(&[&good, &good]), Err(DpopError::Ambiguous));
    assert_eq!(check(&["a.b"]), Err(DpopError::Form));
    assert_eq!(check(&[&"x".repeat(4097)]), Err(DpopError::TooLong));
    let mut private = issuer.jwk();
    private["d"] = json!("AAAA");
    for (header, expected) in [
        (json!({ "alg": "EdDSA", "jwk": issuer.jwk() }), DpopError::Type),
        (json!({ "typ": "JWT", "alg": "EdDSA", "jwk": issuer.jwk() }), DpopError::Type),
        (json!({ "typ": "dpop+jwt", "alg": "none", "jwk": issuer.jwk() }), DpopError::Algorithm),
        (json!({ "typ": "dpop+jwt", "alg": "HS256", "jwk": issuer.jwk() }), DpopError::Algorithm),
        (json!({ "typ": "dpop+jwt", "alg": "EdDSA" }), DpopError::Key),
        (json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": private }), DpopError::Key),
        (
            json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": issuer.jwk(), "crit": ["x"] }),
            DpopError::Critical,
        ),
        (
            json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": Issuer::ed25519("k").jwk() }),
            DpopError::Signature,
        ),
        (json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": issuer.jwk() }), DpopError::Signature),
    ] {
        assert_eq!(check(&[&with(&header)]), Err(expected), "{header}");
    }
}

#[test]
fn targets_are_compared_as_urls() {
    let target = ("https", "Shop.test", "/a");
    for (url, expected) in [
        ("https://shop.test/a", true),
        ("https://SHOP.test:443/a", true),
        ("https://shop.test/a?query=1", true),
        ("https://shop.test/A", false),
        ("https://shop.test/a/", false),
        ("https://shop.test:8443/a", false),
        ("https://user@shop.test/a", false),
        ("/a", false),
        ("", false),
    ] {
        assert_eq!(is_target(url, target), expected, "{url}");
    }
    assert!(is_target("http://shop.test", ("http", "shop.test:80", "")));
}

/// The proofs of RFC 9449, sections 4.1 and 7.1, and the thumbprint of their key in section 6.1.
#[test]
fn examples_of_rfc_9449() {
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZ\
         OXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIs\
         ImNydiI6IlAtMjU2In19";
    const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    // A gateway of that summer.
    let used = ProofMemory::since(1_562_262_000, ROOM);
    let proofs = DpopProofs { used, nonces: NonceMaker::new(None) };
    let check = |payload: &str, signature: &str, request: &ProvenRequest<'_>, now| {
        let proven = proofs.check(
            &headers(&[&format!("{HEADER}.{payload}.{signature}")]),
            request,
            &Dpop::default(),
            at(now),
        );
        proven.map(|proven| proven.thumbprint)
    };
    let payload = "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rv\
         a2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ";
    let signature = "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let request = ProvenRequest {
        method: "POST",
        origins: smallvec::smallvec![("https", "server.example.com")],
        path: "/token",
        token: None,
        key: None,
    };
    assert_eq!(check(payload, signature, &request, 1_562_262_616).as_deref(), Ok(KEY));
    assert_eq!(check(payload, signature, &request, 1_562_262_617), Err(DpopError::Replay));

    let payload = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9w\
         cm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlp\
         S0NBcWtzbVFFbyJ9";
    let signature = "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let request = ProvenRequest {
        method: "GET",
        origins: smallvec::smallvec![("https", "resource.example.org")],
        path: "/protectedresource",
        token: Some(b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        key: Some(KEY),
    };
    let other =
        ProvenRequest { token: Some(b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxV"), ..request.clone() };
    assert_eq!(check(payload, signature, &other, 1_562_262_620), Err(DpopError::TokenHash));
    assert_eq!(check(payload, signature, &request, 1_562_262_620).as_deref(), Ok(KEY));
}
