//! A JSON text gives the same in any pieces, and what one parser accepts the other does.
#![no_main]

use bartizan_seclang::body::{BodyError, Json, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, text) = input;
    let limits = Limits { arguments: 100, bytes: 10_000, depth: 50, ..Limits::default() };
    let read = |size: usize| {
        let mut json = Json::new(limits);
        text.chunks(size).for_each(|piece| json.feed(piece));
        json.finish()
    };
    let whole = read(text.len().max(1));
    assert_eq!(whole, read(usize::from(size).max(1)));
    assert!(whole.arguments.len() <= limits.arguments);
    let held: usize = whole.arguments.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(held <= limits.bytes);

    let accepted = serde_json::from_slice::<serde_json::Value>(text);
    let within_limits = !matches!(whole.error, Some(BodyError::TooDeep { .. } | BodyError::TooLarge { .. }));
    if accepted.is_ok() && within_limits {
        assert_eq!(whole.error, None, "serde_json accepts it");
    }
});
