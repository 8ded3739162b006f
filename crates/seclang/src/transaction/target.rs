//! The request's target: what of it is the path, the file, the query.

use crate::{ast::Variable, body::Urlencoded, evaluate::State, settings::Settings, transformation::hex_byte};

impl State {
    /// Sets everything that the request line says.
    pub(super) fn set_request_line(
        &mut self,
        settings: &Settings,
        method: &[u8],
        target: &[u8],
        protocol: &[u8],
    ) {
        let line = [method, target, protocol].join(&b' ');
        let (raw_path, query) = match memchr::memchr(b'?', target).and_then(|at| target.split_at_checked(at))
        {
            Some((path, query)) => (path, query.get(1..).unwrap_or_default()),
            None => (target, &[][..]),
        };
        let decoded = percent_decoded(target);
        // Rules about paths (`@beginsWith /admin`) mean the same whichever form the target has.
        let path = percent_decoded(without_authority(raw_path));
        let file = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
        let buffers = &mut self.buffers;
        let values = &mut self.values;
        values.set(Variable::RequestMethod, method, buffers);
        values.set(Variable::RequestProtocol, protocol, buffers);
        values.set(Variable::RequestLine, &line, buffers);
        values.set(Variable::RequestUriRaw, target, buffers);
        values.set(Variable::RequestUri, without_authority(&decoded), buffers);
        values.set(Variable::RequestFilename, &path, buffers);
        values.set(Variable::PathInfo, &path, buffers);
        values.set(Variable::RequestBasename, file, buffers);
        values.set(Variable::QueryString, query, buffers);
        let mut parser = Urlencoded::new(settings.separator, settings.limits);
        parser.feed(query);
        let parsed = parser.finish();
        self.query_exceeded = parsed.arguments.exceeded();
        if parsed.invalid_encoding {
            self.values.set(Variable::UrlencodedError, b"1", &mut self.buffers);
        }
        self.add_arguments(&parsed.arguments, [Variable::ArgsGet, Variable::ArgsGetNames]);
    }
}

/// Percent encoding undone (RFC 3986, section 2.1); what is not well encoded stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let hidden = digits.and_then(hex_byte);
        decoded.push(hidden.unwrap_or(*byte));
        let taken = if hidden.is_some() { 2 } else { 0 };
        rest = after.get(taken..).unwrap_or_default();
    }
    decoded
}

/// A target in absolute form without scheme and authority (RFC 9112, section 3.2.2).
fn without_authority(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return target;
    }
    let path = || {
        let colon = memchr::memchr(b':', target)?;
        let authority = target.get(colon + 1..)?.strip_prefix(b"//")?;
        authority.get(memchr::memchr(b'/', authority)?..)
    };
    path().unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_decoded_and_loses_its_authority() {
        assert_eq!(percent_decoded(b"/a%2fb%zz%4"), b"/a/b%zz%4");
        for (target, expected) in [
            ("/a?b", "/a?b"),
            ("http://example.com/a", "/a"),
            ("http://example.com", "http://example.com"),
            ("example.com:80", "example.com:80"),
            ("*", "*"),
        ] {
            assert_eq!(without_authority(target.as_bytes()), expected.as_bytes());
        }
    }
}
