//! The request line (RFC 9112 §3), without its line end.

use http::Uri;

use super::{
    Violation,
    byte_class::{PATH, QUERY, TOKEN, run},
};

/// The longest method accepted; those registered have at most 17 letters.
const MAX_METHOD: usize = 32;
/// What a request line holds beside its target: a method, two spaces, a version, a line end.
pub(super) const AROUND_TARGET: usize = MAX_METHOD + " HTTP/1.1 \r\n".len();
/// The longest target that hyper reads.
const MAX_TARGET: usize = 65_534;

/// What a request line says about framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestLine {
    /// Whether it is HTTP/1.0.
    pub(super) is_http_10: bool,
    /// Whether the method is `CONNECT`.
    pub(super) is_connect: bool,
}

impl RequestLine {
    /// Parses `line`, whose target may have `max_target` bytes.
    pub(super) fn parse(line: &[u8], max_target: usize) -> Result<Self, Violation> {
        let method = run(line, TOKEN);
        let Some((b' ', rest)) =
            line.get(method..).and_then(<[u8]>::split_first).map(|(byte, rest)| (*byte, rest))
        else {
            return Err(misplaced(line.get(method), Violation::Method));
        };
        if method == 0 || method > MAX_METHOD {
            return Err(Violation::Method);
        }
        let is_connect = line.starts_with(b"CONNECT ");
        let target = target_length(rest, is_connect)?;
        if target > max_target.min(MAX_TARGET) {
            return Err(Violation::TargetTooLong);
        }
        let is_http_10 = match rest.get(target..) {
            Some(b" HTTP/1.1") => false,
            Some(b" HTTP/1.0") => true,
            Some(other) => return Err(unknown_version(other)),
            None => return Err(Violation::RequestLine),
        };
        Ok(Self { is_http_10, is_connect })
    }
}

/// The length of the target at the front of `rest`.
fn target_length(rest: &[u8], is_connect: bool) -> Result<usize, Violation> {
    if rest.first() == Some(&b'/') && !is_connect {
        let mut length = run(rest, PATH);
        if rest.get(length) == Some(&b'?') {
            length += run(&rest[length..], QUERY);
        }
        return match rest.get(length) {
            Some(b' ') => Ok(length),
            other => Err(misplaced(other, Violation::Target)),
        };
    }
    let length = rest.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len());
    match rest.get(length) {
        Some(b' ') if is_other_form(&rest[..length], is_connect) => Ok(length),
        Some(b' ') => Err(Violation::Target),
        other => Err(misplaced(other, Violation::Target)),
    }
}

/// Whether `target` is `*`, an `http:` or `https:` URI, or, for `CONNECT`, an authority.
fn is_other_form(target: &[u8], is_connect: bool) -> bool {
    let Ok(uri) = Uri::try_from(target) else { return false };
    if target.contains(&b'#') {
        return false;
    }
    match uri.scheme_str() {
        Some("http" | "https") => !is_connect,
        Some(_) => false,
        None if is_connect => uri.authority().is_some(),
        None => target == b"*",
    }
}

/// What to call `byte` where it does not belong.
fn misplaced(byte: Option<&u8>, otherwise: Violation) -> Violation {
    match byte {
        None => Violation::RequestLine,
        Some(b'\r') => Violation::BareCarriageReturn,
        Some(byte) if byte.is_ascii_control() => Violation::ControlCharacter,
        Some(_) => otherwise,
    }
}

/// Tells another version of HTTP from something that is no version at all.
fn unknown_version(text: &[u8]) -> Violation {
    if text.contains(&b'\r') {
        return Violation::BareCarriageReturn;
    }
    match text.strip_prefix(b" HTTP/") {
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => Violation::Version,
        Some([major]) if major.is_ascii_digit() => Violation::Version,
        _ if text.iter().any(|&byte| byte.is_ascii_control()) => Violation::ControlCharacter,
        _ => Violation::RequestLine,
    }
}
