//! A listener with a small service behind it, for the tests of listeners, connections and TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bartizan_config::{Hardening, ProxyProtocol};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
    task::JoinHandle,
};

use super::{Answer, ConnectionFacts, ListenerKind};
use crate::{
    admission::Admission,
    body::ResponseBody,
    listener::{BoundListener, ListenerSettings, listen},
};

/// Answers by path; see [`Answer::answer`] below.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Signalled when a request for `/wait` has come.
    pub(crate) waiting: Notify,
    /// Lets one request for `/wait` go on.
    pub(crate) go_on: Notify,
}

impl Answer for Service {
    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<ConnectionFacts>,
        number: u64,
    ) -> Response<ResponseBody> {
        if let Some(violation) = connection.wire.violation(number) {
            return reply(violation.status(), violation.code());
        }
        match request.uri().path() {
            "/echo" => match request.into_body().collect().await {
                Ok(body) => {
                    let trailers = body.trailers().map_or(0, http::HeaderMap::len);
                    reply(StatusCode::OK, format!("{} bytes, {trailers} trailers", body.to_bytes().len()))
                }
                Err(_) => reply(StatusCode::BAD_REQUEST, "broken body"),
            },
            "/unread" => reply(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
            "/wait" => {
                self.waiting.notify_one();
                self.go_on.notified().await;
                reply(StatusCode::OK, "waited")
            }
            "/large" => reply(StatusCode::OK, vec![b'x'; 32 << 20]),
            "/who" => {
                let certificate = connection.tls.as_ref().and_then(|tls| tls.client_certificate.as_deref());
                reply(
                    StatusCode::OK,
                    format!("{} {:?}", connection.client, certificate.map(|names| &names.uris)),
                )
            }
            "/tls" => {
                let tls = connection.tls.as_ref().map(|tls| (tls.version, &tls.server_name, &tls.alpn));
                reply(StatusCode::OK, format!("{tls:?}"))
            }
            "/upgrade" => upgrade(request, connection),
            path => reply(StatusCode::OK, format!("{number} {path}")),
        }
    }
}

fn reply(status: StatusCode, text: impl Into<Vec<u8>>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Local(Some(text.into().into())));
    *response.status_mut() = status;
    response
}

/// Switches to a protocol that sends back what it is sent.
fn upgrade(request: Request<Incoming>, connection: &Arc<ConnectionFacts>) -> Response<ResponseBody> {
    connection.wire.upgraded();
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(hyper_util::rt::TokioIo::new(upgraded));
        tokio::io::copy(&mut reader, &mut writer).await.ok();
    });
    let mut response = reply(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("echo"));
    response
}

/// A listener that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) settings: Arc<ArcSwap<ListenerSettings>>,
    pub(crate) service: Arc<Service>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ended: JoinHandle<()>,
}

/// Limits small enough to reach in a test.
pub(crate) fn settings(hardening: Hardening) -> ListenerSettings {
    ListenerSettings {
        hardening,
        proxy_protocol: ProxyProtocol::Off,
        trusted_proxies: Vec::new(),
        tls: None,
        drain: Duration::from_secs(5),
    }
}

/// Serves on a free port.
pub(crate) fn start(kind: ListenerKind, settings: ListenerSettings) -> Running {
    let socket = listen(([127, 0, 0, 1], 0).into(), false).unwrap();
    start_on(BoundListener::new(kind, socket).unwrap(), settings)
}

/// Serves on `listener`.
pub(crate) fn start_on(listener: BoundListener, settings: ListenerSettings) -> Running {
    let address = listener.local_address();
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let service = Arc::<Service>::default();
    let (stop, stopped) = watch::channel(false);
    let serving = listener.serve(Arc::clone(&settings), Admission::new(), Arc::clone(&service), stopped);
    Running { address, settings, service, stop, ended: tokio::spawn(serving) }
}

impl Running {
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends `bytes` and reads to the end of the connection.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }
}

/// Everything up to the end, or to a reset.
pub(crate) async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads until `end` has come.
pub(crate) async fn read_until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).await.unwrap();
        assert!(length > 0, "ended after {text:?}, before {end:?}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

/// The status codes of the responses in `text`, one after the other.
pub(crate) fn statuses(text: &str) -> Vec<u16> {
    let codes = text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok());
    codes.collect()
}
