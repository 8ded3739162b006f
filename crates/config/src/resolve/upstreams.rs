//! `upstreams:`, and the upstreams that routes make by naming URLs.

mod signing;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bartizan_model::Name;

use super::files::Files;
use crate::{
    ActiveHealth, Ejection, Protocol, Retries, Target, Upstream, UpstreamIndex, UpstreamTimeouts,
    UpstreamTls,
    file::{self, Entries},
    forms::{Forms, OneOrMany, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    suggestion,
    word::Url,
};

const MAX_CONNECTIONS: u32 = 1024;
const MAX_TARGETS: usize = 256;

/// The upstreams of the document.
#[derive(Default)]
pub(crate) struct Upstreams {
    list: Vec<Arc<Upstream>>,
    /// Those under `upstreams:`, also the ones with problems of their own.
    named: HashMap<Name, Named>,
    /// Those that routes made.
    made: HashMap<Vec<Target>, UpstreamIndex>,
    /// How many have asked for a name, by the name they would have had.
    wanted: HashMap<String, usize>,
}

struct Named {
    position: Position,
    index: UpstreamIndex,
    used: bool,
}

impl Upstreams {
    pub(crate) fn resolve(
        file: &Optional<Entries<file::Upstream>>,
        files: &mut Files<'_>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut upstreams = Self::default();
        for (key, entry) in file.iter().flat_map(|entries| &entries.value.0) {
            let Some(name) = problems.read(key) else { continue };
            let index = UpstreamIndex(upstreams.list.len());
            upstreams.named.insert(name.clone(), Named { position: key.position, index, used: false });
            upstreams.list.push(Arc::new(upstream(&key.with(name), entry, files, problems)));
        }
        upstreams
    }

    /// The upstream that `to` means.
    pub(crate) fn destination(
        &mut self,
        to: &At<Parsed<OneOrMany<String>>>,
        problems: &mut Problems<'_>,
    ) -> Option<UpstreamIndex> {
        let words = problems.read(to)?;
        let words = problems.read_all(&to.with(words).all());
        match words.as_slice() {
            [name] if !name.contains("://") => self.by_name(name, problems),
            urls => {
                let urls: Vec<_> = urls.iter().map(|word| word.with(Parsed(Url::word(word)))).collect();
                let targets = targets(&to.with(urls), problems)?;
                self.made_of(targets, to.position, problems)
            }
        }
    }

    fn by_name(&mut self, name: &At<String>, problems: &mut Problems<'_>) -> Option<UpstreamIndex> {
        if let Some(named) = name.parse::<Name>().ok().and_then(|name| self.named.get_mut(&name)) {
            named.used = true;
            return Some(named.index);
        }
        let known = self.list.iter().filter(|upstream| self.named.contains_key(&upstream.name));
        let hint = match suggestion::nearest(name, known.map(|upstream| upstream.name.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None if name.contains([':', '.', '/']) => format!("write a URL: `http://{}`", name.value),
            None => format!(
                "add `{}` under `upstreams`, or write a URL such as `http://{}:8080`",
                name.value, name.value
            ),
        };
        problems.error(name.position, format!("there is no upstream `{}`", name.value)).hint(hint);
        None
    }

    fn made_of(
        &mut self,
        targets: Vec<Target>,
        position: Position,
        problems: &mut Problems<'_>,
    ) -> Option<UpstreamIndex> {
        if let Some(&index) = self.made.get(&targets) {
            return Some(index);
        }
        let Some(name) = self.free_name(&targets) else {
            problems
                .error(position, "no name can be made for this upstream")
                .help("give it one under `upstreams`");
            return None;
        };
        let index = UpstreamIndex(self.list.len());
        self.list.push(Arc::new(with_defaults(At { value: name, position }, targets.clone())));
        self.made.insert(targets, index);
        Some(index)
    }

    /// `host-port` of the first target, numbered if another upstream has that name.
    fn free_name(&mut self, targets: &[Target]) -> Option<Name> {
        let first = targets.first()?;
        let host: String = first.host.replace(':', "-").chars().take(48).collect();
        let name = format!("{host}-{}", first.port);
        loop {
            let wanted = self.wanted.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
            let numbered = if *wanted == 1 { name.clone() } else { format!("{name}-{wanted}") };
            let free: Name = numbered.parse().ok()?;
            if !self.named.contains_key(&free) {
                return Some(free);
            }
        }
    }

    /// The HTTP version that is spoken to an upstream.
    pub(crate) fn protocol(&self, index: UpstreamIndex) -> Option<Protocol> {
        self.list.get(index.0).map(|upstream| upstream.protocol)
    }

    pub(crate) fn warn_of_unused(&self, problems: &mut Problems<'_>) {
        for upstream in &self.list {
            if let Some(named) = self.named.get(&upstream.name).filter(|named| !named.used) {
                problems
                    .warning(named.position, format!("no route leads to the upstream `{}`", upstream.name));
            }
        }
    }

    pub(crate) fn into_list(self) -> Vec<Arc<Upstream>> {
        self.list
    }
}

fn upstream(
    name: &At<Name>,
    entry: &At<file::Upstream>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Upstream {
    let listed = problems.read(&entry.targets).map(|targets| entry.targets.with(targets).all());
    let targets = listed.and_then(|urls| targets(&entry.targets.with(urls), problems)).unwrap_or_default();
    if let Some(tls) =
        entry.tls.as_ref().filter(|_| !targets.is_empty() && targets.iter().all(|target| !target.tls))
    {
        problems.warning(tls.position, "`tls` has no effect: no target is an `https:` URL");
    }
    let default = with_defaults(name.clone(), targets);
    Upstream {
        protocol: entry.protocol.get().unwrap_or_default(),
        tls: entry.tls.as_ref().map(|at| tls(at, files, problems)).unwrap_or_default(),
        signing: entry.sign.as_ref().and_then(|sign| signing::resolve(sign, files, problems)),
        health: entry.health.as_ref().map(|health| self::health(health, problems)),
        ejection: entry
            .ejection
            .as_ref()
            .map_or(default.ejection.clone(), |at| ejection(at, &default.ejection, problems)),
        retries: entry
            .retries
            .as_ref()
            .map_or(default.retries.clone(), |at| retries(at, default.retries.clone(), problems)),
        timeouts: entry.timeouts.as_ref().map_or(default.timeouts.clone(), |at| UpstreamTimeouts {
            connect: problems.duration("connect", &at.connect, default.timeouts.connect),
            idle: problems.duration("idle", &at.idle, default.timeouts.idle),
        }),
        max_connections: usize::try_from(problems.count(
            "max_connections",
            &entry.max_connections,
            MAX_CONNECTIONS,
        ))
        .unwrap_or(usize::MAX),
        ..default
    }
}

/// An upstream as a route makes it.
fn with_defaults(name: At<Name>, targets: Vec<Target>) -> Upstream {
    Upstream {
        line: name.position.line(),
        name: name.value,
        targets,
        protocol: Protocol::default(),
        tls: UpstreamTls::default(),
        signing: None,
        health: None,
        ejection: Ejection { consecutive_failures: 5, base: Duration::from_secs(10), max_percent: 50 },
        retries: Retries { attempts: 1, budget_percent: 20, statuses: vec![502, 503, 504] },
        timeouts: UpstreamTimeouts { connect: Duration::from_secs(3), idle: Duration::from_mins(1) },
        max_connections: 1024,
    }
}

fn targets(urls: &At<Vec<At<Parsed<Url>>>>, problems: &mut Problems<'_>) -> Option<Vec<Target>> {
    if urls.is_empty() {
        problems.error(urls.position, "there is no target").help("add a URL such as `http://orders:8080`");
    }
    if urls.len() > MAX_TARGETS {
        problems.error(urls.position, format!("there are more than {MAX_TARGETS} targets"));
        return None;
    }
    let (mut targets, mut seen) = (Vec::new(), HashSet::new());
    for url in problems.read_all(urls) {
        if url.path != "/" {
            problems
                .error(url.position, format!("`{}`: a target is scheme, host and port only", url.text))
                .help("the request's own path is forwarded; `strip_prefix` shortens it");
        }
        if seen.insert(url.target.clone()) {
            targets.push(url.value.target);
        } else {
            problems.error(url.position, format!("`{}` is listed twice", url.text));
        }
    }
    (targets.len() == urls.len() && !targets.is_empty()).then_some(targets)
}

fn tls(file: &file::UpstreamTls, files: &mut Files<'_>, problems: &mut Problems<'_>) -> UpstreamTls {
    UpstreamTls {
        ca: files.optional(&file.ca, problems),
        certificate: files.client_certificate(&file.cert, &file.key, problems),
        server_name: problems.read_optional(&file.server_name).map(|name| name.value),
    }
}

fn health(file: &file::Health, problems: &mut Problems<'_>) -> ActiveHealth {
    let path = problems.read(&file.path).unwrap_or_default();
    let is_path = path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok();
    if file.path.is_valid() && !is_path {
        problems.error(file.path.position, format!("`{path}` is not a path: write for example `/healthz`"));
    }
    ActiveHealth {
        path,
        interval: problems.duration("interval", &file.interval, Duration::from_secs(5)),
        timeout: problems.duration("timeout", &file.timeout, Duration::from_secs(2)),
        unhealthy_after: problems.count("unhealthy_after", &file.unhealthy_after, 3),
        healthy_after: problems.count("healthy_after", &file.healthy_after, 2),
    }
}

fn ejection(file: &file::Ejection, default: &Ejection, problems: &mut Problems<'_>) -> Ejection {
    let percent = problems.at_most("max_percent", &file.max_percent, 100, u32::from(default.max_percent));
    Ejection {
        consecutive_failures: problems.count(
            "consecutive_failures",
            &file.consecutive_failures,
            default.consecutive_failures,
        ),
        base: problems.duration("base", &file.base, default.base),
        max_percent: u8::try_from(percent).unwrap_or(u8::MAX),
    }
}

fn retries(file: &file::Retries, default: Retries, problems: &mut Problems<'_>) -> Retries {
    for status in file.statuses.iter().flat_map(|statuses| statuses.iter()) {
        if !(400..=599).contains(&status.value) {
            problems.error(status.position, format!("{} is no status of a failure", status.value));
        }
    }
    Retries {
        attempts: problems.at_most("attempts", &file.attempts, 10, default.attempts),
        budget_percent: problems.at_most("budget_percent", &file.budget_percent, 100, default.budget_percent),
        statuses: file
            .statuses
            .as_ref()
            .map_or(default.statuses, |statuses| statuses.iter().map(|status| status.value).collect()),
    }
}
