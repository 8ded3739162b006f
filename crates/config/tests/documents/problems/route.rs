//! Mistakes of `routes`.

use bartizan_config::Severity;

use super::{Case, check, route};

#[test]
fn mistakes_of_who_may_use_a_route() {
    let cases: [Case<'_>; 13] = [
        (
            route("§{ path: /, to: \"http://a\" }"),
            &[("this route does not say who may use it", "`auth: none` makes it public")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: §[] }"),
            &[("`auth` is an empty list", "`auth: none` makes the route public")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: [users, §none] }"),
            &[("`none` makes the route public, so nothing else can be listed beside it", "leave `none` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: §user }"),
            &[("there is no identity provider `user`", "did you mean `users`?")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: [§partners] }"),
            &[("there is no identity provider `partners`", "known here: `users`")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: none, require: §[a:b] }"),
            &[("`require` on a public route: nobody is authenticated there", "leave `require` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: none, mfa: §required }"),
            &[("`mfa` on a public route: nobody is authenticated there", "leave `mfa` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: §[] }"),
            &[("this list of permissions is empty", "leave `require` out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: [§\"orders:*\"] }"),
            &[("`orders:*` is not a permission: write `resource:action`, for example `orders:read`", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { §PSOT: [a:b] } }"),
            &[("`PSOT` is not a method: did you mean `POST`?", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { §get: [a:b] } }"),
            &[("`get`: methods are written in upper case", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, methods: [GET], require: { §PUT: [a:b] } }"),
            &[("`PUT` is not among the `methods` of this route", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: §{ any: [a:b], GET: [a:b] } }"),
            &[(
                "expected a list of permissions, `{ any: [..] }`, `{ all: [..] }`, or one of these per method",
                "",
            )],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_what_a_route_matches_and_does() {
    let cases: [Case<'_>; 29] = [
        (route("{ path: §api, to: \"http://a\", auth: users }"), &[("path `api` must start with `/`", "")]),
        (
            route("{ path: §/a/**/b, to: \"http://a\", auth: users }"),
            &[("path `/a/**/b`: `**` is allowed at the end only", "")],
        ),
        (
            route("{ path: §/a/../b, to: \"http://a\", auth: users }"),
            &[("path `/a/../b`: dot segments never reach a route", "")],
        ),
        (
            route("§{ path: /first, to: \"http://a\", auth: none }"),
            &[(
                "the route in line 5 matches the same requests as `/first` here",
                "different hosts or methods",
            )],
        ),
        (
            route(
                "{ path: /x/*, to: \"http://a\", auth: none, methods: [GET, PUT] }\n  - §{ path: \"/x/{id}\", to: \"http://a\", auth: none, methods: [PUT] }",
            ),
            &[("the route in line 6 matches the same requests as `/x/{id}` here", "different hosts")],
        ),
        (
            route(
                "{ path: /x, to: \"http://a\", auth: none, hosts: [a.test, b.test] }\n  - §{ path: /x, to: \"http://a\", auth: none, host: B.test }",
            ),
            &[("the route in line 6 matches the same requests as `/x` here", "different hosts")],
        ),
        (
            route("{ path: /, to: §orders, auth: users }"),
            &[("there is no upstream `orders`", "http://orders:8080")],
        ),
        (
            route("{ path: /, to: §\"orders:80\", auth: users }"),
            &[("there is no upstream `orders:80`", "write a URL: `http://orders:80`")],
        ),
        (route("{ path: /, to: §[], auth: users }"), &[("there is no target", "http://orders:8080")]),
        (
            route("{ path: /, to: [§orders, \"http://a\"], auth: users }"),
            &[("`orders` is not a URL: write for example `http://orders:8080`", "")],
        ),
        (
            format!(
                "upstreams: {{ orders: {{ targets: http://a }} }}\n{}",
                route("{ path: /, to: §order, auth: users }")
            ),
            &[("there is no upstream `order`", "did you mean `orders`?")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: [§\"a.test:80\"] }"),
            &[("`a.test:80`: a host here has no port", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: §[] }"),
            &[("`hosts` is an empty list", "any host")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, hosts: [a.test], host: §b.test }"),
            &[("`host` and `hosts` are two ways to say the same", "keep one")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, methods: §[] }"),
            &[("`methods` is an empty list", "every method")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: { origins: \"*\", credentials: §true } }"),
            &[(
                "`credentials` with any origin: every site could act in the name of a visitor",
                "list the origins",
            )],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: [§\"https://a.test/\"] }"),
            &[("`https://a.test/` is not how a browser writes this origin: write `https://a.test`", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: §any }"),
            &[(
                "`any` is not known here: expected `same-origin`, `\"*\"`, a list of origins, or a mapping with `origins`",
                "",
            )],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, cors: §[] }"),
            &[("there is no origin", "same-origin")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, headers: §htm }"),
            &[("`htm` is not known here: did you mean `html`?", "")],
        ),
        (
            route(
                "{ path: /, to: \"http://a\", auth: users, headers: { set: { X-A: b, §x-a: c, §host: d } } }",
            ),
            &[
                ("`x-a` is set twice", "upper and lower case"),
                ("`host` frames the message and is written by the gateway itself", ""),
            ],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, headers: { csp: §\"a\\nb\" } }"),
            &[("a header value holds printable ASCII only", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { hold: §17MiB } }"),
            &[("`hold` is more than 16384KiB", "")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { hold: §2MiB, max: 1MiB } }"),
            &[("`hold` is 2097152 bytes, more than the largest body (1048576 bytes)", "raise `max`")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, body: { policy: stream, hold: §1KiB } }"),
            &[("`hold` has no meaning when bodies are streamed", "leave it out")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, upgrade: [§h2c, §\"a b\"] }"),
            &[
                ("`h2c`: an upgrade to another HTTP would go round every check", ""),
                ("`a b` is not a protocol", "websocket"),
            ],
        ),
        (
            route("{ path: /api/x, to: \"http://a\", auth: users, strip_prefix: §/ap }"),
            &[("`/ap` is not the start of the route's path", "")],
        ),
        (
            route("{ path: /api/x, to: \"http://a\", auth: users, strip_prefix: §/* }"),
            &[("`/*`: a prefix is made of plain segments", "/api")],
        ),
        (
            route("{ path: /, to: \"http://a\", auth: users, timeouts: { response: §0s, idle: §1e3 } }"),
            &[
                ("`response` must be longer than zero", ""),
                ("`1e3` is not a duration: write for example `500ms`, `10s`, `5min`, `1h` or `30d`", ""),
            ],
        ),
    ];
    check(&cases, Severity::Error);
}
