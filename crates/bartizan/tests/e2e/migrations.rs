//! `bartizan migrate`: what is missing in the store, and what brings it there.

use bartizan_config::StoreLocation;
use bartizan_store::{Statement, Store};
use tempfile::TempDir;

use crate::harness::cli_in;

const DOCUMENT: &str = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\naccounts: {}\n\
    routes: [{ path: /**, to: \"http://127.0.0.1:9\", auth: none }]\n";

#[tokio::test]
async fn a_dry_run_says_what_is_missing_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("bartizan.yaml"), DOCUMENT).unwrap();
    let database = folder.path().join("state/bartizan.db");
    let missing = |told: &str| told.lines().filter(|line| line.contains("missing")).count();

    let told = cli_in(&folder, ["migrate", "--dry-run"]).await;
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let all = missing(&told.stdout);
    assert!(all >= 5 && !told.stdout.contains("applied"), "{}", told.stdout);
    assert!(!database.exists(), "nothing is made");

    let done = cli_in(&folder, ["migrate"]).await.succeeded();
    assert_eq!((missing(&done), done.matches("applied").count()), (0, all), "{done}");
    assert_eq!(cli_in(&folder, ["migrate", "--dry-run"]).await.succeeded(), done);

    // A release that lacks the last step of this one has been here.
    let store = Store::open(&StoreLocation::Sqlite(database)).await.unwrap();
    let change = async |sql| store.execute(Statement::new(sql)).await.unwrap();
    change("DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)")
        .await;
    for _ in 0..2 {
        let told = cli_in(&folder, ["migrate", "--dry-run"]).await;
        assert_eq!((told.code, missing(&told.stdout)), (Some(1), 1), "{}", told.stdout);
    }

    // A newer release has been here.
    change("UPDATE schema_migrations SET version = 999 WHERE version = 1").await;
    for arguments in [&["migrate", "--dry-run"][..], &["migrate"], &["run"]] {
        let complaint = match arguments {
            [one] => cli_in(&folder, [one]).await,
            [one, other, ..] => cli_in(&folder, [one, other]).await,
            [] => continue,
        };
        let complaint = complaint.failed_with(1);
        assert!(complaint.contains("has the schema 999") && complaint.contains("newer"), "{complaint}");
    }
    store.close().await;
}
