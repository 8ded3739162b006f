use std::{io::ErrorKind, time::Duration};

use bartizan_config::{Hardening, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout},
};

use super::super::{
    ListenerKind,
    harness::{Running, read_all, read_until, settings, start, statuses},
};
use crate::tls::server_config;

const TIMEOUT: Duration = Duration::from_millis(300);
/// Far longer than any timeout under test, far shorter than a test may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn running() -> Running {
    let limits = Hardening {
        header_timeout: TIMEOUT,
        handshake_timeout: TIMEOUT,
        min_rate: 1024,
        rate_window: Duration::from_secs(1),
        ..Hardening::default()
    };
    start(ListenerKind::Http, settings(limits))
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let running = running();
    let began = Instant::now();
    let answer = timeout(PATIENCE, running.exchange(b"")).await.unwrap();
    assert_eq!(answer, "");
    assert!(began.elapsed() >= TIMEOUT);
}

#[tokio::test]
async fn a_handshake_that_drips_in_is_broken_off() {
    let mut settings = settings(Hardening { handshake_timeout: TIMEOUT, ..Hardening::default() });
    settings.tls = Some(server_config(&Tls::Dev).unwrap());
    let running = start(ListenerKind::Https, settings);
    let mut stream = running.connect().await;
    let (mut reader, mut writer) = stream.split();
    // The start of a handshake record that announces more than ever comes.
    let drip = async {
        for byte in [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[0; 200]].concat() {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(TIMEOUT / 6).await;
        }
    };
    let ended = async {
        tokio::select! {
            answer = read_all(&mut reader) => answer,
            () = drip => panic!("the handshake was never broken off"),
        }
    };
    assert_eq!(timeout(PATIENCE, ended).await.unwrap(), "");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let running = running();
    let answer = timeout(PATIENCE, running.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")).await.unwrap();
    assert_eq!(statuses(&answer), [200], "{answer}");
}

#[tokio::test]
async fn a_head_that_drips_in_is_answered_with_408() {
    let running = running();
    for first in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut stream = running.connect().await;
        let (mut reader, mut writer) = stream.split();
        writer.write_all(first.as_bytes()).await.unwrap();
        let drip = async {
            writer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
            loop {
                writer.write_all(b"x: y\r\n").await.unwrap();
                sleep(TIMEOUT / 6).await;
            }
        };
        let answer = async {
            tokio::select! {
                answer = read_until(&mut reader, "head_timeout") => answer,
                never = drip => never,
            }
        };
        let answer = timeout(PATIENCE, answer).await.unwrap();
        assert_eq!(statuses(&answer).last(), Some(&408), "{answer}");
    }
}

#[tokio::test]
async fn a_request_in_progress_is_not_idle() {
    let running = running();
    let mut stream = running.connect().await;
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.service.waiting.notified().await;
    let too_early = timeout(TIMEOUT * 3, stream.readable()).await;
    assert!(too_early.is_err(), "cut off while its answer was being made");
    running.service.go_on.notify_one();
    assert!(read_until(&mut stream, "waited").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_does_not_take_its_response_is_cut_off() {
    let running = running();
    let mut stream = running.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let cut_off = async {
        loop {
            sleep(TIMEOUT).await;
            if let Err(error) = stream.write_all(b"\r\n").await {
                break error.kind();
            }
        }
    };
    let kind = timeout(PATIENCE, cut_off).await.expect("a client that reads nothing is cut off");
    assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
}

#[tokio::test]
async fn a_client_that_takes_its_response_in_time_gets_all_of_it() {
    let running = running();
    let mut stream = running.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut taken = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = stream.read(&mut piece).await.unwrap();
        if length == 0 {
            break;
        }
        taken += length;
        sleep(Duration::from_millis(20)).await;
    }
    assert!(taken > 32 << 20, "{taken}");
}
