//! Answers of the shared store that come later than a gateway waits: what is admitted in all is off by no more than the
//! number of such decisions, and by no more than the limit once for each gateway.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{ask, failures, reaches_its_store, stop_all},
    upstream::Upstream,
};

const LIMIT: u16 = 100;
/// More than twice the time-out, which is the default of 5 ms.
const LATE: Duration = Duration::from_millis(12);

/// Stands between gateways and a store, and while it is told to, holds back every third answer.
struct Delay {
    port: u16,
    is_late: Arc<AtomicBool>,
}

impl Delay {
    async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, store) = (listener.local_addr().unwrap().port(), server.port);
        let is_late = Arc::<AtomicBool>::default();
        let told = Arc::clone(&is_late);
        tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let store = TcpStream::connect(("127.0.0.1", store)).await.unwrap();
                let ((mut asks, mut hears), (mut answers, mut is_asked)) =
                    (gateway.into_split(), store.into_split());
                tokio::spawn(async move { tokio::io::copy(&mut asks, &mut is_asked).await });
                let told = Arc::clone(&told);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    for turn in 0_usize.. {
                        let Ok(read @ 1..) = answers.read(&mut buffer).await else { return };
                        if turn.is_multiple_of(3) && told.load(Ordering::Relaxed) {
                            tokio::time::sleep(LATE).await;
                        }
                        if hears.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, is_late }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_late_answers_make_of_a_limit_is_bounded_by_their_number() {
    for program in programs() {
        for algorithm in ["fixed-window", "sliding-window", "token-bucket"] {
            let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
            let delay = Delay::before(&server).await;
            let document = format!(
                "limits: {{ few: [{{ name: few, per: \"header:x-tenant\", algorithm: {algorithm}, rate: {LIMIT}/31d }}] }}\n\
                 shared: {{ redis: \"redis://127.0.0.1:{}\" }}\n\
                 routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
                delay.port
            );
            let mut gateways = Vec::new();
            for _ in 0..2 {
                gateways.push(reaches_its_store(Gateway::start(&document).await, "/").await);
            }
            let missed = async || failures(&gateways[0]).await + failures(&gateways[1]).await;
            let before = missed().await;
            delay.is_late.store(true, Ordering::Relaxed);
            let mut admitted = 0_u32;
            for turn in 0..5 * usize::from(LIMIT) {
                admitted += u32::from(ask(&gateways[turn % 2], "/", "acme").await == 200);
            }
            delay.is_late.store(false, Ordering::Relaxed);
            assert!(missed().await > before, "{algorithm}: no answer was late");
            // Until the store itself has refused: it has then counted the limit.
            for gateway in &gateways {
                eventually("the store to refuse", async || {
                    let before = failures(gateway).await;
                    let is_admitted = ask(gateway, "/", "acme").await == 200;
                    admitted += u32::from(is_admitted);
                    !is_admitted && failures(gateway).await == before
                })
                .await;
            }
            let (admitted, missed) = (f64::from(admitted), missed().await - before);
            let (limit, gateways_each) = (f64::from(LIMIT), 2.0 * f64::from(LIMIT));
            assert!((admitted - limit).abs() <= missed, "{algorithm}: {admitted} admitted, {missed} late");
            assert!(admitted <= limit + gateways_each, "{algorithm}: {admitted} admitted, {missed} late");
            stop_all(gateways).await;
        }
    }
}
