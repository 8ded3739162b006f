//! `shared:`.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use secrecy::ExposeSecret;

use super::files::Files;
use crate::{
    Redis, RedisUrl, Shared, SharedTls, file,
    forms::OneOrMany,
    located::{At, Optional},
    problems::Problems,
    word,
};

const TIMEOUT: Duration = Duration::from_millis(5);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The most nodes of a cluster that can be listed: it names the others itself.
const MOST_NODES: usize = 64;

pub(crate) fn resolve(
    file: &Optional<file::Shared>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Shared> {
    let file = file.as_ref()?;
    let tls = tls(&file.tls, files, problems);
    let timeout = problems.duration("timeout", &file.timeout, TIMEOUT);
    if let Some(at) = file.timeout.as_ref().filter(|_| timeout > LONGEST_TIMEOUT) {
        problems
            .error(
                at.position,
                "`timeout` is more than 1s: so long would requests wait for a store that is away",
            )
            .help("write a few milliseconds");
    }
    let (redis, speaks_tls) = match problems.borrow(&file.redis)? {
        OneOrMany::One(url) => (Redis::Server(server(&file.redis.with(url), problems)), url.tls),
        OneOrMany::Many(urls) => {
            let nodes = file.redis.with(problems.read_all(urls));
            (Redis::Cluster(cluster(&nodes, problems)), nodes.first().is_none_or(|node| node.tls))
        }
    };
    if let Some(at) = file.tls.as_ref().filter(|_| !speaks_tls) {
        problems.warning(at.position, "`tls` has no effect: the store is not named by a `rediss:` URL");
    }
    Some(Shared {
        redis,
        tls,
        mode: file.mode.get().unwrap_or_default(),
        on_error: file.on_error.get().unwrap_or_default(),
        timeout,
    })
}

fn tls(file: &Optional<file::SharedTls>, files: &mut Files<'_>, problems: &mut Problems<'_>) -> SharedTls {
    let Some(file) = file.as_ref() else { return SharedTls::default() };
    SharedTls {
        ca: files.optional(&file.ca, problems),
        certificate: files.client_certificate(&file.cert, &file.key, problems),
    }
}

fn cluster(nodes: &At<Vec<At<word::RedisUrl>>>, problems: &mut Problems<'_>) -> Vec<RedisUrl> {
    if nodes.is_empty() {
        problems.error(nodes.position, "there is no node").help("add a URL such as `redis://127.0.0.1:6379`");
    }
    if nodes.len() > MOST_NODES {
        problems
            .error(nodes.position, format!("there are more than {MOST_NODES} nodes"))
            .help("a few are enough: they name the others");
    }
    let mut seen = HashSet::new();
    for node in &nodes.value {
        if !seen.insert((&node.host, node.port)) {
            problems.error(node.position, "this node is listed twice");
        }
        if node.database != 0 {
            problems
                .error(node.position, "a cluster has no numbered databases")
                .help("leave the number at the end out");
        }
        let is_alike = |first: &At<word::RedisUrl>| {
            first.tls == node.tls && first.credentials.expose_secret() == node.credentials.expose_secret()
        };
        if !nodes.first().is_none_or(is_alike) {
            problems
                .error(node.position, "this node has other credentials or another scheme than the first")
                .help("the nodes of a cluster share both");
        }
    }
    nodes.iter().take(MOST_NODES).map(|node| server(&node.with(&node.value), problems)).collect()
}

fn server(url: &At<&word::RedisUrl>, problems: &mut Problems<'_>) -> RedisUrl {
    let scheme = if url.tls { "rediss" } else { "redis" };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    if !url.credentials.expose_secret().is_empty() {
        if !problems.line(url.position).contains("${") {
            problems
                .warning(url.position, "whoever reads this document knows the password of the store")
                .help("take it from the environment: `redis://:${REDIS_PASSWORD}@host`");
        }
        if !url.tls && !is_loopback(&url.host) {
            problems
                .warning(url.position, "the password of the store travels in clear")
                .help("write `rediss` and let the store speak TLS");
        }
    }
    RedisUrl { url: url.text.clone(), address: format!("{scheme}://{host}:{}", url.port) }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
