//! Several targets: load is spread, sick ones are left alone and come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    backend::{Backend, status, text},
    *,
};

#[tokio::test]
async fn load_is_spread() {
    let backends = [
        Backend::start(|_| async { text("a") }).await,
        Backend::start(|_| async { text("b") }).await,
        Backend::start(|_| async { text("c") }).await,
    ];
    let upstream = upstream(settings(&backends.each_ref()));
    for _ in 0..300 {
        fetch(&upstream, get()).await.expect("an answer");
    }
    let requests = backends.each_ref().map(Backend::requests);
    assert_eq!(requests.iter().sum::<usize>(), 300);
    // The odds of fewer than 50 out of an expected 100 are below one in a hundred million.
    assert!(requests.iter().all(|&requests| requests > 50), "{requests:?}");
}

#[tokio::test]
async fn the_idle_target_is_preferred() {
    let slow = Backend::start(|_| std::future::pending()).await;
    let fast = Backend::start(|_| async { text("fast") }).await;
    let upstream = upstream(settings(&[&slow, &fast]));
    let mut stuck = Vec::new();
    while slow.requests() == 0 {
        let upstream = Arc::clone(&upstream);
        stuck.push(tokio::spawn(async move { fetch(&upstream, get()).await.map(drop) }));
        tokio::task::yield_now().await;
    }
    while fast.requests() + slow.requests() < stuck.len() || upstream.targets[1].in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    let before = slow.requests();
    for _ in 0..100 {
        fetch(&upstream, get()).await.expect("an answer");
    }
    assert_eq!(slow.requests(), before);
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_target_that_fails_is_ejected_and_returns() {
    let sick = Arc::new(AtomicBool::new(true));
    let condition = Arc::clone(&sick);
    let patient = Backend::start(move |_| {
        let reply = if condition.load(Ordering::SeqCst) { status(503) } else { text("well") };
        async { reply }
    })
    .await;
    let sound = Backend::start(|_| async { text("sound") }).await;
    let mut settings = settings(&[&patient, &sound]);
    settings.ejection =
        config::Ejection { consecutive_failures: 3, base: Duration::from_millis(300), max_percent: 50 };
    let upstream = upstream(settings);
    while upstream.status().targets[0].ejected_until.is_none() {
        fetch(&upstream, get()).await.expect("an answer");
    }
    assert_eq!(patient.requests(), 3);
    for _ in 0..20 {
        assert_eq!(fetch(&upstream, get()).await.expect("an answer").1, "sound");
    }
    sick.store(false, Ordering::SeqCst);
    let back = async { while fetch(&upstream, get()).await.expect("an answer").1 != "well" {} };
    tokio::time::timeout(AMPLE, back).await.expect("it comes back");
}

#[tokio::test]
async fn with_every_target_out_all_are_used() {
    let backends =
        [Backend::start(|_| async { text("a") }).await, Backend::start(|_| async { text("b") }).await];
    let upstream = upstream(settings(&backends.each_ref()));
    for target in &upstream.targets {
        target.set_healthy(false);
    }
    for _ in 0..100 {
        fetch(&upstream, get()).await.expect("an answer");
    }
    assert!(backends.iter().all(|backend| backend.requests() > 0));
}

#[tokio::test]
async fn a_health_check_takes_a_target_out_and_back_in() {
    let (sick, checked) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let requests = Arc::new(AtomicUsize::new(0));
    let (condition, checking, counting) = (Arc::clone(&sick), Arc::clone(&checked), Arc::clone(&requests));
    let patient = Backend::start(move |request| {
        let reply = if condition.load(Ordering::SeqCst) { status(500) } else { status(204) };
        if request.uri().path() == "/healthz" {
            checking.notify_one();
        } else {
            counting.fetch_add(1, Ordering::SeqCst);
        }
        async { reply }
    })
    .await;
    let sound = Backend::start(|_| async { status(204) }).await;
    let mut settings = settings(&[&patient, &sound]);
    settings.health = Some(config::ActiveHealth {
        path: "/healthz".to_owned(),
        interval: Duration::from_millis(20),
        timeout: AMPLE,
        unhealthy_after: 2,
        healthy_after: 2,
    });
    let upstream = upstream(settings);
    let until = async |healthy: bool| {
        while upstream.targets[0].is_healthy() != healthy {
            tokio::time::timeout(AMPLE, checked.notified()).await.expect("checks go on");
        }
    };
    sick.store(true, Ordering::SeqCst);
    until(false).await;
    let before = requests.load(Ordering::SeqCst);
    for _ in 0..20 {
        fetch(&upstream, get()).await.expect("an answer");
    }
    assert_eq!(requests.load(Ordering::SeqCst), before);
    sick.store(false, Ordering::SeqCst);
    until(true).await;
    while requests.load(Ordering::SeqCst) == before {
        fetch(&upstream, get()).await.expect("an answer");
    }
}

#[tokio::test]
async fn health_checks_end_with_their_upstream() {
    let checked = Arc::new(Notify::new());
    let checking = Arc::clone(&checked);
    let backend = Backend::start(move |_| {
        checking.notify_one();
        async { status(204) }
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.health = Some(config::ActiveHealth {
        path: "/".to_owned(),
        interval: Duration::from_millis(10),
        timeout: AMPLE,
        unhealthy_after: 1,
        healthy_after: 1,
    });
    let upstream = upstream(settings);
    tokio::time::timeout(AMPLE, checked.notified()).await.expect("a check");
    let target = Arc::downgrade(&upstream.targets[0]);
    drop(upstream);
    while target.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_claims_to_speak_grpc_ejects_nobody() {
    let backends =
        [Backend::start(|_| async { text("ok") }).await, Backend::start(|_| async { text("ok") }).await];
    let ejection = config::Ejection { consecutive_failures: 1, base: AMPLE, max_percent: 100 };
    let upstream = upstream(config::Upstream { ejection, ..settings(&[&backends[0], &backends[1]]) });
    for _ in 0..10 {
        let claimed = upstream.send(get(), Wants { grpc: true, ..WANTS }).await;
        assert!(matches!(claimed, Err(UpstreamError::Protocol(_))), "{claimed:?}");
    }
    for target in upstream.status().targets {
        assert_eq!(target.ejected_until, None, "{}", target.address);
    }
    fetch(&upstream, get()).await.expect("an answer");
}
