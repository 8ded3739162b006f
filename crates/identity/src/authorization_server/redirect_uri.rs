//! Where people may be sent back to.

/// Whether `asked` is one of those that are registered: the same text, but for the port of a native application on
/// loopback, which the system gives it anew at every start (RFC 8252, section 7.3).
pub(crate) fn is_registered(registered: &[String], asked: &str) -> bool {
    registered.iter().any(|uri| uri == asked) || {
        let asked = without_loopback_port(asked);
        asked.is_some() && registered.iter().any(|uri| without_loopback_port(uri) == asked)
    }
}

/// Host and the rest of an `http:` URI on an address of loopback. `localhost` is a name, which may lead elsewhere.
fn without_loopback_port(uri: &str) -> Option<(&'static str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.strip_prefix(host)?;
    let (port, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (is_port && !path.contains('#')).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let registered =
            ["http://127.0.0.1/back", "http://[::1]:1/back?a=b", "http://localhost:1/", "https://app.test/"];
        let registered = registered.map(str::to_owned);
        for (asked, expected) in [
            ("http://127.0.0.1/back", true),
            ("http://127.0.0.1:51004/back", true),
            ("http://[::1]:51004/back?a=b", true),
            ("http://[::1]/back?a=b", true),
            ("https://app.test/", true),
            ("http://127.0.0.1:51004/", false),
            ("http://127.0.0.1:51004/back#", false),
            ("http://127.0.0.1:/back", false),
            ("http://127.0.0.1:+1/back", false),
            ("http://127.0.0.1:99999/back", false),
            ("http://127.0.0.1:1@evil.test/back", false),
            ("http://127.0.0.1.evil.test/back", false),
            ("http://127.0.0.1:1.evil.test/back", false),
            ("https://127.0.0.1:1/back", false),
            ("http://localhost:2/", false),
            ("https://app.test:8443/", false),
        ] {
            assert_eq!(is_registered(&registered, asked), expected, "{asked}");
        }
    }
}
