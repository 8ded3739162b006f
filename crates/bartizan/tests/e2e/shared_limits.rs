//! Limits that several gateways count together in one Redis or Valkey, and what happens while it does not answer.

use std::net::TcpListener;

use reqwest::header::HeaderValue;

use crate::{
    certificates::Authority,
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{ask, reaches_its_store, stop_all},
    upstream::Upstream,
};

fn document(upstream: &Upstream, server: &Server, on_error: &str) -> String {
    format!(
        "limits: {{ few: [{{ name: few, per: \"header:x-tenant\", rate: 3/h }}] }}\n\
         shared: {{ redis: \"{}\", on_error: {on_error}, timeout: 500ms }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
        server.url()
    )
}

#[tokio::test]
async fn gateways_with_one_store_count_together() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny");
        let gateways = vec![Gateway::start(&document).await, Gateway::start(&document).await];
        let mut statuses = Vec::new();
        for turn in 0..5 {
            statuses.push(ask(&gateways[turn % 2], "/", "acme").await);
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
        assert_eq!(ask(&gateways[0], "/", "other").await, 200);
        stop_all(gateways).await;
    }
}

#[tokio::test]
async fn rules_that_only_report_count_together_too() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny").replace(
            "rate: 3/h",
            "rate: 1000/h }, { name: trial, mode: shadow, per: \"header:x-tenant\", algorithm: fixed-window, rate: 3/h",
        );
        let mut gateways = Vec::new();
        for _ in 0..2 {
            gateways.push(reaches_its_store(Gateway::start(&document).await, "/").await);
        }
        for turn in 0..8 {
            assert_eq!(ask(&gateways[turn % 2], "/", "acme").await, 200);
        }
        let reported = async |gateway: &Gateway| {
            let series =
                "bartizan_limit_decisions_total{policy=\"few\",rule=\"trial\",outcome=\"would_refuse\"}";
            gateway.metric(series).await
        };
        // Three of eight are admitted: two of the one gateway's four, and one of the other's.
        assert_eq!((reported(&gateways[0]).await, reported(&gateways[1]).await), (2.0, 3.0));
        let explained = gateways[1].cli(["limits", "explain", "acme", "--rule", "trial"]).await.succeeded();
        assert!(explained.contains("0 of 3") && explained.contains("all gateways"), "{explained}");
        stop_all(gateways).await;
    }
}

#[tokio::test]
async fn gateways_that_lease_admit_exactly_the_limit_in_the_end() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny")
            .replace("rate: 3/h", "rate: 200/h, algorithm: fixed-window")
            .replace("on_error", "mode: leased, on_error");
        let gateways = vec![Gateway::start(&document).await, Gateway::start(&document).await];
        let mut statuses = Vec::new();
        for turn in 0..240 {
            statuses.push(ask(&gateways[turn % 2], "/", "acme").await);
        }
        let admitted = |statuses: &[u16]| statuses.iter().filter(|status| **status == 200).count();
        // At most a tenth is on lease to the other gateway.
        assert!((180..=200).contains(&admitted(&statuses)), "{statuses:?}");
        eventually("the leases to be given back and used", async || {
            statuses.push(ask(&gateways[0], "/", "acme").await);
            admitted(&statuses) >= 200
        })
        .await;
        for turn in 0..40 {
            statuses.push(ask(&gateways[turn % 2], "/", "acme").await);
        }
        assert_eq!(admitted(&statuses), 200);
        stop_all(gateways).await;
    }
}

#[tokio::test]
async fn a_store_may_speak_tls_under_an_authority_of_ones_own() {
    for program in programs() {
        let (upstream, authority) = (Upstream::start().await, Authority::new());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        authority.issue(&["127.0.0.1"]).write(folder.path(), "store");
        authority.issue(&["gateway.test"]).write(folder.path(), "client");
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (tls_port, ca, cert, key) =
            (port.to_string(), path("ca.pem"), path("store.pem"), path("store.key"));
        // A client certificate is asked for, as it is by default.
        let arguments = [
            ["--tls-port", &tls_port],
            ["--tls-ca-cert-file", &ca],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
        ];
        let server = Server::start(&program, arguments.as_flattened());
        let tls = format!("{{ ca: {ca}, cert: {}, key: {} }}", path("client.pem"), path("client.key"));
        let document = document(&upstream, &server, "deny").replace(
            &format!("redis: \"{}\"", server.url()),
            &format!("redis: \"rediss://127.0.0.1:{port}\", tls: {tls}"),
        );
        let gateway = Gateway::start(&document).await;
        assert_eq!(ask(&gateway, "/", "acme").await, 200);
        assert!(server.command(&["KEYS", "*"]).contains("few/few:acme"));
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_password_is_taken_from_the_environment_and_told_to_nobody() {
    // As the server knows it, and as it is written in a URL.
    let (password, encoded) = ("sw@rdfish/42%", "sw%40rdfish%2F42%25");
    for program in programs() {
        for is_right in [true, false] {
            let server =
                Server::start(&program, &["--requirepass", if is_right { password } else { "another" }]);
            let upstream = Upstream::start().await;
            let url = format!("redis://:${{REDIS_PASSWORD}}@127.0.0.1:{}", server.port);
            let document = document(&upstream, &server, "deny").replace(&server.url(), &url);
            let launch = Gateway::launch(&format!("log: {{ level: trace }}\n{document}"));
            let mut gateway = launch.environment("REDIS_PASSWORD", encoded).start().await;
            let mut told = Vec::new();
            if is_right {
                gateway = reaches_its_store(gateway, "/").await;
                assert_eq!(ask(&gateway, "/", "acme").await, 200);
            } else {
                gateway.log(|line| line.to_string().contains("does not accept the password")).await;
                let refused =
                    gateway.client().get(gateway.url("/")).header("x-tenant", "acme").send().await.unwrap();
                assert_eq!(refused.status(), 503);
                let id = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
                told.push(refused.text().await.unwrap());
                told.push(gateway.cli(["explain", &id]).await.stdout);
            }
            let ended = gateway.cli(["limits", "explain", "acme"]).await;
            told.extend([ended.stdout, ended.stderr]);
            told.push(
                gateway
                    .cli_with(&[("REDIS_PASSWORD", encoded)], ["check", "-c", "bartizan.yaml"])
                    .await
                    .stdout,
            );
            told.push(gateway.log_text());
            for text in &told {
                assert!(!text.contains("rdfish"), "{text}");
            }
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn values_of_any_bytes_and_length_are_told_apart_by_all_gateways() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny");
        let gateways = vec![Gateway::start(&document).await, Gateway::start(&document).await];
        let long = vec![b'x'; 4000];
        let values: [&[u8]; 12] = [
            b"{a}",
            b"{a",
            b"a}",
            b"a b",
            b"a  b",
            b"few/few:a",
            b"\xff\xfe",
            b"\xc3\xbc",
            b"bartizan:limit:{few/few:a}:bucket:3600000",
            &long[..64],
            &long[..65],
            &long,
        ];
        for expected in [200, 200, 200, 429] {
            for (turn, value) in values.iter().enumerate() {
                let gateway = &gateways[turn % 2];
                let value = HeaderValue::from_bytes(value).unwrap();
                let answer = gateway.client().get(gateway.url("/")).header("x-tenant", &value).send().await;
                assert_eq!(answer.unwrap().status(), expected, "{value:?}");
            }
        }
        stop_all(gateways).await;
    }
}
