//! One normal form for every path, made once, before anything looks at it (RFC 3986, section 6.2.2).
//!
//! What a route sees and what the upstream is sent are the same path, so no spelling of a path can dodge a route:
//! percent-encoded unreserved characters are decoded, empty segments merged, dot segments resolved however they
//! are spelled. What servers read differently is refused: an encoded slash, backslash or control character, a
//! broken escape, a path that climbs above the root. Path parameters (`;x=1`, also with an encoded semicolon) are
//! forwarded but do not take part in matching, because some servers strip them.

use std::borrow::Cow;

/// The normal form of a path. Empty fields stand for "as received", which is nearly always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NormalPath {
    forwarded: Option<Box<str>>,
    matched: Option<Box<str>>,
}

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not start with a slash.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    #[error("a `%` without two hexadecimal digits")]
    BrokenEscape,
    /// An encoded slash or backslash, which servers read differently.
    #[error("an encoded slash or backslash")]
    EncodedSeparator,
    /// A backslash, which some servers take for a slash.
    #[error("a backslash")]
    Backslash,
    /// A control character, encoded or not.
    #[error("a control character")]
    Control,
    /// `..` above the root.
    #[error("`..` above the root")]
    AboveRoot,
}

impl NormalPath {
    /// Normalises `path`, which carries no query.
    pub fn of(path: &str) -> Result<Self, PathError> {
        if !path.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        if is_normal(path.as_bytes()) {
            return Ok(Self::default());
        }
        let decoded = decode_unreserved(path)?;
        let (mut forwarded, mut names) = (Vec::new(), Vec::new());
        let (first, last) = (1, decoded.len());
        let segments: Vec<&str> = decoded.get(first..last).unwrap_or_default().split('/').collect();
        let mut directory = false;
        for segment in segments {
            let name = without_parameters(segment);
            directory = matches!(name, "" | "." | "..");
            match name {
                // A parameter without a name (`/;x/`) is an empty segment to servers that strip parameters.
                "" | "." => {}
                ".." => {
                    forwarded.pop().ok_or(PathError::AboveRoot)?;
                    names.pop();
                }
                name => {
                    forwarded.push(segment);
                    names.push(name);
                }
            }
        }
        let join = |segments: &[&str]| {
            let mut joined = String::with_capacity(decoded.len());
            for segment in segments {
                joined.push('/');
                joined.push_str(segment);
            }
            if directory || segments.is_empty() {
                joined.push('/');
            }
            joined.into_boxed_str()
        };
        let forwarded = join(&forwarded);
        let matched = Some(join(&names)).filter(|matched| *matched != forwarded);
        Ok(Self { forwarded: Some(forwarded), matched })
    }

    /// The path to forward, given the one received.
    pub fn forwarded<'p>(&'p self, received: &'p str) -> &'p str {
        self.forwarded.as_deref().unwrap_or(received)
    }

    /// The path to match routes with, given the one received.
    pub fn matched<'p>(&'p self, received: &'p str) -> &'p str {
        self.matched.as_deref().unwrap_or_else(|| self.forwarded(received))
    }
}

/// Whether nothing in the path needs a second look. One pass, no allocation.
fn is_normal(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        let doubtful = match byte {
            b'%' | b';' | b'\\' | 0..=0x20 | 0x7f.. => true,
            b'/' | b'.' => previous == b'/',
            _ => false,
        };
        if doubtful {
            return false;
        }
        previous = byte;
    }
    true
}

/// The segment up to the first semicolon, which decoding has left as `;` or `%3B`.
fn without_parameters(segment: &str) -> &str {
    let name = segment.split(';').next().unwrap_or_default();
    name.split("%3B").next().unwrap_or_default()
}

/// Decodes escapes of unreserved characters and writes the others in upper case.
fn decode_unreserved(path: &str) -> Result<Cow<'_, str>, PathError> {
    if path.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err(PathError::Control);
    }
    if path.contains('\\') {
        return Err(PathError::Backslash);
    }
    if !path.contains('%') {
        return Ok(path.into());
    }
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        let escape = rest.get(at + 1..at + 3).ok_or(PathError::BrokenEscape)?;
        if !escape.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(PathError::BrokenEscape);
        }
        let byte = u8::from_str_radix(escape, 16).map_err(|_| PathError::BrokenEscape)?;
        match byte {
            b'/' | b'\\' => return Err(PathError::EncodedSeparator),
            0..0x20 | 0x7f => return Err(PathError::Control),
            b'-' | b'.' | b'_' | b'~' => decoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => decoded.push(char::from(byte)),
            _ => {
                decoded.push('%');
                decoded.extend(escape.chars().map(|digit| digit.to_ascii_uppercase()));
            }
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    decoded.push_str(rest);
    Ok(decoded.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_path_has_one_form() {
        // received, forwarded, matched
        let cases = [
            ("/", "/", "/"),
            ("/api/orders", "/api/orders", "/api/orders"),
            ("/api/orders/", "/api/orders/", "/api/orders/"),
            ("//api///orders", "/api/orders", "/api/orders"),
            ("/api/./orders", "/api/orders", "/api/orders"),
            ("/api/x/../orders", "/api/orders", "/api/orders"),
            ("/api/x/%2e%2E/orders", "/api/orders", "/api/orders"),
            ("/api/x/.%2e/orders/.", "/api/orders/", "/api/orders/"),
            ("/api/orders/..", "/api/", "/api/"),
            ("/%61pi/%6Frders", "/api/orders", "/api/orders"),
            ("/api;v=1/orders;a;b", "/api;v=1/orders;a;b", "/api/orders"),
            ("/public/..;/admin", "/admin", "/admin"),
            ("/public/.;x/admin", "/public/admin", "/public/admin"),
            ("/;x/admin", "/admin", "/admin"),
            ("/caf%c3%a9", "/caf%C3%A9", "/caf%C3%A9"),
            ("/a%20b", "/a%20b", "/a%20b"),
            ("/%252e%252e/admin", "/%252e%252e/admin", "/%252e%252e/admin"),
            ("/a%3bb", "/a%3Bb", "/a"),
            ("/public/%2e%2e%3bx/admin", "/admin", "/admin"),
            ("/..a/b..", "/..a/b..", "/..a/b.."),
            ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
        ];
        for (received, forwarded, matched) in cases {
            let path = NormalPath::of(received).unwrap();
            assert_eq!(
                (path.forwarded(received), path.matched(received)),
                (forwarded, matched),
                "{received}"
            );
        }
    }

    #[test]
    fn paths_that_servers_read_differently_are_refused() {
        let cases = [
            ("", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("api", PathError::NotAbsolute),
            ("/a%2fb", PathError::EncodedSeparator),
            ("/a%5Cb", PathError::EncodedSeparator),
            ("/a\\b", PathError::Backslash),
            ("/a%00", PathError::Control),
            ("/a%0d%0aHost:%20x", PathError::Control),
            ("/a%", PathError::BrokenEscape),
            ("/a%2", PathError::BrokenEscape),
            ("/a%zz", PathError::BrokenEscape),
            ("/a%+1", PathError::BrokenEscape),
            ("/a%é", PathError::BrokenEscape),
            ("/..", PathError::AboveRoot),
            ("/a/../..", PathError::AboveRoot),
            ("/a/%2e%2e/..;x/b", PathError::AboveRoot),
        ];
        for (received, error) in cases {
            assert_eq!(NormalPath::of(received), Err(error), "{received}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(path in "/[a-z0-9%./;\\-]{0,40}") {
            if let Ok(normal) = NormalPath::of(&path) {
                let forwarded = normal.forwarded(&path).to_owned();
                let again = NormalPath::of(&forwarded).expect("a normal path has a normal form");
                prop_assert_eq!(again.forwarded(&forwarded), forwarded.as_str());
                prop_assert!(!forwarded.contains("//"));
                let matched = normal.matched(&path);
                prop_assert!(!matched.contains(';'));
                prop_assert!(matched.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn no_input_panics(path in "\\PC*") {
            let _ = NormalPath::of(&path);
        }
    }
}
