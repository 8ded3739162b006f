//! A multipart body gives the same in any pieces, and never more than it holds.
#![no_main]

use bartizan_seclang::body::{Limits, Multipart};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Option<&[u8]>, &[u8])| {
    let (size, content_type, body) = input;
    let content_type = content_type.unwrap_or(b"multipart/form-data; boundary=B");
    let limits = Limits { arguments: 100, files: 50, ..Limits::default() };
    let read = |size: usize| {
        let mut multipart = Multipart::new(content_type, limits);
        body.chunks(size).for_each(|piece| multipart.feed(piece));
        multipart.finish()
    };
    let whole = read(body.len().max(1));
    assert_eq!(whole, read(usize::from(size).max(1)));
    assert!(whole.arguments.len() <= limits.arguments && whole.files.len() <= limits.files);
    let fields: usize = whole.arguments.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(fields as u64 + whole.files_combined_size() <= body.len() as u64);
    if whole.flags.error {
        assert!(whole.error.is_some() && whole.flags.strict_error());
    }
});
