//! `bartizan limits forecast`: who would have been refused, had the limits been others.

use serde_json::{Value, json};

use crate::{harness::Gateway, issuer::Issuer, phrases::ready, upstream::Upstream};

/// What a gateway of these stories has beside the limits.
const LISTEN: &str =
    "version: 1\nlisten: { http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\n";

/// A gateway with a policy `few` of these rules for everything, and its document.
async fn limited(rules: &str) -> (Gateway, Upstream, String) {
    let upstream = Upstream::start().await;
    let document = format!(
        "{LISTEN}limits: {{ few: [{rules}] }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]\n"
    );
    (Gateway::start(&document).await, upstream, document)
}

/// Asks so many times as this tenant; how often it was refused.
async fn ask(gateway: &Gateway, tenant: &str, times: usize) -> usize {
    let mut refused = 0;
    for _ in 0..times {
        let request = gateway.client().get(gateway.url("/")).header("x-tenant", tenant);
        refused += usize::from(request.send().await.unwrap().status() == 429);
    }
    refused
}

/// Writes FILE; `--policy` takes its path.
fn file(gateway: &Gateway, text: &str) -> String {
    let path = gateway.folder().join("other.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn forecast(gateway: &Gateway, text: &str) -> String {
    gateway.cli(["limits", "forecast", "--policy", &file(gateway, text)]).await.succeeded()
}

async fn forecast_json(gateway: &Gateway, text: &str) -> Value {
    let path = file(gateway, text);
    let answer = gateway.cli(["limits", "forecast", "--policy", &path, "--json"]).await.succeeded();
    serde_json::from_str(&answer).unwrap()
}

/// The cells of every row of the table with this head, up to the empty line behind it.
fn rows<'t>(text: &'t str, head: &str) -> Vec<Vec<&'t str>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(head));
    assert!(lines.next().is_some(), "no table `{head}` in\n{text}");
    let cells = |line: &'t str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    lines.take_while(|line| !line.is_empty()).map(cells).collect()
}

#[tokio::test]
async fn a_tighter_limit_names_who_would_have_been_refused_and_a_wider_one_refuses_fewer() {
    let (gateway, _upstream, _) = limited("{ name: tenants, per: \"header:x-tenant\", rate: 5/h }").await;
    assert_eq!(ask(&gateway, "busy", 8).await, 3);
    assert_eq!(ask(&gateway, "usual", 4).await, 0);
    assert_eq!(ask(&gateway, "", 1).await, 0);

    let tighter =
        forecast(&gateway, "limits: { few: [{ name: tenants, per: \"header:x-tenant\", rate: 2/h }] }").await;
    assert!(tighter.starts_with("13 requests of the last "), "{tighter}");
    assert_eq!(rows(&tighter, "POLICY"), [["few", "tenants", "5/h -> 2/h", "13", "3", "8", "2"]]);
    assert!(tighter.contains("refused in all: 3 now, 8 with ") && tighter.contains("(+5)"), "{tighter}");
    let named = [["busy", "few/tenants", "8", "3", "6"], ["usual", "few/tenants", "4", "0", "2"]];
    assert_eq!(rows(&tighter, "WHO WOULD BE REFUSED"), named);

    let none = forecast(
        &gateway,
        "limits: { few: [{ name: tenants, per: \"header:x-tenant\", rate: 1/h }] }\nroutes: [{ path: /**, limit: few, cost: 1 }]",
    )
    .await;
    assert_eq!(rows(&none, "WHO WOULD BE REFUSED").len(), 2, "who asks once is within any limit: {none}");

    let wider = forecast(
        &gateway,
        "limits: { few: [{ name: tenants, per: \"header:x-tenant\", rate: 7/h, mode: shadow }] }",
    )
    .await;
    assert_eq!(rows(&wider, "POLICY"), [["few", "tenants", "5/h -> 7/h shadow", "13", "3", "1", "1"]]);
    assert!(wider.contains("refused in all: 3 now, 0 with ") && wider.contains("(-3)"), "{wider}");
    // Nothing of it came into force.
    assert_eq!(ask(&gateway, "busy", 1).await, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_whole_configuration_can_be_tried_and_what_it_cannot_tell_is_said() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let document = |limits: &str, route: &str| {
        format!(
            "{LISTEN}identity: {{ shop: {} }}\nlimits: {limits}\n\
             routes: [{{ path: /api/**, to: \"{upstream}\", auth: shop, {route} }}]\n",
            issuer.provider("")
        )
    };
    let gateway = ready(&document("{ users: [{ per: user, rate: 100/h }] }", "limit: users")).await;
    for (user, times) in [("ada", 5), ("grace", 2)] {
        for _ in 0..times {
            let token = issuer.token(json!({ "sub": user }));
            let answer = gateway.client().get(gateway.url("/api/a")).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }
    let answer = gateway.get("/api/a").await;
    assert_eq!(answer.status(), 401);
    let changed = document(
        "{ users: [{ per: user, rate: 4/h }, { per: user, concurrent: 2 }] }",
        "limit: [users, admin], cost: { \"GET /api/**\": 2 }",
    );
    let told = forecast_json(&gateway, &changed).await;
    assert_eq!(
        (&told["requests"], &told["refused_now"], &told["refused_then"]),
        (&json!(8), &json!(0), &json!(3))
    );
    let value = &told["values"][0];
    assert_eq!(
        (&value["value"], &value["requests"], &value["refused_then"]),
        (&json!("shop/ada"), &json!(5), &json!(3))
    );
    // Who is not known is counted by the rules that need not know.
    let admin = told["rules"].as_array().unwrap().iter().find(|rule| rule["policy"] == "admin").unwrap();
    assert_eq!((&admin["requests"], &admin["now"]), (&json!(8), &Value::Null));
    assert_eq!(told["not_forecast"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["not_forecast"][0]["what"], "users/user-concurrent");

    let elsewhere = forecast(&gateway, "routes: [{ path: /nowhere, limit: admin }]").await;
    assert_eq!(rows(&elsewhere, "NOT FORECAST")[0][0], "route /nowhere");
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_is_wrong_is_shown_with_line_and_remedy() {
    let (gateway, _upstream, _) = limited("{ per: address, rate: 5/h }").await;
    let cases = [
        ("limits:\n  few: [{ per: address, rate: 0/h }]", ":2:", "write a number of at least 1"),
        ("limits:\n  few: [{ per: adress, rate: 1/h }]", ":2:", "did you mean `address`?"),
        ("limts: {}", ":1:1", "did you mean `limits`?"),
        ("{}", ":1:1", "write `limits` as in a configuration"),
        (&format!("{LISTEN}limits: {{}}\nroutes: []"), ":4:", "add for example `routes:"),
    ];
    for (text, place, remedy) in cases {
        let path = file(&gateway, text);
        let complaint = gateway.cli(["limits", "forecast", "--policy", &path]).await.failed_with(2);
        assert!(complaint.contains(&format!("{path}{place}")) && complaint.contains(remedy), "{complaint}");
    }
    let path = file(&gateway, "routes: [{ path: /**, limit: nobody }]");
    let complaint = gateway.cli(["limits", "forecast", "--policy", &path]).await.failed_with(1);
    assert!(complaint.contains("there is no limit policy `nobody`"), "{complaint}");
    gateway.cli(["limits", "forecast", "--policy", "./nowhere.yaml"]).await.failed_with(1);
    gateway.stop().await;
}

#[tokio::test]
async fn nothing_recorded_is_said_and_what_was_recorded_outlives_a_reload() {
    let (gateway, _upstream, document) = limited("{ per: address, rate: 5/h }").await;
    let proposal = "limits: { few: [{ per: address, rate: 1/h }] }";
    let nothing = forecast(&gateway, proposal).await;
    assert!(nothing.starts_with("nothing to replay: no request was recorded in the last "), "{nothing}");
    ask(&gateway, "", 3).await;
    gateway.rewrite(&document.replace("5/h", "2/h"));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    let told = forecast_json(&gateway, proposal).await;
    assert_eq!(
        (&told["requests"], &told["refused_now"], &told["refused_then"]),
        (&json!(3), &json!(1), &json!(2))
    );
    gateway.stop().await;
}
