//! What the coarse stage took is given back by whoever is refused, or goes away, in the fine one: while a real store is
//! paused, since only then it can be told who waits for it.

#[path = "../../../../../limits/tests/redis/eventually.rs"]
mod eventually;
#[path = "../../../../../limits/tests/redis/server.rs"]
mod server;

use std::{num::NonZeroU32, time::Duration};

use bartizan_limits::Charge;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use self::{
    eventually::eventually,
    server::{Server, programs},
};
use super::*;

const BY_ADDRESS: &str = "{ per: address, rate: 5/31d, algorithm: fixed-window }";

fn signal(server: &Server, signal: Signal) {
    kill_process(Pid::from_child(&server.process), signal).unwrap();
}

/// A pipeline whose limits, by address and by `rule`, are in a store that answers.
async fn sharing(server: &Server, rule: &str) -> Pipeline {
    let pipeline = pipeline(&config(&format!(
        "\n  - {{ path: /, to: u, auth: partners, limit: p }}\nlimits: {{ p: [{BY_ADDRESS}, {rule}] }}\n\
         shared: {{ redis: \"{}\", on_error: deny, timeout: 1s }}",
        server.url()
    )));
    eventually("a connection", async || pipeline.limiter().store_decides() == Some(true)).await;
    pipeline
}

/// Another request like `first`, whose coarse limits have been decided and whose caller is known.
async fn known(pipeline: &Pipeline, first: &Exchange) -> Exchange {
    let mut exchange = request(RiskFactors::default());
    exchange.route.clone_from(&first.route);
    limit::coarse(&mut exchange, pipeline.limiter()).await.unwrap();
    exchange.identified.clone_from(&first.identified);
    exchange
}

/// What is left of the limit by address.
async fn left(pipeline: &Pipeline, exchange: &Exchange) -> u64 {
    let rule = &exchange.route.as_ref().unwrap().limits.coarse[0];
    let value = rule.value(exchange, pipeline.limiter()).unwrap();
    let (limit, factors) = (rule.limit().unwrap(), Factors::default());
    let charge = Charge { limit, value: value.as_bytes(), cost: NonZeroU32::MIN, factors };
    let (standing, is_shared) = pipeline.limiter().standing(&charge).await.unwrap();
    assert!(is_shared);
    standing.remaining
}

#[tokio::test]
async fn who_goes_away_while_the_store_is_asked_gets_back_what_the_stage_before_took() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let pipeline = sharing(&server, "{ per: user, rate: 5/31d, algorithm: fixed-window }").await;
        let (first, passes) = ask(&pipeline, RiskFactors::default()).await;
        assert!(passes);
        let mut second = known(&pipeline, &first).await;
        assert_eq!(left(&pipeline, &second).await, 3);
        signal(&server, Signal::STOP);
        let mut fine = Box::pin(limit::fine(&mut second, pipeline.limiter()));
        assert!(timeout(Duration::ZERO, &mut fine).await.is_err(), "decided without the store");
        drop(fine);
        signal(&server, Signal::CONT);
        eventually("it to be given back", async || left(&pipeline, &second).await == 4).await;
    }
}

#[tokio::test]
async fn who_is_refused_does_not_wait_for_what_is_given_back() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let pipeline = sharing(&server, "{ per: user, concurrent: 1 }").await;
        let (first, passes) = ask(&pipeline, RiskFactors::default()).await;
        assert!(passes);
        let mut second = known(&pipeline, &first).await;
        assert_eq!(left(&pipeline, &second).await, 3);
        signal(&server, Signal::STOP);
        let outcome = timeout(Duration::ZERO, limit::fine(&mut second, pipeline.limiter())).await;
        signal(&server, Signal::CONT);
        assert!(outcome.expect("waits for the store").is_err(), "there is no place for it");
        assert_eq!(second.limited.standings[0].effect, LimitEffect::GivenBack);
        eventually("it to be given back", async || left(&pipeline, &second).await == 4).await;
    }
}

#[tokio::test]
async fn who_is_admitted_or_stopped_elsewhere_stays_counted_when_the_request_ends() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let pipeline = sharing(&server, "{ per: user, rate: 5/31d, algorithm: fixed-window }").await;
        for (key, expected) in [(KEY, true), ("another", false), (KEY, true), ("another", false), (KEY, true)]
        {
            let mut exchange = exchange(get("/").header("x-api-key", key));
            let verdict = pipeline.decide(&mut exchange, &mut Body(0)).await;
            assert_eq!(matches!(verdict, Verdict::Pass), expected);
        }
        let (exchange, passes) = ask(&pipeline, RiskFactors::default()).await;
        assert!(!passes);
        assert_eq!(left(&pipeline, &exchange).await, 0);
    }
}
