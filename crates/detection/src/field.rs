//! The names of fields: which ones events have, and what those of web servers' logs are called here.
//!
//! Rules for `product: bartizan` name the paths of events. SigmaHQ's rules for `category: webserver` name the columns of
//! the W3C's extended log format, as its authors spell them. Nothing is decoded: web servers write a URL as it was sent,
//! and rules that were written against their logs know both forms.

use crate::event::{DERIVED, TARGET};

/// The path of an event's field that a column of a web server's log is here.
///
/// `cs-uri-query` is the whole of path and query: most rules of SigmaHQ seek paths in it.
pub(crate) fn of_web_server(column: &str) -> Option<&'static str> {
    COLUMNS.iter().find(|(known, _)| known.eq_ignore_ascii_case(column)).map(|&(_, path)| path)
}

/// Whether events can have a field with this path.
pub(crate) fn is_known(path: &str) -> bool {
    let mut names = path.split('.');
    let (first, second) = (names.next().unwrap_or_default(), names.next());
    match second {
        _ if DERIVED.contains(&path) => true,
        Some(second) if first == "bartizan" => OURS.contains(&second),
        None => SINGLE.contains(&first),
        Some(_) => OBJECTS.contains(&first) && first != "local_time",
    }
}

/// Columns of web servers' logs, as the W3C and SigmaHQ's authors spell them.
const COLUMNS: [(&str, &str); 39] = [
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
    ("cs-cookie", "http_request.cookie"),
    ("c-cookie", "http_request.cookie"),
    ("cs(Cookie)", "http_request.cookie"),
    ("cs-host", "http_request.url.hostname"),
    ("cs-hostname", "http_request.url.hostname"),
    ("r-dns", "http_request.url.hostname"),
    ("cs-version", "http_request.version"),
    ("cs-username", "actor.user.name"),
    ("c-ip", "src_endpoint.ip"),
    ("src_ip", "src_endpoint.ip"),
    ("c-port", "src_endpoint.port"),
    ("s-port", "dst_endpoint.port"),
    ("s-computername", "dst_endpoint.hostname"),
    ("sc-status", "http_response.code"),
    ("response", "http_response.body"),
    ("sc-bytes", "traffic.bytes_out"),
    ("cs-bytes", "traffic.bytes_in"),
    ("time-taken", "http_response.latency"),
    ("cs-protocol", "http_request.url.scheme"),
];

/// Members of `bartizan`, our own part of an event.
const OURS: [&str; 15] = [
    "event",
    "decision",
    "stage",
    "reason",
    "route",
    "rules",
    "score",
    "paranoia",
    "policy",
    "credential",
    "key",
    "organization",
    "tags",
    "count",
    "change",
];

/// OCSF's attributes that hold a value.
const SINGLE: [&str; 16] = [
    "time",
    "category_uid",
    "class_uid",
    "class_name",
    "activity_id",
    "activity_name",
    "type_uid",
    "severity",
    "severity_id",
    "status",
    "status_id",
    "status_code",
    "status_detail",
    "message",
    "is_mfa",
    "is_remote",
];

/// OCSF's objects that events of a gateway can have.
const OBJECTS: [&str; 18] = [
    "metadata",
    "src_endpoint",
    "dst_endpoint",
    "actor",
    "user",
    "user_result",
    "session",
    "service",
    "auth_factors",
    "api",
    "http_request",
    "http_response",
    "traffic",
    "connection_info",
    "tls",
    "resources",
    "finding_info",
    "unmapped",
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
        assert_eq!(of_web_server("CommandLine"), None);
    }

    #[test]
    fn typing_errors_are_no_fields() {
        for (path, expected) in [
            ("bartizan.event", true),
            ("bartizan.evnet", false),
            ("bartizan", false),
            ("src_endpoint.location.country", true),
            ("src_endpoint", false),
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
