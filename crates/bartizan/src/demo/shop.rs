//! The shop behind the demonstration: a small HTTP API on a free loopback port.
//!
//! It checks nothing by itself. What keeps a stranger out of `/orders` is the gateway in front of it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, channel::Channel, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// Orders kept; the oldest make room.
const MAX_ORDERS: usize = 1000;
/// The largest body the shop reads.
const MAX_BODY: usize = 64 * 1024;
/// Ticks of `/events` before it ends by itself.
const MAX_TICKS: u32 = 600;

const PRODUCTS: [(&str, &str, u32); 4] = [
    ("lantern", "Brass lantern", 4900),
    ("rope", "Hemp rope, 20 m", 1850),
    ("shutter", "Oak shutter", 12_900),
    ("whistle", "Watchman's whistle", 750),
];

const PAGE: &str = "<!doctype html><html lang=en><title>Turret supplies</title>\
<h1>Turret supplies</h1><p>See <a href=/products>the catalogue</a>.</p>";

type Body = BoxBody<Bytes, Infallible>;

/// The shop, open until dropped.
#[derive(Debug)]
pub(crate) struct Shop {
    address: SocketAddr,
    doors: JoinHandle<()>,
}

impl Shop {
    /// Opens the shop.
    pub(crate) async fn open() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot open the demo shop")?;
        let address = listener.local_addr().context("cannot open the demo shop")?;
        Ok(Self { address, doors: tokio::spawn(serve(listener)) })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.doors.abort();
    }
}

async fn serve(listener: TcpListener) {
    let counter = Arc::new(Counter::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let counter = Arc::clone(&counter);
        let service = service_fn(move |request| {
            let counter = Arc::clone(&counter);
            async move { Ok::<_, Infallible>(counter.answer(request).await) }
        });
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "demo shop connection");
            }
        });
    }
}

/// Where the shop's requests are served.
#[derive(Debug, Default)]
struct Counter {
    orders: Mutex<VecDeque<Value>>,
}

impl Counter {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_end_matches('/').to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (&head.method, segments.as_slice()) {
            (&Method::GET, []) => with_type("text/html; charset=utf-8", PAGE.into()),
            (&Method::GET, ["products"]) => json_answer(StatusCode::OK, &json!({ "products": catalogue() })),
            (&Method::GET, ["products", id]) => {
                found(catalogue().into_iter().find(|product| product["id"] == *id))
            }
            (&Method::GET, ["orders"]) => json_answer(StatusCode::OK, &json!({ "orders": self.orders() })),
            (&Method::POST, ["orders"]) => self.order(&head.headers, body).await,
            (&Method::GET, ["orders", number]) => {
                found(self.orders().into_iter().find(|order| order["number"].as_u64() == number.parse().ok()))
            }
            (&Method::GET, ["customers"]) => {
                json_answer(StatusCode::OK, &json!({ "customers": [{ "id": "c-1", "name": "Ada Wall" }] }))
            }
            (&Method::GET, ["admin", "report"]) => json_answer(
                StatusCode::OK,
                &json!({ "orders": self.orders().len(), "products": PRODUCTS.len() }),
            ),
            (&Method::POST, ["login"]) => {
                json_answer(StatusCode::UNAUTHORIZED, &json!({ "error": "wrong password" }))
            }
            (&Method::GET, ["events"]) => events(),
            (_, ["echo"]) => echo(&head, body).await,
            _ => json_answer(StatusCode::NOT_FOUND, &json!({ "error": "not in this shop" })),
        }
    }

    fn orders(&self) -> Vec<Value> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    async fn order(&self, headers: &HeaderMap, body: Incoming) -> Response<Body> {
        let Some(wanted) = read(body).await.and_then(|body| serde_json::from_slice::<Value>(&body).ok())
        else {
            return json_answer(StatusCode::BAD_REQUEST, &json!({ "error": "an order is a JSON object" }));
        };
        let customer = headers.get("x-user-id").and_then(|value| value.to_str().ok()).unwrap_or("unknown");
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let number = orders.back().and_then(|order| order["number"].as_u64()).unwrap_or(1000) + 1;
        let order = json!({ "number": number, "product": wanted["product"], "customer": customer });
        orders.push_back(order.clone());
        if orders.len() > MAX_ORDERS {
            orders.pop_front();
        }
        json_answer(StatusCode::CREATED, &order)
    }
}

fn catalogue() -> Vec<Value> {
    let product =
        |(id, name, cents): (&str, &str, u32)| json!({ "id": id, "name": name, "price_cents": cents });
    PRODUCTS.into_iter().map(product).collect()
}

/// Server-sent events, one a second.
fn events() -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        for tick in 1..=MAX_TICKS {
            let event =
                format!("event: stock\ndata: {{\"tick\":{tick},\"lanterns\":{}}}\n\n", 40 - tick % 40);
            if sender.send_data(event.into()).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// What the shop received: shows which headers the gateway adds and which it strips.
async fn echo(head: &http::request::Parts, body: Incoming) -> Response<Body> {
    let text = |value: &HeaderValue| Value::from(String::from_utf8_lossy(value.as_bytes()));
    let headers: serde_json::Map<_, _> =
        head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let length = read(body).await.map(|body| body.len());
    json_answer(
        StatusCode::OK,
        &json!({ "method": head.method.as_str(), "path": head.uri.path(), "headers": headers, "body_bytes": length }),
    )
}

async fn read(body: Incoming) -> Option<Bytes> {
    Limited::new(body, MAX_BODY).collect().await.ok().map(http_body_util::Collected::to_bytes)
}

fn found(item: Option<Value>) -> Response<Body> {
    match item {
        Some(item) => json_answer(StatusCode::OK, &item),
        None => json_answer(StatusCode::NOT_FOUND, &json!({ "error": "not in this shop" })),
    }
}

fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = with_type("application/json", format!("{value}\n").into());
    *response.status_mut() = status;
    response
}

fn with_type(content_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
