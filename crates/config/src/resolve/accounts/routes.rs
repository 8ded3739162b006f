//! The routes that lead to the endpoints of accounts, each behind a limit of what it does.

use std::time::Duration;

use bartizan_model::{Line, Name};
use http::{HeaderName, Method, header};

use crate::{
    Accounts, Authentication, BodyPolicy, Cors, Costs, Destination, HeaderProfile, Headers, MultiFactor,
    PathPattern, Requirements, Route, RoutePolicy, RouteTimeouts, Tokens, file,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    resolve::{cors, limits::LimitedRoute, overlap::Overlaps, routes::Named},
};

/// The largest body of the endpoints.
const BODY: usize = 16 * 1024;
/// Where clients learn about the tokens (RFC 8414, RFC 9728, `OpenID` Connect Discovery 1.0).
const WELL_KNOWN: [&str; 3] = [
    "/.well-known/oauth-authorization-server/**",
    "/.well-known/oauth-protected-resource/**",
    "/.well-known/openid-configuration",
];
/// Where passwords are tried.
const LOGIN: &str = "login";
/// Where another secret is tried or chosen, or a message sent.
const SECRETS: [&str; 19] = [
    "login/factor",
    "login/factor/passkey/confirm",
    "login/code",
    "login/sms",
    "login/passkey/confirm",
    "password",
    "password/forgotten",
    "password/reset",
    "sign-up",
    "verify-email",
    "email",
    "invitations/accept",
    "step-up",
    "step-up/code",
    "step-up/sms",
    "step-up/passkey/confirm",
    "factors/email",
    "factors/passkey/confirm",
    "factors/sms",
];
/// Where the first administrator is made, with a page for it.
const FIRST_ADMINISTRATOR: &str = "first-administrator";
/// Where clients ask for tokens, and about them; what pages of other origins may reach is told by `cors`.
const TOKENS: [(&str, &[Method], bool); 7] = [
    ("token", &[Method::POST], true),
    ("refresh", &[Method::POST], true),
    ("service", &[Method::POST], true),
    ("userinfo", &[Method::GET, Method::POST], true),
    ("revoke", &[Method::POST], true),
    ("introspect", &[Method::POST], false),
    ("jwks", &[Method::GET], true),
];
/// Where API keys and services are made.
const KEYS: [&str; 3] = ["keys/**", "organization/keys/**", "organization/services/**"];
/// Where it is said who may do what.
const ROLES: [&str; 3] = ["roles/**", "bindings/**", "invitations/**"];
/// Carries a proof, and the nonce for the next one (RFC 9449).
const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A place with endpoints, before it is a route.
struct Place<'a> {
    path: String,
    methods: Vec<Method>,
    limit: Option<&'a Optional<Parsed<OneOrMany<Name>>>>,
    /// What is meant where the document says nothing.
    preset: &'static str,
    cors: Cors,
    is_under_prefix: bool,
}

/// The routes that lead to the endpoints of accounts.
pub(in crate::resolve) fn routes(
    (accounts, tokens): (&Accounts, Option<&Tokens>),
    file: &At<file::Accounts>,
    overlaps: &mut Overlaps,
    named: &mut Named<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Route> {
    let prefix: Option<PathPattern> = accounts.prefix.parse().ok();
    let mut routes = Vec::new();
    for place in places(accounts, tokens, file, problems) {
        // A prefix with a problem of its own has been told already.
        let Ok(path) = place.path.parse::<PathPattern>() else { continue };
        overlaps.claim(&path, &[], &place.methods, file.position, problems);
        let strip_prefix = prefix.clone().filter(|_| place.is_under_prefix);
        routes.push(route(place, path, (file, strip_prefix), named, problems));
    }
    routes
}

fn places<'a>(
    accounts: &Accounts,
    tokens: Option<&Tokens>,
    file: &'a At<file::Accounts>,
    problems: &mut Problems<'_>,
) -> Vec<Place<'a>> {
    let limits = file.limits.as_ref();
    let under = |name: &str| format!("{}/{name}", accounts.prefix);
    let place = |path, methods, (limit, preset), cors| Place {
        path,
        methods,
        limit,
        preset,
        cors,
        is_under_prefix: true,
    };
    let of = |choose: fn(&file::EndpointLimits) -> &Optional<Parsed<OneOrMany<Name>>>, preset| {
        (limits.map(|at| choose(&at.value)), preset)
    };
    let (secrets, keys, roles) = (
        of(|limits| &limits.login, "auth"),
        of(|limits| &limits.keys, "admin"),
        of(|limits| &limits.roles, "admin"),
    );
    let (tokens_limit, others) = (of(|limits| &limits.tokens, "api"), of(|limits| &limits.others, "api"));
    let mut places = Vec::new();
    let post = || vec![Method::POST];
    places.push(place(under(LOGIN), post(), of(|limits| &limits.login, "login"), Cors::SameOrigin));
    places.extend(SECRETS.map(|name| place(under(name), post(), secrets, Cors::SameOrigin)));
    let first = vec![Method::GET, Method::POST];
    places.push(place(under(FIRST_ADMINISTRATOR), first, secrets, Cors::SameOrigin));
    places.extend(KEYS.map(|name| place(under(name), Vec::new(), keys, Cors::SameOrigin)));
    places.extend(ROLES.map(|name| place(under(name), Vec::new(), roles, Cors::SameOrigin)));
    if tokens.is_some() {
        let pages = pages(file, problems);
        for (name, methods, is_for_pages) in TOKENS {
            let cors = if is_for_pages { pages.clone() } else { Cors::SameOrigin };
            // Whoever has limited `tokens` has not left a door beside it open.
            let limit = match name {
                "refresh" => first_named(of(|limits| &limits.refresh, "refresh"), tokens_limit),
                "service" => first_named(of(|limits| &limits.service, "api-burst"), tokens_limit),
                _ => tokens_limit,
            };
            places.push(place(under(name), methods.to_vec(), limit, cors));
        }
        for path in WELL_KNOWN {
            let described = place(path.to_owned(), vec![Method::GET], tokens_limit, pages.clone());
            places.push(Place { is_under_prefix: false, ..described });
        }
    }
    places.push(place(under("**"), Vec::new(), others, Cors::SameOrigin));
    places
}

/// A limit and the preset that is meant without one.
type Limit<'a> = (Option<&'a Optional<Parsed<OneOrMany<Name>>>>, &'static str);

/// The first that the document names; the preset of the first where it names none.
fn first_named<'a>(own: Limit<'a>, other: Limit<'a>) -> Limit<'a> {
    let is_named = |(limit, _): Limit<'a>| limit.is_some_and(|limit| limit.is_some());
    if !is_named(own) && is_named(other) { other } else { own }
}

/// What pages of other origins may ask: never with cookies, for none counts there.
fn pages(file: &At<file::Accounts>, problems: &mut Problems<'_>) -> Cors {
    let Some(at) = file.tokens.as_ref().and_then(|tokens| tokens.cors.as_ref()) else {
        return Cors::SameOrigin;
    };
    let Some(written) = problems.borrow(at) else { return Cors::SameOrigin };
    let facts = cors::RouteFacts {
        methods: &[Method::GET, Method::POST],
        credentials: vec![header::AUTHORIZATION, DPOP],
        is_limited: true,
    };
    match cors::resolve(written, at.position, facts, problems) {
        Cors::Allow { origins, methods, headers, mut expose, max_age, .. } => {
            expose.push(DPOP_NONCE);
            Cors::Allow { origins, methods, headers, expose, credentials: false, max_age }
        }
        Cors::SameOrigin => Cors::SameOrigin,
    }
}

fn route(
    place: Place<'_>,
    path: PathPattern,
    (file, strip_prefix): (&At<file::Accounts>, Option<PathPattern>),
    Named { providers, policies, firewalls, .. }: &mut Named<'_, '_>,
    problems: &mut Problems<'_>,
) -> Route {
    let limited = LimitedRoute {
        path: &path,
        methods: &place.methods,
        authentication: Some(&Authentication::Public),
        authentication_line: Line::NONE,
    };
    let preset: Option<Name> = place.preset.parse().ok();
    let preset = preset.map(|name| Optional::unplaced(Parsed(Ok(OneOrMany::One(name))))).unwrap_or_default();
    let limit = place.limit.filter(|limit| limit.is_some()).unwrap_or(&preset);
    let limits = policies.of_route(limit, &limited, providers, problems);
    let line = file.position.line();
    Route {
        line,
        hosts: Vec::new(),
        methods: place.methods,
        destination: Destination::Accounts,
        strip_prefix,
        preserve_host: true,
        authentication: Authentication::Public,
        authentication_line: Line::NONE,
        require: Requirements::Nothing,
        require_line: Line::NONE,
        multi_factor: MultiFactor::Off,
        signed: Vec::new(),
        zone: None,
        policy: RoutePolicy { line, ..RoutePolicy::default() },
        limits,
        costs: Costs::default(),
        cors: place.cors,
        headers: Headers { profile: HeaderProfile::Api, content_security_policy: None, set: Vec::new() },
        body: BodyPolicy::Refuse { limit: BODY },
        max_body: BODY as u64,
        waf: firewalls.of_route(&Optional::default(), BODY as u64, problems),
        upgrade: Vec::new(),
        timeouts: RouteTimeouts { response: Duration::from_mins(1), idle: Duration::from_mins(5) },
        path,
    }
}
