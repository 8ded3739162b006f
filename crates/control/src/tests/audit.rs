//! Every change leaves one line in the log that says who did what.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use http::Method;
use serde_json::{Value, json};

use super::fixture::Admin;
use crate::{ReloadFailure, guard::Connection};

#[tokio::test]
async fn changes_are_logged_once_and_reading_is_not() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let admin = Admin::new();
    let entry = json!({ "address": "203.0.113.7", "standing": "blocked", "reason": "scanning" }).to_string();
    let calls = [
        (Method::GET, "/v1/addresses", None),
        (Method::POST, "/v1/addresses", Some(entry.as_str())),
        (Method::POST, "/v1/addresses", Some("{}")),
        (Method::DELETE, "/v1/addresses?address=203.0.113.7", None),
        (Method::DELETE, "/v1/addresses?address=203.0.113.7", None),
        (Method::POST, "/v1/configuration/reload", None),
    ];
    let mut ids = Vec::new();
    for (method, target, body) in calls {
        let mut request = admin.request(method, target, body);
        request.extensions_mut().insert(Connection { peer: ([127, 0, 0, 1], 4711).into(), secure: false });
        ids.push(admin.send(request).await.header("x-request-id").to_owned());
    }
    *admin.system.reload.lock().unwrap() = Err(ReloadFailure::new("no such file"));
    ids.push(admin.post("/v1/configuration/reload", None).await.header("x-request-id").to_owned());

    let address =
        json!({ "audit": true, "prefix": "203.0.113.7/32", "standing": "blocked", "peer": "127.0.0.1:4711" });
    let expected = [
        (&address, json!({ "action": "addresses.set", "request_id": ids[1], "reason": "scanning" })),
        (&address, json!({ "action": "addresses.remove", "request_id": ids[3] })),
        (
            &json!({ "audit": true, "action": "configuration.reload", "peer": "127.0.0.1:4711" }),
            json!({ "request_id": ids[5], "revision": "77d1c0ffee00" }),
        ),
        (
            &json!({ "audit": true, "action": "configuration.reload" }),
            json!({ "request_id": ids[6], "failure": "no such file" }),
        ),
    ];
    let lines = log.lines();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (first, second)) in lines.iter().zip(&expected) {
        for (key, value) in first.as_object().unwrap().iter().chain(second.as_object().unwrap()) {
            assert_eq!(&line[key], value, "{key} of {line}");
        }
    }
}

#[tokio::test]
async fn a_wrong_token_is_logged_but_not_the_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let admin = Admin::new();
    let mut request = admin.request(Method::GET, "/v1/status", None);
    request.headers_mut().insert("authorization", "Bearer guessed-by-somebody".parse().unwrap());
    let answer = admin.send(request).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["request_id"]),
        (&json!("WARN"), &json!(answer.header("x-request-id")))
    );
    assert!(!lines[0].to_string().contains("guessed"));
}

/// What the log says.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
