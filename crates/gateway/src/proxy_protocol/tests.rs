use proptest::prelude::*;

use super::*;

fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [V2_START, &[command, family], &length, payload].concat()
}

const V4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 9, 0x10, 0x92, 0x01, 0xbb];

fn v6() -> Vec<u8> {
    let address = |last: u8| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&address(1)[..], &address(2), &[0x10, 0x92, 0x01, 0xbb]].concat()
}

type Expected = Result<Option<&'static str>, ProxyHeaderError>;

fn cases() -> Vec<(Vec<u8>, Expected)> {
    use ProxyHeaderError as E;
    let v1 = |line: &str| line.as_bytes().to_vec();
    let with = |payload: &[u8], attached: &[u8]| [payload, attached].concat();
    vec![
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443\r\n"), Ok(Some("192.0.2.1:4242"))),
        (v1("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), Ok(Some("255.255.255.255:65535"))),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 0 0\r\n"), Ok(Some("192.0.2.1:0"))),
        (v1("PROXY TCP6 2001:db8::1 2001:db8::2 4242 443\r\n"), Ok(Some("[2001:db8::1]:4242"))),
        (v1("PROXY UNKNOWN\r\n"), Ok(None)),
        (v1("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), Ok(None)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 4242\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443 1\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4  192.0.2.1 192.0.2.9 4242 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.01 192.0.2.9 4242 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 04242 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 +42 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 192.0.2.1 192.0.2.9 65536 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP4 2001:db8::1 2001:db8::2 4242 443\r\n"), Err(E::Version1)),
        (v1("PROXY TCP6 192.0.2.1 192.0.2.9 4242 443\r\n"), Err(E::Version1)),
        (v1("PROXY UDP4 192.0.2.1 192.0.2.9 4242 443\r\n"), Err(E::Version1)),
        (v1("PROXY \r\n"), Err(E::Version1)),
        (v1(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(107))), Err(E::TooLong)),
        (v1("proxy TCP4 192.0.2.1 192.0.2.9 4242 443\r\n"), Err(E::Missing)),
        (v1("GET / HTTP/1.1\r\n"), Err(E::Missing)),
        (b"\x16\x03\x01".to_vec(), Err(E::Missing)),
        (v2(0x21, 0x11, V4), Ok(Some("192.0.2.1:4242"))),
        (v2(0x21, 0x21, &v6()), Ok(Some("[2001:db8::1]:4242"))),
        (v2(0x21, 0x11, &with(V4, &[4, 0, 2, 9, 9, 5, 0, 0])), Ok(Some("192.0.2.1:4242"))),
        (v2(0x21, 0x11, &with(V4, &[4, 0, 3, 9, 9])), Err(E::Version2)),
        (v2(0x21, 0x11, &with(V4, &[4, 0])), Err(E::Version2)),
        (v2(0x20, 0x11, V4), Ok(None)),
        (v2(0x20, 0x00, &[]), Ok(None)),
        (v2(0x20, 0x00, &[1, 2, 3]), Ok(None)),
        (v2(0x21, 0x00, &[1, 2, 3]), Ok(None)),
        (v2(0x21, 0x11, &V4[..11]), Err(E::Version2)),
        (v2(0x21, 0x21, V4), Err(E::Version2)),
        (v2(0x22, 0x11, V4), Err(E::Version2)),
        (v2(0x11, 0x11, V4), Err(E::Version2)),
        (v2(0x21, 0x12, V4), Err(E::Transport)),
        (v2(0x21, 0x31, &[0; 216]), Err(E::Transport)),
        (v2(0x21, 0x11, &with(V4, &[0; 5000])), Err(E::TooLong)),
    ]
}

#[test]
fn headers_are_read_and_nothing_behind_them() {
    for (header, expected) in cases() {
        let shown = header.escape_ascii().to_string();
        let expected = expected.map(|source| Parsed::Complete {
            source: source.map(|source| source.parse().unwrap()),
            length: header.len(),
        });
        assert_eq!(parse(&header), expected, "{shown}");
        let followed = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse(&followed), expected, "{shown}");
    }
}

#[test]
fn a_good_header_is_incomplete_until_its_last_byte() {
    for (header, expected) in cases() {
        for length in 0..header.len() {
            let parsed = parse(&header[..length]);
            match expected {
                Ok(_) => {
                    assert_eq!(parsed, Ok(Parsed::Incomplete), "{} of {}", length, header.escape_ascii());
                }
                Err(error) => assert!(
                    matches!(parsed, Ok(Parsed::Incomplete)) || parsed == Err(error),
                    "{length} of {}: {parsed:?}",
                    header.escape_ascii()
                ),
            }
        }
    }
}

proptest! {
    #[test]
    fn no_input_makes_it_claim_bytes_it_was_not_given(
        start in prop::sample::select(vec![&b""[..], V1_START, V2_START]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        if let Ok(Parsed::Complete { length, .. }) = parse(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
