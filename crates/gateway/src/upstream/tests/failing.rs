//! What is tried again, how often, and what the caller is told.

use std::{sync::Arc, time::Duration};

use tokio::io::AsyncReadExt;

use super::{
    backend::{Backend, status, text},
    *,
};

fn retrying(backends: &[&Backend]) -> config::Upstream {
    let retries = config::Retries { attempts: 1, budget_percent: 20, statuses: vec![502, 503, 504] };
    config::Upstream { retries, ..settings(backends) }
}

/// Reads a request and hangs up.
async fn rude() -> Backend {
    Backend::raw(|mut socket, _| async move {
        let _ = socket.read(&mut [0; 1024]).await;
    })
    .await
}

#[tokio::test]
async fn an_idempotent_request_is_tried_on_another_target() {
    let failing = [Backend::start(|_| async { status(503) }).await, rude().await, Backend::nobody().await];
    for failing in failing {
        let sound = Backend::start(|_| async { text("sound") }).await;
        let upstream = upstream(retrying(&[&failing, &sound]));
        let mut attempts = Vec::new();
        for _ in 0..20 {
            let answered = upstream.send(get(), WANTS).await.expect("an answer");
            assert_eq!(&*answered.target.label(), sound.target().to_string());
            attempts.push(answered.attempts);
            assert_eq!(read(answered).await.expect("a body").1, "sound");
        }
        assert!(attempts.contains(&2), "the failing target was never tried: {attempts:?}");
    }
}

#[tokio::test]
async fn a_post_that_was_sent_is_never_tried_again() {
    for failing in [Backend::start(|_| async { status(503) }).await, rude().await] {
        let sound = Backend::start(|_| async { text("sound") }).await;
        let upstream = upstream(retrying(&[&failing, &sound]));
        let mut failures = 0;
        while failures < 3 {
            let fetched = fetch(&upstream, request(Method::POST, "order")).await;
            failures += usize::from(!matches!(fetched, Ok((StatusCode::OK, _))));
            assert_eq!(failures, failing.connections().max(failing.requests()));
        }
    }
}

#[tokio::test]
async fn a_post_that_could_not_be_sent_goes_to_another_target() {
    let (nobody, sound) = (Backend::nobody().await, Backend::start(|_| async { text("sound") }).await);
    let upstream = upstream(retrying(&[&nobody, &sound]));
    for _ in 0..10 {
        assert_eq!(fetch(&upstream, request(Method::POST, "order")).await.expect("an answer").1, "sound");
    }
    assert_eq!(sound.requests(), 10);
    assert!(upstream.targets[0].failures() > 0, "the dead target was never tried");
}

#[tokio::test]
async fn the_budget_stops_a_storm() {
    let backend = Backend::start(|_| async { status(503) }).await;
    let upstream = upstream(retrying(&[&backend]));
    let start = std::time::Instant::now();
    for _ in 0..200 {
        assert_eq!(fetch(&upstream, get()).await.expect("the last answer").0, 503);
    }
    let free = usize::try_from(start.elapsed().as_secs()).expect("a short time");
    let retries = backend.requests() - 200;
    assert!((10 + 40..=10 + 40 + free).contains(&retries), "{retries} retries");
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let backend = Backend::start(|_| async { status(503) }).await;
    let upstream = upstream(settings(&[&backend]));
    assert_eq!(fetch(&upstream, get()).await.expect("an answer").0, 503);
    assert_eq!(backend.requests(), 1);
}

#[tokio::test]
async fn a_timeout_is_not_tried_again() {
    let backend = Backend::start(|_| std::future::pending()).await;
    let upstream = upstream(retrying(&[&backend]));
    let wants = Wants { response_timeout: Duration::from_millis(50), ..WANTS };
    let error = upstream.send(get(), wants).await.expect_err("too late");
    assert!(matches!(error, UpstreamError::ResponseTimeout), "{error}");
    assert_eq!(backend.requests(), 1);
    assert_eq!(upstream.status().targets[0].connections, 0, "the connection is not used again");
}

#[tokio::test]
async fn a_target_that_accepts_but_does_not_handshake_is_a_connect_timeout() {
    let backend = Backend::raw(|socket, _| async move {
        let _open = socket;
        std::future::pending::<()>().await;
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.protocol = config::Protocol::Http2;
    settings.timeouts.connect = Duration::from_millis(50);
    let error = fetch(&upstream(settings), get()).await.expect_err("no settings");
    assert!(matches!(error, UpstreamError::ConnectTimeout), "{error}");
}

#[tokio::test]
async fn errors_say_what_happened() {
    let not_http = Backend::raw(|mut socket, _| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, b"220 mail.shop.test ESMTP\r\n").await;
        let _ = socket.read(&mut [0; 1024]).await;
    })
    .await;
    let error = fetch(&upstream(settings(&[&not_http])), get()).await.expect_err("not HTTP");
    assert!(matches!(error, UpstreamError::Protocol(_)), "{error}");
    let error = fetch(&upstream(settings(&[&Backend::nobody().await])), get()).await.expect_err("nobody");
    assert!(matches!(&error, UpstreamError::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let unknown = Backend::nobody().await.named("no-such-name.invalid");
    let error = fetch(&upstream(settings(&[&unknown])), get()).await.expect_err("no such name");
    assert!(matches!(error, UpstreamError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_refused() {
    let backend = Backend::raw(|mut socket, _| async move {
        let _ = socket.read(&mut [0; 1024]).await;
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, switch).await;
        let _ = socket.read(&mut [0; 1024]).await;
    })
    .await;
    let upstream: Arc<Upstream> = upstream(settings(&[&backend]));
    let error = fetch(&upstream, get()).await.expect_err("refused");
    assert!(matches!(error, UpstreamError::Protocol(_)), "{error}");
}
