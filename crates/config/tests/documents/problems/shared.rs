//! Mistakes of `shared`, and that none of them shows a password.

use bartizan_config::Severity;

use super::{Case, check};
use crate::{REDIS_PASSWORD, parse, with};

fn shared(keys: &str) -> String {
    with(&format!("shared: {{ {keys} }}"))
}

#[test]
fn mistakes_of_the_shared_store() {
    let nodes: Vec<_> = (0..65).map(|port| format!("\"redis://127.0.0.1:{}\"", 7000 + port)).collect();
    let many = format!("redis: §[{}]", nodes.join(", "));
    let no_url = "this is not the URL of a Redis server: write for example `redis://127.0.0.1:6379`";
    let cases: [Case<'_>; 18] = [
        (with("shared: { §mode: exact }"), &[("`redis` is missing here", "")]),
        (shared("redis: §localhost"), &[(no_url, "")]),
        (shared("redis: §\"127.0.0.1:6379\""), &[(no_url, "")]),
        (
            shared("redis: §\"http://127.0.0.1\""),
            &[("the scheme is none of a Redis server: write `redis` or, for TLS, `rediss`", "")],
        ),
        (
            shared("redis: §\"redis://:6379\""),
            &[("there is no valid host or no valid port: write for example `redis://127.0.0.1:6379`", "")],
        ),
        (
            shared("redis: §\"redis://a/b\""),
            &[(
                "behind the host only the number of a database may stand: write for example `redis://127.0.0.1:6379/1`",
                "",
            )],
        ),
        (
            shared("redis: §\"redis://:a/b@c\""),
            &[(
                "in a user name and password `/`, `?`, `#`, `@` and spaces are written as `%2F`, `%3F`, `%23`, `%40` and `%20`",
                "",
            )],
        ),
        (shared("redis: §[]"), &[("there is no node", "redis://127.0.0.1:6379")]),
        (shared(&many), &[("there are more than 64 nodes", "a few are enough")]),
        (shared("redis: [\"redis://a\", §\"redis://A:6379\"]"), &[("this node is listed twice", "")]),
        (
            shared("redis: [\"redis://a\", §\"redis://b/1\"]"),
            &[("a cluster has no numbered databases", "leave the number")],
        ),
        (
            shared("redis: [\"redis://a\", §\"rediss://b\"]"),
            &[("this node has other credentials or another scheme than the first", "share both")],
        ),
        (
            shared("redis: [\"rediss://:${REDIS_PASSWORD}@a\", §\"rediss://b\"]"),
            &[("this node has other credentials or another scheme than the first", "share both")],
        ),
        (shared("redis: \"redis://a\", mode: §fast"), &[("`fast` is not known here", "`exact`, `leased`")]),
        (
            shared("redis: \"redis://a\", on_error: §open"),
            &[("`open` is not known here", "`local`, `deny`, `allow`")],
        ),
        (
            shared("redis: \"rediss://a\", tls: { cert: §cert.pem }"),
            &[("a client certificate is a `cert` and its `key`", "")],
        ),
        (shared("redis: \"redis://a\", timeout: §0ms"), &[("`timeout` must be longer than zero", "")]),
        (
            shared("redis: \"redis://a\", timeout: §5s"),
            &[(
                "`timeout` is more than 1s: so long would requests wait for a store that is away",
                "milliseconds",
            )],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn passwords_that_others_may_read_are_warned_of() {
    let cases: [Case<'_>; 3] = [
        (
            shared("redis: §\"redis://:hunter2@127.0.0.1\""),
            &[("whoever reads this document knows the password of the store", "${REDIS_PASSWORD}")],
        ),
        (
            shared("redis: §\"redis://:${REDIS_PASSWORD}@store\""),
            &[("the password of the store travels in clear", "`rediss`")],
        ),
        (shared("redis: \"rediss://:${REDIS_PASSWORD}@store\""), &[]),
    ];
    check(&cases, Severity::Warning);
}

#[test]
fn tls_that_is_not_spoken_is_warned_of() {
    let no_effect = "`tls` has no effect: the store is not named by a `rediss:` URL";
    let cases: [Case<'_>; 3] = [
        (shared("redis: \"redis://a\", tls: §{ ca: ca.pem }"), &[(no_effect, "")]),
        (shared("redis: [\"redis://a\"], tls: §{ ca: ca.pem }"), &[(no_effect, "")]),
        (shared("redis: \"rediss://a\", tls: { ca: ca.pem, cert: cert.pem, key: key.pem }"), &[]),
    ];
    check(&cases, Severity::Warning);
}

#[test]
fn a_password_of_the_store_is_in_no_diagnostic() {
    let urls = [
        "redis://:hunter2@store",
        "redis://:hunter2@store:0",
        "redis://user:hun/ter2@store",
        "redis://:hun,ter2 @store",
        "http://:hunter2@store",
        "redis:hunter2@store",
        ":hunter2@store",
        "redis://:${REDIS_PASSWORD}@store",
        "redis://:${REDIS_PASSWORD}@store:x",
        "${REDIS_PASSWORD}",
    ];
    for url in urls {
        for text in [
            with(&format!("shared: {{ redis: \"{url}\", timeout: 0s }}")),
            with(&format!("shared: {{ redis: [\"{url}\", \"{url}\"], timeout: 0s }}")),
            with(&format!("shared: {{ mode: fast, redis: '{url}' }}")),
            with(&format!("shared:\n  timeout: 0s\n  redis: {url}")),
            with(&format!("shared:\n  redis:\n    - {url}\n    - {url}")),
            with(&format!("shared:\n  redis:\n  - \"{url}\"\n  - \"{url}\n")),
            with(&format!("shared: {{ rediss: \"{url}\" }}")),
        ] {
            let shown = match parse(&text) {
                Ok(loaded) => format!("{:?} {:?}", loaded.warnings, loaded.config),
                Err(error) => format!("{error} {error:?}"),
            };
            for secret in ["hun", "ter2", REDIS_PASSWORD] {
                assert!(!shown.contains(secret), "{text}\n{shown}");
            }
        }
    }
}
