//! Who is let off by gateways that share a store, while their configurations change; and what is begun afresh for all.

use std::time::Duration;

use bartizan_config::{Config, Shared, Source};
use bartizan_limits::{Allowance, Limiter, Nanos, Whom};
use bartizan_model::{Algorithm, Name};

use crate::{
    eventually::eventually,
    server::{Server, programs},
    store::{charge, limit},
};

const HOUR: Duration = Duration::from_hours(1);

fn shared(server: &Server) -> Shared {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nshared: {{ redis: \"{}\", timeout: 1s }}\n\
         routes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]",
        server.url()
    );
    Config::parse(&text, &Source::text(".")).unwrap().config.shared.unwrap()
}

/// A gateway's limiter that has reached its store.
async fn in_force(shared: &Shared) -> Limiter {
    let limiter = Limiter::new(Some(shared), None).unwrap();
    limiter.take_over();
    eventually("the store", async || limiter.store_decides() == Some(true)).await;
    limiter
}

fn few() -> Name {
    "few".parse().unwrap()
}

fn acme() -> Whom {
    Whom::Value(b"ac\xffme".as_slice().into())
}

async fn let_off(limiter: &Limiter) {
    let ahead = u64::try_from(HOUR.as_nanos()).unwrap();
    let until = Nanos::new(limiter.now().get() + ahead);
    limiter.allow(Allowance { policy: Some(few()), whom: acme(), until }).await.unwrap();
}

/// Whether there was anybody to count again.
async fn count_again(limiter: &Limiter) -> bool {
    limiter.count_again(Some(&few()), &[acme()]).await.unwrap().is_some()
}

fn lets_anybody_off(limiter: &Limiter) -> bool {
    !limiter.allowances().list(limiter.now()).is_empty()
}

#[tokio::test]
async fn a_configuration_that_never_comes_into_force_makes_nobody_its_own() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let shared = shared(&server);
        let (one, other) = (in_force(&shared).await, in_force(&shared).await);
        let_off(&one).await;
        eventually("the news", async || lets_anybody_off(&other)).await;
        // It has no store, and something else of it is wrong.
        drop(Limiter::new(None, Some(&other)).unwrap());
        assert!(count_again(&one).await);
        eventually("the end", async || !lets_anybody_off(&other)).await;
    }
}

#[tokio::test]
async fn a_store_that_is_left_does_not_say_any_more_who_is_let_off() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let before = in_force(&shared(&server)).await;
        let_off(&before).await;
        let after = Limiter::new(None, Some(&before)).unwrap();
        after.take_over();
        assert!(lets_anybody_off(&after), "whoever was let off stays so");
        assert!(count_again(&after).await);
        // As a request that still goes by the configuration before.
        let_off(&before).await;
        assert!(!lets_anybody_off(&after));
    }
}

#[tokio::test]
async fn a_limit_that_one_gateway_begins_afresh_is_so_for_everybody_at_all() {
    for program in programs() {
        let mut server = Server::start(&program, &[]);
        let shared = shared(&server);
        let (one, other) = (in_force(&shared).await, in_force(&shared).await);
        let limit = limit("few", Algorithm::FixedWindow, 1);
        let is_admitted = async |limiter: &Limiter, value: &[u8]| {
            limiter.decide(&[charge(&limit, value)]).await.unwrap().0.is_admitted()
        };
        for value in [b"ada", b"eve", b"zoe"] {
            assert!(is_admitted(&one, value).await && !is_admitted(&other, value).await);
        }
        one.begin_afresh(&[std::sync::Arc::clone(&limit.name)]).await.unwrap();
        assert!(is_admitted(&one, b"ada").await && !is_admitted(&one, b"ada").await);
        eventually("the news", async || is_admitted(&other, b"eve").await).await;
        assert!(!is_admitted(&other, b"ada").await, "they count together again");
        let late = in_force(&shared).await;
        eventually("the news, for who comes later", async || is_admitted(&late, b"zoe").await).await;
        assert!(!is_admitted(&other, b"zoe").await);

        server.process.kill().unwrap();
        server.process.wait().unwrap();
        assert!(one.begin_afresh(&[std::sync::Arc::clone(&limit.name)]).await.is_err());
        assert!(!is_admitted(&one, b"ada").await, "nothing is forgotten");
    }
}
