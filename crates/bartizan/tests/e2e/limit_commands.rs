//! What an operator sees of the limits and does about them, with the commands.

use std::net::TcpListener;

use serde_json::json;

use crate::{
    eventually::eventually,
    harness::Gateway,
    issuer::Issuer,
    phrases::ready,
    redis_server::{Server, programs},
    upstream::Upstream,
};

/// The status of each of `count` requests, one after the other.
async fn statuses(gateway: &Gateway, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(gateway.get("/").await.status().as_u16());
    }
    statuses
}

async fn limited(rules: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start().await;
    let document = format!(
        "limits: {{ few: [{rules}] }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
    );
    (Gateway::start(&document).await, upstream)
}

/// The cells of the row that begins with these.
fn row<'t>(table: &'t str, begin: &[&str]) -> Vec<&'t str> {
    let mut rows = table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()));
    let found = rows.find(|row| row.clone().take(begin.len()).eq(begin.iter().copied()));
    found.unwrap_or_else(|| panic!("no row {begin:?} in\n{table}")).collect()
}

#[tokio::test]
async fn the_status_tells_what_every_rule_has_seen_also_after_a_reload() {
    let (gateway, upstream) = limited(
        "{ name: burst, per: address, rate: 60/h, burst: 3 }, \
         { per: \"header:x-tenant\", rate: 2/15min, mode: shadow }",
    )
    .await;
    assert_eq!(statuses(&gateway, 5).await, [200, 200, 200, 429, 429]);
    let status = gateway.cli(["limits", "status"]).await.succeeded();
    assert_eq!(
        row(&status, &["few", "burst"]),
        ["few", "burst", "address", "60/h burst 3", "enforce", "5", "2", "1", "1"]
    );
    assert!(status.contains("in the last hour: 5 requests, 2 refused; addresses: 1"), "{status}");
    assert_eq!(row(&status, &["127.0.0.1"]), ["127.0.0.1", "5", "2"]);
    let tenants = row(&status, &["few", "header-x-tenant-900s"]);
    // It sees what the other rule admits.
    assert_eq!(tenants[2..], ["header:x-tenant", "2/15min", "shadow", "3", "1", "1", "1"]);

    gateway.rewrite(&format!(
        "limits: {{ few: [{{ name: burst, per: address, rate: 1000/h }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
    ));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(statuses(&gateway, 1).await, [200]);
    let status = gateway.cli(["limits", "status", "--day"]).await.succeeded();
    assert_eq!(row(&status, &["few", "burst"])[3..], ["1000/h", "enforce", "6", "2", "1", "1"]);
    assert!(!status.contains("x-tenant"), "{status}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_top_names_who_comes_most_and_who_is_refused_most() {
    let (gateway, _upstream) = limited("{ name: tenants, per: \"header:x-tenant\", rate: 3/h }").await;
    for (tenant, count) in [("quiet", 1), ("busy", 5), ("x".repeat(100).as_str(), 1)] {
        for _ in 0..count {
            gateway.client().get(gateway.url("/")).header("x-tenant", tenant).send().await.unwrap();
        }
    }
    let top = gateway.cli(["limits", "top"]).await.succeeded();
    let rows: Vec<_> = top.lines().skip(1).collect();
    assert_eq!(row(rows[0], &["few"]), ["few", "tenants", "5", "busy"]);
    assert_eq!(rows.len(), 3, "{top}");
    assert!(top.contains(&format!("{}…#", "x".repeat(44))), "a long value is cut: {top}");
    assert_eq!(statuses(&gateway, 1).await, [200]);
    let top = gateway.cli(["limits", "top"]).await.succeeded();
    assert!(top.lines().any(|line| line.ends_with("(empty)")), "{top}");
    let refused = gateway.cli(["limits", "top", "--refused", "--policy", "few"]).await.succeeded();
    assert_eq!(row(&refused, &["few"]), ["few", "tenants", "2", "busy"]);
    assert_eq!(refused.lines().count(), 2, "{refused}");
    let error = gateway.cli(["limits", "top", "--policy", "many"]).await.failed_with(1);
    assert!(error.contains("there is no limit policy `many`"), "{error}");
    gateway.stop().await;
}

/// What no keyboard writes can be named as it is shown, and the policy stands before it in every command.
#[tokio::test]
async fn a_key_of_any_bytes_is_shown_so_that_it_can_be_written() {
    let (gateway, _upstream) = limited("{ name: tenants, per: \"header:x-tenant\", rate: 2/h }").await;
    let tenant = reqwest::header::HeaderValue::from_bytes(b"SHOP\\z\xff\xc3\xbc").unwrap();
    let ask = async || {
        let asked = gateway.client().get(gateway.url("/")).header("x-tenant", &tenant);
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!([ask().await, ask().await, ask().await], [200, 200, 429]);
    let top = gateway.cli(["limits", "top"]).await.succeeded();
    let key = row(&top, &["few", "tenants", "3"])[3];
    assert_eq!(key, r"SHOP\\z\xffü");
    let explained = gateway.cli(["limits", "explain", "few", key]).await.succeeded();
    assert_eq!(row(&explained, &["few", "tenants"])[3], "0 of 2");
    assert_eq!(gateway.cli(["limits", "explain", key, "--policy", "few"]).await.succeeded(), explained);
    let twice = gateway.cli(["limits", "explain", "few", key, "--policy", "few"]).await.failed_with(1);
    assert!(twice.contains("the policy is there twice"), "{twice}");
    gateway.cli(["limits", "reset", "few", key]).await.succeeded();
    assert_eq!([ask().await, ask().await, ask().await], [200, 200, 429]);
    let allowed = gateway.cli(["limits", "allow", "few", key, "--for", "1h"]).await.succeeded();
    assert!(allowed.contains(key), "{allowed}");
    assert_eq!(ask().await, 200);
    gateway.cli(["limits", "allow", "few", key, "--end"]).await.succeeded();
    assert_eq!(ask().await, 429);
    gateway.stop().await;
}

#[tokio::test]
async fn who_is_limited_is_explained_and_begins_afresh_after_a_reset() {
    let (gateway, _upstream) = limited(
        "{ name: burst, per: address, rate: 60/h, burst: 2 }, { name: hour, per: address, rate: 100/d }",
    )
    .await;
    let nothing = gateway.cli(["limits", "explain", "127.0.0.1"]).await.succeeded();
    assert!(nothing.starts_with("`127.0.0.1` has used nothing of any limit"), "{nothing}");
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    let explained = gateway.cli(["limits", "explain", "127.0.0.1"]).await.succeeded();
    let burst = row(&explained, &["few", "burst"]);
    assert_eq!(burst[2..4], ["address", "0 of 2"]);
    assert!(burst[6].starts_with("refused for "), "{explained}");
    let hour = row(&explained, &["few", "hour"]);
    assert_eq!((hour[3], hour[5], hour[6]), ("98 of 100", "this gateway", "within the limit"));

    let forgot = gateway.cli(["limits", "reset", "few", "127.0.0.1", "--rule", "burst"]).await.succeeded();
    assert_eq!(forgot.trim_end(), "forgot what `127.0.0.1` had used of few: burst");
    let audited = gateway.log(|line| line["action"] == "limits.reset").await;
    assert_eq!((&audited["value"], &audited["rules"]), (&json!("127.0.0.1"), &json!("burst")));
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    let again = gateway.cli(["limits", "reset", "few", "192.0.2.1"]).await.succeeded();
    assert_eq!(again.trim_end(), "`192.0.2.1` had used nothing of few");
    let forgot = gateway.cli(["limits", "reset", "127.0.0.1"]).await.succeeded();
    assert_eq!(forgot.trim_end(), "forgot what `127.0.0.1` had used of any limit: few/burst, few/hour");
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    gateway.stop().await;
}

#[tokio::test]
async fn statistics_are_reset_and_programs_are_told_what_people_are() {
    let (gateway, _upstream) = limited("{ name: burst, per: address, rate: 2/h }").await;
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    let forgot = gateway.cli(["limits", "reset", "few", "--statistics"]).await.succeeded();
    assert_eq!(forgot.trim_end(), "forgot what was seen by few/burst");
    let status = gateway.cli(["limits", "status"]).await.succeeded();
    assert_eq!(row(&status, &["few", "burst"])[5..], ["0", "0", "0", "0"]);
    assert!(status.contains("in the last hour: 3 requests, 1 refused"), "{status}");
    let forgot = gateway.cli(["limits", "reset", "--statistics"]).await.succeeded();
    assert_eq!(forgot.trim_end(), "forgot what all limits have seen");
    let status = gateway.cli(["limits", "status"]).await.succeeded();
    assert!(status.contains("in the last hour: 0 requests, 0 refused"), "{status}");
    assert_eq!(statuses(&gateway, 1).await, [429], "what is counted stays counted");
    let error = gateway.cli(["limits", "reset", "few", "127.0.0.1", "--statistics"]).await.failed_with(1);
    assert!(error.contains("write no key beside `--statistics`"), "{error}");

    let forgot = gateway.cli(["limits", "reset", "few", "--all"]).await.succeeded();
    assert!(forgot.starts_with("forgot what everybody had used of few: burst"), "{forgot}");
    assert_eq!(statuses(&gateway, 1).await, [200]);
    let error = gateway.cli(["limits", "reset", "few", "127.0.0.1", "--all"]).await.failed_with(1);
    assert!(error.contains("write the policy alone"), "{error}");

    let read = |told: String| serde_json::from_str::<serde_json::Value>(&told).unwrap();
    let forgot = gateway.cli(["limits", "reset", "127.0.0.1", "--json"]).await.succeeded();
    assert_eq!(read(forgot), json!({ "rules": ["few/burst"] }));
    let forgot = gateway.cli(["limits", "reset", "--statistics", "--json"]).await.succeeded();
    assert_eq!(read(forgot), json!({ "rules": ["few/burst"], "overall": true }));
    let allowed = gateway.cli(["limits", "allow", "few", "127.0.0.1", "--for", "1h", "--json"]).await;
    assert_eq!(read(allowed.succeeded())["value"], "127.0.0.1");
    gateway.stop().await;
}

#[tokio::test]
async fn who_is_allowed_is_not_counted_until_that_ends() {
    let (gateway, upstream) = limited("{ name: burst, per: address, rate: 1/h }").await;
    assert_eq!(statuses(&gateway, 2).await, [200, 429]);
    let allowed = gateway.cli(["limits", "allow", "few", "127.0.0.1", "--for", "1h"]).await.succeeded();
    assert_eq!(allowed.trim_end(), "few does not count `127.0.0.1` for 60 min");
    assert_eq!(statuses(&gateway, 3).await, [200; 3]);
    let explained = gateway.cli(["limits", "explain", "127.0.0.1"]).await.succeeded();
    assert!(row(&explained, &["few", "burst"])[6].starts_with("not counted for "), "{explained}");
    // It survives a reload.
    gateway.rewrite(&format!(
        "limits: {{ few: [{{ name: burst, per: address, rate: 2/d }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]"
    ));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(statuses(&gateway, 3).await, [200; 3]);
    let ended = gateway.cli(["limits", "allow", "few", "127.0.0.1", "--end"]).await.succeeded();
    assert_eq!(ended.trim_end(), "few counts `127.0.0.1`");
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);

    gateway.cli(["limits", "allow", "few", "--network", "127.0.0.0/8", "--for", "1h"]).await.succeeded();
    assert_eq!(statuses(&gateway, 2).await, [200; 2]);
    let status = gateway.cli(["limits", "status"]).await.succeeded();
    assert_eq!(row(&status, &["few", "in 60 min"])[2], "127.0.0.0/8");
    let audited = gateway.log(|line| line["action"] == "limits.allow" && line["network"].is_string()).await;
    assert_eq!(audited["network"], "127.0.0.0/8");
    gateway.cli(["limits", "allow", "--network", "127.0.0.0/8", "--end"]).await.succeeded();
    assert_eq!(statuses(&gateway, 1).await, [429]);
    let allowed = gateway.cli(["limits", "allow", "127.0.0.1", "--for", "1h"]).await.succeeded();
    assert_eq!(allowed.trim_end(), "no policy counts `127.0.0.1` for 60 min");
    assert_eq!(statuses(&gateway, 2).await, [200; 2]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_user_is_let_off_wherever_they_are() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = ready(&format!(
        "identity: {{ shop: {} }}\n\
         limits: {{ both: [{{ per: user, rate: 1/h }}, {{ per: user, concurrent: 5 }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: shop, limit: both }}]",
        issuer.provider("")
    ))
    .await;
    let ask = async |user: &str| {
        let token = issuer.token(json!({ "sub": user }));
        gateway.client().get(gateway.url("/")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    gateway.cli(["limits", "allow", "both", "shop/ada", "--for", "1h"]).await.succeeded();
    assert_eq!(
        [ask("ada").await, ask("ada").await, ask("grace").await, ask("grace").await],
        [200, 200, 200, 429]
    );
    let top = gateway.cli(["limits", "top", "--rule", "user-3600s"]).await.succeeded();
    assert_eq!(row(&top, &["both"]), ["both", "user-3600s", "2", "shop/grace"]);
    assert!(!top.contains("ada"), "{top}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_gateways_share_is_explained_and_reset_from_any_of_them() {
    for program in programs() {
        let (upstream, mut server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = format!(
            "limits: {{ few: [{{ name: few, per: address, rate: 2/h }}] }}\n\
             shared: {{ redis: \"{}\", on_error: deny, timeout: 500ms }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
            server.url()
        );
        let (one, other) = (Gateway::start(&document).await, Gateway::start(&document).await);
        for gateway in [&one, &other] {
            eventually("the store", async || {
                gateway.cli(["limits", "status"]).await.succeeded().contains("counts for all gateways")
            })
            .await;
        }
        assert_eq!(statuses(&one, 3).await, [200, 200, 429]);
        let explained = other.cli(["limits", "explain", "127.0.0.1"]).await.succeeded();
        assert_eq!(row(&explained, &["few", "few"])[3], "0 of 2");
        assert_eq!(row(&explained, &["few", "few"])[5], "all gateways");
        other.cli(["limits", "reset", "few", "127.0.0.1"]).await.succeeded();
        assert_eq!(statuses(&one, 3).await, [200, 200, 429]);

        server.process.kill().unwrap();
        server.process.wait().unwrap();
        for command in [["limits", "explain", "127.0.0.1", "--all"], ["limits", "reset", "few", "127.0.0.1"]]
        {
            let error = other.cli(command).await.failed_with(1);
            assert!(error.contains("the shared store does not answer"), "{error}");
        }
        let audited = other.log(|line| line["action"] == "limits.reset" && line["error"].is_string()).await;
        assert_eq!((&audited["audit"], &audited["value"]), (&json!(true), &json!("127.0.0.1")));
        assert_eq!((&audited["rules"], &audited["failed_rules"]), (&json!(""), &json!("few")));
        eventually("the status to tell", async || {
            other.cli(["limits", "status"]).await.succeeded().contains("the shared store does not decide now")
        })
        .await;
        for gateway in [one, other] {
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn a_reset_forgets_every_rule_here_while_the_store_is_away() {
    let (upstream, nobody) = (Upstream::start().await, TcpListener::bind("127.0.0.1:0").unwrap());
    let document = format!(
        "limits: {{ few: [{{ name: bucket, per: address, rate: 2/h }}, \
         {{ name: window, per: address, rate: 2/h, algorithm: fixed-window }}] }}\n\
         shared: {{ redis: \"redis://{}\" }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
        nobody.local_addr().unwrap()
    );
    drop(nobody);
    let gateway = Gateway::start(&document).await;
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    let error = gateway.cli(["limits", "reset", "few", "127.0.0.1"]).await.failed_with(1);
    assert!(error.contains("the shared store does not answer"), "{error}");
    let audited = gateway.log(|line| line["action"] == "limits.reset").await;
    assert_eq!(audited["failed_rules"], "bucket, window");
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    gateway.stop().await;
}

#[tokio::test]
async fn an_address_is_let_off_however_it_is_written_and_counted_again_whatever_the_configuration_says() {
    let (gateway, upstream) = limited("{ name: burst, per: address, rate: 1/h }").await;
    assert_eq!(statuses(&gateway, 2).await, [200, 429]);
    let allowed =
        gateway.cli(["limits", "allow", "few", "::FFFF:127.0.0.1", "--for", "1h"]).await.succeeded();
    assert_eq!(allowed.trim_end(), "few does not count `127.0.0.1` for 60 min");
    assert_eq!(statuses(&gateway, 2).await, [200, 200]);
    gateway.rewrite(&format!(
        "limits: {{ other: [{{ per: address, rate: 1/h }}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: other }}]"
    ));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    let end = ["limits", "allow", "few", "127.0.0.1", "--end"];
    assert_eq!(gateway.cli(end).await.succeeded().trim_end(), "few counts `127.0.0.1`");
    let error = gateway.cli(end).await.failed_with(1);
    assert!(error.contains("`few` lets nobody off as `127.0.0.1`"), "{error}");
    let status = gateway.cli(["limits", "status"]).await.succeeded();
    assert!(!status.contains("NOT COUNTED"), "{status}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_no_limit_could_mean_is_refused_by_the_command() {
    let (gateway, _upstream) = limited("{ name: burst, per: address, rate: 1/h }").await;
    let long = "x".repeat(16_385);
    let by_address = "`ada` is no value of these rules: write an address";
    let errors = [
        (gateway.cli(["limits", "allow", "few", "ada", "--for", "1h"]).await.failed_with(1), by_address),
        (gateway.cli(["limits", "reset", "few", "ada"]).await.failed_with(1), by_address),
        (gateway.cli(["limits", "explain", "ada"]).await.failed_with(1), by_address),
        (
            gateway.cli(["limits", "explain", &long]).await.failed_with(1),
            "the key is too long: write at most 16384 characters",
        ),
        (gateway.cli(["limits", "reset", "few", &long]).await.failed_with(1), "the key is too long"),
        (
            gateway.cli(["limits", "allow", "few", "127.0.0.1", "--for", "32d"]).await.failed_with(2),
            "for '--for <TIME>': at most 31 days",
        ),
    ];
    for (error, message) in errors {
        assert!(error.contains(message), "{error}");
    }
    gateway.stop().await;
}
