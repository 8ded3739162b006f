//! Which bytes may stand where: one table, one lookup a byte.
//!
//! Tokens and field values are those of RFC 9110 §5.5 and §5.6.2. Paths and queries are those of RFC 3986 plus
//! the few characters that browsers leave unencoded, and never more than the `http` crate accepts, so that
//! hyper does not refuse what the guard let through.

/// May stand in a token: a method or a field name.
pub(super) const TOKEN: u8 = 1;
/// May stand in the path of a request target.
pub(super) const PATH: u8 = 1 << 1;
/// May stand in the query of a request target.
pub(super) const QUERY: u8 = 1 << 2;

static CLASSES: [u8; 256] = classes();

/// Whether `byte` belongs to `class`.
#[inline]
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// How many bytes at the front of `bytes` belong to `class`.
#[inline]
pub(super) fn run(bytes: &[u8], class: u8) -> usize {
    bytes.iter().position(|&byte| !is(byte, class)).unwrap_or(bytes.len())
}

/// Whether all of `bytes` may stand in a field value. Looks at all of them, so that it runs on whole vectors.
#[inline]
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    let wrong = |byte| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    bytes.iter().fold(0, |any, &byte| any | u8::from(wrong(byte))) == 0
}

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        let mut class = 0;
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            class |= TOKEN;
        }
        if byte.is_ascii_graphic() && !matches!(byte, b'#' | b'<' | b'>' | b'?' | b'`') {
            class |= PATH;
        }
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>') {
            class |= QUERY;
        }
        table[byte as usize] = class;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_accepts_no_byte_that_hyper_refuses() {
        for byte in 0..=u8::MAX {
            if is(byte, TOKEN) {
                assert!(http::Method::from_bytes(&[byte]).is_ok(), "method {byte:#x}");
                assert!(http::HeaderName::from_bytes(&[byte]).is_ok(), "name {byte:#x}");
            }
            if is(byte, PATH) {
                assert!(http::Uri::try_from(&[b'/', byte][..]).is_ok(), "path {byte:#x}");
            }
            if is(byte, QUERY) {
                assert!(http::Uri::try_from(&[b'/', b'?', byte][..]).is_ok(), "query {byte:#x}");
            }
            assert_eq!(
                is_field_value(&[byte]),
                http::HeaderValue::from_bytes(&[byte]).is_ok(),
                "value {byte:#x}"
            );
        }
    }

    #[test]
    fn tokens_are_those_of_rfc_9110() {
        let tokens = (0..=u8::MAX).filter(|&byte| is(byte, TOKEN)).count();
        assert_eq!(tokens, 15 + 10 + 52);
        assert_eq!(run(b"x-id: 1", TOKEN), 4);
        assert_eq!(run(b"GET", TOKEN), 3);
    }
}
