//! Rules in front of a service of axum: `cargo run --example axum -- rules.conf`, then ask `127.0.0.1:8080`.

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::any,
};
use bartizan_seclang::{RuleFiles, RuleSet};

type Client = ConnectInfo<SocketAddr>;

/// Asks the rules about a request before the service sees it.
async fn guard(
    rules: State<Arc<RuleSet>>,
    client: Client,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    rules.judge(client.0, &head, &body)?;
    Ok(next.run(Request::from_parts(head, body.into())).await)
}

fn service(rules: RuleSet) -> Router {
    Router::new().fallback(any(async || "welcome")).layer(from_fn_with_state(Arc::new(rules), guard))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut files = RuleFiles::default();
    std::env::args().skip(1).try_for_each(|pattern| files.add_files(&pattern))?;
    let service = service(RuleSet::compile(&files)?).into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, service).await?)
}

#[cfg(test)]
#[path = "axum/tests.rs"]
mod tests;
