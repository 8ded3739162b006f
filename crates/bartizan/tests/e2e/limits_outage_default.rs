//! A shared store that fails in the middle of load, with the time-out as it comes: 5 ms. On a busy machine a store that is
//! well may be later than that now and then, so what is exact is told by `limits_outage`; here it is how long anybody waits.

use std::time::{Duration, Instant};

use crate::{
    eventually::eventually,
    harness::Gateway,
    limits_outage::{Asked, Load, Trouble},
    redis_server::{Server, programs},
    sharing::ask,
    upstream::Upstream,
};

const TIMEOUT: Duration = Duration::from_millis(5);
/// For the machine, beyond what requests take that need no store.
const BEYOND: Duration = Duration::from_millis(250);

fn document(upstream: &Upstream, server: &Server, on_error: &str) -> String {
    format!(
        "shared: {{ redis: \"{}\", on_error: {on_error} }}\n\
         limits: {{ plenty: [{{ name: plenty, per: \"header:x-tenant\", rate: 100000000/31d }}] }}\nroutes:\n  \
         - {{ path: /plenty, to: \"{upstream}\", auth: none, limit: plenty }}\n  \
         - {{ path: /free, to: \"{upstream}\", auth: none }}\n",
        server.url()
    )
}

fn longest(asked: &[Asked]) -> Duration {
    asked.iter().map(|asked| asked.took).max().unwrap()
}

async fn story(trouble: Trouble) {
    for program in programs() {
        for (on_error, status) in [("local", 200), ("allow", 200), ("deny", 503)] {
            let what = format!("{trouble:?}, {on_error}");
            let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
            let gateway = Gateway::start(&document(&upstream, &server, on_error)).await;
            let port = server.port;
            let (load, free) = (Load::start(&gateway, "/plenty"), Load::start(&gateway, "/free"));
            load.goes_on(50).await;

            let server = trouble.begins(Some(server)).await;
            let ill_from = Instant::now();
            load.goes_on(100).await;
            let ill_until = Instant::now();

            let server = trouble.ends(server, &program, port).await;
            eventually("the store to count again", async || {
                let status = ask(&gateway, "/plenty", "again").await;
                status == 200 && server.command(&["KEYS", "*"]).contains("plenty:again")
            })
            .await;
            let (asked, free) = (load.stop().await, free.stop().await);
            for Asked { began, took, status: found } in &asked {
                assert!([200, status].contains(found), "{what}: {found}");
                if *began > ill_from && *began + *took < ill_until {
                    assert_eq!(*found, status, "{what}: without the store");
                }
            }
            let (limited, unlimited) = (longest(&asked), longest(&free));
            assert!(
                limited < TIMEOUT + unlimited + BEYOND,
                "{what}: {limited:?}, without a limit {unlimited:?}"
            );
            gateway.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_store_that_was_killed_and_one_that_comes_back_empty_counts() {
    story(Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_store_that_is_paused_and_it_counts_again_afterwards() {
    story(Trouble::Paused).await;
}
