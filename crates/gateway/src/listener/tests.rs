use std::time::Duration;

use bartizan_config::Hardening;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{BoundListener, listen, waiting};
use crate::connection::{
    ListenerKind,
    harness::{read_all, read_until, settings, start, start_on, statuses},
};

const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_connection_over_a_limit_is_closed_without_a_byte() {
    let hardening = Hardening { connections_per_address: 1, ..Hardening::default() };
    let running = start(ListenerKind::Http, settings(hardening));
    let mut first = running.connect().await;
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "1 /x").await;
    let mut second = running.connect().await;
    assert_eq!(timeout(PATIENCE, read_all(&mut second)).await.unwrap(), "");
    // The first one is not disturbed, and its place is free again when it has gone.
    first.write_all(b"GET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_all(&mut first).await.contains("2 /y"));
    let admitted = async {
        while statuses(&running.exchange(GET_ONCE).await).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, admitted).await.expect("the place is given back");
}

const GET_ONCE: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let running = start(ListenerKind::Http, settings(Hardening::default()));
    let mut idle = running.connect().await;
    idle.write_all(GET).await.unwrap();
    read_until(&mut idle, "1 /x").await;
    let mut busy = running.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.service.waiting.notified().await;

    running.stop.send_replace(true);
    assert_eq!(timeout(PATIENCE, read_all(&mut idle)).await.unwrap(), "");
    assert!(!running.ended.is_finished());
    running.service.go_on.notify_one();
    let answer = timeout(PATIENCE, read_all(&mut busy)).await.unwrap();
    assert_eq!(statuses(&answer), [200], "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    timeout(PATIENCE, running.ended).await.expect("the drain ends").unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_drain_refuses_nobody_in_the_backlog() {
    let socket = listen(([127, 0, 0, 1], 0).into(), false).unwrap();
    let address = socket.local_addr().unwrap();
    // Connected by the kernel, before anybody accepts.
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(GET).await.unwrap();
        clients.push(client);
    }
    let running =
        start_on(BoundListener::new(ListenerKind::Http, socket).unwrap(), settings(Hardening::default()));
    running.stop.send_replace(true);
    for mut client in clients {
        let answer = timeout(PATIENCE, read_all(&mut client)).await.unwrap();
        assert_eq!(statuses(&answer), [200], "{answer}");
    }
    timeout(PATIENCE, running.ended).await.expect("the drain ends").unwrap();
}

#[tokio::test]
async fn what_is_left_after_the_drain_time_is_cut_off() {
    let mut settings = settings(Hardening::default());
    settings.drain = Duration::from_millis(100);
    let running = start(ListenerKind::Http, settings);
    let mut busy = running.connect().await;
    busy.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.service.waiting.notified().await;
    let mut upgraded = running.connect().await;
    upgraded
        .write_all(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut upgraded, "\r\n\r\n").await;
    upgraded.write_all(b"ping").await.unwrap();
    read_until(&mut upgraded, "ping").await;

    running.stop.send_replace(true);
    assert_eq!(timeout(PATIENCE, read_all(&mut busy)).await.expect("the connection is cut off"), "");
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, upgraded.read_to_end(&mut rest)).await.expect("the upgraded one too");
    timeout(PATIENCE, running.ended).await.expect("the drain ends").unwrap();
}

#[tokio::test]
async fn who_leaves_everything_unread_is_cut_off_after_the_drain_time_too() {
    let mut settings = settings(Hardening::default());
    settings.drain = Duration::from_millis(100);
    let running = start(ListenerKind::Http, settings);
    let mut deaf = running.connect().await;
    deaf.write_all(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut deaf, "\r\n\r\n").await;
    // Until the echo fills every buffer there is.
    let piece = vec![b'x'; 1 << 20];
    while timeout(Duration::from_millis(200), deaf.write_all(&piece)).await.is_ok() {}
    running.stop.send_replace(true);
    timeout(PATIENCE, running.ended).await.expect("the drain ends").unwrap();
    let cut_off = async { while deaf.write_all(&piece).await.is_ok() {} };
    timeout(PATIENCE, cut_off).await.expect("the connection is cut off");
}

#[tokio::test]
async fn a_reload_changes_limits_for_new_connections() {
    let running = start(ListenerKind::Http, settings(Hardening::default()));
    assert_eq!(statuses(&running.exchange(GET_ONCE).await), [200]);
    let smaller = Hardening { max_uri_bytes: 1, ..Hardening::default() };
    running.settings.store(std::sync::Arc::new(settings(smaller)));
    assert_eq!(statuses(&running.exchange(GET_ONCE).await), [414]);
}

#[tokio::test]
async fn two_processes_may_share_a_port() {
    let first = listen(([127, 0, 0, 1], 0).into(), true).unwrap();
    let address = first.local_addr().unwrap();
    assert!(listen(address, true).is_ok());
    let error = listen(address, false).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
}

#[test]
fn one_connection_that_is_gone_does_not_hide_the_rest_of_the_backlog() {
    use std::io::{Error, ErrorKind};

    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::Interrupted, ErrorKind::ConnectionReset];
    let mut script = kinds.into_iter().enumerate().flat_map(|(number, kind)| [Err(kind), Ok(number)]);
    let accepted: Vec<_> =
        waiting(|| script.next().unwrap_or(Err(ErrorKind::WouldBlock)).map_err(Error::from)).collect();
    assert_eq!(accepted, [0, 1, 2]);
    assert_eq!(waiting(|| Err::<(), _>(Error::other("too many open files"))).count(), 0);
}
