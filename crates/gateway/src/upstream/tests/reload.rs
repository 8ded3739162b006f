//! A reload keeps the upstreams that have not changed.

use std::{fs, sync::Arc};

use super::{
    backend::{Backend, text},
    *,
};

#[tokio::test]
async fn an_unchanged_upstream_keeps_its_connections() {
    let backend = Backend::start(|_| async { text("ok") }).await;
    let before = upstreams(settings(&[&backend]));
    fetch(before.get(config::UpstreamIndex(0)), get()).await.expect("an answer");
    let mut moved = settings(&[&backend]);
    moved.line = Line::new(7);
    let after = Upstreams::new(&[Arc::new(moved)], Some(&before)).expect("built");
    drop(before);
    fetch(after.get(config::UpstreamIndex(0)), get()).await.expect("an answer");
    assert_eq!(backend.connections(), 1);
    let status = after.status();
    assert_eq!((status[0].targets[0].requests, status[0].targets[0].connections), (2, 1));
}

#[tokio::test]
async fn a_changed_upstream_is_built_anew() {
    let backend = Backend::start(|_| async { text("ok") }).await;
    let before = upstreams(settings(&[&backend]));
    let mut changed = settings(&[&backend]);
    changed.retries.attempts = 3;
    let after = Upstreams::new(&[Arc::new(changed)], Some(&before)).expect("built");
    assert!(!Arc::ptr_eq(before.get(config::UpstreamIndex(0)), after.get(config::UpstreamIndex(0))));
}

#[tokio::test]
async fn a_new_certificate_under_the_old_name_is_a_change() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority =
        |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate").cert.pem();
    let path = directory.path().join("ca.pem");
    fs::write(&path, authority("one.test")).expect("written");
    let backend = Backend::nobody().await;
    let mut settings = settings(&[&backend]);
    settings.targets[0].tls = true;
    settings.tls.ca = Some(path.clone());
    let config = [Arc::new(settings)];
    let first = Upstreams::new(&config, None).expect("built");
    let same = Upstreams::new(&config, Some(&first)).expect("built");
    assert!(Arc::ptr_eq(&first.0[0], &same.0[0]));
    fs::write(&path, authority("two.test")).expect("written");
    let other = Upstreams::new(&config, Some(&first)).expect("built");
    assert!(!Arc::ptr_eq(&first.0[0], &other.0[0]));
}

#[tokio::test]
async fn a_bad_certificate_file_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ca.pem");
    let backend = Backend::nobody().await;
    let mut settings = settings(&[&backend]);
    settings.targets[0].tls = true;
    settings.tls.ca = Some(path.clone());
    let config = [Arc::new(settings)];
    let missing = Upstreams::new(&config, None).expect_err("no file").to_string();
    assert!(missing.contains("ca.pem"), "{missing}");
    fs::write(&path, "not a certificate").expect("written");
    let empty = Upstreams::new(&config, None).expect_err("no certificate").to_string();
    assert!(empty.contains("no PEM certificate"), "{empty}");
}
