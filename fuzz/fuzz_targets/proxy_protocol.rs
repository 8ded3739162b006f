//! A PROXY header says the same whether it comes in one piece or byte by byte.
#![no_main]

use bartizan_gateway::proxy_protocol::{Parsed, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes);
    let first =
        (0..=bytes.len()).map(|end| parse(&bytes[..end])).find(|parsed| *parsed != Ok(Parsed::Incomplete));
    match first {
        None => assert_eq!(whole, Ok(Parsed::Incomplete)),
        Some(Ok(Parsed::Complete { length, .. })) => {
            assert!(length <= bytes.len());
            assert_eq!(Some(whole), first, "what follows the header changed it");
        }
        Some(_) => assert!(whole.is_err(), "a broken header was mended by what follows it"),
    }
});
