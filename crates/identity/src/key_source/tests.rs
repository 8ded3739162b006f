use std::{
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bartizan_model::Name;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

use super::{FILE_INTERVAL, KeySource, MAX_BYTES};
use crate::{
    IdentityError, TokenHeader,
    tests::issuer::{Issuer, jwks},
};

const REFRESH: Duration = Duration::from_mins(10);

/// A JWK set whose only key is one that whoever reads it could sign with.
const ONLY_SHARED_SECRETS: &str =
    r#"{"keys":[{"kty":"oct","kid":"a","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#;

fn name() -> Name {
    "shop-users".parse().unwrap()
}

/// Serves whatever it is told to, and counts who asks.
pub(crate) struct JwksServer {
    pub(crate) url: String,
    answer: Arc<Mutex<Response<Full<Bytes>>>>,
    fetches: watch::Receiver<usize>,
    task: AbortHandle,
}

impl JwksServer {
    pub(crate) async fn start(document: impl Into<Bytes>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(Response::new(Full::new(document.into()))));
        let (count, fetches) = watch::channel(0);
        let (count, served) = (Arc::new(count), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (count, served) = (Arc::clone(&count), Arc::clone(&served));
                let service = service_fn(move |request: Request<Incoming>| {
                    count.send_modify(|count| *count += usize::from(request.uri().path() == "/jwks"));
                    let answer = served.lock().unwrap().clone();
                    async move { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, answer, fetches, task: task.abort_handle() }
    }

    pub(crate) fn serve(&self, document: impl Into<Bytes>) {
        self.answer(Response::new(Full::new(document.into())));
    }

    fn answer(&self, response: Response<Full<Bytes>>) {
        *self.answer.lock().unwrap() = response;
    }

    pub(crate) fn fetches(&self) -> usize {
        *self.fetches.borrow()
    }

    /// Asks for something else, several times over: whoever has begun to fetch meanwhile is counted afterwards.
    async fn round_trips(&self) {
        for _ in 0..5 {
            let response = reqwest::get(self.url.replace("/jwks", "/probe")).await.unwrap();
            response.bytes().await.unwrap();
        }
    }

    pub(crate) async fn fetched(&self, times: usize) {
        self.fetches.clone().wait_for(|count| *count >= times).await.unwrap();
    }
}

impl Drop for JwksServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn from_url(url: &str) -> Result<Arc<KeySource>, IdentityError> {
    KeySource::from_url(&name(), url, None, REFRESH, None)
}

fn knows(source: &KeySource, issuer: &Issuer) -> bool {
    let header = TokenHeader::parse(issuer.header().to_string().as_bytes()).unwrap();
    source.keys().as_ref().is_some_and(|keys| keys.choose(&header).is_ok())
}

/// Counts what is recorded in this thread, by the label `result`.
#[derive(Default)]
struct Refreshes {
    ok: Arc<AtomicU64>,
    error: Arc<AtomicU64>,
}

impl Recorder for Refreshes {
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        assert_eq!(key.name(), "bartizan_jwks_refresh_total");
        let labels: Vec<_> = key.labels().map(|label| (label.key(), label.value())).collect();
        match labels[..] {
            [("provider", "shop-users"), ("result", "ok")] => Counter::from_arc(Arc::clone(&self.ok)),
            [("provider", "shop-users"), ("result", "error")] => Counter::from_arc(Arc::clone(&self.error)),
            _ => panic!("{labels:?}"),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }

    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
}

/// Lets time pass while nothing is being sent. Real sockets do not know about paused time, so it is paused only here.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Waits until the source has taken in what the server now serves.
async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}

#[tokio::test]
async fn keys_are_fetched_at_start() {
    let issuer = Issuer::ed25519("a");
    let server = JwksServer::start(jwks(&[&issuer])).await;
    let source = from_url(&server.url).unwrap();
    assert!(!source.ready());
    assert!(source.keys().is_none());
    source.wait_ready().await;
    assert!(source.ready());
    assert!(knows(&source, &issuer));
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_in_time() {
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("new"));
    let server = JwksServer::start(jwks(&[&old])).await;
    let source = from_url(&server.url).unwrap();
    source.wait_ready().await;
    server.serve(jwks(&[&new]));
    pass(REFRESH).await;
    until(|| knows(&source, &new)).await;
    assert!(!knows(&source, &old), "what the issuer no longer lists is no longer trusted");
    assert_eq!(server.fetches(), 2);
}

#[tokio::test]
async fn unknown_keys_ask_early_but_not_often() {
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("new"));
    let server = JwksServer::start(jwks(&[&old])).await;
    let source = from_url(&server.url).unwrap();
    source.wait_ready().await;
    server.serve(jwks(&[&old, &new]));
    for _ in 0..1000 {
        source.request_refresh();
    }
    pass(Duration::from_secs(8)).await;
    server.round_trips().await;
    assert_eq!(server.fetches(), 1, "not within ten seconds");
    pass(Duration::from_secs(3)).await;
    until(|| knows(&source, &new)).await;
    assert_eq!(server.fetches(), 2, "a thousand requests are one fetch");
    pass(Duration::from_mins(1)).await;
    server.round_trips().await;
    assert_eq!(server.fetches(), 2, "and nobody has asked since");
}

#[tokio::test]
async fn old_keys_stay_while_the_issuer_fails() {
    let refreshes = Refreshes::default();
    let _recording = metrics::set_default_local_recorder(&refreshes);
    let issuer = Issuer::ed25519("a");
    let server = JwksServer::start(jwks(&[&issuer])).await;
    let source = from_url(&server.url).unwrap();
    source.wait_ready().await;
    let status = |status: StatusCode| {
        let mut response = Response::new(Full::new(Bytes::from(jwks(&[]))));
        *response.status_mut() = status;
        response
    };
    let mut redirect = status(StatusCode::FOUND);
    redirect.headers_mut().insert(header::LOCATION, server.url.parse().unwrap());
    let failures = [
        status(StatusCode::INTERNAL_SERVER_ERROR),
        status(StatusCode::NOT_FOUND),
        status(StatusCode::CREATED),
        redirect,
        Response::new(Full::new("not JSON".into())),
        Response::new(Full::new(vec![b' '; MAX_BYTES + 1].into())),
        Response::new(Full::new(jwks(&[]).into())),
        Response::new(Full::new(ONLY_SHARED_SECRETS.into())),
    ];
    for (number, failure) in (1..).zip(failures) {
        server.answer(failure);
        pass(REFRESH).await;
        until(|| refreshes.error.load(Relaxed) == number).await;
        assert!(knows(&source, &issuer), "after failure {number}");
        assert!(source.ready());
    }
    assert_eq!(server.fetches(), 9, "redirects are not followed");
    assert_eq!(refreshes.ok.load(Relaxed), 1);
}

#[tokio::test]
async fn a_source_that_failed_at_first_recovers() {
    let refreshes = Refreshes::default();
    let _recording = metrics::set_default_local_recorder(&refreshes);
    let issuer = Issuer::ed25519("a");
    for (number, failure) in (1..).zip(["starting up", r#"{"keys":[]}"#, ONLY_SHARED_SECRETS]) {
        let server = JwksServer::start(failure).await;
        let source = from_url(&server.url).unwrap();
        until(|| refreshes.error.load(Relaxed) == number).await;
        assert!(source.keys().is_none() && !source.ready(), "{failure}");
        server.serve(jwks(&[&issuer]));
        pass(Duration::from_secs(2)).await;
        source.wait_ready().await;
        assert!(knows(&source, &issuer), "{failure}");
    }
}

#[tokio::test]
async fn fetching_ends_with_the_source() {
    let server = JwksServer::start(jwks(&[&Issuer::ed25519("a")])).await;
    let source = from_url(&server.url).unwrap();
    source.wait_ready().await;
    let shared = Arc::downgrade(&source.shared);
    drop(source);
    until(|| shared.strong_count() == 0).await;
}

#[tokio::test]
async fn an_unchanged_source_is_taken_over() {
    let server = JwksServer::start(jwks(&[&Issuer::ed25519("a")])).await;
    let first = from_url(&server.url).unwrap();
    let again = |url: &str, refresh| KeySource::from_url(&name(), url, None, refresh, Some(&first)).unwrap();
    assert!(Arc::ptr_eq(&first, &again(&server.url, REFRESH)));
    assert!(!Arc::ptr_eq(&first, &again(&server.url, REFRESH * 2)));
    assert!(!Arc::ptr_eq(&first, &again("http://127.0.0.1:1/jwks", REFRESH)));
}

#[tokio::test]
async fn keys_travel_only_over_safe_roads() {
    let cases = [
        ("https://id.shop.test/jwks", true),
        ("http://127.0.0.1:1/jwks", true),
        ("http://[::1]:1/jwks", true),
        ("http://localhost:1/jwks", true),
        ("http://id.shop.test/jwks", false),
        ("http://localhost.evil.test/jwks", false),
        ("http://127.0.0.1@evil.test/jwks", false),
        ("file:///etc/jwks", false),
        ("jwks", false),
    ];
    for (url, expected) in cases {
        match from_url(url) {
            Ok(_) => assert!(expected, "{url}"),
            Err(IdentityError::InsecureUrl { .. }) => assert!(!expected, "{url}"),
            Err(other) => panic!("{url}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_file_is_read_at_once_and_when_it_changes() {
    let refreshes = Refreshes::default();
    let _recording = metrics::set_default_local_recorder(&refreshes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("longer-id"));
    assert!(matches!(KeySource::from_file(&name(), &path), Err(IdentityError::File { .. })));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(KeySource::from_file(&name(), &path), Err(IdentityError::KeyFile { .. })));
    std::fs::write(&path, jwks(&[])).unwrap();
    assert!(matches!(KeySource::from_file(&name(), &path), Err(IdentityError::KeyFile { .. })));
    std::fs::write(&path, jwks(&[&old])).unwrap();
    let source = KeySource::from_file(&name(), &path).unwrap();
    assert!(source.ready() && knows(&source, &old));

    // The task has to be asleep before time passes.
    tokio::task::yield_now().await;
    for (number, failure) in (1..).zip(["half a docum", ONLY_SHARED_SECRETS]) {
        std::fs::write(&path, failure).unwrap();
        pass(FILE_INTERVAL).await;
        until(|| refreshes.error.load(Relaxed) == number).await;
        assert!(source.ready() && knows(&source, &old), "{failure}");
    }
    std::fs::write(&path, jwks(&[&new])).unwrap();
    pass(FILE_INTERVAL).await;
    until(|| knows(&source, &new)).await;
    assert!(!knows(&source, &old));
}

#[tokio::test]
async fn extra_authorities_must_be_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let with_ca =
        |path: &Path| KeySource::from_url(&name(), "https://id.shop.test/jwks", Some(path), REFRESH, None);
    assert!(matches!(with_ca(&path), Err(IdentityError::File { .. })));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(with_ca(&path), Err(IdentityError::Client { .. })));
}
