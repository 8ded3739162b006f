//! A request head that is accepted ends where `httparse` (the parser below hyper) says it ends, and says the same
//! whether it comes in one piece or byte by byte.
#![no_main]

use bartizan_gateway::request_head::{HeadLimits, check};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits =
    HeadLimits { max_bytes: 4096, max_target: 512, max_fields: 32, refuse_underscores: true };

fuzz_target!(|bytes: &[u8]| {
    let whole = check(bytes, &LIMITS);
    let pieces =
        (0..=bytes.len()).map(|end| check(&bytes[..end], &LIMITS)).find(|checked| *checked != Ok(None));
    assert_eq!(pieces.unwrap_or(Ok(None)), whole, "the answer depends on how the head is cut");

    let Ok(Some(summary)) = whole else { return };
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).expect("httparse is no stricter");
    assert_eq!(parsed, httparse::Status::Complete(summary.length), "the head ends elsewhere");
    let named =
        |name: &str| request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
    assert!(named("content-length") <= 1 && named("transfer-encoding") <= 1 && named("host") <= 1);
    assert!(named("content-length") + named("transfer-encoding") <= 1, "framed twice");
});
