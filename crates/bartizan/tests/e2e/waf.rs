//! The firewall: attacks are refused, the rest is untouched, and whoever asks why is told.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{harness::Gateway, upstream::Upstream};

const ATTACK: &str = "/orders?id=1%27%20OR%20%271%27%3D%271";

async fn guarded(waf: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "routes:\n  - path: /**\n    to: \"{upstream}\"\n    auth: none\n    waf: {waf}\n"
    ))
    .await;
    (upstream, gateway)
}

fn id(response: &reqwest::Response) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_attack_is_refused_explained_and_excluded() {
    let (upstream, gateway) = guarded("starter").await;
    assert_eq!(gateway.get("/orders?id=7").await.status(), 200);
    upstream.received().await;

    let refused = gateway.get(ATTACK).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let id = id(&refused);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["request_id"]),
        (&"suspicious_activity_detected".into(), &id.as_str().into())
    );
    assert!(!problem.to_string().to_lowercase().contains("sql"), "it reveals nothing: {problem}");

    let account = gateway.cli(["explain", &id]).await.succeeded();
    let step = account.lines().find(|line| line.starts_with("inspect")).unwrap();
    assert!(step.contains("denied") && step.contains("bartizan.yaml:7  waf: starter"), "{account}");
    assert!(account.contains("ARGS:id") && account.contains("1' OR '1'='1"), "{account}");
    assert!(account.contains("the firewall refused the request at paranoia level 1"), "{account}");
    let line = gateway.log(|line| line["request_id"] == id.as_str()).await;
    assert_eq!((&line["stage"], &line["code"]), (&"inspect".into(), &"suspicious_activity_detected".into()));
    assert!(!line.to_string().contains("1' OR"), "values are in no log: {line}");
    assert_eq!(gateway.metric("bartizan_waf_refusals_total{mode=\"block\"").await, 1.0);

    // What is proposed can be pasted, and does what it says.
    let exclusions = proposed(&account);
    assert!(!exclusions.is_empty() && exclusions.lines().all(|line| line.contains("target: \"ARGS:id\"")));
    paste(&gateway, &upstream, &exclusions).await;
    assert_eq!(gateway.get(ATTACK).await.status(), 200);
    assert_eq!(gateway.get(&ATTACK.replace("id=", "other=")).await.status(), 403);
    gateway.stop().await;
}

/// The lines of an account that are to be pasted; it says that they are enough.
fn proposed(account: &str) -> String {
    assert!(account.contains("Tried on this request: with all of it, it passes."), "{account}");
    let lines = account.lines().skip_while(|line| *line != "      exclude:").skip(1);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

async fn paste(gateway: &Gateway, upstream: &Upstream, exclusions: &str) {
    gateway.rewrite(&format!(
        "routes:\n  - path: /**\n    to: \"{upstream}\"\n    auth: none\n    waf:\n      exclude:\n{exclusions}\n"
    ));
    gateway.cli(["reload"]).await.succeeded();
}

/// Names that are masked, or longer than what is shown of them, are named all the same, by a pattern.
#[tokio::test]
async fn an_exclusion_is_for_the_value_whatever_its_name() {
    let (upstream, gateway) = guarded("starter").await;
    let deep = (0..15).fold(json!("1' OR '1'='1"), |inner, _| json!({ "item": [inner] }));
    let masked = json!({ "to": { "mail:ada@example.test": "1' OR '1'='1" } });
    for body in [deep, masked] {
        let post =
            async |body: &Value| gateway.client().post(gateway.url("/a")).json(body).send().await.unwrap();
        let refused = post(&body).await;
        assert_eq!(refused.status(), 403);
        let account = gateway.cli(["explain", &id(&refused)]).await.succeeded();
        assert!(!account.contains("ada@"), "{account}");
        let exclusions = proposed(&account);
        assert!(exclusions.lines().all(|line| line.contains("target: \"ARGS:/^json")), "{exclusions}");
        paste(&gateway, &upstream, &exclusions).await;
        assert_eq!(post(&body).await.status(), 200);
        assert_eq!(post(&json!({ "id": "1' OR '1'='1" })).await.status(), 403);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn bodies_are_looked_at_before_a_byte_is_forwarded() {
    let (upstream, gateway) = guarded("{ max_body: 4KiB }").await;
    let post = async |body: Value| {
        let request = gateway.client().post(gateway.url("/comments")).json(&body);
        request.send().await.unwrap()
    };
    assert_eq!(post(json!({ "text": "select a union of two sets" })).await.status(), 200);
    upstream.received().await;
    let refused = post(json!({ "text": "1' OR '1'='1" })).await;
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "suspicious_activity_detected");
    let long = post(json!({ "text": "word ".repeat(1000) })).await;
    assert_eq!(long.status(), 413);
    let account = gateway.cli(["explain", &id(&long)]).await.succeeded();
    assert!(account.contains("longer than the firewall looks at (`max_body`, 4096 bytes)"), "{account}");
    gateway.stop().await;
}

/// What clients may write in more ways than one means the same to the rules.
#[tokio::test]
async fn no_spelling_of_a_request_hides_its_body() {
    let (_upstream, gateway) = guarded("starter").await;
    let body = "id=1'+OR+'1'%3D'1";
    let length = format!("Content-Length: {}\r\n", body.len());
    let chunked =
        format!("{:x};a=b\r\n{}\r\n{:x}\r\n{}\r\n0\r\nX-Trailer: a\r\n\r\n", 5, &body[..5], 12, &body[5..]);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let cases = [
        ("plain", "/a", format!("{form}{length}\r\n{body}"), 403),
        ("chunked", "/a", format!("{form}Transfer-Encoding: chunked\r\n\r\n{chunked}"), 403),
        ("no type", "/a", format!("{length}\r\n{body}"), 403),
        ("empty type", "/a", format!("Content-Type:\r\n{length}\r\n{body}"), 403),
        ("two types", "/a", format!("Content-Type: image/png\r\n{form}{length}\r\n{body}"), 400),
        ("compressed", "/a", format!("{form}Content-Encoding: gzip\r\n{length}\r\n{body}"), 403),
        ("absolute form", "http://shop.test/a", format!("{form}{length}\r\n{body}"), 403),
        (
            "upgrade",
            "/a",
            format!("{form}Connection: upgrade\r\nUpgrade: websocket\r\n{length}\r\n{body}"),
            403,
        ),
        ("method", "/a", format!("X-HTTP-Method-Override: GET\r\n{form}{length}\r\n{body}"), 403),
    ];
    for (name, target, rest, expected) in cases {
        let head = format!("POST {target} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n");
        let answer = gateway.raw(head + &rest).await;
        assert_eq!(answer.status, expected, "{name}: {answer:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_front_of_a_long_body_may_be_enough() {
    let (upstream, gateway) = guarded("{ max_body: 4KiB, on_large_body: inspect_prefix }").await;
    let post = async |body: Value| {
        let request = gateway.client().post(gateway.url("/comments")).json(&body);
        request.send().await.unwrap().status()
    };
    assert_eq!(post(json!({ "text": "word ".repeat(100_000) })).await, 200);
    assert_eq!(upstream.received().await.body.len(), 500_011);
    assert_eq!(post(json!({ "id": "1' OR '1'='1", "text": "word ".repeat(100_000) })).await, 403);
    gateway.stop().await;
}

#[tokio::test]
async fn log_mode_lets_everything_pass_and_remembers() {
    let (_upstream, gateway) = guarded("{ mode: log }").await;
    let served = gateway.get(ATTACK).await;
    assert_eq!(served.status(), 200);
    let account = gateway.cli(["explain", &id(&served)]).await.succeeded();
    assert!(account.contains("would refuse") && account.contains("exclude:"), "{account}");
    let line = gateway.log(|line| line["request_id"] == id(&served).as_str()).await;
    assert!(line["rules"].as_str().unwrap().contains("10040"), "{line}");
    assert!(line["score"].as_u64().unwrap() >= 5 && line.to_string().contains("ARGS:id"), "{line}");
    assert!(!line.to_string().contains("1' OR"), "values are in no log: {line}");
    assert_eq!(gateway.metric("bartizan_waf_refusals_total{mode=\"log\"").await, 1.0);
    let long = gateway.client().post(gateway.url("/a")).body("a".repeat(2 << 20)).send().await.unwrap();
    assert_eq!(long.status(), 200, "not even what is too long");
    gateway.stop().await;
}

/// The Core Rule Set that tests use; `None` where it is not there.
pub(crate) fn core_rule_set() -> Option<PathBuf> {
    let data = std::env::var_os("BARTIZAN_TEST_DATA").map(PathBuf::from);
    let folder = data.map(|data| data.join("crs-4.28.0")).filter(|folder| folder.is_dir());
    assert!(folder.is_some() || std::env::var_os("CI").is_none(), "BARTIZAN_TEST_DATA has no rule set");
    folder
}

#[tokio::test]
async fn the_core_rule_set_refuses_an_attack() {
    let Some(folder) = core_rule_set() else { return };
    let (_upstream, gateway) =
        guarded(&format!("{{ rules: crs, path: \"{}\", paranoia: 2 }}", folder.display())).await;
    let browser = |path: &str| {
        let request =
            gateway.client().get(gateway.url(path)).header("user-agent", "Mozilla/5.0 (X11; Linux)");
        // A numeric Host is a finding of its own at this level.
        request.header("accept", "text/html").header("host", "shop.test").send()
    };
    assert_eq!(browser("/orders?page=2").await.unwrap().status(), 200);
    let refused = browser(ATTACK).await.unwrap();
    assert_eq!(refused.status(), 403);
    let account = gateway.cli(["explain", &id(&refused)]).await.succeeded();
    assert!(account.contains("942100") && account.contains("paranoia level 2"), "{account}");
    gateway.stop().await;
}

#[tokio::test]
async fn rules_that_are_not_understood_keep_the_gateway_from_starting() {
    let (upstream, gateway) = guarded("off").await;
    std::fs::write(gateway.folder().join("own.conf"), "# mine\nSecRule ARGS \"@frobnicate x\" \"id:1\"\n")
        .unwrap();
    let document = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes:\n  - {{ path: /**, to: \"{upstream}\", auth: none, \
         waf: {{ include: own.conf }} }}\n"
    );
    gateway.rewrite(&document);
    let complaint = gateway.cli(["check"]).await.failed_with(2);
    assert!(complaint.contains("own.conf:2") && complaint.contains("frobnicate"), "{complaint}");
    gateway.stop().await;
}

#[tokio::test]
async fn own_rules_see_the_connection_and_say_how_they_are_answered() {
    let (upstream, gateway) = guarded("starter").await;
    let rules = "SecRule SERVER_ADDR \"!@streq 127.0.0.1\" \"id:100,phase:1,deny,status:500\"\n\
                 SecRule SERVER_PORT \"@within 80 443\" \"id:101,phase:1,deny,status:500\"\n\
                 SecRule ARGS:go \"@streq away\" \"id:102,phase:1,redirect:https://shop.test/no,status:303\"\n\
                 SecRule ARGS:go \"@streq nowhere\" \"id:103,phase:2,deny,status:404\"\n";
    std::fs::write(gateway.folder().join("own.conf"), rules).unwrap();
    gateway.rewrite(&format!(
        "routes:\n  - {{ path: /**, to: \"{upstream}\", auth: none, waf: {{ include: own.conf }} }}\n"
    ));
    gateway.cli(["reload"]).await.succeeded();
    let ask = async |target: &str| {
        gateway.raw(format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")).await
    };
    assert_eq!(ask("/").await.status, 200);
    let away = ask("/?go=away").await;
    assert_eq!((away.status, away.header("location")), (303, "https://shop.test/no"));
    assert_eq!(away.code().as_deref(), Some("suspicious_activity_detected"));
    let nowhere = ask("/?go=nowhere").await;
    assert_eq!((nowhere.status, nowhere.code().as_deref()), (404, Some("suspicious_activity_detected")));
    let problem: Value = serde_json::from_slice(&nowhere.body).unwrap();
    assert_eq!(problem["status"], 404);
    gateway.stop().await;
}

#[tokio::test]
async fn own_rules_count_from_one_request_to_the_next_and_over_a_reload() {
    let (upstream, gateway) = guarded("off").await;
    let rules = "SecAction \"id:100,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.requests=+1\"\n\
                 SecRule IP:requests \"@gt 3\" \"id:101,phase:1,deny,status:429,msg:'Too many of them'\"\n";
    std::fs::write(gateway.folder().join("own.conf"), rules).unwrap();
    let reload = async |path: &str| {
        gateway.rewrite(&format!(
            "routes:\n  - {{ path: {path}, to: \"{upstream}\", auth: none, waf: {{ include: own.conf }} }}\n"
        ));
        gateway.cli(["reload"]).await.succeeded();
    };
    reload("/**").await;
    for expected in [200, 200, 200, 429] {
        assert_eq!(gateway.get("/orders").await.status(), expected);
    }
    reload("/orders").await;
    assert_eq!(gateway.get("/orders").await.status(), 429);
    gateway.stop().await;
}

#[tokio::test]
async fn an_exclusion_ends_on_its_day() {
    let (upstream, gateway) = guarded("starter").await;
    for (day, expected) in [("2020-01-01", 403), ("2999-01-01", 200)] {
        gateway.rewrite(&format!(
            "routes:\n  - path: /**\n    to: \"{upstream}\"\n    auth: none\n    waf:\n      exclude:\n\
             \x20       - {{ tag: attack-sqli, target: \"ARGS:id\", expires: {day} }}\n"
        ));
        gateway.cli(["reload"]).await.succeeded();
        assert_eq!(gateway.get(ATTACK).await.status(), expected, "{day}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_exclusion_of_nothing_is_warned_about() {
    let (upstream, gateway) = guarded("starter").await;
    gateway.rewrite(&format!(
        "routes:\n  - path: /**\n    to: \"{upstream}\"\n    auth: none\n    waf:\n      exclude:\n\
         \x20       - {{ tag: atack-sqli, target: \"ARGS:id\" }}\n"
    ));
    let checked: Value =
        serde_json::from_str(&gateway.cli(["check", "--format", "json"]).await.succeeded()).unwrap();
    let warning = &checked["diagnostics"][0];
    assert_eq!((&checked["valid"], &warning["severity"]), (&true.into(), &"warning".into()), "{checked}");
    assert_eq!(warning["message"], "no rule has the tag `atack-sqli`: nothing is excluded");
    assert_eq!(warning["hint"], "did you mean `attack-sqli`?");
    let snippet = warning["snippet"].as_str().unwrap();
    assert!(snippet.contains("- { tag: atack-sqli"), "{snippet}");
    gateway.stop().await;
}
