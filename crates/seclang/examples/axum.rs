//! Rules in front of a service of axum: `cargo run --example axum -- rules.conf`, then ask `127.0.0.1:8080`.

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::any,
};
use bartizan_seclang::{Connection, RuleFiles, RuleSet, Transaction};
use tokio::net::TcpListener;

/// Longest body that is read.
const LIMIT: usize = 1 << 20;

/// Asks the rules about a request before the service sees it.
async fn guard(
    State(rules): State<Arc<RuleSet>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut exchange = Transaction::new(rules, Connection { client, ..Connection::default() }, "");
    let (target, version) = (head.uri.to_string(), format!("{:?}", head.version));
    exchange.request_line(head.method.as_str().as_bytes(), target.as_bytes(), version.as_bytes());
    for (name, value) in &head.headers {
        exchange.request_header(name.as_str().as_bytes(), value.as_bytes());
    }
    exchange.request_headers_done();
    exchange.request_body(&body);
    let refused = exchange.request_body_done().map(|refused| refused.status);
    exchange.finish();
    match refused {
        Some(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN).into_response(),
        None => next.run(Request::from_parts(head, Body::from(body))).await,
    }
}

fn service(rules: RuleSet) -> Router {
    let service = Router::new().fallback(any(|| async { "welcome" }));
    service.layer(from_fn_with_state(Arc::new(rules), guard))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut files = RuleFiles::default();
    for pattern in std::env::args().skip(1) {
        files.add_files(&pattern)?;
    }
    let service = service(RuleSet::compile(&files)?).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(TcpListener::bind("127.0.0.1:8080").await?, service).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    async fn attacks_do_not_reach_the_service() {
        let mut files = RuleFiles::default();
        files.add_text(r#"SecRule ARGS "@detectSQLi" "id:1,phase:2,deny""#, "test.conf").unwrap();
        let service = service(RuleSet::compile(&files).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async { axum::serve(listener, service).await });
        for (target, body, expected) in [
            ("/?id=1", "name=Ann", "HTTP/1.1 200 OK"),
            ("/?id=1'%20or%20'1'='1", "", "HTTP/1.1 403 Forbidden"),
            ("/", "name=1'+or+'1'='1", "HTTP/1.1 403 Forbidden"),
        ] {
            let request = format!(
                "POST {target} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: {}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
                body.len()
            );
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.lines().next(), Some(expected), "{target} {body}");
            assert_eq!(answer.ends_with("welcome"), expected.contains("200"), "{answer}");
        }
    }
}
