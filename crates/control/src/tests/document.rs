//! The `OpenAPI` document tells the truth about the router.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bartizan_config::{Config, Source};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::Admin;
use crate::Control;

#[tokio::test]
async fn the_document_is_served_as_generated() {
    let answer = Admin::new().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, Control::openapi_json());
}

#[tokio::test]
async fn the_document_of_accounts_is_served_with_the_prefix_in_use() {
    let admin = Admin::new();
    let path = "/openapi-accounts.json";
    let without = admin.get(path).await;
    assert_eq!((without.status.as_u16(), without.code()), (409, "accounts_not_configured".into()));
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\naccounts: { prefix: /id/v1 }\n\
                identity: { people: { session: {} } }\n\
                routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: people }]";
    let config = Config::parse(text, &Source::text("")).unwrap().config;
    admin.system.policies.lock().unwrap().config = Arc::new(config);
    let served = admin.get(path).await.json();
    assert_eq!(served["servers"][0]["url"], "/id/v1");
    assert!(served["paths"]["/login"]["post"].is_object(), "{served}");
}

#[tokio::test]
async fn every_documented_operation_is_routed() {
    let admin = Admin::new();
    for (path, method) in operations().into_keys() {
        let target = path.replace("{id}", "some-id");
        let method: Method = method.to_uppercase().parse().unwrap();
        let answer = admin.send(admin.request(method.clone(), &target, None)).await;
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(answer.status != StatusCode::NOT_FOUND || path.ends_with("{id}"), "{method} {path}");
    }
}

#[test]
fn every_operation_is_named_described_and_tells_its_errors() {
    let (operations, document) = (operations(), document());
    let mut ids = BTreeSet::new();
    for ((path, method), operation) in operations {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{name}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        let public = operation["security"] == json!([{}]);
        assert_eq!(
            public,
            matches!(path.as_str(), "/healthz" | "/readyz" | "/.well-known/authzen-configuration"),
            "{name}"
        );
        let mut expected = vec!["400", "403", "421"];
        expected.extend((!public).then_some("401"));
        if operation.get("requestBody").is_some() {
            expected.extend(["408", "413", "415"]);
            // AuthZEN has 400 for it.
            expected.extend((!path.starts_with("/access/")).then_some("422"));
        }
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let is_problem =
                answer["$ref"].is_string() || answer.pointer("/content/application~1problem+json").is_some();
            assert!(status.starts_with('2') || is_problem, "{name} {status}");
        }
        for status in expected {
            let answer = operation["responses"][status]["$ref"].as_str().unwrap_or_default();
            let component = answer.strip_prefix("#/").unwrap_or_else(|| panic!("{name} lacks {status}"));
            let problem = document.pointer(&format!("/{component}/content/application~1problem+json"));
            assert!(problem.is_some(), "{name}: {answer}");
        }
    }
}

#[test]
fn every_type_and_field_is_described() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.len() > 20);
    for (name, schema) in schemas {
        assert!(schema["description"].is_string(), "{name}");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let description = schema.get("description").or_else(|| schema.pointer("/oneOf/0/description"));
            assert!(description.is_some_and(Value::is_string), "{name}.{field}");
        }
    }
}

fn operations() -> BTreeMap<(String, String), Value> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().clone();
    let operations = paths.into_iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(move |(method, operation)| ((path.clone(), method), operation))
    });
    operations.collect()
}

fn document() -> Value {
    serde_json::from_str(&Control::openapi_json()).unwrap()
}
