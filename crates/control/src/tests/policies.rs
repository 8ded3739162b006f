//! The gateway as a policy decision point (`AuthZEN`), and the dry run of policies.

use std::sync::Arc;

use bartizan_config::{Config, Policies as Configured, PolicyFile, Source};
use bartizan_policy::Policies;
use http::StatusCode;
use serde_json::{Value, json};

use super::fixture::Admin;
use crate::PoliciesInUse;

const SCHEMA: &str = r#"
entity user;
entity todo = { "ownerID"?: String };
action can_read_todos, can_update_todo appliesTo { principal: [user], resource: [todo] };
"#;
const POLICIES: &str = r#"
@id("reading") permit (principal, action == Action::"can_read_todos", resource);
@id("rick") permit (principal == user::"rick", action, resource is todo) when { resource has ownerID && resource.ownerID == "rick" };
"#;

fn admin() -> Admin {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\n\
                routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]";
    let mut config = Config::parse(text, &Source::text("")).unwrap().config;
    let file = |name: &str, text: &str| PolicyFile { path: name.into(), text: text.into() };
    config.policies = Some(Configured {
        files: vec![file("todo.cedar", POLICIES)],
        schemas: vec![file("todo.cedarschema", SCHEMA)],
        ..Configured::default()
    });
    let policies = Policies::compile(&config).unwrap();
    let admin = Admin::new();
    *admin.system.policies.lock().unwrap() = PoliciesInUse { config: Arc::new(config), policies };
    admin
}

fn question(subject: &str, action: &str, owner: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": subject },
        "action": { "name": action },
        "resource": { "type": "todo", "id": "1", "properties": { "ownerID": owner } },
    })
}

async fn post(admin: &Admin, path: &str, body: &Value) -> Value {
    let answer = admin.post(path, Some(&body.to_string())).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn an_evaluation_answers_with_a_decision_and_why() {
    let admin = admin();
    let cases = [
        ("rick", "can_read_todos", "morty", true, vec!["reading"]),
        ("rick", "can_update_todo", "rick", true, vec!["rick"]),
        ("rick", "can_update_todo", "morty", false, vec![]),
        ("beth", "can_update_todo", "beth", false, vec![]),
        ("beth", "can_fly", "beth", false, vec![]),
    ];
    for (subject, action, owner, decision, policies) in cases {
        let answer = post(&admin, "/access/v1/evaluation", &question(subject, action, owner)).await;
        assert_eq!(answer["decision"], decision, "{subject} {action} {owner}: {answer}");
        assert_eq!(answer["context"]["policies"], json!(policies), "{answer}");
        assert!(!answer["context"]["reason"].as_str().unwrap().is_empty());
    }
    // What AuthZEN may have one day is not looked at.
    let mut more = question("rick", "can_read_todos", "rick");
    more["later"] = json!(true);
    assert_eq!(post(&admin, "/access/v1/evaluation", &more).await["decision"], true);
}

#[tokio::test]
async fn clients_find_out_where_questions_are_asked() {
    let admin = admin();
    // They have no token yet.
    let mut request = admin.request(http::Method::GET, "/.well-known/authzen-configuration", None);
    request.headers_mut().remove(http::header::AUTHORIZATION);
    let answer = admin.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let told = answer.json();
    let own = told["policy_decision_point"].as_str().unwrap();
    assert!(own.starts_with("http://"), "{told}");
    assert_eq!(told["access_evaluation_endpoint"], format!("{own}/access/v1/evaluation"));
    assert_eq!(told["access_evaluations_endpoint"], format!("{own}/access/v1/evaluations"));
}

#[tokio::test]
async fn evaluations_take_what_they_leave_out_from_the_defaults() {
    let admin = admin();
    let todo = |owner: &str| json!({ "resource": { "type": "todo", "id": owner, "properties": { "ownerID": owner } } });
    let several = |semantic: &str| {
        json!({
            "subject": { "type": "user", "id": "rick" },
            "action": { "name": "can_update_todo" },
            "evaluations": [todo("rick"), todo("morty"), todo("rick")],
            "options": { "evaluations_semantic": semantic },
        })
    };
    for (semantic, expected) in [
        ("execute_all", vec![true, false, true]),
        ("deny_on_first_deny", vec![true, false]),
        ("permit_on_first_permit", vec![true]),
    ] {
        let answer = post(&admin, "/access/v1/evaluations", &several(semantic)).await;
        let decisions: Vec<_> = answer["evaluations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| answer["decision"].clone())
            .collect();
        assert_eq!(json!(decisions), json!(expected), "{semantic}");
    }
    let one = post(&admin, "/access/v1/evaluations", &question("rick", "can_read_todos", "rick")).await;
    assert_eq!(one["decision"], true, "without a list it is one question: {one}");
}

#[tokio::test]
async fn a_question_that_is_none_fails_alone_among_several() {
    let admin = admin();
    let rest = json!({ "subject": { "type": "user", "id": "rick" }, "resource": { "type": "todo", "properties": { "ownerID": "rick" } } });
    let mut asked = rest.clone();
    asked["action"] = json!({ "name": "can_update_todo" });
    asked["evaluations"] = json!([
        // The type is that of the default, whose properties do not count any more.
        { "resource": { "id": "1", "properties": { "ownerID": "rick" } } },
        { "resource": { "id": "1" } },
        {},
        { "resource": "todo" },
        7,
        { "resource": { "id": "1", "properties": { "ownerID": "rick", "colour": "red" } }, "context": { "source": "batch" } },
    ]);
    let answer = post(&admin, "/access/v1/evaluations", &asked).await;
    let decisions: Vec<_> =
        answer["evaluations"].as_array().unwrap().iter().map(|answer| answer["decision"].clone()).collect();
    assert_eq!(json!(decisions), json!([true, false, false, false, false, true]), "{answer}");
    let why = |index: usize| answer["evaluations"][index]["context"]["reason"].as_str().unwrap();
    assert!(why(2).contains("`id`"), "{answer}");
    asked["options"] = json!({ "evaluations_semantic": "deny_on_first_deny" });
    let answer = post(&admin, "/access/v1/evaluations", &asked).await;
    assert_eq!(answer["evaluations"].as_array().unwrap().len(), 2);
    asked["subject"] = json!("rick");
    let whole = admin.post("/access/v1/evaluations", Some(&asked.to_string())).await;
    assert_eq!((whole.status.as_u16(), whole.code()), (400, "invalid_question".into()));
}

#[tokio::test]
async fn questions_that_are_none_are_refused() {
    let admin = admin();
    let path = "/access/v1/evaluation";
    let refused = async |body: String| {
        let answer = admin.post(path, Some(&body)).await;
        (answer.status.as_u16(), answer.code())
    };
    assert_eq!(refused("{".into()).await, (400, "malformed_request".into()));
    let mut missing = question("rick", "can_read_todos", "rick");
    missing.as_object_mut().unwrap().remove("resource");
    assert_eq!(refused(missing.to_string()).await, (400, "invalid_question".into()));
    assert_eq!(refused(json!({ "subject": "rick" }).to_string()).await, (400, "invalid_question".into()));
    let mut long = question("rick", "can_read_todos", "rick");
    long["context"] = json!({ "padding": "x".repeat(65 * 1024) });
    assert_eq!(refused(long.to_string()).await, (413, "body_too_large".into()));
    let many = json!({ "evaluations": vec![question("rick", "can_read_todos", "rick"); 101] });
    let answer = admin.post("/access/v1/evaluations", Some(&many.to_string())).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_question".into()));

    let mut plain = admin.request(
        http::Method::POST,
        path,
        Some(&question("rick", "can_read_todos", "rick").to_string()),
    );
    plain.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    let answer = admin.send(plain).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_question".into()));
    assert_eq!(refused(String::new()).await.0, 400);

    let mut anonymous = admin.request(http::Method::POST, path, Some("{}"));
    anonymous.headers_mut().remove(http::header::AUTHORIZATION);
    assert_eq!(admin.send(anonymous).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_policies_the_permissions_decide_alone() {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\n\
                identity: { keys: { api_key: { keys: [] } } }\n\
                routes: [{ path: /orders, to: \"http://127.0.0.1:1\", auth: keys, require: [\"orders:read\"] }]";
    let config = Config::parse(text, &Source::text("")).unwrap().config;
    let admin = Admin::new();
    *admin.system.policies.lock().unwrap() = PoliciesInUse { config: Arc::new(config), policies: None };
    for (grants, expected) in [(json!([]), false), (json!(["orders:*"]), true), (json!(["bills:*"]), false)] {
        let question = json!({
            "subject": { "type": "ApiKey", "id": "keys/nightly", "properties": { "grants": grants } },
            "action": { "name": "orders:read" },
            "resource": { "type": "Route", "id": "/orders" },
        });
        let answer = post(&admin, "/access/v1/evaluation", &question).await;
        assert_eq!(answer["decision"], expected, "{answer}");
    }
}

#[tokio::test]
async fn proposed_policies_are_validated_before_anything_is_asked() {
    let admin = admin();
    let propose = |text: &str| json!({ "files": [{ "name": "todo.cedar", "text": text }] });
    let run = post(&admin, "/v1/policies/dry-run", &propose(POLICIES)).await;
    assert_eq!((&run["requests"], &run["differences"]), (&json!(0), &json!(0)));
    let broken = propose("permit (principal, action == Action::\"can_fly\", resource);").to_string();
    let answer = admin.post("/v1/policies/dry-run", Some(&broken)).await;
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status.as_u16(), &problem["diagnostics"][0]["line"]), (422, &json!(1)), "{problem}");

    let listed = admin.get("/v1/policies").await.json();
    assert_eq!(listed["policies"][0]["id"], "reading", "{listed}");
}
