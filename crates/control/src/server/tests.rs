use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

use axum::{Extension, routing::get};
use rustls::{ClientConfig, RootCertStore, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PATIENT: Limits = Limits {
    connections: 64,
    head: Duration::from_mins(1),
    life: Duration::from_mins(1),
    drain: Duration::from_mins(1),
};
const SHORT: Duration = Duration::from_millis(200);
/// Longer than any limit under test may take, shorter than those that are not.
const SOON: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn start(limits: Limits, tls: Option<Arc<ServerConfig>>, router: Router) -> Served {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    Served { address, stop, server: tokio::spawn(serve(listener, tls, router, limits, shutdown)) }
}

fn hello() -> Router {
    Router::new().route(
        "/",
        get(|Extension(connection): Extension<Connection>| async move {
            format!("secure: {}", connection.secure)
        }),
    )
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(GET).await.unwrap();
    let mut buffer = vec![0; 4096];
    let length = timeout(SOON, stream.read(&mut buffer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// Reads until the server closes the connection.
async fn closed(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(SOON, stream.read_to_end(&mut text)).await.expect("the connection ends").unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_dropped() {
    let served = start(Limits { head: SHORT, ..PATIENT }, None, hello()).await;
    for sent in [&b""[..], b"GET / HTTP/1.1\r\nHost: lo"] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        closed(&mut stream).await;
    }
    // Silence after an answer counts as well.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_connection_has_an_end() {
    let served = start(Limits { life: SHORT, ..PATIENT }, None, hello()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
    closed(&mut stream).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_with_its_connection() {
    let large = Router::new().route("/", get(|| async { "x".repeat(64 * 1024 * 1024) }));
    let served = start(Limits { life: SHORT, drain: SHORT, connections: 1, ..PATIENT }, None, large).await;
    let mut stuck = TcpStream::connect(served.address).await.unwrap();
    stuck.write_all(GET).await.unwrap();
    let mut next = TcpStream::connect(served.address).await.unwrap();
    assert!(ask(&mut next).await.starts_with("HTTP/1.1 200"), "the place is free again");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = start(PATIENT, None, hello()).await;
    let many = "x: y\r\n".repeat(MAX_HEADERS);
    let long = format!("x: {}\r\n", "y".repeat(2 * MAX_HEAD));
    for fields in [many, long] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        // The server may answer and close before everything is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = [0; 12];
        timeout(SOON, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_its_place() {
    let served = start(Limits { connections: 1, ..PATIENT }, None, hello()).await;
    let mut first = TcpStream::connect(served.address).await.unwrap();
    assert!(ask(&mut first).await.starts_with("HTTP/1.1 200"));
    let mut second = TcpStream::connect(served.address).await.unwrap();
    second.write_all(GET).await.unwrap();
    let mut byte = [0; 1];
    assert!(timeout(SHORT, second.read(&mut byte)).await.is_err(), "nobody serves it yet");
    drop(first);
    assert_eq!(timeout(SOON, second.read(&mut byte)).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_end() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        get(move || async move {
            begun.notify_one();
            go_on.notified().await;
            "finished"
        })
    };
    let served = start(PATIENT, None, hello().route("/slow", slow)).await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    ask(&mut idle).await;
    let mut busy = TcpStream::connect(served.address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    begun.notified().await;
    served.stop.send(()).unwrap();
    closed(&mut idle).await;
    assert!(!served.server.is_finished());
    go_on.notify_one();
    assert!(closed(&mut busy).await.ends_with("finished"));
    timeout(SOON, served.server).await.unwrap().unwrap();
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_the_end_up() {
    let begun = Arc::new(Notify::new());
    let endless = {
        let begun = Arc::clone(&begun);
        get(move || async move {
            begun.notify_one();
            std::future::pending::<()>().await;
        })
    };
    let served = start(Limits { drain: SHORT, ..PATIENT }, None, Router::new().route("/", endless)).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    begun.notified().await;
    let stopping = Instant::now();
    served.stop.send(()).unwrap();
    timeout(SOON, served.server).await.unwrap().unwrap();
    assert!(stopping.elapsed() >= SHORT);
}

#[tokio::test]
async fn tls_is_spoken_where_it_is_configured() {
    let made = rcgen::generate_simple_self_signed(["admin.test".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let served = start(Limits { head: SHORT, ..PATIENT }, Some(Arc::new(config)), hello()).await;

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = "admin.test".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(ask(&mut stream).await.ends_with("secure: true"));

    let mut silent = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(closed(&mut silent).await, "", "a handshake has a deadline too");
    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(GET).await.unwrap();
    assert!(!closed(&mut plain).await.contains("secure"), "nothing is served in the clear");
}
