//! An XML document gives the same in any pieces and never more than it holds: nothing expands.
#![no_main]

use bartizan_seclang::body::{Limits, Xml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (size, document) = input;
    let limits = Limits { arguments: 100, depth: 50, ..Limits::default() };
    let read = |size: usize| {
        let mut xml = Xml::new(limits);
        document.chunks(size).for_each(|piece| xml.feed(piece));
        xml.finish()
    };
    let whole = read(document.len().max(1));
    assert_eq!(whole, read(usize::from(size).max(1)));
    assert!(whole.attributes.len() <= limits.arguments);
    let values: usize = whole.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    let text = whole.text.as_ref().map_or(0, Vec::len);
    // A byte of Latin-1 becomes two.
    assert!(text + values <= document.len() * 2, "{} bytes became {text} and {values}", document.len());
    assert!(whole.error.is_some() || whole.text.is_some(), "accepted without a root element");
});
