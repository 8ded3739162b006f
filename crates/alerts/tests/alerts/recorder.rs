//! A server that records what it is sent, and answers what it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A status and a `Retry-After`.
type Answer = (StatusCode, Option<&'static str>);

/// Records what it is sent.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorder = Self { url, sent: Arc::default(), answers: Arc::default() };
        let of_server = recorder.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let recorder = of_server.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let recorder = recorder.clone();
                    async move { recorder.answer(request).await }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        recorder
    }

    /// The next requests are answered so, before all others are with 202.
    pub(crate) fn answer_next(&self, status: u16, retry_after: Option<&'static str>) {
        self.answers.lock().unwrap().push_back((StatusCode::from_u16(status).unwrap(), retry_after));
    }

    /// What was sent since it was asked last.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    /// The one request that came since it was asked last.
    pub(crate) fn one(&self) -> Sent {
        let sent = self.take();
        let [one] = sent.as_slice() else { panic!("{sent:#?}") };
        one.clone()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8(body.into()).unwrap();
        let sent = Sent { method: head.method, target: head.uri.to_string(), headers: head.headers, body };
        self.sent.lock().unwrap().push(sent);
        let answer = self.answers.lock().unwrap().pop_front();
        let (status, retry_after) = answer.unwrap_or((StatusCode::ACCEPTED, None));
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        if let Some(value) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, value.parse().unwrap());
        }
        Ok(response)
    }
}
