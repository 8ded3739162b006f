//! Many clients of several gateways with one store, all on one key: what is admitted in all.

use std::time::{Duration, Instant};

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{ask, failures, script_calls},
    upstream::Upstream,
};

const ALGORITHMS: [&str; 3] = ["token-bucket", "sliding-window", "fixed-window"];
const CLIENTS: usize = 64;

/// A route and a policy for each algorithm, so slow that nothing comes back during a story.
fn document(upstream: &Upstream, server: &Server, mode: &str, units: usize) -> String {
    let policies = ALGORITHMS.map(|algorithm| {
        let rule = format!("per: \"header:x-tenant\", rate: {units}/31d, algorithm: {algorithm}");
        format!("  {algorithm}: [{{ name: few, {rule} }}]\n")
    });
    let routes = [&ALGORITHMS[..], &["busy"]]
        .concat()
        .into_iter()
        .map(|name| format!("  - {{ path: /{name}, to: \"{upstream}\", auth: none, limit: {name} }}\n"));
    format!(
        "shared: {{ redis: \"{}\", mode: {mode}, on_error: deny, timeout: 1s }}\n\
         limits:\n  busy: [{{ name: busy, per: \"header:x-tenant\", rate: {RATE}/s }}]\n{}routes:\n{}",
        server.url(),
        policies.concat(),
        routes.collect::<String>()
    )
}

async fn gateways(document: &str) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for _ in 0..4 {
        gateways.push(Gateway::start(document).await);
    }
    gateways
}

/// One request that was admitted.
struct Admitted {
    sent: Instant,
    answered: Instant,
}

/// All clients ask at the same time, each again and again while `goes_on` its number of requests. Those that were
/// admitted, and how many were refused; anything else ends the story.
async fn race(
    gateways: &[Gateway],
    path: &str,
    tenant: &str,
    goes_on: impl Fn(usize) -> bool + Clone + Send + 'static,
) -> (Vec<Admitted>, usize) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let gateway = &gateways[client % gateways.len()];
            let request = gateway.client().get(gateway.url(path)).header("x-tenant", tenant);
            let goes_on = goes_on.clone();
            tokio::spawn(async move {
                let (mut admitted, mut refused) = (Vec::new(), 0);
                while goes_on(admitted.len() + refused) {
                    let sent = Instant::now();
                    match request.try_clone().unwrap().send().await.unwrap().status().as_u16() {
                        200 => admitted.push(Admitted { sent, answered: Instant::now() }),
                        429 => refused += 1,
                        other => panic!("{other}"),
                    }
                }
                (admitted, refused)
            })
        })
        .collect();
    let (mut admitted, mut refused) = (Vec::new(), 0);
    for client in clients {
        let (more, others) = client.await.unwrap();
        admitted.extend(more);
        refused += others;
    }
    (admitted, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_is_admitted_by_two_and_by_four_gateways() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateways = gateways(&document(&upstream, &server, "exact", 200)).await;
        for count in [2, 4] {
            for algorithm in ALGORITHMS {
                let tenant = format!("of-{count}");
                let path = format!("/{algorithm}");
                let (admitted, refused) = race(&gateways[..count], &path, &tenant, |asked| asked < 6).await;
                assert_eq!((admitted.len(), refused), (200, 6 * CLIENTS - 200), "{count}, {algorithm}");
            }
        }
    }
}

/// With the timeout of 5 ms that nobody has to write, and a machine that is busy, some decisions come too late: each of them
/// may admit one request that the store refused, or refuse one that it counted, and nothing else may. They are few, and no
/// reason to give up a store that is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_with_the_defaults_are_off_by_no_more_than_the_decisions_that_came_too_late() {
    const UNITS: usize = 200;
    /// Of 384 requests: a quarter, for a machine that has other work.
    const MOST_LATE: usize = 96;
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document =
            document(&upstream, &server, "exact", UNITS).replace(", on_error: deny, timeout: 1s", "");
        let gateways = [Gateway::start(&document).await, Gateway::start(&document).await];
        for algorithm in ALGORITHMS {
            let failed = async || failures(&gateways[0]).await + failures(&gateways[1]).await;
            let before = failed().await;
            let (admitted, _) = race(&gateways, &format!("/{algorithm}"), "acme", |asked| asked < 6).await;
            let (admitted, late) = (admitted.len(), failed().await - before);
            println!("{algorithm}: {admitted} of {UNITS}, {late} decisions without the store");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
            let late = late as usize;
            assert!(
                admitted <= UNITS + late.min(gateways.len() * UNITS),
                "{algorithm}: {admitted}, {late} late"
            );
            assert!(admitted + late >= UNITS, "{algorithm}: {admitted}, {late} late");
            assert!(late <= MOST_LATE, "{algorithm}: {late} late");
        }
        for gateway in gateways {
            assert!(!gateway.log_text().contains("connection lost"), "{}", gateway.log_text());
            gateway.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_lease_admit_no_more_and_in_the_end_no_less() {
    const UNITS: usize = 1000;
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateways = gateways(&document(&upstream, &server, "leased", UNITS)).await;
        for count in [2, 4] {
            for algorithm in ALGORITHMS {
                let (tenant, path) = (format!("of-{count}"), format!("/{algorithm}"));
                let (admitted, _) = race(&gateways[..count], &path, &tenant, |asked| asked < 20).await;
                let mut sum = admitted.len();
                println!("{count} gateways, {algorithm}: {sum} of {UNITS} at once");
                assert!((UNITS - count * UNITS / 10..=UNITS).contains(&sum), "{count}, {algorithm}: {sum}");
                let mut turn = 0;
                eventually("the leases to be given back and used", async || {
                    turn += 1;
                    sum += usize::from(ask(&gateways[turn % count], &path, &tenant).await == 200);
                    sum >= UNITS
                })
                .await;
                let (admitted, _) = race(&gateways[..count], &path, &tenant, |asked| asked < 2).await;
                assert_eq!(sum + admitted.len(), UNITS, "{count}, {algorithm}");
            }
        }
    }
}

/// Of the policy `busy`: units per second, and at once.
const RATE: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_leased_while_it_refills_overshoots_by_no_more_than_stated() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateways = gateways(&document(&upstream, &server, "leased", 200)).await;
        for count in [2_u32, 4] {
            let some = &gateways[..usize::try_from(count).unwrap()];
            let until = Instant::now() + Duration::from_secs(2);
            let goes_on = move |_| Instant::now() < until;
            let (mut admitted, refused) = race(some, "/busy", &format!("of-{count}"), goes_on).await;
            assert!(refused > 0, "too few clients to tell anything");
            let overshoot = overshoot(&mut admitted);
            println!("{count} gateways: {} admitted, overshoot {overshoot:.1}", admitted.len());
            // A tenth of the burst for each gateway.
            assert!(overshoot <= f64::from(count * RATE / 10), "{count}: {overshoot}");
        }
        // And they do lease: a busy value is decided without the store.
        eventually("a decision without the store", async || {
            let before = script_calls(&server);
            ask(&gateways[0], "/token-bucket", "calm").await == 200 && script_calls(&server) == before
        })
        .await;
    }
}

/// By how much more was admitted than a bucket holds and refills, in the worst of all intervals.
fn overshoot(admitted: &mut [Admitted]) -> f64 {
    admitted.sort_by_key(|one| one.answered);
    let mut worst = f64::MIN;
    for first in &*admitted {
        let mut units = 0.0;
        for one in admitted.iter().filter(|one| one.sent >= first.sent) {
            units += 1.0;
            let refilled = one.answered.duration_since(first.sent).as_secs_f64() * f64::from(RATE);
            worst = worst.max(units - refilled - f64::from(RATE));
        }
    }
    worst
}
