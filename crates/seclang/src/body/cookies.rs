//! The `Cookie` header as names and values.
//!
//! Version 0 is what browsers send (RFC 6265): pairs between `;`, values as they are, quotes and all. Version 1
//! (RFC 2109) also separates with `,` and takes quotes off; nothing sends it any more, but `SecCookieFormat 1` exists.
//! A pair without a name is nobody's cookie and is left out.

use super::{Arguments, Limits};

/// `SecCookieFormat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieFormat {
    /// Version 0, Netscape's: what is on the wire today.
    #[default]
    Netscape,
    /// Version 1, RFC 2109.
    Rfc2109,
}

/// What a `Cookie` header held.
pub fn cookies(header: &[u8], format: CookieFormat, limits: Limits) -> Arguments {
    let mut cookies = Arguments::new(limits);
    match format {
        CookieFormat::Netscape => {
            // White space at the very end belongs to the header, not to its last cookie.
            netscape(header.strip_suffix(b";").unwrap_or(header).trim_ascii_end(), &mut cookies);
        }
        CookieFormat::Rfc2109 => rfc2109(header, &mut cookies),
    }
    cookies
}

fn netscape(header: &[u8], cookies: &mut Arguments) {
    for pair in header.split(|byte| *byte == b';') {
        let (name, value) = halves(pair);
        let name = name.trim_ascii_start();
        if !name.is_empty() {
            cookies.push(name, value);
        }
    }
}

fn rfc2109(header: &[u8], cookies: &mut Arguments) {
    let mut rest = header;
    while !rest.is_empty() {
        let (pair, after) = split_outside_quotes(rest);
        rest = after;
        let (name, value) = halves(pair);
        let (name, value) = (name.trim_ascii(), value.trim_ascii());
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        if !name.is_empty() {
            cookies.push(name, value);
        }
    }
}

/// Everything before the first `;` or `,` that no quotes hide, and everything after it.
fn split_outside_quotes(header: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let end = header.iter().position(|byte| {
        quoted ^= *byte == b'"';
        !quoted && matches!(byte, b';' | b',')
    });
    match end.and_then(|end| header.split_at_checked(end)) {
        Some((pair, after)) => (pair, after.get(1..).unwrap_or_default()),
        None => (header, &[]),
    }
}

fn halves(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', pair).and_then(|at| pair.split_at_checked(at)) {
        Some((name, value)) => (name, value.get(1..).unwrap_or_default()),
        None => (pair, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::{CookieFormat, Limits, cookies};

    type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])]);

    fn check(format: CookieFormat, cases: &[Case]) {
        for (header, expected) in cases {
            let found = cookies(header, format, Limits::default());
            assert_eq!(found.iter().collect::<Vec<_>>(), *expected, "{}", header.escape_ascii());
        }
    }

    #[test]
    fn version_0_keeps_values_as_they_are() {
        check(
            CookieFormat::Netscape,
            &[
                (b"", &[]),
                (b"a=1; b=2", &[(b"a", b"1"), (b"b", b"2")]),
                (b"a=1;b=2;", &[(b"a", b"1"), (b"b", b"2")]),
                (b"a=b=c", &[(b"a", b"b=c")]),
                (b"a", &[(b"a", b"")]),
                (b"a=", &[(b"a", b"")]),
                (b"=1; ;;a=2", &[(b"a", b"2")]),
                (b"  a=1 ; b= 2 ", &[(b"a", b"1 "), (b"b", b" 2")]),
                (b"a=\"x;y\"", &[(b"a", b"\"x"), (b"y\"", b"")]),
                (b"a=%31+", &[(b"a", b"%31+")]),
                (b"a=1,b=2", &[(b"a", b"1,b=2")]),
                (b"a=1 ;b=2 ;", &[(b"a", b"1 "), (b"b", b"2")]),
            ],
        );
    }

    #[test]
    fn version_1_separates_with_commas_and_takes_quotes_off() {
        check(
            CookieFormat::Rfc2109,
            &[
                (b"", &[]),
                (
                    b"$Version=\"1\"; a=\"x;y\"; $Path=\"/\", b = 2",
                    &[(b"$Version", b"1"), (b"a", b"x;y"), (b"$Path", b"/"), (b"b", b"2")],
                ),
                (b"a=\"open; b=1", &[(b"a", b"\"open; b=1")]),
                (b";,;", &[]),
            ],
        );
    }
}
