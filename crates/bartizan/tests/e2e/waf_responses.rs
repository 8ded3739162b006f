//! The firewall on the way back: what leaks is withheld, what is not selected streams as ever.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use crate::{harness::Gateway, phrases::refusal, service::Service};

/// Objects to a word in what is answered.
const RULES: &str = "SecRule RESPONSE_BODY \"@contains top-secret\" \"id:1,phase:4,deny,msg:'A leak'\"\n\
                     SecRule RESPONSE_HEADERS:X-Debug \"@rx .\" \"id:2,phase:3,deny,msg:'Debug output'\"\n";

/// Answers with the type and the body that the path names.
async fn service() -> Service {
    Service::start(|request: Request<Incoming>| async move {
        let (kind, body) = match request.uri().path() {
            "/leak.html" => ("text/html; charset=utf-8", b"<p>this is top-secret</p>".to_vec()),
            "/leak.bin" => ("application/octet-stream", b"this is top-secret".to_vec()),
            "/late.txt" => ("text/plain", [&vec![b'a'; 3000][..], b"top-secret"].concat()),
            "/long.txt" => ("text/plain", vec![b'a'; 1_000_000]),
            _ => ("text/plain", b"hello".to_vec()),
        };
        let mut response = Response::builder().header(header::CONTENT_TYPE, kind);
        if request.uri().path() == "/debug" {
            response = response.header("x-debug", "stack trace");
        }
        let asked = request.headers().get(header::ACCEPT_ENCODING).cloned();
        if let Some(asked) = asked {
            response = response.header("x-asked", asked);
        }
        response.body(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed()).unwrap()
    })
    .await
}

#[tokio::test]
async fn what_leaks_is_withheld_and_the_rest_is_untouched() {
    let service = service().await;
    let launch = Gateway::launch(&format!(
        "routes:\n  - path: /**\n    to: \"{service}\"\n    auth: none\n    \
         waf: {{ include: own.conf, responses: {{ max_body: 1KiB, types: [text/html, text/plain] }} }}\n"
    ));
    std::fs::write(launch.folder().join("own.conf"), RULES).unwrap();
    let gateway = launch.start().await;

    let refused = gateway.get("/leak.html").await;
    let id = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(refusal(refused).await, (502, "waf_response_refused".into()));
    let account = gateway.cli(["explain", &id]).await.succeeded();
    assert!(account.contains("the firewall refused the response") && account.contains("A leak"), "{account}");
    assert_eq!(refusal(gateway.get("/debug").await).await, (502, "waf_response_refused".into()));

    let hello = gateway.get("/hello").await;
    assert_eq!((hello.headers()["x-asked"].to_str().unwrap(), hello.content_length()), ("identity", Some(5)));
    assert_eq!(hello.text().await.unwrap(), "hello");
    for (path, length) in [("/leak.bin", 18), ("/late.txt", 3010), ("/long.txt", 1_000_000)] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.bytes().await.unwrap().len(), length, "{path}");
    }
    assert!(gateway.metric("bartizan_waf_inspected_bodies_total{direction=\"response\"").await >= 3.0);
    gateway.stop().await;
}
