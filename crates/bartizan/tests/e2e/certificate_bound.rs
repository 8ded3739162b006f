//! A service that proves itself by its certificate, and whose tokens are worth nothing without it (RFC 8705), with curl.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::{
    certificates::{Authority, replace},
    harness::Gateway,
    own_tokens::text,
    upstream::Upstream,
};

fn document(upstream: &Upstream) -> String {
    format!(
        r#"version: 1
listen: {{ https: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0" }}
tls: {{ cert: ./gateway.pem, key: ./gateway.key, client_ca: ./clients.pem, client_certificate: optional }}
accounts:
  password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}
  tokens: {{ issuer: "https://localhost:8443", secret: "0123456789abcdef0123456789abcdef" }}
identity: {{ own: {{ token: {{}} }} }}
routes:
  - {{ path: /reports/**, to: "{upstream}", auth: own, require: [reports:read] }}
"#
    )
}

/// Of a gateway with the files of its folder: status, and what was answered.
async fn curl(
    gateway: &Gateway,
    path: &str,
    certificate: Option<&str>,
    arguments: &[&str],
) -> (String, Value) {
    let folder: &Path = gateway.folder();
    let mut command = Command::new("curl");
    command.current_dir(folder).args(["--silent", "--show-error", "--max-time", "30"]);
    command.args(["--write-out", "\n%{http_code}", "--cacert", "authority.pem"]);
    if let Some(name) = certificate {
        command.args(["--cert", &format!("{name}.pem"), "--key", &format!("{name}.key")]);
    }
    command.arg(format!("https://{}{path}", gateway.https())).args(arguments);
    let output = command.output().await.expect("`curl` is not on the PATH: install it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn a_service_with_a_certificate_gets_a_token_that_needs_it() {
    let (upstream, gateways, clients) = (Upstream::start().await, Authority::new(), Authority::new());
    let launch = Gateway::launch(&document(&upstream));
    gateways.issue(&["localhost", "127.0.0.1"]).write(launch.folder(), "gateway");
    replace(&launch.folder().join("authority.pem"), &gateways.pem());
    replace(&launch.folder().join("clients.pem"), &clients.pem());
    for name in ["billing", "stranger"] {
        let uri = format!("spiffe://shop.test/{name}");
        clients.issue_to_uri(&uri).write(launch.folder(), name);
    }
    // Another one with the same name: another key, and so another certificate.
    clients.issue_to_uri("spiffe://shop.test/billing").write(launch.folder(), "renewed");
    let gateway = launch.start().await;

    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let made = ["service", "create", "Acme", "billing", "--permission", "reports:read", "--json"];
    let made: Value = serde_json::from_str(&gateway.cli(made).await.succeeded()).unwrap();
    let (service, secret) = (made["service"]["id"].as_str().unwrap(), text(&made, "secret"));
    let by = "uri:spiffe://shop.test/billing";
    gateway.cli(["service", "add-credential", service, "--certificate", by]).await.succeeded();

    let (_, metadata) = curl(&gateway, "/.well-known/oauth-authorization-server", None, &[]).await;
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&"tls_client_auth".into()), "{metadata}");

    let id = format!("client_id={service}");
    let ask = ["-d", "grant_type=client_credentials", "-d", id.as_str()];
    for certificate in [None, Some("stranger")] {
        let (status, answer) = curl(&gateway, "/auth/token", certificate, &ask).await;
        assert_eq!((status.as_str(), &answer["error"]), ("401", &"invalid_client".into()), "{answer}");
    }
    let (status, answer) = curl(&gateway, "/auth/token", Some("billing"), &ask).await;
    assert_eq!(status, "200", "{answer}");
    let token = text(&answer, "access_token");
    let bearer = format!("authorization: Bearer {token}");
    for (certificate, expected) in
        [(Some("billing"), "200"), (None, "401"), (Some("stranger"), "401"), (Some("renewed"), "401")]
    {
        let (status, answer) = curl(&gateway, "/reports/1", certificate, &["-H", &bearer]).await;
        assert_eq!(status, expected, "{certificate:?}: {answer}");
    }

    // Whoever asks about it learns what it is bound to, and by its secret the service gets one that is bound to nothing.
    let about = format!("token={token}");
    let (_, told) = curl(&gateway, "/auth/introspect", Some("billing"), &["-d", &id, "-d", &about]).await;
    assert_eq!(told["active"], true, "{told}");
    assert!(told["cnf"]["x5t#S256"].as_str().is_some_and(|hash| hash.len() == 43), "{told}");
    let secret = format!("client_secret={secret}");
    let (status, answer) = curl(&gateway, "/auth/token", None, &[&ask[..], &["-d", &secret]].concat()).await;
    assert_eq!(status, "200", "{answer}");
    let bearer = format!("authorization: Bearer {}", text(&answer, "access_token"));
    assert_eq!(curl(&gateway, "/reports/1", None, &["-H", &bearer]).await.0, "200");
    gateway.stop().await;
}
