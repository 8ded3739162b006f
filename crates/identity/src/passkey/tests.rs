//! Ceremonies as they should be, and everything that must not pass for one.

mod authenticator;

use std::time::{Duration, SystemTime};

use authenticator::{
    Authenticator, BACKED_UP, BACKUP_ELIGIBLE, Signed, USER_PRESENT, USER_VERIFIED, attestation, encoded,
};
use aws_lc_rs::rsa::KeySize;
use bartizan_config::Passkeys;
use ciborium::Value;
use proptest::prelude::*;

use super::*;

const CHALLENGE: &str = "dGVzdA";

fn party() -> Passkeys {
    Passkeys {
        id: "shop.test".into(),
        origins: vec!["https://shop.test".into(), "https://my.shop.test".into()],
    }
}

fn registered(authenticator: &Authenticator) -> Result<NewCredential, PasskeyError> {
    let (client_data, object) = authenticator.register(CHALLENGE);
    let client_data = ClientData::read(&client_data, Ceremony::Create, &party())?;
    assert_eq!(client_data.challenge(), CHALLENGE);
    register(&party(), &client_data, &object, UserVerification::Preferred)
}

fn known(authenticator: &Authenticator) -> KnownCredential {
    let NewCredential { key, sign_count, backup_eligible, .. } = registered(authenticator).unwrap();
    KnownCredential { key, sign_count, backup_eligible }
}

fn proven(known: &KnownCredential, signed: &Signed) -> Result<Proof, PasskeyError> {
    let client_data = ClientData::read(&signed.client_data, Ceremony::Get, &party())?;
    let assertion = Assertion {
        authenticator_data: signed.authenticator_data.clone(),
        signature: signed.signature.clone(),
    };
    prove(&party(), &client_data, &assertion, known, UserVerification::Required)
}

#[test]
fn a_credential_of_every_algorithm_is_registered_and_proves_its_holder() {
    let all = [Authenticator::new(), Authenticator::ed25519(), Authenticator::rsa(KeySize::Rsa2048)];
    for mut authenticator in all {
        let credential = registered(&authenticator).unwrap();
        assert_eq!((&credential.id, credential.sign_count), (&authenticator.id, 0));
        assert!(credential.user_verified && !credential.backup_eligible);
        let mut known = known(&authenticator);
        for _ in 0..2 {
            let signed = authenticator.sign(CHALLENGE);
            let proof = proven(&known, &signed).unwrap();
            assert!(proof.user_verified && proof.sign_count > known.sign_count);
            known.sign_count = proof.sign_count;
        }
    }
}

/// W3C, Web Authentication Level 3, section 16.
#[test]
fn the_vectors_of_the_standard() {
    let party = Passkeys { id: "example.org".into(), origins: vec!["https://example.org".into()] };
    let object = hex(
        "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5\
         e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94\
         ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56\
         b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220",
    );
    let client_data = hex(
        "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e6364\
         7134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e\
         6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d61\
         7920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c20737563\
         6820617320746869733a20426b5165446a646354427258426941774a544c453551227d",
    );
    let data = ClientData::read(&client_data, Ceremony::Create, &party).unwrap();
    let credential = register(&party, &data, &object, UserVerification::Preferred).unwrap();
    assert_eq!(credential.id, hex("f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4"));
    assert!(credential.backup_eligible && credential.backed_up && !credential.user_verified);

    let client_data = hex(
        "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a555854\
         3049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267\
         222c2263726f73734f726967696e223a66616c73657d",
    );
    let assertion = Assertion {
        authenticator_data: hex("bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000"),
        signature: hex(
            "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11\
             a1dd5d78c6e486013f937295ea13653e331e87",
        ),
    };
    let known = KnownCredential { key: credential.key, sign_count: 0, backup_eligible: true };
    let data = ClientData::read(&client_data, Ceremony::Get, &party).unwrap();
    let proof = prove(&party, &data, &assertion, &known, UserVerification::Preferred).unwrap();
    assert_eq!(proof, Proof { sign_count: 0, backed_up: true, user_verified: false });
    let asked = prove(&party, &data, &assertion, &known, UserVerification::Required);
    assert_eq!(asked, Err(PasskeyError::UserVerification));
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

#[test]
fn client_data_of_another_page_or_ceremony_is_refused() {
    let with = |from: &str, to: &str| {
        let honest = r#"{"type":"webauthn.get","challenge":"dGVzdA","origin":"https://shop.test"}"#;
        let text = honest.replace(from, to);
        ClientData::read(text.as_bytes(), Ceremony::Get, &party()).map(|data| data.challenge().to_owned())
    };
    assert_eq!(with("", ""), Ok(CHALLENGE.into()));
    assert_eq!(with("https://shop", "https://my.shop"), Ok(CHALLENGE.into()));
    let origin = |text: &str| Err(PasskeyError::Origin(text.into()));
    assert_eq!(with("https", "http"), origin("http://shop.test"));
    assert_eq!(
        with("https://shop.test", "https://shop.test.evil.test"),
        origin("https://shop.test.evil.test")
    );
    assert_eq!(with("https://shop.test", "https://shop.test:8443"), origin("https://shop.test:8443"));
    assert_eq!(with("webauthn.get", "webauthn.create"), Err(PasskeyError::Ceremony("webauthn.get")));
    assert_eq!(with("webauthn.get", "payment.get"), Err(PasskeyError::Ceremony("webauthn.get")));
    assert_eq!(with("\"challenge\"", "\"other\""), Err(PasskeyError::Challenge));
    for frame in [r#""crossOrigin":true"#, r#""crossOrigin":"no""#, r#""topOrigin":"https://evil.test""#] {
        assert_eq!(with("{", &format!("{{{frame},")), Err(PasskeyError::CrossOrigin), "{frame}");
    }
    assert_eq!(with("{", r#"{"origin":"https://evil.test","#), Err(PasskeyError::ClientData), "twice");
    assert_eq!(with("}", ""), Err(PasskeyError::ClientData));
}

#[test]
fn a_registration_that_is_not_honest_is_refused() {
    let refused = |change: &dyn Fn(&mut Authenticator)| {
        let mut authenticator = Authenticator::new();
        change(&mut authenticator);
        registered(&authenticator).unwrap_err()
    };
    let other = PasskeyError::RelyingParty("shop.test".into());
    assert_eq!(refused(&|authenticator| authenticator.party = "evil.test".into()), other);
    assert_eq!(refused(&|authenticator| authenticator.flags = USER_VERIFIED), PasskeyError::UserPresence);
    let backed_up = refused(&|authenticator| authenticator.flags = USER_PRESENT | BACKED_UP);
    assert!(matches!(backed_up, PasskeyError::AuthenticatorData(_)), "{backed_up}");
    let too_long = refused(&|authenticator| authenticator.id = vec![7; 1024]);
    assert!(matches!(too_long, PasskeyError::AuthenticatorData(_)), "{too_long}");
    let mut longest = Authenticator::new();
    longest.id = vec![7; 1023];
    registered(&longest).unwrap();

    let authenticator = Authenticator::new();
    let client_data = authenticator.client_data("webauthn.create", CHALLENGE);
    let read = ClientData::read(&client_data, Ceremony::Create, &party()).unwrap();
    let object = |object: Vec<u8>| register(&party(), &read, &object, UserVerification::Preferred);
    let data = authenticator.new_credential();
    let (_, honest) = authenticator.register(CHALLENGE);
    object(honest.clone()).unwrap();
    assert!(matches!(object([honest, vec![0]].concat()), Err(PasskeyError::Attestation(_))), "more follows");
    let longer = [data.clone(), vec![0xa0]].concat();
    assert!(matches!(object(attestation("none", vec![], longer)), Err(PasskeyError::AuthenticatorData(_))));
    let talkative = vec![("x".into(), Value::Null)];
    assert!(matches!(
        object(attestation("none", talkative, data.clone())),
        Err(PasskeyError::Attestation(_))
    ));
    assert!(matches!(object(attestation("tpm", vec![], data.clone())), Err(PasskeyError::Attestation(_))));
    let mut touched = Authenticator::new();
    touched.flags = USER_PRESENT;
    let touched = attestation("none", vec![], touched.new_credential());
    let strict = register(&party(), &read, &touched, UserVerification::Required);
    assert_eq!(strict, Err(PasskeyError::UserVerification));

    // A key that signs for itself.
    let statement = |signature: Vec<u8>, algorithm: i64| {
        vec![("alg".into(), algorithm.into()), ("sig".into(), signature.into())]
    };
    let signature = authenticator.signature(&data, &client_data);
    object(attestation("packed", statement(signature.clone(), -7), data.clone())).unwrap();
    let foreign = Authenticator::new().signature(&data, &client_data);
    for statement in [statement(signature, -8), statement(foreign, -7)] {
        let refused = object(attestation("packed", statement, data.clone()));
        assert!(matches!(refused, Err(PasskeyError::Attestation(_))), "{refused:?}");
    }
}

#[test]
fn a_key_that_gives_no_security_is_refused() {
    let point = [1_i64, 2, 3, -7, -1, 1].chunks(2).map(|pair| (pair[0].into(), pair[1].into()));
    let mut members: Vec<(Value, Value)> = point.collect();
    members.extend([((-2).into(), vec![1_u8; 32].into()), ((-3).into(), vec![1_u8; 32].into())]);
    let read = |members: Vec<(Value, Value)>| {
        cose_key::CoseKey::read(&mut encoded(&Value::Map(members)).as_slice()).unwrap_err()
    };
    assert_eq!(read(members.clone()), PasskeyError::Key("not a point of its curve"));
    let mut repeated = members.clone();
    repeated.push((3.into(), (-8).into()));
    assert_eq!(read(repeated), PasskeyError::Key("it is not a CBOR map with unique members"));
    members[1].1 = (-47).into();
    assert!(matches!(read(members), PasskeyError::Key(_)));
    let small = vec![(1.into(), 3.into()), (3.into(), (-257).into())];
    let small =
        [small, vec![((-1).into(), vec![0xff_u8; 128].into()), ((-2).into(), vec![1_u8, 0, 1].into())]];
    assert_eq!(read(small.concat()), PasskeyError::Key("an RSA key that is too weak"));
}

#[test]
fn an_assertion_that_is_not_honest_is_refused() {
    let mut authenticator = Authenticator::new();
    let known = known(&authenticator);
    authenticator.sign_count = 7;
    let honest = authenticator.sign(CHALLENGE);
    assert_eq!(proven(&known, &honest).unwrap().sign_count, 7);
    for place in 0..honest.authenticator_data.len() {
        let mut authenticator_data = honest.authenticator_data.clone();
        authenticator_data[place] ^= 1;
        let (client_data, signature) = (honest.client_data.clone(), honest.signature.clone());
        let changed = Signed { client_data, authenticator_data, signature };
        assert!(proven(&known, &changed).is_err(), "byte {place}");
    }
    let spaced = Signed { client_data: [honest.client_data.clone(), vec![b' ']].concat(), ..honest };
    assert_eq!(proven(&known, &spaced), Err(PasskeyError::Signature));
    let foreign = Authenticator::new().sign(CHALLENGE);
    assert_eq!(
        proven(&known, &Signed { signature: foreign.signature, ..spaced }),
        Err(PasskeyError::Signature)
    );
    authenticator.flags = USER_PRESENT;
    assert_eq!(proven(&known, &authenticator.sign(CHALLENGE)), Err(PasskeyError::UserVerification));
    authenticator.flags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE;
    assert_eq!(proven(&known, &authenticator.sign(CHALLENGE)), Err(PasskeyError::BackupEligibility));
    let of_registration = Signed {
        client_data: authenticator.client_data("webauthn.create", CHALLENGE),
        ..authenticator.sign(CHALLENGE)
    };
    assert_eq!(proven(&known, &of_registration), Err(PasskeyError::Ceremony("webauthn.get")));
}

#[test]
fn a_counter_that_does_not_rise_is_refused() {
    let mut authenticator = Authenticator::new();
    let mut known = known(&authenticator);
    let mut counted = |stored: u32, said: u32| {
        known.sign_count = stored;
        authenticator.sign_count = said;
        proven(&known, &authenticator.sign(CHALLENGE)).map(|proof| proof.sign_count)
    };
    for (stored, said) in [(0, 0), (0, 1), (1, 2), (1, 100), (u32::MAX - 2, u32::MAX - 1)] {
        assert_eq!(counted(stored, said), Ok(said), "{stored} {said}");
    }
    for (stored, said) in [(1, 0), (1, 1), (9, 8)] {
        let refused = PasskeyError::Counter { stored, found: said };
        assert_eq!(counted(stored, said), Err(refused), "{stored} {said}");
    }
}

#[test]
fn a_challenge_is_good_for_what_it_was_given_for() {
    let (keys, others) = (ChallengeKey::new(&[7; 32]), ChallengeKey::new(&[8; 32]));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let challenge = keys.issue(ChallengePurpose::StepUp, "session", now).unwrap();
    let opened = keys.open(&challenge, ChallengePurpose::StepUp, "session", now).unwrap();
    assert_eq!(opened.expires, now + ChallengeKey::lifetime());
    assert!(
        keys.open(&challenge, ChallengePurpose::StepUp, "session", now + Duration::from_secs(299)).is_ok()
    );
    let again = keys.issue(ChallengePurpose::StepUp, "session", now).unwrap();
    assert_ne!(keys.open(&again, ChallengePurpose::StepUp, "session", now).unwrap().id, opened.id);
    let refused = [
        keys.open(&challenge, ChallengePurpose::StepUp, "session", now + Duration::from_mins(5)),
        keys.open(&challenge, ChallengePurpose::SignIn, "session", now),
        keys.open(&challenge, ChallengePurpose::StepUp, "another", now),
        others.open(&challenge, ChallengePurpose::StepUp, "session", now),
        keys.open(&challenge[1..], ChallengePurpose::StepUp, "session", now),
        keys.open("", ChallengePurpose::StepUp, "session", now),
    ];
    for refused in refused {
        assert_eq!(refused, Err(PasskeyError::Challenge));
    }
    assert_eq!(format!("{keys:?}"), "ChallengeKey(***)");
}

proptest! {
    #[test]
    fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let authenticator = Authenticator::new();
        let known = known(&authenticator);
        let client_data = authenticator.client_data("webauthn.create", CHALLENGE);
        let read = ClientData::read(&client_data, Ceremony::Create, &party()).unwrap();
        prop_assert!(register(&party(), &read, &bytes, UserVerification::Preferred).is_err());
        prop_assert!(ClientData::read(&bytes, Ceremony::Get, &party()).is_err());
        let data = [&authenticator.new_credential()[..37], bytes.as_slice()].concat();
        let object = attestation("none", vec![], data);
        prop_assert!(register(&party(), &read, &object, UserVerification::Preferred).is_err());
        let assertion = Assertion { authenticator_data: bytes.clone(), signature: bytes };
        prop_assert!(prove(&party(), &read, &assertion, &known, UserVerification::Preferred).is_err());
    }
}
