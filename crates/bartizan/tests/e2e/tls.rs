//! TLS on both sides: what clients get, who they prove to be, and whom the gateway trusts upstream.

use http::Version;
use rustls::{ClientConfig, pki_types::CertificateDer, version};
use tokio_rustls::client::TlsStream;

use crate::{
    certificates::{Authority, Issued, connect, replace},
    eventually::eventually,
    harness::Gateway,
    raw::{RawAnswer, RawConnection},
    tls_front::TlsFront,
    upstream::Upstream,
};

const HTTPS: &str =
    "version: 1\nlisten: { https: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\n";
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// A gateway that shows a certificate of `authority`.
async fn gateway(authority: &Authority, rest: &str) -> Gateway {
    let launch =
        Gateway::launch(&format!("{HTTPS}tls: {{ cert: ./gateway.pem, key: ./gateway.key }}\n{rest}"));
    authority.issue(&NAMES).write(launch.folder(), "gateway");
    launch.start().await
}

fn public(upstream: &Upstream) -> String {
    format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\n")
}

fn url(gateway: &Gateway, path: &str) -> String {
    format!("https://{}{path}", gateway.https())
}

/// `GET /` in HTTP/1.1 on a connection of its own.
async fn get(gateway: &Gateway, config: ClientConfig) -> std::io::Result<RawAnswer> {
    let mut connection = RawConnection::over(connect(gateway.https(), "127.0.0.1", config).await?);
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    Ok(connection.read_to_end().await)
}

fn leaf<S>(stream: &TlsStream<S>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn the_client_chooses_http2_or_http1_by_alpn() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;

    let browser = authority.browser().build().unwrap();
    let response = browser.get(url(&gateway, "/products")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert_eq!(response.text().await.unwrap(), "hello from upstream");

    for protocols in [&["http/1.1"][..], &[]] {
        let answer = get(&gateway, authority.client(protocols)).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, &b"hello from upstream"[..]),
            "{protocols:?}"
        );
    }
    let refused = get(&gateway, authority.client(&["spdy/3"])).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    gateway.stop().await;
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;
    for version in [&version::TLS12, &version::TLS13] {
        let config = authority.client_speaking(&[version], &[]);
        let stream = connect(gateway.https(), "localhost", config.clone()).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(get(&gateway, config).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn tls_1_1_is_refused_with_an_alert() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;
    // A record (RFC 4346, section 6.2.1) with a ClientHello (section 7.4.1.2): version 3.2, random, no session,
    // TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA and its ECDSA sister, no compression.
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x13, 0xc0, 0x09, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0, length + 4, 0x01, 0, 0, length];
    record.extend(hello);
    let mut connection = RawConnection::open(gateway.https()).await;
    connection.send(record).await;
    let answer = connection.read_to_end().await.rest;
    let [0x15, 0x03, _, 0, 2, 2, 40 | 70] = answer[..] else {
        panic!("not a fatal handshake_failure or protocol_version alert: {answer:?}")
    };
}

#[tokio::test]
async fn plain_http_on_the_https_port_is_not_served() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;
    let mut connection = RawConnection::open(gateway.https()).await;
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let answer = connection.read_to_end().await;
    assert!([0, 400].contains(&answer.status), "{answer:?}");
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let (shop, partners) =
        (authority.issue(&["shop.test", "127.0.0.1"]), authority.issue(&["partners.test"]));
    let tls = "tls: { certificates: [{ cert: ./shop.pem, key: ./shop.key }, { cert: ./partners.pem, key: ./partners.key }] }\n";
    let launch = Gateway::launch(&format!("{HTTPS}{tls}{}", public(&upstream)));
    shop.write(launch.folder(), "shop");
    partners.write(launch.folder(), "partners");
    let gateway = launch.start().await;

    for (name, expected) in [("shop.test", &shop), ("partners.test", &partners), ("127.0.0.1", &shop)] {
        let stream = connect(gateway.https(), name, authority.client(&[])).await.unwrap();
        assert_eq!(leaf(&stream), *expected.certificate(), "{name}");
    }
    // An address is no server name, so the client asked for none: the first certificate answered.
    let foreign = connect(gateway.https(), "elsewhere.test", authority.client(&[])).await.unwrap_err();
    assert!(foreign.to_string().contains("not valid for name"), "{foreign}");
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_without_a_restart_and_open_connections_stay() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut open =
        RawConnection::over(connect(gateway.https(), "localhost", authority.client(&[])).await.unwrap());
    open.send(request).await;
    assert_eq!(open.read_answer().await.status, 200);

    let renewed = authority.issue(&NAMES);
    renewed.write(gateway.folder(), "gateway");
    eventually("the new certificate", async || {
        let stream = connect(gateway.https(), "localhost", authority.client(&[])).await.unwrap();
        leaf(&stream) == *renewed.certificate()
    })
    .await;

    open.send(request).await;
    assert_eq!(open.read_answer().await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_leaves_the_old_one_in_use() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let gateway = gateway(&authority, &public(&upstream)).await;
    replace(&gateway.folder().join("gateway.pem"), "-----BEGIN NONSENSE-----\n");
    gateway.log(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR"))).await;
    assert_eq!(get(&gateway, authority.client(&[])).await.unwrap().status, 200);
    // Repaired, it is taken over.
    let repaired = authority.issue(&NAMES);
    repaired.write(gateway.folder(), "gateway");
    eventually("the repaired certificate", async || {
        let stream = connect(gateway.https(), "localhost", authority.client(&[])).await.unwrap();
        leaf(&stream) == *repaired.certificate()
    })
    .await;
}

#[tokio::test]
async fn the_plain_listener_can_send_everybody_to_https() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let listen = HTTPS.replace("admin:", "http: redirect, admin:");
    let tls = "tls: { cert: ./gateway.pem, key: ./gateway.key }\n";
    let launch = Gateway::launch(&format!("{listen}{tls}{}", public(&upstream)));
    authority.issue(&NAMES).write(launch.folder(), "gateway");
    let gateway = launch.start().await;

    let client = gateway.client().clone();
    for method in [http::Method::GET, http::Method::POST] {
        let plain = format!("http://localhost:{}/orders/1?expand=lines", gateway.http().port());
        let response = client.request(method.clone(), plain).send().await.unwrap();
        assert_eq!(response.status(), 308, "{method}");
        let location = format!("https://localhost:{}/orders/1?expand=lines", gateway.https().port());
        assert_eq!(response.headers()["location"], location, "{method}");
        assert!(
            !response.headers().contains_key("strict-transport-security"),
            "not over plain HTTP (RFC 6797)"
        );
    }
    assert!(upstream.has_received_nothing().await);
    let malformed = gateway.raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn a_development_certificate_needs_no_files() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("{HTTPS}tls: dev\n{}", public(&upstream))).await;
    let trusting =
        reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    let response =
        trusting.get(format!("https://localhost:{}/", gateway.https().port())).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
}

const CLIENTS: &str = r#"
identity:
  services: { certificate: { clients: [{ san: "spiffe://shop.test/billing", permissions: [orders:read], organization: shop }] } }
  hosts: { certificate: { name: dns, clients: [{ san: billing.shop.test }] } }
"#;

fn certificate_routes(upstream: &Upstream) -> String {
    format!(
        r#"{CLIENTS}
routes:
  - {{ path: /open/**, to: "{upstream}", auth: none }}
  - {{ path: /services/**, to: "{upstream}", auth: services, require: [orders:read] }}
  - {{ path: /hosts/**, to: "{upstream}", auth: hosts }}
"#
    )
}

async fn mutual(
    client_certificate: &str,
    gateways: &Authority,
    clients: &Authority,
    upstream: &Upstream,
) -> Gateway {
    let tls = format!("client_ca: ./clients.pem, client_certificate: {client_certificate}");
    let document = certificate_routes(upstream);
    let launch = Gateway::launch(&format!(
        "{HTTPS}tls: {{ cert: ./gateway.pem, key: ./gateway.key, {tls} }}\n{document}"
    ));
    gateways.issue(&NAMES).write(launch.folder(), "gateway");
    replace(&launch.folder().join("clients.pem"), &clients.pem());
    launch.start().await
}

fn presenting(gateways: &Authority, certificate: Option<&Issued>) -> reqwest::Client {
    let browser = gateways.browser();
    certificate.map_or(gateways.browser(), |issued| browser.identity(issued.identity())).build().unwrap()
}

#[tokio::test]
async fn a_client_certificate_says_who_is_asking() {
    let (upstream, gateways, clients) = (Upstream::start().await, Authority::new(), Authority::new());
    let gateway = mutual("required", &gateways, &clients, &upstream).await;
    let billing = clients.issue_to_uri("spiffe://shop.test/billing");
    let host = clients.issue(&["billing.shop.test"]);
    let stranger = clients.issue_to_uri("spiffe://shop.test/stranger");

    let cases = [
        ("/services/1", &billing, 200, Some("spiffe://shop.test/billing")),
        ("/hosts/1", &host, 200, Some("billing.shop.test")),
        ("/hosts/1", &billing, 401, None),
        ("/services/1", &host, 401, None),
        ("/services/1", &stranger, 401, None),
    ];
    for (path, certificate, status, user) in cases {
        let request = presenting(&gateways, Some(certificate)).get(url(&gateway, path));
        let response = request.header("x-user-id", "root").send().await.unwrap();
        assert_eq!(response.status(), status, "{path} {user:?}");
        if let Some(user) = user {
            let received = upstream.received().await.headers;
            assert_eq!(received.get_all("x-user-id").iter().collect::<Vec<_>>(), [user], "{path}");
            assert_eq!(received.contains_key("x-organization-id"), path.starts_with("/services"), "{path}");
        } else {
            let problem: serde_json::Value = response.json().await.unwrap();
            assert_eq!(problem["code"], "invalid_authentication_token", "{path}");
        }
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn without_a_required_certificate_there_is_no_connection() {
    let (upstream, gateways, clients) = (Upstream::start().await, Authority::new(), Authority::new());
    let gateway = mutual("required", &gateways, &clients, &upstream).await;
    let foreign = Authority::new().issue_to_uri("spiffe://shop.test/billing");
    let expired = clients.issue_expired_to_uri("spiffe://shop.test/billing");
    for certificate in [None, Some(&foreign), Some(&expired)] {
        let browser = presenting(&gateways, certificate);
        browser.get(url(&gateway, "/open/1")).send().await.unwrap_err();
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn an_optional_certificate_counts_where_a_route_asks_for_it() {
    let (upstream, gateways, clients) = (Upstream::start().await, Authority::new(), Authority::new());
    let gateway = mutual("optional", &gateways, &clients, &upstream).await;
    let billing = clients.issue_to_uri("spiffe://shop.test/billing");
    for (certificate, path, status) in [
        (None, "/open/1", 200),
        (None, "/services/1", 401),
        (Some(&billing), "/open/1", 200),
        (Some(&billing), "/services/1", 200),
    ] {
        let response = presenting(&gateways, certificate).get(url(&gateway, path)).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        if status == 401 {
            let problem: serde_json::Value = response.json().await.unwrap();
            assert_eq!(problem["code"], "missing_authentication_token");
        }
    }
    let foreign = Authority::new().issue_to_uri("spiffe://shop.test/billing");
    presenting(&gateways, Some(&foreign)).get(url(&gateway, "/open/1")).send().await.unwrap_err();
}

#[tokio::test]
async fn a_client_whose_authority_was_withdrawn_does_not_come_back_with_an_old_session() {
    let (upstream, gateways, clients) = (Upstream::start().await, Authority::new(), Authority::new());
    let gateway = mutual("required", &gateways, &clients, &upstream).await;
    let old = gateways.client_presenting(&clients.issue_to_uri("spiffe://shop.test/billing"));
    for _ in 0..2 {
        // Clones share the store of sessions to resume.
        assert_eq!(get(&gateway, old.clone()).await.unwrap().status, 404);
    }
    let successors = Authority::new();
    replace(&gateway.folder().join("clients.pem"), &successors.pem());
    gateway.cli(["reload"]).await.succeeded();
    let new = gateways.client_presenting(&successors.issue_to_uri("spiffe://shop.test/billing"));
    assert_eq!(get(&gateway, new).await.unwrap().status, 404);
    let resumed = get(&gateway, old).await;
    assert!(resumed.is_err() || resumed.is_ok_and(|answer| answer.status == 0), "it is still served");
}

/// A gateway in front of an `https:` target; `tls` is what stands under the upstream's `tls:`.
async fn towards(target: &str, tls: &str, files: impl FnOnce(&std::path::Path)) -> Gateway {
    let upstreams = format!("upstreams: {{ shop: {{ targets: \"{target}\", tls: {{ {tls} }} }} }}\n");
    let launch = Gateway::launch(&format!("{upstreams}routes: [{{ path: /**, to: shop, auth: none }}]"));
    files(launch.folder());
    launch.start().await
}

#[tokio::test]
async fn an_upstream_is_verified_and_speaks_what_alpn_yields() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let issued = authority.issue(&NAMES);
    for (protocols, chosen) in
        [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let front = TlsFront::start(issued.server(protocols), upstream.address()).await;
        let ca = |folder: &std::path::Path| replace(&folder.join("ca.pem"), &authority.pem());
        let gateway = towards(&front.to_string(), "ca: ./ca.pem", ca).await;
        assert_eq!(gateway.get("/products").await.status(), 200, "{protocols:?}");
        assert_eq!(front.handshake().await.protocol.as_deref(), chosen);
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_prove_its_name_gets_no_request() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let (ours, other) = (authority.issue(&NAMES), authority.issue(&["shop.internal"]));
    let cases = [
        ("a name that is not the target's", &other, "ca: ./ca.pem", authority.pem(), 503),
        ("an authority that is not trusted", &ours, "ca: ./ca.pem", Authority::new().pem(), 503),
        (
            "the name that is configured",
            &other,
            "ca: ./ca.pem, server_name: shop.internal",
            authority.pem(),
            200,
        ),
    ];
    for (name, certificate, tls, ca, status) in cases {
        let front = TlsFront::start(certificate.server(&["http/1.1"]), upstream.address()).await;
        let gateway = towards(&front.to_string(), tls, |folder| replace(&folder.join("ca.pem"), &ca)).await;
        let response = gateway.get("/").await;
        assert_eq!(response.status(), status, "{name}");
        if status == 200 {
            upstream.received().await;
            assert_eq!(front.handshake().await.server_name.as_deref(), Some("shop.internal"));
        } else {
            let problem: serde_json::Value = response.json().await.unwrap();
            assert_eq!(problem["code"], "upstream_unavailable", "{name}");
            assert!(!problem.to_string().contains("certificate"), "nothing about the inside: {problem}");
            assert!(upstream.has_received_nothing().await, "{name}");
        }
    }
}

#[tokio::test]
async fn authorities_and_certificates_towards_an_upstream_are_read_again_when_they_change() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let asking = authority.server_that_asks(&authority.issue(&NAMES));
    let front = TlsFront::start(asking, upstream.address()).await;
    let stranger = Authority::new();
    let files = |folder: &std::path::Path| {
        stranger.issue_to_uri("spiffe://shop.test/gateway").write(folder, "own");
        replace(&folder.join("ca.pem"), &stranger.pem());
    };
    let gateway = towards(&front.to_string(), "ca: ./ca.pem, cert: ./own.pem, key: ./own.key", files).await;
    assert!(gateway.get("/").await.status().is_server_error());

    replace(&gateway.folder().join("ca.pem"), &authority.pem());
    let own = authority.issue_to_uri("spiffe://shop.test/gateway");
    own.write(gateway.folder(), "own");
    eventually("the new files", async || gateway.get("/").await.status() == 200).await;
    assert_eq!(front.handshake().await.certificate.as_ref(), Some(own.certificate()));
}

#[tokio::test]
async fn without_a_ca_the_authorities_of_the_system_count() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let front = TlsFront::start(authority.issue(&NAMES).server(&[]), upstream.address()).await;
    let gateway = Gateway::start(&format!("routes: [{{ path: /**, to: \"{front}\", auth: none }}]")).await;
    assert_eq!(gateway.get("/").await.status(), 503);
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn the_gateway_shows_its_own_certificate_to_an_upstream_that_asks() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let front =
        TlsFront::start(authority.server_that_asks(&authority.issue(&NAMES)), upstream.address()).await;
    let own = authority.issue_to_uri("spiffe://shop.test/gateway");
    let files = |folder: &std::path::Path| {
        own.write(folder, "own");
        replace(&folder.join("ca.pem"), &authority.pem());
    };

    let gateway = towards(&front.to_string(), "ca: ./ca.pem, cert: ./own.pem, key: ./own.key", files).await;
    assert_eq!(gateway.get("/").await.status(), 200);
    assert_eq!(front.handshake().await.certificate.as_ref(), Some(own.certificate()));

    let without = towards(&front.to_string(), "ca: ./ca.pem", files).await;
    assert!(without.get("/").await.status().is_server_error());
    assert!(front.has_seen_nobody().await);
}
