//! What people see and end of the applications that they let in.

use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    own_tokens::{document, issue, log_in, post, reports, text},
    upstream::Upstream,
};

#[tokio::test]
async fn people_see_and_end_the_applications_that_they_let_in() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "", "")).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let tokens = [issue(&gateway, &cookie, &[]).await, issue(&gateway, &cookie, &[]).await];
    let ask = async |method: http::Method, path: &str| {
        let csrf: Value = {
            let request = gateway.client().get(gateway.url("/auth/session")).header("cookie", &cookie);
            request.send().await.unwrap().json().await.unwrap()
        };
        let request = gateway.client().request(method, gateway.url(path)).header("cookie", &cookie);
        request.header("x-csrf-token", text(&csrf, "csrf_token")).send().await.unwrap()
    };
    let listed: Value = ask(http::Method::GET, "/auth/applications").await.json().await.unwrap();
    let [application] = listed["applications"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(
        (text(application, "client"), &application["scopes"]),
        ("app", &json!(["openid", "reports:read"]))
    );

    let end = || ask(http::Method::DELETE, "/auth/applications/app");
    assert_eq!(end().await.status(), 204);
    for issued in &tokens {
        let bearer = format!("Bearer {}", text(issued, "access_token"));
        eventually("the token is refused", async || reports(&gateway, &bearer, None).await.status() == 401)
            .await;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", text(issued, "refresh_token")),
        ];
        assert_eq!(post(&gateway, "/auth/token", &form, &[]).await.status(), 400);
    }
    assert_eq!(end().await.status(), 404);
    let listed: Value = ask(http::Method::GET, "/auth/applications").await.json().await.unwrap();
    assert_eq!(listed["applications"], json!([]));
    gateway.stop().await;
}
