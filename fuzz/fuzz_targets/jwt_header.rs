//! A token header that is accepted is one JSON object that names an algorithm and neither brings nor locates a key.
#![no_main]

use bartizan_identity::TokenHeader;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|json: &[u8]| {
    let Ok(header) = TokenHeader::parse(json) else { return };
    let value: Value = serde_json::from_slice(json).expect("an accepted header is JSON");
    let members = value.as_object().expect("an accepted header is an object");
    assert_eq!(members["alg"], format!("{:?}", header.algorithm()), "the algorithm is another one");
    assert_eq!(members.get("kid").and_then(Value::as_str), header.key_id());
    for member in ["crit", "jwk", "jku", "x5c", "x5u", "zip", "enc", "b64"] {
        assert!(!members.contains_key(member), "`{member}` was accepted");
    }
});
