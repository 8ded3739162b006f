//! What organisations see of their events: their own, on whichever gateway it happened, in files and in PostgreSQL.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    accounts::{CHEAP, PASSWORD, Session, create, log_in_as},
    eventually::eventually,
    harness::{Gateway, PATIENCE},
    phrases::{refusal, values},
    postgres_server::PostgresServer,
    upstream::Upstream,
};

const EVENTS: &str = "/auth/organization/events";

fn document(upstream: &Upstream, store: &str) -> String {
    format!(
        r#"
accounts: {{ {CHEAP} }}
{store}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /reports/**, to: "{upstream}", auth: people, require: [reports:read] }}
"#
    )
}

async fn log_in(gateway: &Gateway, email: &str) -> Session {
    let response = log_in_as(gateway, email, PASSWORD).await;
    let headers = response.headers().clone();
    Session::of(&response.json().await.unwrap(), &values(&headers, "set-cookie"))
}

async fn json(session: &Session, gateway: &Gateway, path: &str) -> Value {
    let answer = session.get(gateway, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn organization(session: &Session, gateway: &Gateway) -> String {
    let session = json(session, gateway, "/auth/session").await;
    session["organization"].as_str().unwrap().to_owned()
}

/// The events of a stream, piece by piece.
struct Shown {
    answer: Response,
    text: String,
}

impl Shown {
    async fn begin(session: &Session, gateway: &Gateway, after: Option<&str>) -> Self {
        let url = gateway.url("/auth/organization/events/stream?type=permission_denied");
        let request = gateway.client().get(url).header("cookie", &session.cookie);
        let request = after.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let message = std::mem::replace(&mut self.text, rest);
                let event = message.lines().find_map(|line| line.strip_prefix("data:"));
                let event = event.map(|event| serde_json::from_str(event.trim()).unwrap());
                if event.is_some() {
                    return event;
                }
            }
            let piece = timeout(PATIENCE, self.answer.chunk()).await.expect("something comes").unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

/// Who sees what: `there` is where things happen, `here` where they are looked for.
async fn organizations_see_their_own(here: &Gateway, there: &Gateway) {
    let people = [
        ("ada@shop.test", "Acme", "org_admin"),
        ("bob@shop.test", "Other", "org_admin"),
        ("vic@shop.test", "Acme", "viewer"),
    ];
    for name in ["Acme", "Other"] {
        here.cli(["org", "create", name]).await.succeeded();
    }
    for (email, organization, role) in people {
        create(here, email, &[]).await;
        here.cli(["role", "bind", organization, role, "--user", email]).await.succeeded();
    }
    let (ada, bob, vic) = (
        log_in(here, "ada@shop.test").await,
        log_in(here, "bob@shop.test").await,
        log_in(here, "vic@shop.test").await,
    );
    let (acme, other) = (organization(&ada, here).await, organization(&bob, here).await);
    for path in [
        EVENTS.to_owned(),
        format!("{EVENTS}/counts"),
        format!("{EVENTS}/top?by=user"),
        format!("{EVENTS}/stream"),
    ] {
        let refused = refusal(vic.get(here, &path).await).await;
        assert_eq!(refused, (403, "insufficient_permissions".into()), "{path}");
        assert_eq!(here.get(&path).await.status(), 401, "{path}");
    }

    let mut shown = Shown::begin(&ada, here, None).await;
    let mut shown_others = Shown::begin(&bob, here, None).await;
    assert_eq!(ada.get(there, "/reports/of-acme").await.status(), 403);
    assert_eq!(bob.get(there, "/reports/of-other").await.status(), 403);
    let (first, others) = (shown.next().await.unwrap(), shown_others.next().await.unwrap());
    assert_eq!(first["bartizan"]["organization"], *acme);
    assert_eq!(first["http_request"]["url"]["path"], "/reports/of-acme");
    assert_eq!(others["bartizan"]["organization"], *other);
    assert_eq!(others["http_request"]["url"]["path"], "/reports/of-other");

    for (session, own, foreign) in [(&ada, &acme, "of-other"), (&bob, &other, "of-acme")] {
        let found = json(session, here, &format!("{EVENTS}?limit=1000")).await;
        let events = found["events"].as_array().unwrap();
        assert!(events.iter().all(|event| event["bartizan"]["organization"] == **own), "{found}");
        assert!(events.iter().any(|event| event["bartizan"]["event"] == "permission_denied"), "{found}");
        assert!(events.iter().any(|event| event["bartizan"]["event"] == "role_changed"), "{found}");
        let text = found.to_string();
        for hidden in [foreign, "\"stage\"", "status_detail", "\"policy\"", "\"rules\""] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        let top = json(session, here, &format!("{EVENTS}/top?by=organization")).await;
        assert_eq!(top["values"].as_array().unwrap().len(), 1);
        assert_eq!(top["values"][0]["value"], **own);
        let counts =
            json(session, here, &format!("{EVENTS}/counts?type=permission_denied&minutes=1440")).await;
        let counted: u64 =
            counts["counts"].as_array().unwrap().iter().map(|count| count["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, 1, "{counts}");
    }
    // What would let somebody guess at what is not told, or look elsewhere, is no parameter.
    for query in ["organization=x", "text=stage", "rule=942100"] {
        assert_eq!(ada.get(here, &format!("{EVENTS}?{query}")).await.status(), 400, "{query}");
    }

    // A stream is taken up where it was, and ends with what it was begun by.
    assert_eq!(ada.get(there, "/reports/again").await.status(), 403);
    assert_eq!(shown.next().await.unwrap()["http_request"]["url"]["path"], "/reports/again");
    let mut again = Shown::begin(&ada, here, first["metadata"]["uid"].as_str()).await;
    assert_eq!(again.next().await.unwrap()["http_request"]["url"]["path"], "/reports/again");
    let cli = here.cli(["role", "unbind", "Acme", "org_admin", "--user", "ada@shop.test"]).await;
    cli.succeeded();
    eventually("the role is gone here", async || ada.get(here, EVENTS).await.status() == 403).await;
    let carol = log_in(there, "vic@shop.test").await;
    let ended = async {
        loop {
            // Streams are asked whether they may go on when there is something to show.
            assert_eq!(carol.get(there, "/reports/after").await.status(), 403);
            if let Ok(None) = timeout(Duration::from_millis(300), again.next()).await {
                return;
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("the stream ends with the role");
}

#[tokio::test]
async fn organizations_see_their_own_in_files() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    organizations_see_their_own(&gateway, &gateway).await;
    gateway.stop().await;
}

#[tokio::test]
async fn organizations_see_their_own_of_every_gateway_in_postgres() {
    let (upstream, server) = (Upstream::start().await, PostgresServer::start());
    let store = format!("store: {{ url: \"{}\" }}\nevents: {{ store: postgres }}", server.url());
    let document = document(&upstream, &store);
    let (here, there) = (Gateway::start(&document).await, Gateway::start(&document).await);
    organizations_see_their_own(&here, &there).await;
    let found = here.cli(["events", "--json", "--type", "permission_denied"]).await.succeeded();
    assert!(found.contains("/reports/of-acme") && found.contains("/reports/of-other"), "{found}");
    let files = std::fs::read_dir(here.state_directory().join("events")).unwrap();
    let names: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["spill"], "no file beside it");
    here.stop().await;
    there.stop().await;
}

#[tokio::test]
async fn events_wait_for_a_database_that_is_away_and_questions_say_so() {
    let (upstream, mut server) = (Upstream::start().await, PostgresServer::start());
    let store = format!("store: {{ url: \"{}\" }}\nevents: {{ store: postgres }}", server.url());
    let gateway = Gateway::start(&document(&upstream, &store)).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let ada = log_in(&gateway, "ada@shop.test").await;
    assert_eq!(ada.get(&gateway, "/reports/before").await.status(), 403);
    server.halt();
    assert_eq!(
        ada.get(&gateway, "/reports/while-it-is-away").await.status(),
        403,
        "requests do not wait for events"
    );
    let gone = refusal(gateway.ask_admin("/v1/events", None).await).await;
    assert_eq!(gone, (503, "events_unavailable".into()));
    eventually("what matters is spilled", async || {
        gateway.metric("bartizan_events_spilled_total").await >= 1.0
    })
    .await;
    server.resume();
    eventually("and stored once it is back", async || {
        // What comes later shows that the database works.
        gateway.get("/nothing").await;
        let answer = gateway.ask_admin("/v1/events?type=permission_denied", None).await;
        answer.status() == 200 && answer.text().await.unwrap().matches("while-it-is-away").count() >= 1
    })
    .await;
    gateway.stop().await;
}
