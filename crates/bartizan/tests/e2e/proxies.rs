//! Who the client is when proxies stand in front, and what the upstream is told about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    certificates::{Authority, connect},
    harness::Gateway,
    phrases::{has_ipv6, values},
    raw::{RawAnswer, RawConnection},
    upstream::Upstream,
};

/// A gateway that trusts these proxies; `listen` is what else stands under `listen:`.
async fn gateway(upstream: &Upstream, trusted: &str, listen: &str) -> Gateway {
    Gateway::start(&format!(
        "version: 1\n\
         listen: {{ http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\", trusted_proxies: [{trusted}]{listen} }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ))
    .await
}

/// Stories connect from here.
const US: &str = "\"127.0.0.1/32\"";
/// Nobody connects from here.
const OTHERS: &str = "\"192.0.2.0/24\", \"2001:db8::/32\"";
const PROXY_PROTOCOL: &str = ", proxy_protocol: required";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n";

/// The client as the gateway sees it.
async fn client_of(gateway: &Gateway, answer: &RawAnswer) -> String {
    let path = format!("/v1/requests/{}", answer.request_id());
    let decided: serde_json::Value = gateway.ask_admin(&path, None).await.json().await.unwrap();
    decided["requests"][0]["client"].as_str().unwrap_or_else(|| panic!("{decided}")).to_owned()
}

/// Header fields.
type Fields<'a> = &'a [(&'a str, &'a str)];

fn with_fields(fields: Fields<'_>) -> String {
    let mut request = String::from("GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n");
    for (name, value) in fields {
        request = request + name + ": " + value + "\r\n";
    }
    request + "\r\n"
}

// === PROXY protocol ===

/// Version 2 (binary): a command, a family and what belongs to it.
fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, family]);
    header.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
    header.extend(addresses);
    header
}

fn over_ipv4(client: Ipv4Addr, besides: &[u8]) -> Vec<u8> {
    let mut addresses = [client.octets(), [127, 0, 0, 1]].concat();
    addresses.extend([0x15, 0xb3, 0x01, 0xbb]);
    addresses.extend(besides);
    version_2(1, 0x11, &addresses)
}

fn over_ipv6(client: Ipv6Addr) -> Vec<u8> {
    let mut addresses = [client.octets(), Ipv6Addr::LOCALHOST.octets()].concat();
    addresses.extend([0x15, 0xb3, 0x01, 0xbb]);
    version_2(1, 0x21, &addresses)
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, PROXY_PROTOCOL).await;
    let client = Ipv4Addr::new(203, 0, 113, 7);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("v1, IPv4", b"PROXY TCP4 203.0.113.7 127.0.0.1 5555 443\r\n".to_vec(), "203.0.113.7"),
        ("v1, IPv6", b"PROXY TCP6 2001:db8::7 ::1 5555 443\r\n".to_vec(), "2001:db8::7"),
        ("v1, unknown", b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (
            "v1, unknown with addresses",
            b"PROXY UNKNOWN ffff:f...f ffff:f...f 65535 65535\r\n".to_vec(),
            "127.0.0.1",
        ),
        ("v2, IPv4", over_ipv4(client, &[]), "203.0.113.7"),
        ("v2, IPv4 with a field of type NOOP", over_ipv4(client, &[0x04, 0, 1, 0]), "203.0.113.7"),
        ("v2, IPv6", over_ipv6("2001:db8::7".parse().unwrap()), "2001:db8::7"),
        ("v2, a health check of the proxy itself", version_2(0, 0, &[]), "127.0.0.1"),
    ];
    for (name, header, expected) in cases {
        let answer = gateway.raw([header.as_slice(), REQUEST.as_bytes()].concat()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(client_of(&gateway, &answer).await, expected, "{name}");
        let headers = upstream.received().await.headers;
        assert!(values(&headers, "x-forwarded-for").join(",").starts_with(expected), "{name}: {headers:?}");
    }
}

/// An address of the client's own choice for each request would be a way around the block list and every limit.
#[tokio::test]
async fn a_proxy_that_names_nobody_is_not_believed_about_anybody() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, PROXY_PROTOCOL).await;
    let forged = with_fields(&[
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=203.0.113.9"),
    ]);
    for (name, header) in [
        ("v1, unknown", b"PROXY UNKNOWN\r\n".to_vec()),
        ("v2, the proxy itself", version_2(0, 0, &[])),
        ("v2, unspecified", version_2(1, 0, &[])),
    ] {
        let answer = gateway.raw([header.as_slice(), forged.as_bytes()].concat()).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(client_of(&gateway, &answer).await, "127.0.0.1", "{name}");
        let headers = upstream.received().await.headers;
        assert_eq!(values(&headers, "x-forwarded-for"), ["127.0.0.1"], "{name}");
        assert_eq!(values(&headers, "x-forwarded-proto"), ["http"], "{name}");
    }
    // One that is named and trusted still speaks for whom it forwards for.
    let inner = b"PROXY TCP4 127.0.0.1 127.0.0.1 5555 443\r\n".to_vec();
    let answer = gateway.raw([inner.as_slice(), forged.as_bytes()].concat()).await;
    assert_eq!(client_of(&gateway, &answer).await, "203.0.113.9");
}

#[tokio::test]
async fn a_header_that_comes_byte_by_byte_is_read_all_the_same() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, PROXY_PROTOCOL).await;
    for header in [
        b"PROXY TCP4 203.0.113.7 127.0.0.1 5555 443\r\n".to_vec(),
        over_ipv4(Ipv4Addr::new(203, 0, 113, 7), &[]),
    ] {
        let mut connection = RawConnection::open(gateway.http()).await;
        for byte in header {
            connection.send([byte]).await;
        }
        connection.send(REQUEST).await;
        let answer = connection.read_to_end().await;
        assert_eq!(client_of(&gateway, &answer).await, "203.0.113.7");
    }
}

#[tokio::test]
async fn a_connection_without_a_good_header_is_closed() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, PROXY_PROTOCOL).await;
    let mut wrong_version = over_ipv4(Ipv4Addr::new(203, 0, 113, 7), &[]);
    wrong_version[12] = 0x31;
    let cases: [(&str, Vec<u8>); 9] = [
        ("none", Vec::new()),
        ("another protocol", b"PROXY UDP4 203.0.113.7 127.0.0.1 5555 443\r\n".to_vec()),
        ("an address that is none", b"PROXY TCP4 203.0.113.777 127.0.0.1 5555 443\r\n".to_vec()),
        ("a family that does not fit", b"PROXY TCP4 2001:db8::7 ::1 5555 443\r\n".to_vec()),
        ("a port that is none", b"PROXY TCP4 203.0.113.7 127.0.0.1 99999 443\r\n".to_vec()),
        ("a bare line feed", b"PROXY TCP4 203.0.113.7 127.0.0.1 5555 443\n".to_vec()),
        ("longer than 107 bytes", [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100], b"\r\n"].concat()),
        ("an unknown version", wrong_version),
        ("too short for its family", version_2(1, 0x11, &[203, 0, 113, 7])),
    ];
    for (name, header) in cases {
        let answer = gateway.raw([header.as_slice(), REQUEST.as_bytes()].concat()).await;
        assert_eq!(answer.status, 0, "{name}: {answer:?}");
        assert!(answer.rest.is_empty(), "{name}: {answer:?}");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_name_its_client() {
    let upstream = Upstream::start().await;
    let header = "PROXY TCP4 203.0.113.7 127.0.0.1 5555 443\r\n";
    let required = gateway(&upstream, OTHERS, PROXY_PROTOCOL).await;
    let answer = required.raw(format!("{header}{REQUEST}")).await;
    assert_eq!((answer.status, answer.rest.len()), (0, 0), "closed without a word");
    // Where no header is expected, it is a malformed request.
    let off = gateway(&upstream, US, "").await;
    let answer = off.raw(format!("{header}{REQUEST}")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn the_proxy_protocol_comes_before_tls() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let launch = Gateway::launch(&format!(
        "version: 1\n\
         listen: {{ https: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\", trusted_proxies: [{US}]{PROXY_PROTOCOL} }}\n\
         tls: {{ cert: ./gateway.pem, key: ./gateway.key }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ));
    authority.issue(&["shop.test"]).write(launch.folder(), "gateway");
    let gateway = launch.start().await;
    connect(gateway.https(), "shop.test", authority.client(&[])).await.expect_err("no PROXY header, no TLS");

    let mut stream = tokio::net::TcpStream::connect(gateway.https()).await.unwrap();
    let header = over_ipv4(Ipv4Addr::new(203, 0, 113, 7), &[]);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &header).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(authority.client(&[])));
    let stream = connector.connect("shop.test".try_into().unwrap(), stream).await.unwrap();
    let mut connection = RawConnection::over(stream);
    connection.send(REQUEST).await;
    let answer = connection.read_to_end().await;
    assert_eq!(answer.status, 200);
    assert_eq!(client_of(&gateway, &answer).await, "203.0.113.7");
    let headers = upstream.received().await.headers;
    assert_eq!(values(&headers, "x-forwarded-proto"), ["https"]);
}

// === Forwarded and X-Forwarded-For ===

/// What a request says about its client, and whom the gateway sees behind a trusted proxy.
const CLAIMS: [(Fields<'_>, &str); 16] = [
    (&[], "127.0.0.1"),
    (&[("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
    // Whatever stands further left was said by somebody who is not trusted.
    (&[("X-Forwarded-For", "10.9.9.9, 203.0.113.7")], "203.0.113.7"),
    (&[("X-Forwarded-For", "203.0.113.7, 127.0.0.1")], "203.0.113.7"),
    (&[("X-Forwarded-For", "10.9.9.9"), ("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
    (&[("X-Forwarded-For", "2001:db8::7")], "2001:db8::7"),
    (&[("X-Forwarded-For", "203.0.113.7:5555")], "203.0.113.7"),
    (&[("X-Forwarded-For", "[2001:db8::7]:5555")], "2001:db8::7"),
    (&[("Forwarded", "for=203.0.113.7")], "203.0.113.7"),
    (&[("Forwarded", "for=203.0.113.7;proto=https;by=203.0.113.43")], "203.0.113.7"),
    (&[("Forwarded", "For=\"[2001:db8:cafe::17]:4711\"")], "2001:db8:cafe::17"),
    (&[("Forwarded", "for=10.9.9.9, for=203.0.113.7;proto=http")], "203.0.113.7"),
    (&[("Forwarded", "for=203.0.113.7;host=\"a, for=10.9.9.9\"")], "203.0.113.7"),
    (&[("Forwarded", "for=203.0.113.7"), ("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
    (&[("X-Forwarded-For", "not an address")], "127.0.0.1"),
    (&[("Forwarded", "for=unknown")], "127.0.0.1"),
];

#[tokio::test]
async fn a_client_behind_a_proxy_cannot_forge_the_header_that_the_proxy_leaves_alone() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, "").await;
    for fields in [
        &[("Forwarded", "for=203.0.113.7"), ("X-Forwarded-For", "198.51.100.1")][..],
        &[("Forwarded", "for=203.0.113.7;host=\"a, for=198.51.100.1")],
        &[("Forwarded", "for=203.0.113.7;for=198.51.100.1")],
    ] {
        let answer = gateway.raw(with_fields(fields)).await;
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("malformed_request")), "{fields:?}");
        assert_eq!(client_of(&gateway, &answer).await, "127.0.0.1", "{fields:?}");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_nobody_else() {
    let upstream = Upstream::start().await;
    let (behind_proxy, open) = (gateway(&upstream, US, "").await, gateway(&upstream, OTHERS, "").await);
    for (fields, client) in CLAIMS {
        for (gateway, expected) in [(&behind_proxy, client), (&open, "127.0.0.1")] {
            let answer = gateway.raw(with_fields(fields)).await;
            assert_eq!(answer.status, 200, "{fields:?}");
            assert_eq!(client_of(gateway, &answer).await, expected, "{fields:?}");
            let headers = upstream.received().await.headers;
            let chain = values(&headers, "x-forwarded-for");
            assert_eq!(chain.len(), 1, "{fields:?}: {chain:?}");
            assert!(chain[0].contains(expected), "{fields:?}: {chain:?}");
            if expected == "127.0.0.1" {
                assert_eq!(chain, ["127.0.0.1"], "{fields:?}: what is not believed is not passed on");
            }
            assert_eq!(values(&headers, "forwarded"), [""; 0], "{fields:?}");
        }
    }
}

#[tokio::test]
async fn addresses_a_client_invents_for_other_headers_are_dropped() {
    let upstream = Upstream::start().await;
    for trusted in [US, OTHERS] {
        let gateway = gateway(&upstream, trusted, "").await;
        let fields = [
            ("X-Real-IP", "10.9.9.9"),
            ("True-Client-IP", "10.9.9.9"),
            ("X-Client-IP", "10.9.9.9"),
            ("X-Forwarded-Server", "a"),
        ];
        let answer = gateway.raw(with_fields(&fields)).await;
        assert_eq!(client_of(&gateway, &answer).await, "127.0.0.1");
        let headers = upstream.received().await.headers;
        for (name, _) in fields {
            assert_eq!(values(&headers, &name.to_lowercase()), [""; 0], "{name}");
        }
    }
}

#[tokio::test]
async fn the_upstream_is_told_how_the_client_came() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, OTHERS, "").await;
    let fields = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Prefix", "/x"),
    ];
    gateway.raw(with_fields(&fields)).await;
    let headers = upstream.received().await.headers;
    assert_eq!(values(&headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&headers, "x-forwarded-host"), ["shop.test"]);
    assert_eq!(values(&headers, "host"), ["shop.test"]);
    assert_eq!(values(&headers, "x-forwarded-port"), [""; 0]);
    assert_eq!(values(&headers, "x-forwarded-prefix"), [""; 0]);
}

#[tokio::test]
async fn a_trusted_proxy_says_whether_the_client_came_over_tls() {
    let upstream = Upstream::start().await;
    let (behind_proxy, open) = (gateway(&upstream, US, "").await, gateway(&upstream, OTHERS, "").await);
    let cases: [(Fields<'_>, &str); 4] = [
        (&[("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")], "https"),
        (&[("Forwarded", "for=203.0.113.7;proto=https")], "https"),
        (&[("Forwarded", "for=203.0.113.7;proto=http")], "http"),
        (&[("X-Forwarded-For", "203.0.113.7")], "http"),
    ];
    for (fields, scheme) in cases {
        for (gateway, expected) in [(&behind_proxy, scheme), (&open, "http")] {
            let answer = gateway.raw(with_fields(fields)).await;
            let headers = upstream.received().await.headers;
            assert_eq!(values(&headers, "x-forwarded-proto"), [expected], "{fields:?}");
            let strict = !answer.header("strict-transport-security").is_empty();
            assert_eq!(strict, expected == "https", "{fields:?}");
        }
    }
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_listener_is_an_ipv4_client() {
    if !has_ipv6() {
        return;
    }
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "version: 1\n\
         listen: {{ http: \"[::]:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\", trusted_proxies: [{US}] }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ))
    .await;
    let ask = async |from: &str, fields: Fields<'_>| {
        let mut connection =
            RawConnection::open((from.parse::<IpAddr>().unwrap(), gateway.http().port()).into()).await;
        connection.send(with_fields(fields)).await;
        connection.read_to_end().await
    };
    for (from, fields, expected) in [
        ("127.0.0.1", &[][..], "127.0.0.1"),
        ("127.0.0.1", &[("X-Forwarded-For", "203.0.113.7")], "203.0.113.7"),
        ("127.0.0.1", &[("X-Forwarded-For", "::ffff:203.0.113.7")], "203.0.113.7"),
        ("::1", &[("X-Forwarded-For", "203.0.113.7")], "::1"),
    ] {
        let answer = ask(from, fields).await;
        assert_eq!(client_of(&gateway, &answer).await, expected, "{from} {fields:?}");
    }
    gateway.cli(["block", "127.0.0.0/8"]).await.succeeded();
    assert_eq!(ask("127.0.0.1", &[]).await.status, 403);
    assert_eq!(ask("::1", &[]).await.status, 200);
}

#[tokio::test]
async fn the_list_of_addresses_acts_on_the_client_and_not_on_the_proxy() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, US, "").await;
    gateway.cli(["block", "203.0.113.0/24"]).await.succeeded();
    gateway.cli(["allow", "203.0.113.99"]).await.succeeded();
    for (client, status) in
        [("203.0.113.7", 403), ("198.51.100.1", 200), ("203.0.113.99", 200), ("10.9.9.9, 203.0.113.7", 403)]
    {
        let answer = gateway.raw(with_fields(&[("X-Forwarded-For", client)])).await;
        assert_eq!(answer.status, status, "{client}");
        if status == 403 {
            assert_eq!(answer.code().as_deref(), Some("address_blocked"));
        }
    }
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_blocked_client_cannot_hide_behind_a_header_nor_blame_another() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, OTHERS, "").await;
    gateway.cli(["block", "203.0.113.7"]).await.succeeded();
    let framed = gateway.raw(with_fields(&[("X-Forwarded-For", "203.0.113.7")])).await;
    assert_eq!(framed.status, 200, "whoever is not trusted cannot get another blocked");
    gateway.cli(["block", "127.0.0.1"]).await.succeeded();
    for fields in [&[][..], &[("X-Forwarded-For", "198.51.100.1")], &[("Forwarded", "for=198.51.100.1")]] {
        let answer = gateway.raw(with_fields(fields)).await;
        assert_eq!((answer.status, answer.code().as_deref()), (403, Some("address_blocked")), "{fields:?}");
    }
}

// === ids ===

#[tokio::test]
async fn a_request_id_is_kept_when_it_is_sound() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, OTHERS, "").await;
    let long = "x".repeat(129);
    let cases: [(Fields<'_>, Option<&str>); 6] = [
        (&[("X-Request-Id", "order-1_a.B")], Some("order-1_a.B")),
        (&[], None),
        (&[("X-Request-Id", "a b")], None),
        (&[("X-Request-Id", "<script>")], None),
        (&[("X-Request-Id", &long)], None),
        (&[("X-Request-Id", "one"), ("X-Request-Id", "two")], Some("one")),
    ];
    for (fields, kept) in cases {
        let answer = gateway.raw(with_fields(fields)).await;
        let received = upstream.received().await.headers;
        assert_eq!(values(&received, "x-request-id"), [answer.request_id()], "{fields:?}");
        match kept {
            Some(id) => assert_eq!(answer.request_id(), id),
            None => assert_eq!(answer.request_id().len(), 36, "{fields:?}: a UUID"),
        }
        assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-request-id").count(), 1, "{fields:?}");
    }
    let refused = gateway
        .raw("GET /a%2fb HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!((refused.status, refused.request_id()), (400, "mine"));
    assert_eq!(refused.json()["request_id"], "mine");
}

#[tokio::test]
async fn a_trace_goes_on_with_the_gateway_as_its_parent() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, OTHERS, "").await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for flags in ["01", "00"] {
        let context = format!("00-{trace}-{parent}-{flags}");
        gateway.raw(with_fields(&[("Traceparent", &context), ("Tracestate", "vendor=1")])).await;
        let headers = upstream.received().await.headers;
        let [next] = values(&headers, "traceparent")[..] else { panic!("{headers:?}") };
        let [version, same, new, sampled] = next.split('-').collect::<Vec<_>>()[..] else { panic!("{next}") };
        assert_eq!((version, same, sampled), ("00", trace, flags));
        assert_eq!(new.len(), 16);
        assert_ne!(new, parent);
        assert_eq!(values(&headers, "tracestate"), ["vendor=1"]);
    }
    let bad = format!("00-{}-{parent}-01", "0".repeat(32));
    for fields in
        [&[][..], &[("Traceparent", bad.as_str()), ("Tracestate", "vendor=1")], &[("Tracestate", "vendor=1")]]
    {
        gateway.raw(with_fields(fields)).await;
        let headers = upstream.received().await.headers;
        let [fresh] = values(&headers, "traceparent")[..] else { panic!("{headers:?}") };
        assert!(fresh.len() == 55 && !fresh.contains(&"0".repeat(32)), "{fresh}");
        assert_eq!(
            values(&headers, "tracestate"),
            [""; 0],
            "{fields:?}: it belongs to a trace that has ended"
        );
    }
}
