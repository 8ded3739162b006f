//! Project Wycheproof's vectors. What runs a set stands beside the code that the set is about.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The sets, and where each is run.
const RUN: [(&str, &str); 8] = [
    ("aes_gcm_test.json", "authorization_server::sealing"),
    ("aes_kwp_test.json", "authorization_server::sealing"),
    ("ecdsa_secp256r1_sha256_p1363_test.json", "signature::tests::wycheproof"),
    ("ed25519_test.json", "signature::tests::wycheproof"),
    ("hmac_sha256_test.json", "signature::tests::wycheproof"),
    ("json_web_crypto_test.json", "token::tests::wycheproof"),
    ("json_web_key_test.json", "token::tests::wycheproof"),
    ("json_web_signature_test.json", "token::tests::wycheproof"),
];

/// A set that is added must be run.
#[test]
fn every_set_is_run() {
    let known = RUN.iter().map(|(file, _)| *file).collect::<Vec<_>>();
    let Ok(files) = fs::read_dir(folder()) else {
        absent(&folder().display().to_string());
        return;
    };
    let paths = files.map(|file| PathBuf::from(file.unwrap().file_name()));
    let sets = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let sets: Vec<_> = sets.map(|path| path.display().to_string()).collect();
    for set in &sets {
        assert!(known.contains(&set.as_str()), "{set} is not run");
    }
    assert_eq!(sets.len(), known.len(), "{sets:?}");
}

/// A set. They are not part of the repository: without them there is nothing to test, which is an error where everything
/// must be tested.
pub(crate) fn load(file: &str) -> Option<Value> {
    assert!(RUN.iter().any(|(known, _)| *known == file), "{file} is not in the list");
    let path = folder().join(file);
    let Ok(text) = fs::read(&path) else {
        absent(&path.display().to_string());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}

/// Every test of a set, with its group.
pub(crate) fn tests(vectors: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = vectors["testGroups"].as_array().unwrap();
    let all = || {
        groups
            .iter()
            .flat_map(|group| group["tests"].as_array().unwrap().iter().map(move |test| (group, test)))
    };
    assert_eq!(Some(all().count() as u64), vectors["numberOfTests"].as_u64(), "all tests are there");
    all()
}

/// Bytes as the sets write them.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn folder() -> PathBuf {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("BARTIZAN_TEST_DATA").map_or_else(|| default.into(), PathBuf::from);
    folder.join("wycheproof")
}

fn absent(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} cannot be read");
    println!("SKIPPED: {what} cannot be read: set BARTIZAN_TEST_DATA");
}
