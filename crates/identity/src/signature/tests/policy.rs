//! What is accepted of a signature besides that it matches.

use std::time::Duration;

use bartizan_config::{
    NoncePolicy, SignatureAlgorithm, SignatureComponent, SignatureProvider, VerifyingMaterial,
};
use bartizan_model::PrincipalKind;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::request::Parts;

use super::{Gate, Keys, append, at, get, key, lenient, now, outcome, public_ed25519, set, shared_key, sign};
use crate::{AuthenticationError, InvalidReason, Presented};

/// `GET /orders?id=1`, signed with what follows the list of components.
fn signed(components: &str, parameters: &str) -> Parts {
    let mut head = get();
    sign(&mut head, "sig", &format!("({components}){parameters}"));
    head
}

fn gate(change: impl FnOnce(&mut SignatureProvider)) -> Gate {
    let mut settings = lenient(vec![shared_key("partner")]);
    change(&mut settings);
    Gate::new(settings)
}

#[test]
fn whoever_signs_is_the_holder_of_the_key() {
    let head = signed("\"@method\"", &format!(";created={};keyid=\"partner\"", now()));
    let partner = gate(|_| {}).check(&head, now()).unwrap().identified;
    assert_eq!(
        (partner.principal.id.as_str(), partner.principal.kind),
        ("partner", PrincipalKind::Signature)
    );
    assert_eq!(partner.principal.organization.as_ref().unwrap().as_str(), "acme");
    assert_eq!(partner.grants, "orders:read");
}

#[test]
fn signatures_are_accepted_for_a_window() {
    let gate = gate(|_| {});
    let (now, method) = (now(), "\"@method\"");
    let cases = [
        (format!(";created={now};keyid=\"partner\""), Ok(())),
        (format!(";created={};keyid=\"partner\"", now - 300), Ok(())),
        (format!(";created={};keyid=\"partner\"", now - 301), Err(InvalidReason::TooOld)),
        (format!(";created={};keyid=\"partner\"", now + 30), Ok(())),
        (format!(";created={};keyid=\"partner\"", now + 31), Err(InvalidReason::CreatedInFuture)),
        (format!(";created={now};expires={now};keyid=\"partner\""), Ok(())),
        (format!(";created={};expires={};keyid=\"partner\"", now - 9, now - 1), Err(InvalidReason::Expired)),
        (format!(";created={now};expires=-1;keyid=\"partner\""), Err(InvalidReason::Expired)),
        (";keyid=\"partner\"".into(), Err(InvalidReason::Created)),
        (";created=-1;keyid=\"partner\"".into(), Err(InvalidReason::Created)),
        (format!(";created=\"{now}\";keyid=\"partner\""), Err(InvalidReason::SignatureFields)),
        (format!(";created={now}.5;keyid=\"partner\""), Err(InvalidReason::SignatureFields)),
    ];
    for (parameters, expected) in cases {
        let mut head = get();
        if expected == Err(InvalidReason::SignatureFields) {
            // Our own side does not sign what it cannot read.
            append(&mut head.headers, "signature-input", &format!("sig=({method}){parameters}"));
            append(&mut head.headers, "signature", "sig=:AAAA:");
        } else {
            sign(&mut head, "sig", &format!("({method}){parameters}"));
        }
        assert_eq!(outcome(gate.check(&head, now)), expected, "{parameters}");
    }
}

#[test]
fn a_key_is_for_its_algorithm_whatever_the_request_says() {
    let (gate, now) = (gate(|_| {}), now());
    let named = |alg: &str| signed("\"@method\"", &format!(";created={now};keyid=\"partner\";alg=\"{alg}\""));
    assert_eq!(outcome(gate.check(&named("hmac-sha256"), now)), Ok(()));
    for alg in ["ed25519", "rsa-v1_5-sha256", "HMAC-SHA256", "none", ""] {
        assert_eq!(outcome(gate.check(&named(alg), now)), Err(InvalidReason::Algorithm), "{alg}");
    }
}

/// The classic: the published public key taken for the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    let pair = public_ed25519();
    let keys = Keys::new();
    let path = keys.file("ed25519", &pair);
    let public = key("partner", SignatureAlgorithm::Ed25519, VerifyingMaterial::PublicKey(path));
    let gate = Gate::new(lenient(vec![public]));
    let mut head = signed("\"@method\"", &format!(";created={};keyid=\"partner\"", now()));
    let fields = super::SignatureFields::read(&head.headers).unwrap();
    let message = super::Message::received(&head, true).unwrap();
    let base = super::signature_base(&message, &fields.0[0].components, &fields.0[0].parameters).unwrap();
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pair.as_bytes());
    let forged = STANDARD.encode(aws_lc_rs::hmac::sign(&hmac, &base));
    set(&mut head.headers, "signature", &format!("sig=:{forged}:"));
    assert_eq!(outcome(gate.check(&head, now())), Err(InvalidReason::Signature));
}

#[test]
fn a_signature_must_cover_what_is_demanded() {
    let now = now();
    let demanding = |components: &[&str]| {
        let components = components.iter().map(|name| match *name {
            "@method" => SignatureComponent::Method,
            "@target-uri" => SignatureComponent::TargetUri,
            "@path" => SignatureComponent::Path,
            "@query" => SignatureComponent::Query,
            field => SignatureComponent::Field(field.parse().unwrap()),
        });
        let components: Vec<_> = components.collect();
        gate(|settings| settings.components = components)
    };
    let cases: [(&[&str], &str, Result<(), InvalidReason>); 8] = [
        (&["@method", "@path"], "\"@path\" \"@method\"", Ok(())),
        (&["@method", "@path"], "\"@path\"", Err(InvalidReason::Coverage)),
        (&["@path", "@query"], "\"@target-uri\"", Ok(())),
        (&["@target-uri"], "\"@path\" \"@query\"", Err(InvalidReason::Coverage)),
        (&["@query"], "\"@query-param\";name=\"id\"", Err(InvalidReason::Coverage)),
        (&["content-type"], "\"content-type\"", Ok(())),
        (&["content-type"], "\"content-type\";bs", Ok(())),
        (&["x-dict"], "\"x-dict\";key=\"a\"", Err(InvalidReason::Coverage)),
    ];
    for (demanded, covered, expected) in cases {
        let mut head = get();
        set(&mut head.headers, "x-dict", "a=1, b=2");
        sign(&mut head, "sig", &format!("({covered});created={now};keyid=\"partner\""));
        assert_eq!(outcome(demanding(demanded).check(&head, now)), expected, "{demanded:?} {covered}");
    }
    let by_route = [SignatureComponent::Query];
    let route = Gate::demanding(None, lenient(vec![shared_key("partner")]), &by_route);
    let head = signed("\"@path\"", &format!(";created={now};keyid=\"partner\""));
    assert_eq!(outcome(route.check(&head, now)), Err(InvalidReason::Coverage));
    let head = signed("\"@query\"", &format!(";created={now};keyid=\"partner\""));
    assert_eq!(outcome(route.check(&head, now)), Ok(()));
}

#[test]
fn content_is_what_was_signed_or_there_is_none() {
    let now = now();
    let gate = gate(|settings| settings.components = vec![SignatureComponent::CONTENT_DIGEST]);
    let content = |head: &Parts| gate.check(head, now).unwrap().content.unwrap();

    let unsigned = content(&signed("\"@method\"", &format!(";created={now};keyid=\"partner\"")));
    unsigned.verify(b"").unwrap();
    let invalid = |reason| AuthenticationError::Invalid { provider: "partners".parse().unwrap(), reason };
    assert_eq!(unsigned.verify(b"x").unwrap_err(), invalid(InvalidReason::UnsignedContent));

    let mut head = get();
    set(&mut head.headers, "content-digest", &crate::content_digest(b"ten"));
    let mut one_member = head.clone();
    sign(&mut head, "sig", &format!("(\"content-digest\");created={now};keyid=\"partner\""));
    let signed = content(&head);
    signed.verify(b"ten").unwrap();
    assert_eq!(signed.verify(b"one").unwrap_err(), invalid(InvalidReason::Content));
    assert_eq!(signed.verify(b"").unwrap_err(), invalid(InvalidReason::Content));

    // A digest that is there and not signed is anybody's.
    sign(&mut one_member, "sig", &format!("(\"@method\");created={now};keyid=\"partner\""));
    content(&one_member).verify(b"ten").unwrap_err();
}

#[test]
fn a_nonce_is_used_once() {
    let now = now();
    let settings = || {
        let mut settings = lenient(vec![shared_key("partner"), shared_key("other")]);
        (settings.nonce, settings.max_nonces) = (NoncePolicy::Required, 2);
        settings
    };
    let gate = Gate::new(settings());
    let with = |nonce: &str, key: &str, created: u64| {
        signed("\"@method\"", &format!(";created={created};keyid=\"{key}\";nonce=\"{nonce}\""))
    };
    let check = |gate: &Gate, head: &Parts, now: u64| {
        let presented =
            Presented { head, secure: true, address: None, client_certificate: None, content: None };
        gate.selection.authenticate(&presented, at(now)).map(drop).map_err(|error| match error {
            AuthenticationError::Invalid { reason, .. } => format!("{reason:?}"),
            other => other.to_string(),
        })
    };
    let (replay, full) = (
        Err("Replay".to_owned()),
        Err("`partners` has no room to remember another nonce: `max_nonces`".to_owned()),
    );
    assert_eq!(check(&gate, &with("a", "partner", now), now), Ok(()));
    assert_eq!(check(&gate, &with("a", "partner", now), now), replay);
    assert_eq!(check(&gate, &with("a", "partner", now), now + 300), replay);
    assert_eq!(
        check(&gate, &with("a", "partner", now + 1), now + 1),
        replay,
        "another signature, the same nonce"
    );
    assert_eq!(check(&gate, &with("a", "other", now), now), Ok(()), "each key has nonces of its own");
    assert_eq!(check(&gate, &with("b", "partner", now), now), Ok(()));
    assert_eq!(check(&gate, &with("c", "partner", now), now), full);
    assert_eq!(check(&gate, &with("b", "partner", now), now), replay);
    assert_eq!(
        check(&gate, &with("b", "other", now), now),
        Ok(()),
        "one sender cannot use up another's room"
    );
    assert_eq!(check(&gate, &with("c", "partner", now + 301), now + 301), Ok(()));
    let without = signed("\"@method\"", &format!(";created={now};keyid=\"partner\""));
    assert_eq!(check(&gate, &without, now), Err("Nonce".into()));
    assert_eq!(check(&gate, &with("", "partner", now), now), Err("Nonce".into()));

    let reloaded = Gate::after(Some(&gate), settings());
    assert_eq!(
        check(&reloaded, &with("c", "partner", now + 301), now + 301),
        replay,
        "a reload forgets nothing"
    );
}

#[test]
fn what_may_have_been_used_before_the_memory_began_is_refused() {
    let settings = |window| {
        let mut settings = lenient(vec![shared_key("partner")]);
        settings.window = Duration::from_secs(window);
        settings
    };
    let gate = Gate::new(settings(300));
    let now = now() - 3600;
    let early = signed("\"@method\"", &format!(";created={};keyid=\"partner\";nonce=\"a\"", now - 60));
    assert_eq!(outcome(gate.check(&early, now)), Err(InvalidReason::BeforeMemory));
    let on_time = signed("\"@method\"", &format!(";created={};keyid=\"partner\";nonce=\"b\"", now + 5));
    assert_eq!(outcome(gate.check(&on_time, now + 5)), Ok(()));
    assert_eq!(
        outcome(Gate::after(Some(&gate), settings(300)).check(&on_time, now + 5)),
        Err(InvalidReason::Replay)
    );
    assert_eq!(
        outcome(Gate::after(Some(&gate), settings(60)).check(&on_time, now + 5)),
        Err(InvalidReason::Replay)
    );
    // With a longer window the memory begins anew, or it would not go back far enough.
    let longer = Gate::after(Some(&gate), settings(600));
    assert_eq!(outcome(longer.check(&early, now)), Err(InvalidReason::BeforeMemory));
}

#[test]
fn of_several_signatures_one_must_satisfy() {
    type Labelled<'a> = &'a [(&'a str, &'a str)];

    let (gate, now) = (gate(|settings| settings.tag = Some("shop".into())), now());
    let good = format!("(\"@method\");created={now};keyid=\"partner\";tag=\"shop\"");
    let stranger = format!("(\"@method\");created={now};keyid=\"proxy\"");
    let untagged = format!("(\"@method\");created={now};keyid=\"partner\"");
    let cases: [(Labelled<'_>, Result<(), InvalidReason>); 6] = [
        (&[("a", &good)], Ok(())),
        (&[("a", &stranger), ("b", &good)], Ok(())),
        (&[("a", &untagged), ("b", &good)], Ok(())),
        (&[("a", &untagged)], Err(InvalidReason::Tag)),
        (&[("a", &stranger)], Err(InvalidReason::UnknownKey)),
        (&[("a", &stranger), ("b", &untagged)], Err(InvalidReason::Tag)),
    ];
    for (signatures, expected) in cases {
        let mut head = get();
        for (label, input) in signatures {
            sign(&mut head, label, input);
        }
        assert_eq!(outcome(gate.check(&head, now)), expected, "{signatures:?}");
    }
    let mut many = get();
    for label in ["a", "b", "c", "d", "e"] {
        sign(&mut many, label, &good);
    }
    assert_eq!(outcome(gate.check(&many, now)), Err(InvalidReason::TooManySignatures));
}

#[test]
fn fields_that_do_not_belong_together_are_refused() {
    let now = now();
    let input = format!("sig=(\"@method\");created={now};keyid=\"partner\"");
    let cases: [(&[&str], &[&str]); 12] = [
        (&[&input], &[]),
        (&[], &["sig=:AAAA:"]),
        (&[&input], &["other=:AAAA:"]),
        (&[&input], &["sig=:AAAA:, other=:AAAA:"]),
        (&[&input, &input], &["sig=:AAAA:"]),
        (&[&input], &["sig=:AAAA:", "sig=:BBBB:"]),
        (&["sig=\"@method\""], &["sig=:AAAA:"]),
        (&[&input], &["sig=\"AAAA\""]),
        (&[&input], &["sig=(:AAAA:)"]),
        (&["sig=(\"@method\" \"@method\")"], &["sig=:AAAA:"]),
        (&["sig=(\"a\";bs \"a\";bs)"], &["sig=:AAAA:"]),
        (&["sig=("], &["sig=:AAAA:"]),
    ];
    let gate = gate(|_| {});
    for (inputs, signatures) in cases {
        let mut head = get();
        for input in inputs {
            append(&mut head.headers, "signature-input", input);
        }
        for signature in signatures {
            append(&mut head.headers, "signature", signature);
        }
        assert_eq!(
            outcome(gate.check(&head, now)),
            Err(InvalidReason::SignatureFields),
            "{inputs:?} {signatures:?}"
        );
    }
    let mut head = get();
    let components: Vec<String> = (0..51).map(|number| format!("\"x-{number}\"")).collect();
    append(&mut head.headers, "signature-input", &format!("sig=({})", components.join(" ")));
    append(&mut head.headers, "signature", "sig=:AAAA:");
    assert_eq!(outcome(gate.check(&head, now)), Err(InvalidReason::TooManyComponents));
}
