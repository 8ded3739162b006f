//! The interoperability scenario of `AuthZEN` 1.0: people and their todo lists
//! (<https://authzen-interop.net/docs/scenarios/todo-1.0/>).

use serde_json::{Value, json};

use super::*;
use crate::{Question, QuestionError};

const SCHEMA: &str = r#"
entity user;
entity todo = { "ownerID"?: String };
action can_read_user appliesTo { principal: [user], resource: [user] };
action can_read_todos, can_create_todo, can_update_todo, can_delete_todo
  appliesTo { principal: [user], resource: [todo] };
"#;
/// The people of the scenario, by their ids, with the roles that the policy decision point knows.
const PEOPLE: [(&str, &str, &str); 5] = [
    ("CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "rick@the-citadel.com", "admin"),
    ("CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "morty@the-citadel.com", "editor"),
    ("CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "summer@the-smiths.com", "editor"),
    ("CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "beth@the-smiths.com", "viewer"),
    ("CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "jerry@the-smiths.com", "viewer"),
];

fn person(name: &str) -> (&'static str, &'static str) {
    let found = PEOPLE.iter().find(|(_, mail, _)| mail.starts_with(name)).unwrap();
    (found.0, found.1)
}

/// The policies of the scenario: everybody reads, editors create and change their own, an admin changes all.
fn policies() -> Arc<Policies> {
    let listed = |roles: &[&str]| {
        let people = PEOPLE.iter().filter(|(_, _, role)| roles.contains(role));
        people.map(|(id, _, _)| format!("user::\"{id}\"")).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!(
        "@id(\"everybody-reads\")\n\
         permit (principal is user, action in [Action::\"can_read_user\", Action::\"can_read_todos\"], resource);\n\
         @id(\"editors-create\")\npermit (principal, action == Action::\"can_create_todo\", resource)\n\
         when {{ [{}].contains(principal) }};\n\
         @id(\"admins-delete\")\npermit (principal, action in [Action::\"can_delete_todo\", Action::\"can_update_todo\"], resource)\n\
         when {{ [{}].contains(principal) }};\n",
        listed(&["admin", "editor"]),
        listed(&["admin"])
    );
    let editors = PEOPLE.iter().filter(|(_, _, role)| *role == "editor");
    text.extend(editors.map(|(id, mail, _)| {
        format!(
            "permit (principal == user::\"{id}\", action in [Action::\"can_delete_todo\", Action::\"can_update_todo\"], resource)\n\
             when {{ resource has ownerID && resource.ownerID == \"{mail}\" }};\n"
        )
    }));
    let mut config = config(&text, "");
    config.policies.as_mut().unwrap().schemas =
        vec![PolicyFile { path: "todo.cedarschema".into(), text: SCHEMA.into() }];
    match Policies::compile(&config) {
        Ok(policies) => policies.unwrap(),
        Err(error) => panic!("{error}"),
    }
}

fn ask(policies: &Policies, question: Value) -> Result<bool, QuestionError> {
    let question: Question = serde_json::from_value(question).unwrap();
    policies.answer(&question).map(|answer| answer.permits())
}

#[test]
fn the_todo_scenario_is_decided_as_published() {
    let policies = policies();
    let ask = |name: &str, action: &str, resource: Value| {
        let (id, _) = person(name);
        let question = json!({
            "subject": { "type": "user", "id": id },
            "action": { "name": action },
            "resource": resource,
        });
        ask(&policies, question).unwrap()
    };
    let todo = |owner: &str| json!({ "type": "todo", "id": "7240d0db-8ff0-41ec-98b2-34a096273b9f", "properties": { "ownerID": person(owner).1 } });
    let list = || json!({ "type": "todo", "id": "todo-1" });
    let beth = || json!({ "type": "user", "id": "beth@the-smiths.com" });
    for (id, mail, role) in PEOPLE {
        let name = mail.split('@').next().unwrap();
        assert!(ask(name, "can_read_user", beth()), "{id}");
        assert!(ask(name, "can_read_todos", list()), "{id}");
        assert_eq!(ask(name, "can_create_todo", list()), role != "viewer", "{id}");
        for action in ["can_update_todo", "can_delete_todo"] {
            for owner in ["rick", "morty", "summer"] {
                let expected = role == "admin" || (role == "editor" && owner == name);
                assert_eq!(ask(name, action, todo(owner)), expected, "{name} {action} of {owner}");
            }
        }
    }
}

/// The fixture of the certification scenario of `AuthZEN` 1.0, with the rules that it prescribes.
const CERTIFIED: &str = r#"
entity user = { "role"?: String };
entity record = { "status"?: String };
type Deletion = { "action"?: How };
type How = { "soft"?: Bool };
action read, write appliesTo { principal: [user], resource: [record] };
action delete appliesTo { principal: [user], resource: [record], context: Deletion };
"#;
const RULES: &str = r#"
permit (principal, action == Action::"read", resource);
permit (principal == user::"alice", action == Action::"write", resource)
unless { resource has status && resource.status == "archived" };
permit (principal, action == Action::"write", resource)
when { principal has role && principal.role == "admin" && resource has status && resource.status == "archived" };
permit (principal == user::"alice", action == Action::"delete", resource)
when { context has action.soft && context.action.soft };
"#;

#[test]
fn the_certification_scenario_is_decided_as_published() {
    let mut config = config(RULES, "");
    config.policies.as_mut().unwrap().schemas =
        vec![PolicyFile { path: "records.cedarschema".into(), text: CERTIFIED.into() }];
    let policies = match Policies::compile(&config) {
        Ok(policies) => policies.unwrap(),
        Err(error) => panic!("{error}"),
    };
    let entity = |entity_type: &str, id: &str, properties: &Value| json!({ "type": entity_type, "id": id, "properties": properties });
    let none = json!({});
    let archived = json!({ "status": "archived" });
    let soft = |soft: bool| json!({ "name": "delete", "properties": { "soft": soft, "why": "tidy" } });
    let named = |name: &str| json!({ "name": name });
    let cases = [
        ("alice", &none, named("read"), "record-1", &none, true),
        ("alice", &none, named("write"), "record-1", &none, true),
        ("bob", &none, named("read"), "record-1", &none, true),
        ("bob", &none, named("write"), "record-1", &none, false),
        ("alice", &none, named("write"), "record-2", &archived, false),
        ("bob", &json!({ "role": "admin" }), named("write"), "record-2", &archived, true),
        ("alice", &none, soft(true), "record-1", &none, true),
        ("alice", &none, soft(false), "record-1", &none, false),
        // What nobody declared is said in vain, wherever it is said.
        (
            "alice",
            &json!({ "department": "Sales", "role": "manager" }),
            json!({ "name": "read", "properties": { "method": "GET" } }),
            "record-1",
            &json!({ "status": "active", "owner": "bob" }),
            true,
        ),
    ];
    for (who, properties, action, record, attributes, expected) in cases {
        for context in [json!({}), json!({ "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1" })] {
            let question = json!({
                "subject": entity("user", who, properties), "action": action,
                "resource": entity("record", record, attributes), "context": context,
            });
            assert_eq!(ask(&policies, question), Ok(expected), "{who} {action} {record} {context}");
        }
    }
}

#[test]
fn what_the_schema_does_not_know_has_no_answer() {
    let policies = policies();
    let (id, _) = person("rick");
    let question = |subject: Value, action: &str, resource: Value| json!({ "subject": subject, "action": { "name": action }, "resource": resource });
    let rick = json!({ "type": "user", "id": id });
    let todo = json!({ "type": "todo", "id": "1" });
    let cases = [
        (question(rick.clone(), "can_fly", todo.clone()), "no action is called `can_fly`"),
        (question(json!({ "type": "martian", "id": "1" }), "can_read_todos", todo.clone()), "the subject"),
        (question(rick.clone(), "can_read_todos", rick), "the question"),
        (
            question(
                json!({ "type": "user", "id": id }),
                "can_read_todos",
                json!({ "type": "todo", "id": "1", "properties": { "ownerID": 7 } }),
            ),
            "the resource",
        ),
    ];
    for (question, expected) in cases {
        let error = ask(&policies, question).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn callers_of_the_gateway_can_be_asked_about() {
    let policies = compile(SHOP).unwrap();
    let question = |context: Value| {
        json!({
            "subject": { "type": "User", "id": "shop/ann", "properties": { "roles": ["clerk"], "grants": ["orders:read"], "zone": "data", "organization": "acme" } },
            "action": { "name": "orders:read" },
            "resource": { "type": "Route", "id": "/orders/**" },
            "context": context,
        })
    };
    let whole = json!({ "address": "203.0.113.7", "method": "GET", "path": "/orders/7", "mfa": false, "secure": true, "zone": "data" });
    assert_eq!(ask(&policies, question(whole)), Ok(true));
    assert_eq!(
        ask(&policies, question(json!({}))),
        Ok(true),
        "what is left out is that of an ordinary request"
    );
    assert_eq!(
        ask(&policies, question(json!({ "secure": false }))),
        Ok(true),
        "reading does not ask for TLS"
    );
    assert_eq!(ask(&policies, question(json!({ "method": "DELETE" }))), Ok(false));
    assert_eq!(ask(&policies, question(json!({ "colour": "red" }))), Ok(true), "nobody reads it");
    let error = ask(&policies, question(json!({ "secure": "yes" }))).unwrap_err();
    assert!(error.to_string().contains("context"), "{error}");
}

#[test]
fn what_is_asked_about_is_in_the_zone_of_the_routes_that_name_it() {
    let zones = "zones: { data: { callers: [services] } }";
    let routes = ROUTES
        .replace("policy: { action: \"orders:refund\"", "zone: data, policy: { action: \"orders:refund\"");
    let config = config_of(&routes, "permit (principal, action, resource);", zones);
    let policies = Policies::compile(&config).unwrap().unwrap();
    let question = |properties: Value| {
        json!({
            "subject": { "type": "Service", "id": "billing/books", "properties": properties },
            "action": { "name": "orders:refund" },
            "resource": { "type": "Order", "id": "7" },
            "context": { "address": "203.0.113.7", "method": "POST", "path": "/", "mfa": false, "secure": true, "zone": "public" },
        })
    };
    assert_eq!(ask(&policies, question(json!({ "zone": "services" }))), Ok(true));
    assert_eq!(ask(&policies, question(json!({}))), Ok(false));
    for unclear in [
        json!({ "roles": "clerk" }),
        json!({ "roles": [7] }),
        json!({ "zone": "moon" }),
        json!({ "organization": 7 }),
    ] {
        assert!(ask(&policies, question(unclear.clone())).is_err(), "{unclear}");
    }
}
