//! `bartizan api-key new`: the key works, and only its hash is in the configuration.

use crate::{
    harness::{Gateway, cli},
    upstream::Upstream,
};

#[tokio::test]
async fn the_printed_lines_let_the_printed_key_in() {
    let printed = cli(["api-key", "new", "warehouse", "--prefix", "shop"]).await.succeeded();
    let key = printed.lines().map(str::trim).find(|line| line.starts_with("shop")).unwrap().to_owned();
    let lines: Vec<_> =
        printed.lines().skip_while(|line| !line.contains("- name: warehouse")).take(3).collect();
    assert_eq!(printed.matches(&key).count(), 1, "printed once");

    let upstream = Upstream::start().await;
    let keys = lines.join("\n").replace("permissions: []", "permissions: [\"orders:read\"]");
    let keys = keys.lines().map(|line| format!("      {line}\n")).collect::<Vec<_>>().concat();
    let gateway = Gateway::start(&format!(
        "identity:\n  partners:\n    api_key:\n      keys:\n{keys}\
         routes: [{{ path: /orders, to: \"{upstream}\", auth: partners, require: [\"orders:read\"] }}]\n"
    ))
    .await;
    let ask = |key: String| gateway.client().get(gateway.url("/orders")).header("x-api-key", key).send();
    assert_eq!(ask(key.clone()).await.unwrap().status(), 200);
    let received = upstream.received().await;
    assert_eq!(received.headers["x-user-id"], "warehouse");
    assert_eq!(ask(format!("{key}x")).await.unwrap().status(), 401);
    assert!(!gateway.log_text().contains(&key));
    gateway.stop().await;
}

#[tokio::test]
async fn two_keys_are_never_the_same_and_bad_names_are_refused() {
    let (one, two) =
        (cli(["api-key", "new", "a"]).await.succeeded(), cli(["api-key", "new", "a"]).await.succeeded());
    assert_ne!(one, two);
    cli(["api-key", "new", "two words"]).await.failed_with(2);
    cli(["api-key", "new", "a", "--prefix", "two words"]).await.failed_with(1);
}
