//! The syntax of `Forwarded` (RFC 7239, section 4) and what its elements say about the client.
//!
//! Read strictly from the left, because only so is it known which commas stand in a quoted string: two readings of
//! one field would be two clients. What is lenient is what has one reading only: empty elements and parameters, and
//! white space around `,` and `;`.

use std::{borrow::Cow, net::IpAddr};

use super::parse_address;

/// More than anybody needs: four are registered. Keeps the search for repeated ones linear.
const MAX_PARAMETERS: usize = 16;

/// What one proxy says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// `for`, if it is an address.
    pub(super) client: Option<IpAddr>,
    /// Whether `proto` is `https`, if there is one.
    pub(super) secure: Option<bool>,
}

/// The field is no list of elements, or one of them repeats a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The elements of one field line, from the left.
pub(super) fn elements(line: &[u8]) -> Result<Vec<Element>, Malformed> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let (element, after) = element(rest)?;
        elements.push(element);
        match after.split_first() {
            Some((_, after)) => rest = after,
            None => return Ok(elements),
        }
    }
}

/// One element, and what follows: a comma or nothing.
fn element(line: &[u8]) -> Result<(Element, &[u8]), Malformed> {
    let mut element = Element::default();
    let mut names: Vec<&[u8]> = Vec::new();
    let mut rest = line.trim_ascii_start();
    loop {
        if !matches!(rest.first(), None | Some(b',' | b';')) {
            let (name, after) = token(rest)?;
            let (value, after) = value(after.strip_prefix(b"=").ok_or(Malformed)?)?;
            if names.len() == MAX_PARAMETERS || names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return Err(Malformed);
            }
            names.push(name);
            element.take(name, &value);
            rest = after.trim_ascii_start();
        }
        match rest.split_first() {
            None | Some((b',', _)) => return Ok((element, rest)),
            Some((b';', after)) => rest = after.trim_ascii_start(),
            Some(_) => return Err(Malformed),
        }
    }
}

impl Element {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"for") {
            self.client = std::str::from_utf8(value).ok().and_then(parse_address);
        } else if name.eq_ignore_ascii_case(b"proto") {
            self.secure = Some(value.eq_ignore_ascii_case(b"https"));
        }
    }
}

/// A token or the content of a quoted string (RFC 9110, section 5.6), and what follows.
fn value(text: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), Malformed> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        return token(text).map(|(token, rest)| (Cow::Borrowed(token), rest));
    };
    let mut content = Vec::new();
    loop {
        let (byte, after) = match rest {
            [b'"', after @ ..] => return Ok((content.into(), after)),
            [b'\\', byte, after @ ..] | [byte, after @ ..] => (*byte, after),
            [] => return Err(Malformed),
        };
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(Malformed);
        }
        content.push(byte);
        rest = after;
    }
}

/// At least one character of a token, and what follows.
fn token(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let length = text.iter().position(|byte| !is_token(*byte)).unwrap_or(text.len());
    let (token, rest) = text.split_at(length);
    if token.is_empty() { Err(Malformed) } else { Ok((token, rest)) }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
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
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    /// The clients that a field names, `-` where an element names none; `malformed` if it is.
    fn clients(line: &str) -> String {
        let Ok(elements) = elements(line.as_bytes()) else { return "malformed".into() };
        let client =
            |element: Element| element.client.map_or_else(|| "-".into(), |client| client.to_string());
        elements.into_iter().map(client).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn elements_are_told_apart_as_the_standard_does() {
        let cases = [
            ("", "-"),
            (",", "- -"),
            (" ; ,; ", "- -"),
            ("for=192.0.2.1", "192.0.2.1"),
            ("FOR=192.0.2.1;Proto=http;by=_secret", "192.0.2.1"),
            (r#"for="[2001:db8::1]:4711""#, "2001:db8::1"),
            ("for=192.0.2.1 ; proto=https\t,\tfor=192.0.2.2", "192.0.2.1 192.0.2.2"),
            ("for=unknown, for=_hidden, by=192.0.2.1", "- - -"),
            (r#"for="", for=" ", for="\"192.0.2.1\"""#, "- - -"),
            (r#"for="192.0.2.\1""#, "192.0.2.1"),
            (r#"host="a, for=6.6.6.6;for=6.6.6.6";for=192.0.2.1"#, "192.0.2.1"),
            (r#"host="\", for=6.6.6.6", for=192.0.2.1"#, "- 192.0.2.1"),
            (r#"host="\\", for=192.0.2.1"#, "- 192.0.2.1"),
            ("host=\"\té\", for=192.0.2.1", "- 192.0.2.1"),
        ];
        for (line, expected) in cases {
            assert_eq!(clients(line), expected, "{line}");
        }
    }

    #[test]
    fn what_has_two_readings_is_malformed() {
        let mut many = String::from("for=192.0.2.1");
        for number in 0..MAX_PARAMETERS {
            write!(many, ";p{number}=1").unwrap();
        }
        let cases = [
            r#"for=192.0.2.1;host="a"#,
            r#"for=192.0.2.1;host="a\"#,
            r#"for=192.0.2.1;host="a\""#,
            r#"for=192.0.2.1;host=a"b""#,
            r#"for="192.0.2.1"6"#,
            r#"for="192.0.2.1" for=6.6.6.6"#,
            "for=192.0.2.1;for=192.0.2.1",
            "for=192.0.2.1;FOR=6.6.6.6",
            "host=a;for=192.0.2.1;host=a",
            "for=192.0.2.1 for=6.6.6.6",
            "for = 192.0.2.1",
            "for=",
            "for",
            "=192.0.2.1",
            "192.0.2.1",
            "for=[2001:db8::1]",
            "for=192.0.2.1:80",
            "for=192.0.2.1, é=1",
            "host=\"\u{7f}\"",
            &many,
        ];
        for line in cases {
            assert_eq!(clients(line), "malformed", "{line}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_be_read(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = elements(&line);
        }

        /// Whatever text a parameter holds, quoted it is nothing but that text.
        #[test]
        fn nothing_in_a_quoted_string_is_syntax(
            texts in prop::collection::vec("([,;=\"\\\\ \tfor1.6]|for=6\\.6\\.6\\.6){0,12}", 1..6),
            last in 1..=254_u8,
        ) {
            let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line: Vec<_> = (1..=last).rev().zip(&texts)
                .map(|(number, text)| format!("for=192.0.2.{number};host=\"{}\"", quote(text)))
                .collect();
            let named: Vec<_> = (1..=last).rev().zip(&texts).map(|(number, _)| format!("192.0.2.{number}")).collect();
            prop_assert_eq!(clients(&line.join(",")), named.join(" "));
            let open = format!("{},host=\"{}", line.join(","), quote(&texts[0]));
            prop_assert_eq!(clients(&open), "malformed");
        }
    }
}
