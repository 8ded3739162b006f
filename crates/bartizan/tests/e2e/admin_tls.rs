//! The admin API beyond loopback: over TLS only, with the proxy's certificate, renewed without a restart.

use crate::{
    certificates::{Authority, connect},
    eventually::eventually,
    harness::{Gateway, cli},
};

const DOCUMENT: &str = "version: 1
listen: { https: \"127.0.0.1:0\", admin: \"0.0.0.0:0\", metrics: \"127.0.0.1:0\" }
tls: { cert: ./site.pem, key: ./site.key }
routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]
";

#[tokio::test]
async fn commands_reach_it_by_its_name_and_renewal_needs_no_restart() {
    let (authority, names) = (Authority::new(), ["localhost"]);
    let launch = Gateway::launch(DOCUMENT);
    authority.issue(&names).write(launch.folder(), "site");
    let trusted = launch.folder().join("authority.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let gateway = launch.start().await;
    let port = gateway.admin().port();

    let complaint = gateway.cli(["status"]).await.failed_with(1);
    assert!(complaint.contains("speaks TLS") && complaint.contains("--admin https://"), "{complaint}");
    let url = format!("https://localhost:{port}");
    let complaint = gateway.cli(["status", "--admin", &url]).await.failed_with(1);
    assert!(complaint.contains("certificate"), "an unknown authority is not trusted: {complaint}");
    let trusting = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
    let status = gateway.cli_with(&trusting, ["status", "--admin", &url]).await.succeeded();
    assert!(status.contains("ready"), "{status}");

    let renewed = authority.issue(&names);
    renewed.write(gateway.folder(), "site");
    gateway.cli_with(&trusting, ["reload", "--admin", &url]).await.succeeded();
    eventually("the renewed certificate is shown", async || {
        let address = ([127, 0, 0, 1], port).into();
        let stream = connect(address, "localhost", authority.client(&[])).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap();
        shown[0] == *renewed.certificate()
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn in_the_clear_it_stays_on_loopback() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("bartizan.yaml");
    let document =
        DOCUMENT.replace("tls: { cert: ./site.pem, key: ./site.key }\n", "").replace("https:", "http:");
    std::fs::write(&file, document).unwrap();
    let complaint = cli(["check", "-c", file.to_str().unwrap()]).await.failed_with(2);
    assert!(complaint.contains("admin") && complaint.contains("tls"), "{complaint}");
}
