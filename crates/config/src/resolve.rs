//! From the document as it is written to the configuration as it runs: references, defaults, and every check
//! that needs more than one value.
//!
//! Nothing here stops at the first problem: each part reports its own and goes on with something harmless in
//! the place of what is wrong, and the result is thrown away if there was any error.

mod accounts;
mod alerts;
mod bounds;
mod cors;
mod costs;
mod detection;
mod events;
mod expiry;
mod exports;
mod files;
mod hardening;
mod identity;
mod include;
mod limits;
mod listen;
mod openid;
mod operators;
mod overlap;
mod policies;
pub(crate) mod proposal;
mod requirements;
mod roles;
mod rotated;
mod routes;
mod shared;
mod tls;
mod tokens;
mod upstreams;
mod waf;

use std::{sync::Arc, time::Duration};

pub(crate) use self::limits::built_in;
use self::{
    files::Files, limits::Policies, roles::Roles, routes::Named, upstreams::Upstreams, waf::Firewalls,
};
use crate::{Config, Log, Source, Telemetry, file::Document, located::Position, problems::Problems};

/// How long requests in flight may take by default after a signal to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// The configuration that `document` describes; `None` where a part without which there is none is missing.
pub(crate) fn resolve(
    document: &Document,
    revision: String,
    source: &Source,
    problems: &mut Problems<'_>,
) -> Option<Config> {
    version(document, problems);
    let mut files = Files::new(&source.base);
    let listen = listen::resolve(document, problems);
    let tls = tls::resolve(&document.tls, &mut files, problems);
    let mut roles = Roles::resolve(&document.roles, problems);
    let accounts = accounts::accounts(document, listen.as_ref(), &mut files, problems);
    let prefix = accounts.as_ref().map_or("", |accounts| accounts.prefix.as_str());
    let tokens = tokens::tokens(document, prefix, problems);
    let mut providers = identity::resolve(document, tokens.as_ref(), &mut roles, &mut files, problems);
    let mut upstreams = Upstreams::resolve(&document.upstreams, &mut files, problems);
    let mut limits = Policies::resolve(document, problems);
    let every_request = limits.every_request(document, &providers, problems);
    let mut firewalls = Firewalls::resolve(&document.waf, source, problems);
    let named = Named {
        providers: &mut providers,
        upstreams: &mut upstreams,
        policies: &mut limits,
        firewalls: &mut firewalls,
    };
    let routes = routes::resolve(document, accounts.as_ref(), tokens.as_ref(), named, problems);
    let unmatched = limits.unmatched(document, &providers, problems);
    let in_zones: Vec<_> = routes.iter().filter_map(|route| Some((route.zone?, route.policy.line))).collect();
    let zones = policies::zones(&document.zones, &in_zones, problems);
    // A misspelled reference would leave what was meant unused; that is no news beside the error.
    if !problems.failed() {
        policies::warn_of_closed(document, &routes, &zones, &providers, problems);
        providers.warn_of_unused(problems);
        roles.warn_of_unused(providers.issues_roles(), problems);
        upstreams.warn_of_unused(problems);
        limits.warn(document, problems);
    }
    let store = accounts::store(&document.store, &files, problems);
    let events = events::resolve(&document.events, store.as_ref(), &files, problems);
    let detection = detection::resolve(&document.detection, &source.base, &mut files, problems);
    let alerts = alerts::resolve(&document.alerts, accounts.as_ref(), &mut files, problems);
    let exports = exports::resolve(document, &mut files, problems);
    let policies = policies::resolve(document, &source.base, &mut files, problems);
    let rule_sets = firewalls.into_list(&mut files);
    let shared = shared::resolve(&document.shared, &mut files, problems);
    let (files, file_patterns) = files.into_lists();
    Some(Config {
        revision,
        listen: listen?,
        tls,
        hardening: hardening::resolve(&document.hardening, problems),
        identity: providers.into_list(),
        operators: operators::resolve(&document.operators, problems),
        accounts,
        tokens: tokens.map(Arc::new),
        store,
        roles: roles.into_list(),
        upstreams: upstreams.into_list(),
        policies,
        zones,
        limits: limits.into_list(),
        rule_sets,
        shared,
        routes: routes.into_iter().map(Arc::new).collect(),
        every_request,
        unmatched,
        events,
        detection,
        alerts,
        exports,
        log: log(document, problems),
        telemetry: telemetry(document, problems),
        drain: document.shutdown.as_ref().map_or(DRAIN, |shutdown| problems.read_or(&shutdown.drain, DRAIN)),
        files,
        file_patterns,
    })
}

fn version(document: &Document, problems: &mut Problems<'_>) {
    match document.version.as_ref() {
        Some(version) if version.value == 1 => {}
        Some(version) => {
            let message = format!("version {} of this format is not known", version.value);
            problems.error(version.position, message).help("this release reads `version: 1`");
        }
        None => problems
            .error(Position::START, "`version` is missing")
            .help("start the document with `version: 1`"),
    }
}

fn log(document: &Document, problems: &mut Problems<'_>) -> Log {
    let Some(log) = document.log.as_ref() else { return Log::default() };
    Log {
        format: log.format.get().unwrap_or_default(),
        level: problems.read_optional(&log.level).map(|level| level.value.0),
        requests: problems.read_or(&log.requests, false),
    }
}

fn telemetry(document: &Document, problems: &mut Problems<'_>) -> Telemetry {
    let url = document.telemetry.as_ref().and_then(|telemetry| problems.read_optional(&telemetry.otlp));
    Telemetry { otlp: url.map(|url| url.value.text) }
}
