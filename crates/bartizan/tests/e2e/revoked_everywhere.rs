//! What one gateway ends, another refuses within a second.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    accounts::{Session, create, log_in_as},
    eventually::eventually,
    harness::Gateway,
    own_tokens::{document, issue, post, reports, text},
    phrases::values,
    postgres_server::PostgresServer,
    redis_server::{Server, programs},
    upstream::Upstream,
};

const PASSWORD: &str = "plum-Terrace-9-orbit";
/// What is promised.
const BOUND: Duration = Duration::from_secs(1);
/// How often each is tried. Half of them may be late: a machine may have other things to do.
const TRIES: usize = 5;

/// Two gateways with one store.
struct Cluster {
    one: Gateway,
    other: Gateway,
    upstream: Upstream,
    _server: (PostgresServer, Server),
}

/// What is ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// By its client (RFC 7009).
    Token,
    /// Everything of one person, by an operator.
    Person,
    /// Everything for one organisation, by an operator.
    Organization,
    /// By whoever logs out.
    Session,
    /// By an operator.
    ApiKey,
}

/// What a caller sends.
type Credential = (&'static str, String);

impl Cluster {
    async fn start() -> Self {
        let (server, redis) = (PostgresServer::start(), Server::start(&programs()[0], &[]));
        let upstream = Upstream::start().await;
        let shared = format!(
            "store: {{ url: \"{}\" }}\nshared: {{ redis: \"{}\", on_error: deny, timeout: 500ms }}",
            server.url(),
            redis.url()
        );
        let document = document(&upstream, &shared, "")
            .replace(
                "people: { session: {} }",
                "people: { session: {} }, machines: { api_key: { store: true } }",
            )
            .replace("auth: own,", "auth: [own, people, machines],");
        let (one, other) = (Gateway::start(&document).await, Gateway::start(&document).await);
        create(&one, "ada@shop.test", &["auditor"]).await;
        one.cli(["org", "create", "Acme"]).await.succeeded();
        one.cli(["user", "add-role", "ada@shop.test", "auditor", "--org", "Acme"]).await.succeeded();
        Self { one, other, upstream, _server: (server, redis) }
    }

    async fn log_in(&self) -> Session {
        let response = log_in_as(&self.one, "ada@shop.test", PASSWORD).await;
        let headers = response.headers().clone();
        Session::of(&response.json().await.unwrap(), &values(&headers, "set-cookie"))
    }

    async fn status(&self, (header, value): &Credential) -> u16 {
        let request = self.other.client().get(self.other.url("/reports/1")).header(*header, value);
        request.send().await.unwrap().status().as_u16()
    }

    /// How long the other gateway goes on after it has ended at this one.
    async fn end(&self, ended: Ended) -> Duration {
        let session = self.log_in().await;
        match ended {
            Ended::Session => {
                let credential = ("cookie", session.cookie.clone());
                let log_out = async || {
                    let request = session.post(&self.one, "/auth/logout");
                    request.header("x-csrf-token", &session.csrf).send().await.unwrap()
                };
                self.measure(&credential, log_out).await
            }
            Ended::ApiKey => {
                let key =
                    json!({ "name": "nightly", "user": "ada@shop.test", "permissions": ["reports:read"] });
                let made: Value = self.one.ask_admin("/v1/keys", Some(key)).await.json().await.unwrap();
                let id = made["key"]["id"].as_str().unwrap();
                let credential = ("x-api-key", text(&made, "secret").to_owned());
                let url = format!("http://{}/v1/keys/{id}", self.one.admin());
                let revoke = async || {
                    let request = self.one.client().delete(&url).bearer_auth(self.one.admin_token());
                    request.send().await.unwrap()
                };
                self.measure(&credential, revoke).await
            }
            Ended::Token | Ended::Person | Ended::Organization => {
                let tokens = issue(&self.one, &session.cookie, &[]).await;
                let token = text(&tokens, "access_token");
                let revoke = async || {
                    let (kind, id) = match ended {
                        Ended::Person => ("person", "ada@shop.test"),
                        Ended::Organization => ("organization", "Acme"),
                        _ => {
                            let form = [("token", token), ("client_id", "app")];
                            return post(&self.one, "/auth/revoke", &form, &[]).await;
                        }
                    };
                    let all = json!({ "kind": kind, "id": id });
                    self.one.ask_admin("/v1/tokens/revocations", Some(all)).await
                };
                self.measure(&("authorization", format!("Bearer {token}")), revoke).await
            }
        }
    }

    async fn measure(
        &self,
        credential: &Credential,
        revoke: impl AsyncFnOnce() -> reqwest::Response,
    ) -> Duration {
        eventually("the other gateway knows it", async || self.status(credential).await == 200).await;
        let answer = revoke().await;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        let since = Instant::now();
        eventually("the other gateway refuses it", async || self.status(credential).await == 401).await;
        since.elapsed()
    }
}

#[tokio::test]
async fn what_one_gateway_revokes_the_other_refuses_within_a_second() {
    let cluster = Cluster::start().await;
    for ended in [Ended::Token, Ended::Person, Ended::Organization, Ended::Session, Ended::ApiKey] {
        let mut took = Vec::new();
        for _ in 0..TRIES {
            took.push(cluster.end(ended).await);
        }
        took.sort();
        println!("{ended:?}: {took:?}");
        assert!(took[TRIES / 2] <= BOUND, "{ended:?}: {took:?}");
    }

    // No refresh goes on where everything of a person was ended.
    let session = cluster.log_in().await;
    let tokens = issue(&cluster.one, &session.cookie, &[]).await;
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    assert_eq!(reports(&cluster.other, &bearer, None).await.status(), 200);
    let listed = cluster.one.cli(["token", "list", "--user", "ada@shop.test"]).await.succeeded();
    assert!(listed.contains("app") && listed.contains("reports:read"), "{listed}");
    cluster.one.cli(["token", "revoke", "--user", "ada@shop.test"]).await.succeeded();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    assert_eq!(post(&cluster.other, "/auth/token", &form, &[]).await.status(), 400);
    cluster.one.stop().await;
    cluster.other.stop().await;
    drop(cluster.upstream);
}
