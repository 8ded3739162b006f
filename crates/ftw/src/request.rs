//! The bytes of a request, as go-ftw puts them on the wire.
//!
//! What it adds and encodes is part of what the tests mean, oddities included: headers are sorted by name, form data
//! is encoded unless it seems to be encoded already, the lines of a multipart body end in CR LF, and `data` is a Go
//! template (of which the tests use one function).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{FtwError, Input};

const FORM: &str = "application/x-www-form-urlencoded";
/// The longest text that a template may make, in bytes.
const LONGEST: usize = 64 << 20;

impl Input {
    /// The body that is said, with its templates filled in and without what go-ftw makes of it.
    ///
    /// # Errors
    ///
    /// For a template that is not known, and for Base64 that is none.
    pub fn body(&self) -> Result<Vec<u8>, FtwError> {
        match (&self.data, &self.encoded_data) {
            (Some(data), _) => Ok(rendered(data, self.payload.as_deref())?.into_bytes()),
            (None, Some(encoded)) => decode("encoded_data", encoded),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// The requests of a stage: one, or one for each of its `uris`.
    pub fn requests(&self) -> Result<Vec<Vec<u8>>, FtwError> {
        let said = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(encoded) = said(&self.encoded_request) {
            return Ok(vec![decode("encoded_request", &encoded)?]);
        }
        if let Some(raw) = said(&self.raw_request) {
            return Ok(vec![raw.into_bytes()]);
        }
        let data = self.body()?;
        if self.uris.is_empty() {
            return Ok(vec![request(self, self.uri.as_deref().unwrap_or("/"), data)?]);
        }
        self.uris.iter().map(|uri| request(self, uri, data.clone())).collect()
    }

    /// A text that is a template where the test is a payload.
    fn filled(&self, text: &str) -> Result<String, FtwError> {
        match &self.payload {
            Some(_) => rendered(text, self.payload.as_deref()),
            None => Ok(text.to_owned()),
        }
    }
}

fn request(input: &Input, target: &str, mut data: Vec<u8>) -> Result<Vec<u8>, FtwError> {
    let method = input.method.as_deref().unwrap_or("GET");
    let version = input.version.as_deref().unwrap_or("HTTP/1.1");
    let target = input.filled(target)?;
    let headers = input.said_headers().map(|(name, value)| Ok((name, input.filled(value)?)));
    let mut headers: Vec<(&str, String)> = headers.collect::<Result<_, FtwError>>()?;

    if !data.is_empty() && input.completes_headers() {
        if !has(&headers, "Content-Type") {
            headers.push(("Content-Type", FORM.to_owned()));
        }
        if values(&headers, "Content-Type").any(|value| value.eq_ignore_ascii_case(FORM)) {
            data = form_encoded(data);
        }
    }
    if values(&headers, "Content-Type").any(|value| value.to_lowercase().contains("multipart/form-data;")) {
        data = with_carriage_returns(&data);
    }
    if input.completes_headers() {
        if !has(&headers, "Connection") {
            headers.push(("Connection", "close".to_owned()));
        }
        if !has(&headers, "Content-Length") && (!data.is_empty() || has_body(method)) {
            headers.push(("Content-Length", data.len().to_string()));
        }
    }

    let mut request = format!("{method} {target} {version}\r\n").into_bytes();
    for (name, value) in headers {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&data);
    Ok(request)
}

fn has(headers: &[(&str, String)], name: &str) -> bool {
    values(headers, name).next().is_some()
}

fn values<'a>(headers: &'a [(&str, String)], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Whether go-ftw says how long even an empty body is.
fn has_body(method: &str) -> bool {
    method.starts_with("POST")
        || method.contains("PUT")
        || method.contains("PATCH")
        || method.ends_with("DELETE")
}

fn decode(field: &'static str, encoded: &str) -> Result<Vec<u8>, FtwError> {
    let encoded: String = encoded.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD.decode(encoded).map_err(|source| FtwError::Base64 { field, source })
}

/// Replaces each `{{ "text" | repeat NUMBER }}`, and each `{{.Payload}}` where there is one.
fn rendered(template: &str, payload: Option<&str>) -> Result<String, FtwError> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let unknown = |action: &str| FtwError::Template(action.chars().take(100).collect());
        let (action, after) = after.split_once("}}").ok_or_else(|| unknown(after))?;
        text.push_str(before);
        let made = match payload {
            Some(payload) if action.trim() == ".Payload" => Some(payload.to_owned()),
            _ => repeated(action),
        };
        text.push_str(&made.ok_or_else(|| unknown(action))?);
        if text.len() > LONGEST {
            return Err(unknown(action));
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

fn repeated(action: &str) -> Option<String> {
    let (text, number) = action.split_once('|')?;
    let text = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    let number: usize = number.trim().strip_prefix("repeat ")?.trim().parse().ok()?;
    let is_short = text.len().checked_mul(number).is_some_and(|length| length <= LONGEST);
    (is_short && !text.contains(['"', '\\'])).then(|| text.repeat(number))
}

/// Encodes the names and values of a form, unless decoding would change something (or fail): then it is taken for
/// encoded.
fn form_encoded(data: Vec<u8>) -> Vec<u8> {
    if data.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return data;
    }
    // An `&` at the end of the data ends its last pair; it does not begin an empty one.
    let pairs = data.strip_suffix(b"&").unwrap_or(&data);
    let mut encoded = Vec::with_capacity(data.len());
    for (place, pair) in pairs.split(|byte| *byte == b'&').enumerate() {
        if place > 0 {
            encoded.push(b'&');
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        query_escape(parts.next().unwrap_or_default(), &mut encoded);
        if let Some(value) = parts.next() {
            encoded.push(b'=');
            query_escape(value, &mut encoded);
        }
    }
    encoded
}

/// As Go's `url.QueryEscape` does it.
fn query_escape(text: &[u8], into: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => into.push(*byte),
            b' ' => into.push(b'+'),
            _ => into.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

fn with_carriage_returns(data: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(data.len() + data.len() / 16);
    for byte in data {
        if *byte == b'\n' {
            lines.push(b'\r');
        }
        lines.push(*byte);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(yaml: &str) -> String {
        let input: Input = serde_saphyr::from_str(yaml).unwrap();
        let mut requests = input.requests().unwrap();
        assert_eq!(requests.len(), 1);
        String::from_utf8(requests.remove(0)).unwrap()
    }

    #[test]
    fn a_request_is_completed() {
        assert_eq!(
            sent(
                "{method: POST, uri: /a b, headers: {Host: localhost, Accept: '*/*'}, data: 'q=a b&flag&x==/'}"
            ),
            "POST /a b HTTP/1.1\r\nAccept: */*\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\nContent-Length: 19\r\n\r\nq=a+b&flag&x=%3D%2F"
        );
        assert_eq!(sent("{}"), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(
            sent("{method: PUT, version: HTTP/1.0}"),
            "PUT / HTTP/1.0\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(
            sent("{method: POST, data: 'a=1', autocomplete_headers: false}"),
            "POST / HTTP/1.1\r\n\r\na=1"
        );
        assert_eq!(
            sent("{headers: {content-length: 0, connection: x}, data: a}"),
            "GET / HTTP/1.1\r\nconnection: x\r\ncontent-length: 0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\na"
        );
    }

    #[test]
    fn form_data_is_encoded_once() {
        for (data, encoded) in [
            ("a=1&b='", "a=1&b=%27"),
            ("a=%27 b", "a=%27 b"),
            ("a=1+1'", "a=1+1'"),
            ("a=1&", "a=1"),
            ("a&&b=é", "a&&b=%C3%A9"),
        ] {
            assert_eq!(String::from_utf8(form_encoded(data.into())).unwrap(), encoded, "{data}");
        }
        let text = "{headers: {Content-Type: text/plain}, data: \"a='\"}";
        assert!(sent(text).ends_with("\r\n\r\na='"), "{}", sent(text));
    }

    #[test]
    fn multipart_lines_end_in_carriage_return_and_line_feed() {
        let text = "{headers: {Content-Type: multipart/form-data; boundary=x}, data: \"--x\\n\\n--x--\\n\"}";
        assert!(sent(text).ends_with("Content-Length: 14\r\n\r\n--x\r\n\r\n--x--\r\n"));
    }

    #[test]
    fn templates_and_base64() {
        assert_eq!(rendered("a{{ \"xy\" | repeat 3 }}b", None).unwrap(), "axyxyxyb");
        assert_eq!(rendered("{{ \"x\" | repeat 70000 }}", None).unwrap().len(), 70_000);
        assert_eq!(rendered("a{{.Payload}}b{{ .Payload }}", Some("{{")).unwrap(), "a{{b{{");
        for template in [
            "{{ upper \"a\" }}",
            "{{7*7",
            "{{.Payload}}",
            "{{ \"xx\" | repeat 18446744073709551615 }}",
            "{{ \"xx\" | repeat 33554433 }}",
        ] {
            assert!(rendered(template, None).is_err(), "{template}");
        }
        assert_eq!(sent("{encoded_request: \"R0VUIC8g\\nSFRUUC8xLjA=\"}"), "GET / HTTP/1.0");
        assert_eq!(
            sent("{encoded_request: '', raw_request: \"GET / HTTP/1.0\\r\\n\\r\\n\"}"),
            "GET / HTTP/1.0\r\n\r\n"
        );
        assert!(sent("{headers: {Content-Type: a}, encoded_data: AAE=}").ends_with("\r\n\r\n\0\x01"));
        let input: Input = serde_saphyr::from_str("{encoded_request: '*'}").unwrap();
        assert!(input.requests().is_err());
    }

    #[test]
    fn ordered_headers_are_sent_as_they_stand() {
        let headers = "[{name: X, value: b}, {name: Content-Type, value: a/b}, {name: X, value: a}]";
        assert_eq!(
            sent(&format!("{{headers: {{Host: no}}, ordered_headers: {headers}, data: 'a b'}}")),
            "GET / HTTP/1.1\r\nX: b\r\nContent-Type: a/b\r\nX: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\na b"
        );
    }

    #[test]
    fn each_target_has_its_request() {
        let input: Input = serde_saphyr::from_str("{uri: /no, uris: [/a, /b]}").unwrap();
        let requests: Vec<_> = input
            .requests()
            .unwrap()
            .into_iter()
            .map(|request| String::from_utf8(request).unwrap())
            .collect();
        assert!(requests[0].starts_with("GET /a HTTP/1.1\r\n") && requests[1].starts_with("GET /b "));
    }
}
