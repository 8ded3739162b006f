//! A shared store that fails in the middle of load, in each of its ways: what clients are answered meanwhile, how long
//! they wait, and that the gateway recovers by itself.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{ask, failures},
    upstream::Upstream,
};

/// Of the store: the longest that can be configured, so that waits can be told from a busy machine.
const TIMEOUT: Duration = Duration::from_secs(1);
const CLIENTS: usize = 4;

fn document(upstream: &Upstream, server: &Server, on_error: &str) -> String {
    let per = "per: \"header:x-tenant\", algorithm: fixed-window";
    let route =
        |name: &str, limit: &str| format!("  - {{ path: /{name}, to: \"{upstream}\", auth: none{limit} }}\n");
    format!(
        "shared: {{ redis: \"{}\", on_error: {on_error}, timeout: 1s }}\n\
         limits:\n  few: [{{ name: few, {per}, rate: 3/31d }}]\n  \
         plenty: [{{ name: plenty, {per}, rate: 100000000/31d }}]\nroutes:\n{}{}{}",
        server.url(),
        route("few", ", limit: few"),
        route("plenty", ", limit: plenty"),
        route("free", "")
    )
}

/// One request of the load.
pub(crate) struct Asked {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    pub(crate) status: u16,
}

/// Clients that ask one request after the other until they are stopped.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Asked>>>,
}

impl Load {
    pub(crate) fn start(gateway: &Gateway, path: &str) -> Self {
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..CLIENTS).map(|client| {
            let request = gateway.client().get(gateway.url(path)).header("x-tenant", client.to_string());
            let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut asked = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let status = request.try_clone().unwrap().send().await.unwrap().status().as_u16();
                    asked.push(Asked { began, took: began.elapsed(), status });
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                asked
            })
        });
        let clients = clients.collect();
        Self { is_over, answered, clients }
    }

    /// Waits until so many more are answered.
    pub(crate) async fn goes_on(&self, answers: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + answers;
        eventually("answers", async || self.answered.load(Ordering::Relaxed) >= enough).await;
    }

    pub(crate) async fn stop(self) -> Vec<Asked> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut asked = Vec::new();
        for client in self.clients {
            asked.extend(client.await.unwrap());
        }
        asked
    }
}

/// What happens to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Killed,
    Paused,
    /// Of a server that is not there.
    Replica,
    Full,
}

impl Trouble {
    pub(crate) async fn begins(self, server: Option<Server>) -> Option<Server> {
        match (self, server) {
            // Dropping kills.
            (Self::Killed, _) | (_, None) => None,
            (Self::Paused, Some(server)) => {
                server.signal(Signal::STOP);
                let state = format!("/proc/{}/stat", server.process.id());
                let is_paused = async || fs::read_to_string(&state).unwrap().contains(") T ");
                eventually("the pause", is_paused).await;
                Some(server)
            }
            (Self::Replica, Some(server)) => {
                server.command(&["REPLICAOF", "127.0.0.1", "1"]);
                Some(server)
            }
            (Self::Full, Some(server)) => {
                server.command(&["CONFIG", "SET", "maxmemory", "1"]);
                Some(server)
            }
        }
    }

    pub(crate) async fn ends(self, server: Option<Server>, program: &PathBuf, port: u16) -> Server {
        let Some(server) = server else {
            let mut restarted = None;
            eventually("the port to be free", async || {
                restarted = Server::start_on(program, port, &[]);
                restarted.is_some()
            })
            .await;
            return restarted.unwrap();
        };
        match self {
            Self::Killed => {}
            Self::Paused => server.signal(Signal::CONT),
            Self::Replica => drop(server.command(&["REPLICAOF", "NO", "ONE"])),
            Self::Full => drop(server.command(&["CONFIG", "SET", "maxmemory", "0"])),
        }
        server
    }
}

/// What is answered without the store under `plenty`, and to four requests of one client under `few`.
const POLICIES: [(&str, u16, [u16; 4]); 3] =
    [("local", 200, [200, 200, 200, 429]), ("allow", 200, [200; 4]), ("deny", 503, [503; 4])];

async fn story(trouble: Trouble) {
    for program in programs() {
        for (on_error, status, few) in POLICIES {
            let what = format!("{trouble:?}, {on_error}");
            let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
            let gateway = Gateway::start(&document(&upstream, &server, on_error)).await;
            let port = server.port;
            assert_eq!(four(&gateway, "before").await, [200, 200, 200, 429], "{what}");
            let (load, free) = (Load::start(&gateway, "/plenty"), Load::start(&gateway, "/free"));
            load.goes_on(50).await;

            let healthy_until = Instant::now();
            let server = trouble.begins(Some(server)).await;
            let ill_from = Instant::now();
            load.goes_on(100).await;
            assert_eq!(four(&gateway, "meanwhile").await, few, "{what}");
            if on_error == "local" {
                assert_eq!(four(&gateway, "before").await, [429; 4], "{what}: what the store has said");
            } else if on_error == "deny" {
                says_that_capacity_is_reduced(&gateway).await;
            }
            let ill_until = Instant::now();

            let server = trouble.ends(server, &program, port).await;
            eventually("the store to count again", async || {
                ask(&gateway, "/few", "again").await;
                server.command(&["KEYS", "*"]).contains("few:again")
            })
            .await;
            let healthy_from = Instant::now();
            load.goes_on(50).await;
            let expected = if trouble == Trouble::Killed { [200, 200, 200, 429] } else { [429; 4] };
            let found = four(&gateway, "before").await;
            assert_eq!(found, expected, "{what}: what was counted\n{}", gateway.log_text());

            let (asked, free) = (load.stop().await, free.stop().await);
            for Asked { began, took, status: found } in &asked {
                let ended = *began + *took;
                assert!([200, status].contains(found), "{what}: {found}");
                if ended < healthy_until || *began > healthy_from {
                    assert_eq!(*found, 200, "{what}: with the store");
                } else if *began > ill_from && ended < ill_until {
                    assert_eq!(*found, status, "{what}: without the store");
                }
            }
            waits_are_bounded(&what, &asked, &free);
        }
    }
}

async fn four(gateway: &Gateway, tenant: &str) -> [u16; 4] {
    let mut statuses = [0; 4];
    for status in &mut statuses {
        *status = ask(gateway, "/few", tenant).await;
    }
    statuses
}

/// The second of the types of problems in the draft.
async fn says_that_capacity_is_reduced(gateway: &Gateway) {
    let refused = gateway.get("/few").await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    let problem: Value = refused.json().await.unwrap();
    let reduced = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
    assert_eq!((&problem["type"], &problem["status"]), (&json!(reduced), &json!(503)), "{problem}");
    assert_eq!(problem["code"], "limits_unavailable", "{problem}");
}

/// Nobody waits longer than the timeout, by more than those who need no store may have to wait for the machine, and few wait at all: eight decisions
/// without an answer, and those that were on their way, are enough to ask no more.
fn waits_are_bounded(what: &str, asked: &[Asked], free: &[Asked]) {
    let longest = |asked: &[Asked]| asked.iter().map(|asked| asked.took).max().unwrap();
    let waits = asked.iter().filter(|asked| asked.took >= TIMEOUT).count();
    let (longest, free) = (longest(asked), longest(free));
    eprintln!(
        "{what}: {} requests, {waits} waits, longest {longest:?}, without a limit {free:?}",
        asked.len()
    );
    assert!(waits <= 8 + 2 * CLIENTS, "{what}: {waits} requests waited");
    assert!(
        longest < TIMEOUT + free + Duration::from_millis(250),
        "{what}: {longest:?}, without a limit {free:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_killed_and_comes_back_empty() {
    story(Trouble::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_paused() {
    story(Trouble::Paused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_becomes_a_replica() {
    story(Trouble::Replica).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_has_no_memory_left() {
    story(Trouble::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_emptied_and_forgets_the_script_goes_on() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateway = Gateway::start(&document(&upstream, &server, "deny")).await;
        let failed = failures(&gateway).await;
        let load = Load::start(&gateway, "/plenty");
        for _ in 0..5 {
            assert_eq!(four(&gateway, "somebody").await, [200, 200, 200, 429], "counted afresh");
            load.goes_on(20).await;
            server.command(&["SCRIPT", "FLUSH"]);
            load.goes_on(20).await;
            assert_eq!(four(&gateway, "somebody").await, [429; 4], "the script holds no state");
            server.command(&["FLUSHALL"]);
        }
        assert!(load.stop().await.iter().all(|asked| asked.status == 200));
        assert_eq!(failures(&gateway).await, failed);
    }
}

/// While they have leases they need no store for busy values; for others, and afterwards, `on_error` says what holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_lease_go_by_on_error_too_while_the_store_is_away() {
    leased_story(Trouble::Killed, [200, 200, 200, 429]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_lease_go_by_on_error_too_while_the_store_is_paused() {
    leased_story(Trouble::Paused, [429; 4]).await;
}

/// `kept` is what is answered to whom had used up a limit before, when the store is there again.
async fn leased_story(trouble: Trouble, kept: [u16; 4]) {
    for program in programs() {
        for (on_error, status, few) in POLICIES {
            let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
            let leased =
                document(&upstream, &server, on_error).replace("timeout: 1s", "mode: leased, timeout: 1s");
            let gateway = Gateway::start(&leased).await;
            let port = server.port;
            assert_eq!(four(&gateway, "before").await, [200, 200, 200, 429], "{on_error}");
            let load = Load::start(&gateway, "/plenty");
            load.goes_on(200).await;

            let away = trouble.begins(Some(server)).await;
            load.goes_on(100).await;
            assert_eq!(four(&gateway, "meanwhile").await, few, "{on_error}");
            if on_error == "local" {
                assert_eq!(four(&gateway, "before").await, [429; 4], "what the store has said");
            }
            eventually("the last lease to end", async || ask(&gateway, "/plenty", "0").await == status).await;

            let server = trouble.ends(away, &program, port).await;
            eventually("the store to count again", async || {
                ask(&gateway, "/few", "again").await;
                server.command(&["KEYS", "*"]).contains("few:again")
            })
            .await;
            load.goes_on(50).await;
            assert_eq!(four(&gateway, "before").await, kept, "{trouble:?}, {on_error}: what it still knows");
            let asked = load.stop().await;
            let waits = asked.iter().filter(|asked| asked.took >= TIMEOUT).count();
            assert!(waits <= 8 + 2 * CLIENTS, "{trouble:?}, {on_error}: {waits} requests waited");
            assert!(asked.iter().all(|asked| [200, status].contains(&asked.status)), "{on_error}");
            gateway.stop().await;
        }
    }
}

/// A request that both stages limit waits for a silent store once, not once in each stage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stages_of_a_request_share_one_timeout() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let key = "identity: { partners: { api_key: { keys: [{ name: acme, hash: \"sha256:d978d21e5dfcd2d802e42685bb094f5859165cf6c85863ce9aa76da6a2faef86\" }] } } }\n";
        let document = format!(
            "{key}shared: {{ redis: \"{}\", timeout: 1s }}\n\
             limits: {{ both: [{{ per: address, rate: 100000/h }}, {{ per: user, rate: 100000/h }}] }}\n\
             routes: [{{ path: /both, to: \"{upstream}\", auth: partners, limit: both }}]",
            server.url()
        );
        let gateway = Gateway::start(&document).await;
        let ask = async || {
            let began = Instant::now();
            let request = gateway
                .client()
                .get(gateway.url("/both"))
                .header("x-api-key", "an-api-key-of-a-partner-0123456789-abcdefghij");
            (request.send().await.unwrap().status().as_u16(), began.elapsed())
        };
        assert_eq!((ask().await.0, failures(&gateway).await), (200, 0.0));
        let _server = Trouble::Paused.begins(Some(server)).await;
        let (status, took) = ask().await;
        assert_eq!(status, 200);
        assert!(took >= TIMEOUT && took < 2 * TIMEOUT, "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_waits_once_for_a_store_that_is_paused_whatever_the_number_of_rules() {
    let reset = || ("/v1/limits/reset", Some(json!({ "policy": "many", "value": "acme" })));
    let standing = || ("/v1/limits/standing?policy=many&value=acme", None);
    let rule = |rule| format!("{{ name: r{rule}, per: \"header:x-tenant\", rate: {rule}/s, on: /{rule} }}");
    let many = format!("limits:\n  many: [{}]\n", (1..=20).map(rule).collect::<Vec<_>>().join(", "));
    for program in programs() {
        for (on_error, (path, body), expected) in
            [("local", reset(), 503), ("local", standing(), 200), ("deny", standing(), 503)]
        {
            let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
            let document = document(&upstream, &server, on_error).replace("limits:\n", &many);
            let gateway = Gateway::start(&document).await;
            let _server = Trouble::Paused.begins(Some(server)).await;
            let began = Instant::now();
            let status = gateway.ask_admin(path, body).await.status();
            let took = began.elapsed();
            assert_eq!(status, expected, "{path}, {on_error}");
            assert!(took < 2 * TIMEOUT, "{path}, {on_error}: {took:?}");
        }
    }
}
