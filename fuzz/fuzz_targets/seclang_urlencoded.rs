//! A form and a cookie header give the same in any pieces, and never more than they hold.
#![no_main]

use bartizan_seclang::body::{Arguments, CookieFormat, Limits, Urlencoded, cookies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (separator, size, body) = input;
    let read = |size: usize| {
        let mut form = Urlencoded::new(separator, Limits::default());
        body.chunks(size).for_each(|piece| form.feed(piece));
        form.finish()
    };
    let whole = read(body.len().max(1));
    assert_eq!(whole, read(usize::from(size).max(1)));
    assert!(held(&whole.arguments) <= body.len());
    for format in [CookieFormat::Netscape, CookieFormat::Rfc2109] {
        assert!(held(&cookies(body, format, Limits::default())) <= body.len());
    }
});

fn held(arguments: &Arguments) -> usize {
    arguments.iter().map(|(name, value)| name.len() + value.len()).sum()
}
