//! Mistakes of `policies`, `zones`, and what routes say of them.

use bartizan_config::Severity;

use super::{Case, check, jwt, route};
use crate::with;

fn on_route(keys: &str) -> String {
    route(&format!("{{ path: \"/orgs/{{org}}/orders/{{id}}\", to: \"http://a\", auth: users, {keys} }}"))
}

#[test]
fn mistakes_of_policies() {
    let cases: Vec<Case<'_>> = vec![
        (
            with("policies: { files: §policies/*.cedar }"),
            &[("`policies/*.cedar` names no file", "folder of this document")],
        ),
        (with("policies: { files: §[] }"), &[("this list of files is empty", "")]),
        (with("policies: { §mode: shadow }"), &[("`files` is missing here", "")]),
        (
            with("policies: { files: ca.pem, mode: §shaddow }"),
            &[("`shaddow` is not known here", "did you mean `shadow`?")],
        ),
        (with("policies: { §file: ca.pem }"), &[("unknown key `file`", "did you mean `files`?")]),
        (
            on_route("policy: §on"),
            &[(
                "`on` is not known here: expected `off`, or a mapping with `action`, `resource` and `parents`",
                "",
            )],
        ),
        (
            on_route("policy: { resource: { type: Order, id: §\"{idd}\" } }"),
            &[("the path has no segment `{idd}`", "did you mean `id`?")],
        ),
        (
            on_route("policy: { resource: { type: Order, id: §\"{id\" } }"),
            &[("`{id`: a `{` without its `}`", "")],
        ),
        (
            on_route("policy: { resource: { type: §an order, id: \"{id}\" } }"),
            &[("`an order` is no type of entities: write for example `Order`", "")],
        ),
        (
            on_route("policy: { resource: { type: §Zone, id: \"{id}\" } }"),
            &[("`Zone` is a type of the gateway's own, which requests do not name", "")],
        ),
        (
            on_route("policy: { action: §'a\"b' }"),
            &[("`a\"b` is no name of an action: write for example `orders:refund`", "")],
        ),
        (
            on_route("policy: { parents: §[{ type: Organization, id: \"{org}\" }] }"),
            &[("`parents` without `resource`: the route belongs to its zone alone", "under `resource`")],
        ),
        (
            on_route("policy: off, zone: §data"),
            &[("`zone` on a route that asks no policies: zones are policies, too", "leave out")],
        ),
        (
            route("{ path: /open, to: \"http://a\", auth: none, policy: §{ action: \"a:b\" } }"),
            &[("`policy` on a public route: nobody is authenticated there", "under `auth`")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_zones() {
    let cases: Vec<Case<'_>> = vec![
        (
            on_route("zone: §moon"),
            &[("there is no zone `moon`: known here: `public`, `gateway`, `services`, `data`", "")],
        ),
        (
            with("zones: { data: { callers: [§service] } }"),
            &[("there is no zone `service`: did you mean `services`?", "")],
        ),
        (with("zones: { data: { §caller: [] } }"), &[("unknown key `caller`", "did you mean `callers`?")]),
        (
            route("{ path: /open, to: \"http://a\", auth: none, zone: §data }"),
            &[("a public route is not in the zone `data`", "under `auth`")],
        ),
        (jwt("jwks: \"https://i\", zone: §datta"), &[("there is no zone `datta`: did you mean `data`?", "")]),
        (
            jwt("jwks: \"https://i\", principal: §servant"),
            &[("`servant` is not known here", "did you mean `service`?")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn a_zone_without_routes_is_questionable() {
    let cases: Vec<Case<'_>> =
        vec![(with("zones: { §data: { callers: [] } }"), &[("no route is in the zone `data`", "")])];
    check(&cases, Severity::Warning);
}

#[test]
fn a_route_that_nobody_can_call_is_questionable() {
    let cases: Vec<Case<'_>> = vec![(
        on_route("zone: §data"),
        &[(
            "nobody can call this route: the zone `data` admits `services`, `data`, and those whom `auth` names call from \
             `public`",
            "say `zone` at an identity provider",
        )],
    )];
    check(&cases, Severity::Warning);
}
