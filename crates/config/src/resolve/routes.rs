//! `routes:`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use http::{HeaderName, Method};

use super::{
    accounts::{
        self,
        pages::{Pages, X_CSRF_TOKEN},
    },
    cors::{self, RouteFacts},
    costs,
    identity::Providers,
    limits::{LimitedRoute, Policies},
    overlap::Overlaps,
    policies::of_route,
    requirements,
    upstreams::Upstreams,
    waf::Firewalls,
};
use crate::{
    Accounts, Authentication, BodyPolicy, Cors, Destination, Headers, OnLargeBody, PathPattern, Protocol,
    Route, RouteTimeouts, Segment, SignatureComponent, Tokens, Waf, WafMode,
    file::{self, BodyPolicyName, Document},
    forms::{OneOrMany, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    word::HostPattern,
};

const HOLD: usize = 64 * 1024;
/// The most that can be held of one body: it stays in memory.
const MOST_HELD: u32 = 16 * 1024 * 1024;
const MAX_BODY: u64 = 10 * 1024 * 1024;
const RESPONSE: Duration = Duration::from_mins(1);
const IDLE: Duration = Duration::from_mins(5);

/// What routes refer to by name.
pub(crate) struct Named<'a, 'f> {
    pub(crate) providers: &'a mut Providers,
    pub(crate) upstreams: &'a mut Upstreams,
    pub(crate) policies: &'a mut Policies,
    pub(crate) firewalls: &'a mut Firewalls<'f>,
}

pub(crate) fn resolve(
    document: &Document,
    accounts: Option<&Accounts>,
    tokens: Option<&Tokens>,
    mut named: Named<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Route> {
    let hint = "add for example `routes: [{ path: /**, to: \"http://localhost:3000\", auth: none }]`";
    match document.routes.as_ref() {
        None => problems.error(Position::START, "`routes` is missing").help(hint),
        Some(routes) if routes.is_empty() => problems.error(routes.position, "there is no route").help(hint),
        Some(_) => {}
    }
    let mut overlaps = Overlaps::default();
    let routes = document.routes.iter().flat_map(|routes| &routes.value);
    let pages = Pages::resolve(document, accounts, tokens, problems);
    let mut routes: Vec<_> =
        routes.filter_map(|entry| route(entry, &pages, &mut overlaps, &mut named, problems)).collect();
    if let (Some(accounts), Some(file)) = (accounts, document.accounts.as_ref()) {
        let own = accounts::routes((accounts, tokens, &pages), file, &mut overlaps, &mut named, problems);
        routes.extend(own);
    }
    routes
}

fn route(
    file: &At<file::Route>,
    pages: &Pages,
    overlaps: &mut Overlaps,
    named: &mut Named<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<Route> {
    let Named { providers, upstreams, policies, firewalls } = named;
    let path = problems.read(&file.path);
    let hosts = hosts(&file.hosts, &file.host, problems);
    let methods = methods(&file.methods, problems);
    if let Some(path) = &path {
        overlaps.claim(path, &hosts, &methods, file.position, problems);
    }
    let upstream = upstreams.destination(&file.to, problems);
    let authentication = requirements::authentication(file, providers, problems);
    let is_public = authentication == Some(Authentication::Public);
    let signed = requirements::signed(file, authentication.as_ref(), providers, problems);
    let require = requirements::requirements(file, is_public, problems);
    let multi_factor = requirements::multi_factor(file, authentication.as_ref(), providers, problems);
    let (policy, zone) = of_route(file, path.as_ref(), is_public, problems);
    let mut credentials = authentication.as_ref().map(|names| providers.headers(names)).unwrap_or_default();
    let has_sessions = authentication.as_ref().is_some_and(|names| providers.accept_sessions(names));
    credentials.extend(has_sessions.then_some(X_CSRF_TOKEN));
    let is_limited = file.limit.is_some() || policies.hold_everywhere();
    let cors = cors(&file.cors, RouteFacts { methods: &methods, credentials, is_limited }, problems);
    if let Some(at) = file.cors.as_ref().filter(|_| has_sessions) {
        pages.warn(&cors, at.position, problems);
    }
    let headers = headers(&file.headers, problems);
    let (body, max_body) = body(&file.body, problems);
    let waf = firewalls.of_route(&file.waf, max_body, problems);
    warn_of_unseen_bodies(file, waf.as_deref(), problems);
    if let Some((path, upstream)) = path.as_ref().zip(upstream).filter(|_| waf.is_some()) {
        warn_of_held_calls(path, upstreams.protocol(upstream), file.path.position, problems);
    }
    warn_of_refused_bodies(file, waf.as_deref(), problems);
    refuse_unproven_bodies(file, authentication.as_ref(), &signed, providers, problems);
    let strip_prefix = strip_prefix(&file.strip_prefix, path.as_ref(), problems);
    let upgrade = upgrade(&file.upgrade, problems);
    let timeouts = timeouts(&file.timeouts, problems);
    let line = |position: Option<Position>| position.unwrap_or(file.position).line();
    let authentication_line = line(file.auth.as_ref().map(|auth| auth.position));
    let path = path?;
    let limited = LimitedRoute {
        path: &path,
        methods: &methods,
        authentication: authentication.as_ref(),
        authentication_line,
    };
    let limits = policies.of_route(&file.limit, &limited, providers, problems);
    let policies: Vec<_> = limits.iter().filter_map(|index| policies.get(*index)).collect();
    let costs = costs::resolve(&file.cost, is_limited, &limited, &policies, problems);
    Some(Route {
        line: file.position.line(),
        path,
        hosts,
        methods,
        destination: Destination::Upstream(upstream?),
        strip_prefix,
        preserve_host: problems.read_or(&file.preserve_host, true),
        authentication: authentication?,
        authentication_line,
        signed,
        require,
        require_line: line(file.require.as_ref().map(|require| require.position)),
        multi_factor,
        policy,
        zone,
        limits,
        costs,
        cors,
        headers,
        body,
        max_body,
        waf,
        upgrade,
        timeouts,
    })
}

pub(super) fn hosts(
    several: &Optional<Parsed<OneOrMany<HostPattern>>>,
    one: &Optional<Parsed<HostPattern>>,
    problems: &mut Problems<'_>,
) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(listed) = problems.read_optional(several) {
        if listed.all().is_empty() {
            problems
                .error(listed.position, "`hosts` is an empty list")
                .help("leave it out to answer for any host");
        }
        words.extend(listed.all());
    }
    if let Some(host) = one.as_ref() {
        if several.is_some() {
            problems
                .error(host.position, "`host` and `hosts` are two ways to say the same")
                .help("keep one of the two");
        }
        words.push(host.clone());
    }
    let mut seen = HashSet::new();
    let hosts = problems.read_all(&words).into_iter().map(|host| host.value.0);
    hosts.filter(|host| seen.insert(host.clone())).collect()
}

pub(super) fn methods(file: &Optional<Vec<At<Parsed<Method>>>>, problems: &mut Problems<'_>) -> Vec<Method> {
    let Some(listed) = file.as_ref() else { return Vec::new() };
    if listed.is_empty() {
        problems
            .error(listed.position, "`methods` is an empty list")
            .help("leave it out to admit every method");
    }
    let mut seen = HashSet::new();
    let methods = problems.read_all(listed).into_iter().map(|method| method.value);
    methods.filter(|method| seen.insert(method.clone())).collect()
}

fn cors(file: &Optional<Parsed<file::Cors>>, facts: RouteFacts<'_>, problems: &mut Problems<'_>) -> Cors {
    let Some(at) = file.as_ref() else { return Cors::default() };
    let written = problems.borrow(at);
    written.map_or_else(Cors::default, |written| cors::resolve(written, at.position, facts, problems))
}

fn headers(file: &Optional<Parsed<file::Headers>>, problems: &mut Problems<'_>) -> Headers {
    let mut headers =
        Headers { profile: crate::HeaderProfile::default(), content_security_policy: None, set: Vec::new() };
    let Some(written) = file.as_ref().and_then(|at| problems.borrow(at)) else { return headers };
    headers.profile = written.profile.get().unwrap_or_default();
    if let Some(csp) = problems.read_optional(&written.csp) {
        headers.content_security_policy = csp.to_str().ok().map(Arc::from);
    }
    let mut seen: HashSet<HeaderName> = HashSet::new();
    for (name, value) in written.set.iter().flat_map(|set| &set.value.0) {
        let (Some(read), Some(value)) = (problems.read(name), problems.read(value)) else { continue };
        if seen.insert(read.clone()) {
            headers.set.push((read, value));
        } else {
            problems
                .error(name.position, format!("`{read}` is set twice"))
                .help("upper and lower case mean the same");
        }
    }
    headers
}

fn body(file: &Optional<Parsed<file::Body>>, problems: &mut Problems<'_>) -> (BodyPolicy, u64) {
    let default = (BodyPolicy::Hold { limit: HOLD }, MAX_BODY);
    let Some(written) = file.as_ref().and_then(|at| problems.borrow(at)) else { return default };
    let max = problems.size("max", &written.max, MAX_BODY);
    let limit = problems.memory("hold", &written.hold, MOST_HELD, HOLD);
    let policy = written.policy.get().unwrap_or_default();
    if let Some(hold) = written.hold.as_ref().filter(|hold| hold.is_valid()) {
        if policy == BodyPolicyName::Stream {
            problems
                .error(hold.position, "`hold` has no meaning when bodies are streamed")
                .help("leave it out");
        } else if u64::try_from(limit).is_ok_and(|limit| limit > max && limit <= u64::from(MOST_HELD)) {
            let message = format!("`hold` is {limit} bytes, more than the largest body ({max} bytes)");
            problems.error(hold.position, message).help("raise `max` or lower `hold`");
        }
    }
    let policy = match policy {
        BodyPolicyName::Stream => BodyPolicy::Stream,
        BodyPolicyName::Hold => BodyPolicy::Hold { limit },
        BodyPolicyName::Refuse => BodyPolicy::Refuse { limit },
    };
    (policy, max)
}

/// Whoever writes both may not know that one takes half of the other away.
fn warn_of_unseen_bodies(file: &file::Route, waf: Option<&Waf>, problems: &mut Problems<'_>) {
    let Some((body, _)) = file.body.as_ref().zip(waf) else { return };
    let policy = body.value.0.as_ref().ok().and_then(|body| body.policy.get());
    if policy == Some(BodyPolicyName::Stream) {
        problems
            .warning(body.position, "the firewall sees only the heads of these requests: bodies are streamed")
            .help("let the body be held (`hold` or `refuse`), or write `waf: off`");
    }
}

/// Whoever serves gRPC does not expect that calls are held to their end. That a route does is told by its path:
/// `/package.Service/Method`.
fn warn_of_held_calls(
    path: &PathPattern,
    protocol: Option<Protocol>,
    position: Position,
    problems: &mut Problems<'_>,
) {
    let is_service = |name: &str| {
        name.rsplit_once('.')
            .is_some_and(|(_, service)| service.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    let Some(Segment::Literal(name)) = path.segments().first() else { return };
    if protocol == Some(Protocol::Auto) && is_service(name) {
        problems
            .warning(position, "the firewall holds each of these calls until its end: none of them can stream")
            .help("give the upstream a name and say `protocol: http2` of it, which streams gRPC past the firewall");
    }
}

/// Whoever writes how long a body may be does not expect that the firewall refuses shorter ones.
fn warn_of_refused_bodies(file: &file::Route, waf: Option<&Waf>, problems: &mut Problems<'_>) {
    let refusing = waf.filter(|waf| waf.mode == WafMode::Block && waf.on_large_body == OnLargeBody::Refuse);
    let body = file.body.as_ref().and_then(|body| body.value.0.as_ref().ok());
    let (Some(waf), Some(body)) = (refusing, body) else { return };
    if body.policy.get() == Some(BodyPolicyName::Stream) {
        return;
    }
    let Some(max) = body.max.as_ref().filter(|max| max.is_valid()) else { return };
    let (longest, looked_at) = (problems.size("max", &body.max, MAX_BODY), waf.max_body);
    if u64::try_from(looked_at).is_ok_and(|looked_at| looked_at < longest) {
        problems
            .warning(
                max.position,
                format!(
                    "the firewall refuses bodies of more than {looked_at} bytes (413): it looks at no more"
                ),
            )
            .help(
                "raise `max_body` of `waf`, or let it look at their front: `on_large_body: inspect_prefix`",
            );
    }
}

/// A signature over the content can be checked only once all of it is here, and nothing may have been forwarded then.
fn refuse_unproven_bodies(
    file: &file::Route,
    authentication: Option<&Authentication>,
    signed: &[SignatureComponent],
    providers: &Providers,
    problems: &mut Problems<'_>,
) {
    let Some(body) = file.body.as_ref() else { return };
    let policy = body.value.0.as_ref().ok().and_then(|body| body.policy.get());
    if policy != Some(BodyPolicyName::Stream) {
        return;
    }
    let proving = authentication.and_then(|authentication| providers.proving_content(authentication));
    let by_route = signed.contains(&SignatureComponent::CONTENT_DIGEST).then_some("`signed`".to_owned());
    if let Some(who) = proving.map(|name| format!("`{name}`")).or(by_route) {
        let message =
            format!("{who} demands that the content is signed, and a streamed body cannot be checked");
        problems
            .error(body.position, message)
            .help("let the body be held (`hold` or `refuse`), or leave `content-digest` out");
    }
}

fn strip_prefix(
    file: &Optional<Parsed<PathPattern>>,
    path: Option<&PathPattern>,
    problems: &mut Problems<'_>,
) -> Option<PathPattern> {
    let prefix = problems.read_optional(file)?;
    let literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
    if prefix.segments().is_empty() || !prefix.segments().iter().all(literal) {
        problems
            .error(prefix.position, format!("`{}`: a prefix is made of plain segments", prefix.as_str()))
            .help("write for example `/api`");
    } else if path.is_some_and(|path| !path.segments().starts_with(prefix.segments())) {
        let message = format!("`{}` is not the start of the route's path", prefix.as_str());
        problems.error(prefix.position, message);
    }
    Some(prefix.value)
}

fn upgrade(file: &Optional<Vec<At<Parsed<String>>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(listed) = file.as_ref() else { return vec!["websocket".into()] };
    let mut protocols = Vec::new();
    for protocol in problems.read_all(listed) {
        let name = protocol.value.to_ascii_lowercase();
        // A token (RFC 9110, section 5.6.2) that may carry a version (`name/1.0`).
        let is_token =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte));
        if !is_token {
            problems
                .error(protocol.position, format!("`{}` is not a protocol", protocol.value))
                .help("write for example `websocket`");
        } else if matches!(name.as_str(), "h2c" | "h2" | "tls" | "http") || name.starts_with("http/") {
            let message =
                format!("`{}`: an upgrade to another HTTP would go round every check", protocol.value);
            problems.error(protocol.position, message);
        } else if !protocols.contains(&name) {
            protocols.push(name);
        }
    }
    protocols
}

fn timeouts(file: &Optional<file::RouteTimeouts>, problems: &mut Problems<'_>) -> RouteTimeouts {
    let Some(written) = file.as_ref() else { return RouteTimeouts { response: RESPONSE, idle: IDLE } };
    RouteTimeouts {
        response: problems.duration("response", &written.response, RESPONSE),
        idle: problems.duration("idle", &written.idle, IDLE),
    }
}
