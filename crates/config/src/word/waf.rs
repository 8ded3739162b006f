//! The words of the firewall: numbers and tags of rules, variables, media types, days.

use std::time::{Duration, SystemTime};

use schemars::{Schema, SchemaGenerator, json_schema};
use time::{Date, Month};

use crate::{RuleIds, forms::Forms};

/// The longest tag or variable.
const LONGEST: usize = 200;
/// The longest variable: a pattern for a name of the 256 bytes that are known of one that has matched.
const LONGEST_VARIABLE: usize = 1024;

/// `942100`, `942000-942999`.
impl Forms for RuleIds {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "the number of a rule, or a range such as `942000-942999`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["integer", "string"],
            "pattern": r"^([0-9]+( *- *[0-9]+)?|\$\{.*\})$",
            "minimum": 1,
            "examples": [942_100, "942000-942999"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number: &u64| digits && *number > 0)
        };
        let (first, last) = word.split_once('-').map_or((word, word), |(a, b)| (a.trim(), b.trim()));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(_), Some(_)) => Err(format!("`{word}` ends before it begins")),
            _ => Err(format!(
                "`{word}` is no rule: write a number such as `942100`, or a range such as `942000-942999`"
            )),
        }
    }
}

/// `attack-sqli`.
#[derive(Debug, Clone)]
pub(crate) struct RuleTag(pub(crate) String);

impl Forms for RuleTag {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a tag such as `attack-sqli`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_./:$-]+", "examples": ["attack-sqli"] })
    }

    fn word(word: &str) -> Result<Self, String> {
        let is_of_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:-".contains(&byte);
        if !word.is_empty() && word.len() <= LONGEST && word.bytes().all(is_of_tag) {
            Ok(Self(word.into()))
        } else {
            Err(format!("`{word}` is no tag: write for example `attack-sqli` or `OWASP_CRS/ATTACK-SQLI`"))
        }
    }
}

/// `ARGS:comment`.
#[derive(Debug, Clone)]
pub(crate) struct RuleVariable(pub(crate) String);

impl Forms for RuleVariable {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a variable such as `ARGS:comment`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([A-Za-z_]+(:.+)?|\$\{.*\})$",
            "examples": ["ARGS:comment", "REQUEST_COOKIES:session", "REQUEST_BODY"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let (name, part) = word.split_once(':').map_or((word, None), |(name, part)| (name, Some(part)));
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        // These end a target in an action; the rule language knows no way to write them there.
        let is_part = |byte: u8| byte.is_ascii_graphic() && !b"\"'`,;|\\".contains(&byte) || !byte.is_ascii();
        let has_part = part.is_none_or(|part| !part.is_empty() && part.bytes().all(is_part));
        if is_name && has_part && word.len() <= LONGEST_VARIABLE {
            Ok(Self(format!("{}{}", name.to_ascii_uppercase(), word.get(name.len()..).unwrap_or_default())))
        } else {
            Err(format!(
                "`{word}` is no variable: write for example `ARGS:comment` or `REQUEST_COOKIES:session`"
            ))
        }
    }
}

/// `text/html`.
#[derive(Debug, Clone)]
pub(crate) struct MediaType(pub(crate) String);

impl Forms for MediaType {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a media type such as `text/html`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([^/ ;]+/[^/ ;]+|\$\{.*\})$", "examples": ["text/html"] })
    }

    fn word(word: &str) -> Result<Self, String> {
        // Tokens (RFC 9110, section 5.6.2), without the wildcard: a type that streams must never be held by accident.
        let is_token = |text: &str| {
            let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
            !text.is_empty() && text.bytes().all(is_of_token)
        };
        match word.split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {
                Ok(Self(word.to_ascii_lowercase()))
            }
            _ => Err(format!("`{word}` is no media type: write for example `text/html`")),
        }
    }
}

/// `2027-01-01`: the moment at which this day begins, in UTC.
impl Forms for SystemTime {
    const NAME: &'static str = "Day";
    const EXPECTED: &'static str = "a day such as `2027-01-31`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|\$\{.*\})$",
            "description": "A day: year, month and day.",
            "examples": ["2027-01-31"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse = || format!("`{word}` is no day: write year, month and day, as in `2027-01-31`");
        let midnight = date(word).ok_or_else(refuse)?.midnight().assume_utc().unix_timestamp();
        let since = u64::try_from(midnight).map_err(|_| refuse())?;
        Ok(Self::UNIX_EPOCH + Duration::from_secs(since))
    }
}

fn date(word: &str) -> Option<Date> {
    let is_written_out = word.len() == 10 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let mut parts = word.split('-').filter(|_| is_written_out);
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month: u8 = parts.next().filter(|month| month.len() == 2)?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_numbers_or_ranges() {
        for (text, first, last) in
            [("942100", 942_100, 942_100), ("942000-942999", 942_000, 942_999), ("1 - 2", 1, 2)]
        {
            assert_eq!(RuleIds::word(text), Ok(RuleIds { first, last }), "{text}");
        }
        for text in ["", "0", "-1", "5-", "9-5", "1-2-3", "sqli", "942*", "99999999999999999999"] {
            assert!(RuleIds::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_and_variables_cannot_leave_their_place_in_an_action() {
        for text in ["attack-sqli", "OWASP_CRS/ATTACK-SQLI", "paranoia-level/2", "capec/1000/152/248/66"] {
            assert!(RuleTag::word(text).is_ok(), "{text}");
        }
        for text in ["", "a b", "a,deny", "a'b", "a\"b", "a\nb"] {
            assert!(RuleTag::word(text).is_err(), "{text}");
        }
        for text in
            ["ARGS", "ARGS:comment", "args:json.items.0.text", "REQUEST_HEADERS:User-Agent", "ARGS:/^a[b]$/"]
        {
            assert!(RuleVariable::word(text).is_ok(), "{text}");
        }
        for text in [
            "",
            ":a",
            "ARGS:",
            "ARGS:a b",
            "ARGS:a,deny",
            "ARGS:a;b",
            "ARGS:a'b",
            "ARGS|TX",
            "!ARGS",
            "ARGS:a\nb",
        ] {
            assert!(RuleVariable::word(text).is_err(), "{text}");
        }
        assert_eq!(RuleVariable::word("args:Comment").map(|variable| variable.0), Ok("ARGS:Comment".into()));
    }

    #[test]
    fn media_types_have_no_wildcards() {
        assert_eq!(MediaType::word("Text/HTML").map(|kind| kind.0), Ok("text/html".into()));
        for text in ["", "text", "text/", "/html", "text/*", "*/*", "text/html; charset=utf-8", "a/b/c"] {
            assert!(MediaType::word(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_exist() {
        let day = |text| {
            SystemTime::word(text).map(|day| day.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!((day("1970-01-02"), day("2027-01-01")), (Ok(86_400), Ok(1_798_761_600)));
        assert_eq!(day("2028-02-29"), Ok(1_835_395_200));
        for text in [
            "",
            "2027",
            "2027-1-1",
            "2027-02-29",
            "2027-13-01",
            "2027-01-00",
            "01-01-2027",
            "2027-01-01-",
            "1969-12-31",
            "2027-01-0a",
        ] {
            assert!(SystemTime::word(text).is_err(), "{text}");
        }
    }
}
