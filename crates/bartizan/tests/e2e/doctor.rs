//! `bartizan doctor`: what is wrong around a configuration that can be used.

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    harness::{Ended, cli_in},
    upstream::Upstream,
};

async fn doctor(upstream: &str) -> Ended {
    doctor_about(upstream, "profile: character-classes").await
}

async fn doctor_about(upstream: &str, passwords: &str) -> Ended {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("breached.txt"), "123456\n").unwrap();
    let document = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\naccounts: {{ password: {{ {passwords} }} }}\n\
         identity: {{ people: {{ session: {{}} }} }}\n\
         routes: [{{ path: /private/**, to: \"{upstream}\", auth: people }}]\n"
    );
    std::fs::write(folder.path().join("bartizan.yaml"), document).unwrap();
    cli_in(&folder, ["doctor", "--json", "--state-dir", "state"]).await
}

/// What was found of each: `good`, `doubtful` or `wrong`.
fn verdicts(json: &str, about: &str) -> Vec<String> {
    let found: Value = serde_json::from_str(json).unwrap();
    let of = found["findings"].as_array().unwrap().iter().filter(|finding| finding["about"] == about);
    of.map(|finding| finding["verdict"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_works_and_should_not_be_so_is_doubtful() {
    let upstream = Upstream::start().await;
    let found = doctor(&upstream.to_string()).await.succeeded();
    assert_eq!(verdicts(&found, "passwords"), ["doubtful"], "{found}");
    assert_eq!(verdicts(&found, "second factors"), ["doubtful"], "{found}");
    assert_eq!(verdicts(&found, "upstream"), ["good"], "{found}");
    assert_eq!(verdicts(&found, "cookies"), ["doubtful"], "{found}");
    for (passwords, verdict) in [("", "doubtful"), ("blocklist: ./breached.txt", "good")] {
        let found = doctor_about(&upstream.to_string(), passwords).await.succeeded();
        assert_eq!(verdicts(&found, "passwords"), [verdict], "a list of breached passwords: {found}");
    }
    let warned = verdicts(&found, "configuration");
    assert_eq!(
        (&*warned[0], &*warned[1]),
        ("good", "doubtful"),
        "what `check` warns of is here, too: {found}"
    );
}

#[tokio::test]
async fn a_service_that_is_not_there_is_wrong() {
    let upstream = Upstream::start().await.to_string();
    // The port was free a moment ago, and the upstream is gone.
    let found = doctor(&upstream).await;
    assert!(found.failed_with(1).is_empty(), "what was found is no complaint");
}
