//! Mistakes of `waf`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bartizan_config::Severity;

use super::{Case, check, route};
use crate::with;

fn waf(keys: &str) -> String {
    with(&format!("waf: {{ {keys} }}"))
}

fn exclusion(keys: &str) -> String {
    waf(&format!("exclude: [{keys}]"))
}

#[test]
fn mistakes_of_the_firewall() {
    let cases: Vec<Case<'_>> = vec![
        (with("waf: §owasp"), &[("`owasp` is not known here: known here: `starter`, `crs`, `off`", "")]),
        (waf("rules: §crss"), &[("`crss` is not known here", "did you mean `crs`?")]),
        (waf("mode: §blok"), &[("`blok` is not known here", "did you mean `block`?")]),
        (waf("§paranoid: 1"), &[("unknown key `paranoid`", "did you mean `paranoia`?")]),
        (waf("paranoia: §5"), &[("`5` is no paranoia level", "write 1, 2, 3 or 4")]),
        (waf("paranoia: §0"), &[("`0` is no paranoia level", "write 1, 2, 3 or 4")]),
        (waf("detection_paranoia: §5"), &[("`5` is no paranoia level", "write 1, 2, 3 or 4")]),
        (
            waf("paranoia: 3, detection_paranoia: §2"),
            &[("`detection_paranoia` is below the paranoia level 3", "raise it")],
        ),
        (waf("threshold: §0"), &[("`threshold` is 0: write a number from 1 to 1000000", "")]),
        (
            waf("threshold: { outbound: §1000001 }"),
            &[("`outbound` is 1000001: write a number from 1 to 1000000", "")],
        ),
        (waf("max_body: §17MiB"), &[("`max_body` is more than 16384KiB", "")]),
        (waf("path: §/opt/crs"), &[("`path` has a meaning only for the Core Rule Set", "rules: crs")]),
        (waf("include: §mine/*.conf"), &[("`mine/*.conf` names no file", "folder of this document")]),
        (
            waf("responses: §yes"),
            &[(
                "`yes` is not known here: expected `on`, `off`, or a mapping with `max_body` and `types`",
                "",
            )],
        ),
        (waf("responses: { types: §[] }"), &[("`types` is an empty list", "responses: off")]),
        (
            waf("responses: { types: [§text/*] }"),
            &[("`text/*` is no media type: write for example `text/html`", "")],
        ),
        (
            waf("responses: { types: [§text/event-stream] }"),
            &[("this is streamed by its nature and is never held back", "")],
        ),
        (
            exclusion("{ rule: §sqli }"),
            &[("`sqli` is no rule: write a number such as `942100`, or a range such as `942000-942999`", "")],
        ),
        (exclusion("{ rule: 1, tag: §a }"), &[("`rule` and `tag` are two ways to say which rules", "two")]),
        (exclusion("§9-1"), &[("`9-1` ends before it begins", "")]),
        (
            exclusion("§'a b'"),
            &[("`a b` is no tag: write for example `attack-sqli` or `OWASP_CRS/ATTACK-SQLI`", "")],
        ),
        (exclusion("§{ target: ARGS }"), &[("this exclusion does not say which rules", "`rule: 942100`")]),
        (
            exclusion("{ rule: 1, target: §\"ARGS:a,deny\" }"),
            &[(
                "`ARGS:a,deny` is no variable: write for example `ARGS:comment` or `REQUEST_COOKIES:session`",
                "",
            )],
        ),
        (
            exclusion("{ rule: 1, expires: §2027-02-30 }"),
            &[("`2027-02-30` is no day: write year, month and day, as in `2027-01-31`", "")],
        ),
        (
            route("{ path: /b, to: \"http://a\", auth: users, waf: §no }"),
            &[("`no` is not known here: known here: `starter`, `crs`, `off`", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn what_is_probably_not_meant_of_the_firewall() {
    let soon = day_in(7);
    let cases: Vec<Case<'_>> = vec![
        (
            exclusion("{ rule: 1, expires: §2020-01-01 }"),
            &[("this exclusion has expired: its rules look again", "remove it")],
        ),
        (
            exclusion(&format!("{{ rule: 1, expires: §{soon} }}")),
            &[("this exclusion expires within two weeks", "another day")],
        ),
        (exclusion(&format!("{{ rule: 1, expires: {} }}", day_in(20))), &[]),
        (
            route("{ path: /b, to: \"http://a\", auth: users, waf: starter, body: §stream }"),
            &[("the firewall sees only the heads of these requests: bodies are streamed", "waf: off")],
        ),
        (route("{ path: /b, to: \"http://a\", auth: users, waf: off, body: stream }"), &[]),
        (
            route("{ path: §/shop.v1.Orders/**, to: \"http://a\", auth: users, waf: starter }"),
            &[(
                "the firewall holds each of these calls until its end: none of them can stream",
                "`protocol: http2`",
            )],
        ),
        (route("{ path: /shop.v1.Orders/**, to: \"http://a\", auth: users, waf: off }"), &[]),
        (route("{ path: /site.js/**, to: \"http://a\", auth: users, waf: starter }"), &[]),
    ];
    check(&cases, Severity::Warning);
}

/// A day so many days from now, as the document writes it.
fn day_in(days: u64) -> String {
    let day = SystemTime::now() + Duration::from_secs(days * 24 * 60 * 60);
    let since = day.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = time::OffsetDateTime::from_unix_timestamp(i64::try_from(since).unwrap()).unwrap().date();
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

#[test]
fn a_firewall_that_refuses_bodies_that_the_route_admits() {
    const REFUSED: &str = "the firewall refuses bodies of more than 1048576 bytes (413): it looks at no more";
    const MOST: &str = "the firewall refuses bodies of more than 16777216 bytes (413): it looks at no more";
    let body = |waf: &str, body: &str| {
        format!(
            "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /, to: \"http://a\", auth: none, waf: {waf}, body: {{ {body} }} }}]"
        )
    };
    let cases: Vec<Case<'_>> = vec![
        (body("starter", "max: §20MiB"), &[(MOST, "`on_large_body: inspect_prefix`")]),
        (body("{ max_body: 1MiB }", "max: §2MiB"), &[(REFUSED, "`on_large_body: inspect_prefix`")]),
        (body("starter", "max: 16MiB"), &[]),
        (body("starter", "max: 1MiB"), &[]),
        (body("starter", "hold: 32KiB"), &[]),
        (body("{ on_large_body: inspect_prefix }", "max: 20MiB"), &[]),
        (body("{ mode: log }", "max: 20MiB"), &[]),
        (body("{ max_body: 16MiB }", "max: 16MiB"), &[]),
    ];
    check(&cases, Severity::Warning);
}
