//! The names of fields: which ones events have, and what those of web servers' logs are called here.
//!
//! Rules for `product: bartizan` name the paths of events. SigmaHQ's rules for `category: webserver` name the columns of
//! the W3C's extended log format, as its authors spell them. Nothing is decoded: web servers write a URL as it was sent,
//! and rules that were written against their logs know both forms.

use crate::{
    event::{DERIVED, TARGET},
    written::FIELDS,
};

/// The path of an event's field that a column of a web server's log is here.
///
/// `cs-uri-query` is the whole of path and query: most rules of SigmaHQ seek paths in it.
pub(crate) fn of_web_server(column: &str) -> Option<&'static str> {
    let absent = || ABSENT.into_iter().find(|known| known.eq_ignore_ascii_case(column));
    let found = COLUMNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(column));
    found.map(|&(_, path)| path).or_else(absent)
}

/// Whether events can have a field with this path.
pub(crate) fn is_known(path: &str) -> bool {
    DERIVED.contains(&path) || FIELDS.contains(&path)
}

/// Columns of web servers' logs, as the W3C and SigmaHQ's authors spell them.
const COLUMNS: [(&str, &str); 30] = [
    ("cs-method", "http_request.http_method"),
    ("c-method", "http_request.http_method"),
    ("cs-uri-stem", "http_request.url.path"),
    ("c-uri-stem", "http_request.url.path"),
    ("cs-uri-path", "http_request.url.path"),
    ("c-uri-path", "http_request.url.path"),
    ("cs-uri", TARGET),
    ("c-uri", TARGET),
    ("cs-uri-query", TARGET),
    ("c-uri-query", TARGET),
    ("uri", TARGET),
    ("cs-user-agent", "http_request.user_agent"),
    ("cs-useragent", "http_request.user_agent"),
    ("c-user-agent", "http_request.user_agent"),
    ("c-useragent", "http_request.user_agent"),
    ("cs(User-Agent)", "http_request.user_agent"),
    ("cs-referer", "http_request.referrer"),
    ("cs-referrer", "http_request.referrer"),
    ("c-referer", "http_request.referrer"),
    ("cs(Referer)", "http_request.referrer"),
    ("cs-host", "http_request.url.hostname"),
    ("cs-hostname", "http_request.url.hostname"),
    ("r-dns", "http_request.url.hostname"),
    ("cs-version", "http_request.version"),
    ("c-ip", "src_endpoint.ip"),
    ("src_ip", "src_endpoint.ip"),
    ("s-computername", "dst_endpoint.hostname"),
    ("sc-status", "http_response.code"),
    ("time-taken", "http_response.latency"),
    ("cs-protocol", "http_request.url.scheme"),
];

/// Columns of what events do not hold: rules that name them load, and read `-` there.
const ABSENT: [&str; 9] = [
    "cs-cookie",
    "c-cookie",
    "cs(Cookie)",
    "cs-username",
    "c-port",
    "s-port",
    "response",
    "sc-bytes",
    "cs-bytes",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_a_field() {
        for (column, path) in COLUMNS {
            assert!(is_known(path), "{column}: {path}");
        }
        assert_eq!(of_web_server("CS-Method"), Some("http_request.http_method"));
        for column in ABSENT {
            assert!(!is_known(column) && of_web_server(column) == Some(column), "{column}");
        }
        assert_eq!(of_web_server("CommandLine"), None);
    }

    #[test]
    fn typing_errors_are_no_fields() {
        for (path, expected) in [
            ("bartizan.event", true),
            ("bartizan.evnet", false),
            ("bartizan", false),
            // Nothing writes these, though OCSF has them.
            ("src_endpoint.location.country", false),
            ("traffic.bytes_out", false),
            ("src_endpoint", false),
            ("resources.uid", true),
            ("severity_id", true),
            ("severity_id.x", false),
            ("local_time.hour", true),
            ("local_time.minute", false),
            ("EventID", false),
            ("", false),
        ] {
            assert_eq!(is_known(path), expected, "{path}");
        }
    }
}
