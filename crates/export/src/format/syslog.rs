//! Syslog (RFC 5424), each message with its length before it (RFC 6587, section 3.4.1; RFC 5425, section 4.3).
//!
//! The structured data has what a receiver sorts by. Nothing in it comes from a request but its id. The message is JSON,
//! CEF or LEEF, without a byte order mark: it is what RFC 5424 calls `MSG-ANY`.

use std::{fmt::Write as _, fs};

use bartizan_config::{SyslogFacility, SyslogFormat};
use bartizan_events::Severity;

use super::{cef, leef};
use crate::Shown;

/// `32473` is the number that RFC 5612 leaves to those who have none.
const STRUCTURED_DATA: &str = "bartizan@32473";
const LONGEST_HOST: usize = 255;

/// What every message of one export has in common.
#[derive(Debug, Clone)]
pub struct Header {
    facility: SyslogFacility,
    format: SyslogFormat,
    host: String,
    process: u32,
}

impl Header {
    /// Of messages of this process.
    pub fn new(facility: SyslogFacility, format: SyslogFormat) -> Self {
        // Where the kernel does not tell, the field is what RFC 5424 calls `NILVALUE`.
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { facility, format, host: printable(host.trim(), LONGEST_HOST), process: std::process::id() }
    }

    /// Appends the event as one message with its length before it.
    pub fn frame(&self, event: &Shown, frames: &mut Vec<u8>) {
        let message = self.message(event);
        frames.extend_from_slice(message.len().to_string().as_bytes());
        frames.push(b' ');
        frames.extend_from_slice(message.as_bytes());
    }

    /// The event as one message.
    pub fn message(&self, event: &Shown) -> String {
        let Self { facility, format, host, process } = self;
        let priority = (*facility as u8) * 8 + level(event.severity);
        let (timestamp, kind) = (event.timestamp(), event.kind.as_str());
        let data = structured_data(event);
        let text = match format {
            SyslogFormat::Json => event.ocsf.to_string(),
            SyslogFormat::Cef => cef::line(event),
            SyslogFormat::Leef => leef::line(event),
        };
        format!("<{priority}>1 {timestamp} {host} bartizan {process} {kind} {data} {text}")
    }
}

/// The severity of RFC 5424, table 2.
pub(crate) const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    }
}

fn structured_data(event: &Shown) -> String {
    let mut data = format!("[{STRUCTURED_DATA}");
    let mut put = |name: &str, value: &str| {
        // INVARIANT: writing to a string does not fail.
        let _ = write!(data, " {name}=\"{}\"", escaped(value));
    };
    put("uid", &event.id);
    put("event", event.kind.as_str());
    put("class", event.class().as_str());
    put("severity", event.severity.as_str());
    put("decision", event.decision.as_str());
    if let Some(request) = event.text("metadata.correlation_uid") {
        put("request", request);
    }
    if let Some(organization) = event.text("bartizan.organization") {
        put("organization", organization);
    }
    data.push(']');
    data
}

/// The value of a parameter (RFC 5424, section 6.3.3).
pub(crate) fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' | '\\' | ']' => escaped.extend(['\\', character]),
            // RFC 5424 allows them; not every receiver lives up to that.
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A field of the header: printable ASCII, or `-`.
fn printable(text: &str, longest: usize) -> String {
    let printable: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if printable.is_empty() { "-".into() } else { printable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_parameter_is_escaped() {
        for (text, expected) in
            [("a\\", "a\\\\"), ("\"]", "\\\"\\]"), ("two\nlines", "two lines"), ("ü=1", "ü=1")]
        {
            assert_eq!(escaped(text), expected);
        }
        assert_eq!(printable("a b\n", 255), "ab");
        assert_eq!(printable("", 255), "-");
    }
}
