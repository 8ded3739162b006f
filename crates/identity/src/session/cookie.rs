//! Finds one cookie among those that a client sends (RFC 6265, section 4.2).

use http::{HeaderMap, header};

use crate::InvalidReason;

/// The value of the cookie with this name. Of two, nobody can say which one the person meant: a neighbouring host may
/// have planted the other.
pub(crate) fn find<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, InvalidReason> {
    let fields = headers.get_all(header::COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (found, value) = pair.split_at(equals);
        (found == name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    });
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(InvalidReason::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a [&'a str], Result<Option<&'a str>, InvalidReason>);

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let cases: [Case<'_>; 8] = [
            (&[], Ok(None)),
            (&["a=1"], Ok(Some("1"))),
            (&["b=2; a=1; c=3"], Ok(Some("1"))),
            (&["b=2", "a=1"], Ok(Some("1"))),
            (&["aa=1; xa=2; A=3; a"], Ok(None)),
            (&["a=x=y"], Ok(Some("x=y"))),
            (&["a=1; a=2"], Err(InvalidReason::Ambiguous)),
            (&["a=1", "a=1"], Err(InvalidReason::Ambiguous)),
        ];
        for (fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(header::COOKIE, field.parse().unwrap());
            }
            let expected = expected.map(|value| value.map(str::as_bytes));
            assert_eq!(find(&headers, "a"), expected, "{fields:?}");
        }
    }
}
