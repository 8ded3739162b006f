//! `listen:`: what may listen where.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::{
    Http, Listen, ProxyProtocol,
    file::{self, Document, Tls},
    located::{At, Position},
    problems::Problems,
};

const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

pub(crate) fn resolve(document: &Document, problems: &mut Problems<'_>) -> Option<Listen> {
    let Some(file) = document.listen.as_ref() else {
        problems
            .error(Position::START, "`listen` is missing")
            .help("add for example `listen: { http: \"127.0.0.1:8080\" }`");
        return None;
    };
    let https = problems.read_optional(&file.https);
    let http = http(file, https.as_ref(), problems);
    let admin = problems.read_optional(&file.admin);
    let metrics = problems.read_optional(&file.metrics);
    if file.https.is_none() && file.http.is_none() {
        problems.error(file.position, "nothing listens for requests").help("add `https` or `http`");
    }
    check_tls(document, https.as_ref(), admin.as_ref(), problems);
    if let Some(metrics) = metrics.as_ref().filter(|metrics| !is_loopback(metrics)) {
        problems
            .warning(metrics.position, "whoever reaches this address reads the metrics: they have no token")
            .help("listen on a loopback address, or keep the port behind a firewall");
    }
    check_apart(
        &[
            ("https", https.as_ref().map(|at| at.value), &https.as_ref().map(|at| at.position)),
            ("http", http.as_ref().map(|at| at.address()), &http.as_ref().map(|at| at.position)),
            (
                "admin",
                Some(admin.as_ref().map_or(ADMIN, |at| at.value)),
                &admin.as_ref().map(|at| at.position),
            ),
            (
                "metrics",
                Some(metrics.as_ref().map_or(METRICS, |at| at.value)),
                &metrics.as_ref().map(|at| at.position),
            ),
        ],
        problems,
    );
    let (proxy_protocol, trusted_proxies) = proxies(file, problems);
    Some(Listen {
        https: https.map(|at| at.value),
        http: http.map(|at| at.value),
        admin: admin.map_or(ADMIN, |at| at.value),
        metrics: metrics.map_or(METRICS, |at| at.value),
        proxy_protocol,
        client_cert: client_cert(file, &trusted_proxies, problems),
        trusted_proxies,
        reuse_port: problems.read_or(&file.reuse_port, false),
    })
}

fn client_cert(file: &file::Listen, trusted: &[ipnet::IpNet], problems: &mut Problems<'_>) -> bool {
    let client_cert = problems.read_or(&file.client_cert, false);
    if let Some(at) = file.client_cert.as_ref().filter(|_| client_cert && trusted.is_empty()) {
        problems
            .error(at.position, "`client_cert` believes nobody without `trusted_proxies`")
            .help("add `trusted_proxies` with the addresses of the proxies");
    }
    client_cert
}

fn http(
    file: &file::Listen,
    https: Option<&At<SocketAddr>>,
    problems: &mut Problems<'_>,
) -> Option<At<Http>> {
    let http = problems.read_optional(&file.http)?;
    if !matches!(http.value, file::Http::Listen { redirect: false, .. }) && file.https.is_none() {
        problems
            .error(http.position, "there is no `https` listener to redirect to")
            .help("add `https`, or write an address to serve plain HTTP");
    }
    let resolved = match http.value {
        file::Http::Listen { address, redirect: true } => Http::Redirect(address),
        file::Http::Listen { address, redirect: false } => Http::Serve(address),
        file::Http::Redirect => {
            let mut address = https?.value;
            // Where HTTPS takes any free port, so does its redirect.
            if address.port() != 0 {
                address.set_port(80);
            }
            Http::Redirect(address)
        }
    };
    Some(http.with(resolved))
}

/// HTTPS has certificates, `dev` ones stay on this machine, and tokens of the admin API never travel in clear.
fn check_tls(
    document: &Document,
    https: Option<&At<SocketAddr>>,
    admin: Option<&At<SocketAddr>>,
    problems: &mut Problems<'_>,
) {
    let tls = document.tls.as_ref();
    let dev = tls.is_some_and(|tls| matches!(tls.value.0, Ok(Tls::Dev)));
    match (https, tls) {
        (Some(https), None) => problems
            .error(https.position, "`https` needs certificates, and there is no `tls`")
            .help("add `tls: { cert: ./cert.pem, key: ./key.pem }`, or `tls: dev` on a loopback address"),
        (Some(https), Some(tls)) if dev && !is_loopback(https) => {
            let message =
                format!("`tls: dev` is for loopback addresses, and `https` listens on {}", https.value);
            problems
                .error(tls.position, message)
                .help("give `tls` a `cert` and a `key`, or listen on 127.0.0.1");
        }
        (None, Some(tls)) if document.listen.as_ref().is_some_and(|listen| listen.https.is_none()) => {
            problems.warning(tls.position, "nothing uses `tls`: there is no `https` listener");
        }
        _ => {}
    }
    if let Some(admin) = admin.filter(|admin| !is_loopback(admin) && (tls.is_none() || dev)) {
        let message = format!("the admin API would send its token in clear on {}", admin.value);
        problems
            .error(admin.position, message)
            .help("listen on 127.0.0.1, or add `tls` with a `cert` and a `key`");
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// A listener: its key, its address, and where it stands unless it is a default.
type Listener<'a> = (&'a str, Option<SocketAddr>, &'a Option<Position>);

fn check_apart(listeners: &[Listener<'_>; 4], problems: &mut Problems<'_>) {
    for (index, (later, address, position)) in listeners.iter().enumerate() {
        for (earlier, other, other_position) in listeners.iter().take(index) {
            let (Some(address), Some(other)) = (address, other) else { continue };
            if !collide(*address, *other) {
                continue;
            }
            let position = position.or(**other_position).unwrap_or(Position::START);
            let message = format!("`{earlier}` and `{later}` both listen on {address}");
            problems.error(position, message).help("give each its own port");
        }
    }
}

/// Whether two listeners want the same port of the same address. Port 0 never collides.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    one.port() != 0 && one.port() == other.port() && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn proxies(file: &file::Listen, problems: &mut Problems<'_>) -> (ProxyProtocol, Vec<ipnet::IpNet>) {
    let networks =
        file.trusted_proxies.as_ref().map(|networks| problems.read_all(networks)).unwrap_or_default();
    for network in networks.iter().filter(|network| network.prefix_len() == 0) {
        problems
            .warning(network.position, "everybody is a trusted proxy: any client may claim any address")
            .help("list the addresses of the proxies only");
    }
    let proxy_protocol = file.proxy_protocol.get().unwrap_or_default();
    if let (ProxyProtocol::Required, true, Some(at)) =
        (proxy_protocol, networks.is_empty(), file.proxy_protocol.as_ref())
    {
        problems
            .error(
                at.position,
                "`proxy_protocol: required` refuses every connection without `trusted_proxies`",
            )
            .help("add `trusted_proxies` with the addresses of the proxies");
    }
    (proxy_protocol, networks.into_iter().map(|network| network.value).collect())
}
