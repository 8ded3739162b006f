//! `bartizan check`: what is wrong, where, and what to do; exit codes that scripts can rely on.

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    certificates::Authority,
    harness::{Ended, cli, cli_in},
};

const HEAD: &str = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\n";

async fn check(document: &str) -> Ended {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("bartizan.yaml"), document).unwrap();
    cli_in(&folder, ["check"]).await
}

#[tokio::test]
async fn a_valid_file_is_summed_up() {
    let document = format!(
        "{HEAD}roles: {{ clerk: [\"orders:*\"] }}\n\
         identity: {{ partners: {{ api_key: {{ header: x-api-key }} }} }}\n\
         routes:\n  - {{ path: /public/**, to: \"http://localhost:1\", auth: none }}\n  \
         - {{ path: /orders/**, to: \"http://localhost:1\", auth: partners, require: {{ any: [orders:read, orders:write] }} }}\n"
    );
    let summary = check(&document).await.succeeded();
    assert!(summary.starts_with("valid: bartizan.yaml"), "{summary}");
    assert!(summary.contains("no route has a firewall: `waf: starter`"), "{summary}");
    let route = summary.lines().find(|line| line.contains("/orders/**")).unwrap();
    assert!(route.contains("partners") && route.contains("orders:read or orders:write"), "{summary}");
    assert!(summary.lines().any(|line| line.starts_with("/public/**") && line.contains("none")), "{summary}");
}

#[tokio::test]
async fn every_problem_is_shown_with_its_place_and_its_remedy() {
    // The document below the head, the place, words of the complaint.
    let cases: [(&str, &str, &[&str]); 5] = [
        ("routes: [{ path: /x, to: \"http://localhost:1\" }]\n", "bartizan.yaml:3:", &["auth"]),
        ("routs: []\n", "bartizan.yaml:3:1", &["routs", "routes"]),
        ("routes: []\nroutes: []\n", "bartizan.yaml:4:1", &["routes"]),
        (
            "routes: [{ path: /x, to: \"http://localhost:1\", auth: nobody }]\n",
            "bartizan.yaml:3:",
            &["nobody"],
        ),
        (
            "routes: [{ path: /x, to: \"http://${NO_SUCH_HOST}:1\", auth: none }]\n",
            "bartizan.yaml:3:",
            &["NO_SUCH_HOST"],
        ),
    ];
    for (document, place, words) in cases {
        let complaint = check(&format!("{HEAD}{document}")).await.failed_with(2);
        assert!(complaint.contains(place), "{document}{complaint}");
        assert!(words.iter().all(|word| complaint.contains(word)), "{document}{complaint}");
        assert!(complaint.contains("error: the configuration is not valid: "), "{complaint}");
    }
}

/// What `run` would refuse, `check` refuses, too.
#[tokio::test]
async fn files_that_cannot_be_used_are_found() {
    let tls = "tls: { cert: ./one.pem, key: ./two.key }\n";
    let token =
        "identity: { shop: { jwt: { issuer: \"https://id.test\", audience: shop, jwks: ./keys.json } } }\n";
    let routes = "routes: [{ path: /x, to: \"https://localhost:1\", auth: none }]\n";
    let distrust = "upstreams: { shop: { targets: \"https://localhost:1\", tls: { ca: ./keys.json } } }\n\
                    routes: [{ path: /x, to: shop, auth: none }]\n";
    // The document, the line at fault, words of the complaint.
    let cases = [
        (format!("{tls}{routes}"), 3, "does not belong"),
        (format!("tls: {{ cert: ./keys.json, key: ./two.key }}\n{routes}"), 3, "no certificate in it"),
        (format!("tls: {{ cert: ./two.pem, key: ./garbage.key }}\n{routes}"), 3, "garbage.key"),
        (format!("{token}{routes}"), 3, "cannot take keys from"),
        (distrust.to_owned(), 3, "keys.json"),
    ];
    for (document, line, words) in cases {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new();
        for name in ["one", "two"] {
            authority.issue(&["localhost"]).write(folder.path(), name);
        }
        std::fs::copy(folder.path().join("two.key"), folder.path().join("garbage.key")).unwrap();
        for name in ["garbage.key", "keys.json"] {
            std::fs::write(folder.path().join(name), "{\"garbage\": true}").unwrap();
        }
        let head = "version: 1\nlisten: { https: \"127.0.0.1:0\" }\n";
        let head = if document.starts_with("tls") { head } else { HEAD };
        std::fs::write(folder.path().join("bartizan.yaml"), format!("{head}{document}")).unwrap();
        let complaint = cli_in(&folder, ["check"]).await.failed_with(2);
        assert!(complaint.contains(words), "{document}{complaint}");
        assert!(complaint.contains(&format!("bartizan.yaml:{line}:")), "{document}{complaint}");
    }
}

#[tokio::test]
async fn scripts_get_json() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("other.yaml");
    std::fs::write(&file, format!("{HEAD}routes: [{{ path: /x, to: \"http://localhost:1\" }}]\n")).unwrap();
    let ended = cli_in(&folder, ["check", "--format", "json", "-c", "other.yaml"]).await;
    assert_eq!(ended.code, Some(2));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["valid"], &report["revision"]), (&Value::Bool(false), &Value::Null));
    assert_eq!(report["diagnostics"][0]["severity"], "error");
    assert_eq!(report["diagnostics"][0]["line"], 3);

    std::fs::write(
        &file,
        format!("{HEAD}routes: [{{ path: /x, to: \"http://localhost:1\", auth: none }}]\n"),
    )
    .unwrap();
    let report = cli_in(&folder, ["check", "--format", "json", "-c", "other.yaml"]).await.succeeded();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["valid"], true);
    assert_eq!(report["revision"].as_str().unwrap().len(), 12);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_failure_and_what_is_missing_a_misuse() {
    let complaint = cli(["check", "missing.yaml"]).await.failed_with(1);
    assert!(complaint.contains("cannot read `missing.yaml`"), "{complaint}");
    for command in ["check", "run"] {
        let complaint = cli([command]).await.failed_with(2);
        assert!(complaint.contains("bartizan run --to localhost:3000"), "{complaint}");
    }
}

#[tokio::test]
async fn an_invalid_file_does_not_start() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("bartizan.yaml"), format!("{HEAD}routs: []\n")).unwrap();
    let complaint = cli_in(&folder, ["run"]).await.failed_with(2);
    assert!(complaint.contains("bartizan.yaml:3:1"), "{complaint}");
    assert!(!folder.path().join("state").exists(), "nothing is left behind");
}

#[tokio::test]
async fn the_schema_and_the_api_document_are_json_and_the_version_is_told() {
    let schema: Value = serde_json::from_str(&cli(["schema"]).await.succeeded()).unwrap();
    assert!(schema["properties"]["routes"].is_object());
    let document: Value = serde_json::from_str(&cli(["openapi"]).await.succeeded()).unwrap();
    assert!(document["paths"]["/v1/status"].is_object());
    assert!(cli(["version"]).await.succeeded().starts_with(concat!("bartizan ", env!("CARGO_PKG_VERSION"))));
}
