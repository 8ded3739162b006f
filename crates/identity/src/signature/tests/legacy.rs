//! The form before RFC 9421.

use bartizan_config::{NoncePolicy, SignatureProfile};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::request::Parts;

use super::{Gate, SECRET, append, get, lenient, now, outcome, request, set, shared_key};
use crate::InvalidReason;

/// The legacy signature of a request.
fn legacy(head: &mut Parts, content: &[u8], timestamp: &str, nonce: &str) {
    let lines = [head.method.as_str(), head.uri.path_and_query().unwrap().as_str()].join("\n");
    let text = [lines.as_bytes(), content, timestamp.as_bytes(), nonce.as_bytes()].join(b"\n".as_slice());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = STANDARD.encode(aws_lc_rs::hmac::sign(&key, &text));
    set(&mut head.headers, "x-signature", &signature);
    set(&mut head.headers, "x-timestamp", timestamp);
    set(&mut head.headers, "x-nonce", nonce);
}

fn legacy_gate(keys: &[&str]) -> Gate {
    let mut settings = lenient(keys.iter().map(|id| shared_key(id)).collect());
    (settings.profile, settings.nonce) = (SignatureProfile::Legacy, NoncePolicy::Required);
    Gate::new(settings)
}

#[test]
fn the_legacy_profile_signs_everything_that_is_sent() {
    let (gate, now, body) = (legacy_gate(&["partner"]), now(), b"{\"id\": 1}".as_slice());
    let fresh = |nonce: &str| {
        let mut head = request("POST /orders?id=1\nHost: shop.test");
        legacy(&mut head, body, &now.to_string(), nonce);
        head
    };
    assert!(gate.selection.needs_content(&fresh("a")) && !gate.selection.needs_content(&get()));
    let partner = gate.check_with(&fresh("a"), Some(body), now).unwrap();
    assert_eq!((partner.identified.principal.id.as_str(), partner.content), ("partner", None));
    assert_eq!(outcome(gate.check_with(&fresh("a"), Some(body), now)), Err(InvalidReason::Replay));

    let check = |change: &dyn Fn(&mut Parts), content: Option<&[u8]>, now: u64| {
        let mut head = fresh("b");
        change(&mut head);
        outcome(gate.check_with(&head, content, now))
    };
    let wrong = Err(InvalidReason::Signature);
    assert_eq!(check(&|head| head.method = http::Method::PUT, Some(body), now), wrong);
    assert_eq!(check(&|head| head.uri = "/orders?id=2".parse().unwrap(), Some(body), now), wrong);
    assert_eq!(check(&|head| set(&mut head.headers, "x-nonce", "c"), Some(body), now), wrong);
    let second = (now - 1).to_string();
    assert_eq!(check(&|head| set(&mut head.headers, "x-timestamp", &second), Some(body), now), wrong);
    assert_eq!(check(&|_| {}, Some(b"{\"id\": 2}"), now), wrong);
    assert_eq!(check(&|_| {}, Some(b""), now), wrong);
    assert_eq!(check(&|_| {}, None, now), Err(InvalidReason::UnsignedContent));
    assert_eq!(check(&|_| {}, Some(body), now + 301), Err(InvalidReason::TooOld));
    assert_eq!(check(&|_| {}, Some(body), now - 31), Err(InvalidReason::CreatedInFuture));
    assert_eq!(
        check(&|head| drop(head.headers.remove("x-nonce")), Some(body), now),
        Err(InvalidReason::Nonce)
    );
    assert_eq!(
        check(&|head| drop(head.headers.remove("x-timestamp")), Some(body), now),
        Err(InvalidReason::Created)
    );
    assert_eq!(
        check(&|head| set(&mut head.headers, "x-timestamp", "soon"), Some(body), now),
        Err(InvalidReason::Created)
    );
    assert_eq!(
        check(&|head| append(&mut head.headers, "x-nonce", "c"), Some(body), now),
        Err(InvalidReason::Ambiguous)
    );
    assert_eq!(
        check(&|head| set(&mut head.headers, "x-signature", "%"), Some(body), now),
        Err(InvalidReason::SignatureFields)
    );
    assert_eq!(check(&|_| {}, Some(body), now), Ok(()), "none of these has used the nonce");
}

#[test]
fn of_several_legacy_keys_a_request_names_one() {
    let (gate, now) = (legacy_gate(&["partner", "other"]), now());
    let check = |id: Option<&str>| {
        let mut head = request("GET /\nHost: shop.test");
        legacy(&mut head, b"", &now.to_string(), "a");
        id.inspect(|id| set(&mut head.headers, "x-key-id", id));
        gate.check_with(&head, Some(b""), now).map(|found| found.identified.principal.id.to_string())
    };
    assert_eq!(check(None), Err(InvalidReason::UnknownKey));
    assert_eq!(check(Some("nobody")), Err(InvalidReason::UnknownKey));
    assert_eq!(check(Some("other")).as_deref(), Ok("other"));
    assert_eq!(check(Some("partner")).as_deref(), Ok("partner"));
}

/// No two requests may be written the same, or a signature of one would be one of the other.
#[test]
fn where_a_legacy_part_ends_cannot_be_moved() {
    let (gate, now) = (legacy_gate(&["partner"]), now());
    let mut head = request("POST /orders\nHost: shop.test");
    legacy(&mut head, format!("x\n{now}").as_bytes(), &now.to_string(), "a");
    let moved = [("/order", "s\nx"), ("/orders", "x"), ("/orders", "")];
    for (target, content) in moved {
        let mut head = head.clone();
        head.uri = target.parse().unwrap();
        assert_eq!(
            outcome(gate.check_with(&head, Some(content.as_bytes()), now)),
            Err(InvalidReason::Signature),
            "{target} {content}"
        );
    }
}
