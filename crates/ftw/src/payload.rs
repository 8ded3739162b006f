//! Tests that are a payload, as version 3 of the schema has them: one request for all tests of a file, with a place for
//! what they differ in.

use serde::Deserialize;

use crate::{Input, suite::Header};

/// The request of a file or of a test. The target, the values of headers and the body are templates, in which
/// `{{.Payload}}` is the payload of the test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Template {
    #[serde(rename = "dest_addr")]
    _address: Option<String>,
    #[serde(rename = "port")]
    _port: Option<u16>,
    #[serde(rename = "protocol")]
    _protocol: Option<String>,
    uri: Option<String>,
    version: Option<String>,
    method: Option<String>,
    headers: Option<Vec<Header>>,
    data: Option<String>,
    autocomplete_headers: Option<bool>,
    stop_magic: Option<bool>,
    #[serde(rename = "save_cookie")]
    _save_cookie: Option<bool>,
}

impl Template {
    /// This one, and `below` for what it does not say.
    pub(crate) fn over(self, below: Option<&Self>) -> Self {
        let below = below.cloned().unwrap_or_default();
        // Either of the two names says it.
        let completes = self.autocomplete_headers.is_some() || self.stop_magic.is_some();
        let completing = if completes { &self } else { &below };
        let (autocomplete_headers, stop_magic) = (completing.autocomplete_headers, completing.stop_magic);
        Self {
            uri: self.uri.or(below.uri),
            version: self.version.or(below.version),
            method: self.method.or(below.method),
            headers: self.headers.or(below.headers),
            data: self.data.or(below.data),
            autocomplete_headers,
            stop_magic,
            ..Self::default()
        }
    }

    /// The request for a payload.
    pub(crate) fn input(self, payload: String) -> Input {
        Input {
            uri: self.uri,
            version: self.version,
            method: self.method,
            ordered_headers: self.headers.unwrap_or_default(),
            data: self.data,
            autocomplete_headers: self.autocomplete_headers,
            stop_magic: self.stop_magic,
            payload: Some(payload),
            ..Input::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_says_comes_before_what_its_file_says() {
        let parse = |text: &str| serde_saphyr::from_str::<Template>(text).unwrap();
        let file = parse("{uri: /, method: POST, data: 'a={{.Payload}}', stop_magic: true}");
        let input = parse("{uri: /x}").over(Some(&file)).input("'".to_owned());
        assert_eq!((input.uri.as_deref(), input.method.as_deref()), (Some("/x"), Some("POST")));
        assert!(!input.completes_headers());
        let input = parse("{autocomplete_headers: true}").over(Some(&file)).input("'".to_owned());
        assert!(input.completes_headers());
        assert_eq!(
            input.requests().unwrap()[0].split(|byte| *byte == b'\n').next_back(),
            Some(&b"a=%27"[..])
        );
    }
}
