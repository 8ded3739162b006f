//! E-mail addresses, by which people are known.

use std::{fmt, str::FromStr};

/// An e-mail address in its one form here: without spaces around it, in lower case. Whether somebody reads mail there is
/// not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// The longest path of RFC 5321 (section 4.5.3.1.3), without its brackets.
const LONGEST: usize = 254;

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let expected = "write an e-mail address such as `ada@shop.test`";
        let text = text.trim();
        let is_odd = |character: char| {
            character.is_control() || character.is_whitespace() || matches!(character, '<' | '>' | '"' | ',')
        };
        let (local, domain) = text.rsplit_once('@').ok_or(expected)?;
        let is_usual =
            !local.is_empty() && !local.contains('@') && !domain.is_empty() && text.len() <= LONGEST;
        let labels = domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
        if !is_usual || !labels || text.contains(is_odd) {
            return Err(expected);
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, expected) in [
            (" Ada@Shop.Test ", Some("ada@shop.test")),
            ("ada+tag@localhost", Some("ada+tag@localhost")),
            ("ÄDA@shop.test", Some("äda@shop.test")),
            ("ada", None),
            ("@shop.test", None),
            ("ada@", None),
            ("ada@shop..test", None),
            ("a@b@shop.test", None),
            ("ada lovelace@shop.test", None),
            ("<ada@shop.test>", None),
            ("ada@shop.test\u{0}", None),
        ] {
            let parsed = text.parse::<EmailAddress>().ok();
            assert_eq!(parsed.as_ref().map(EmailAddress::as_str), expected, "{text}");
        }
        assert!(format!("{}@shop.test", "a".repeat(250)).parse::<EmailAddress>().is_err());
    }
}
