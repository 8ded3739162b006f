//! The routes that lead to the endpoints of accounts, each behind a limit of what it does.

use std::time::Duration;

use bartizan_model::{Line, Name};
use http::Method;

use super::pages::{self, Pages};
use crate::{
    Accounts, Authentication, BodyPolicy, Cors, Costs, Destination, HeaderProfile, Headers, MultiFactor,
    PathPattern, Requirements, Route, RoutePolicy, RouteTimeouts, Tokens, file,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    resolve::{limits::LimitedRoute, overlap::Overlaps, routes::Named},
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
    (accounts, tokens, pages): (&Accounts, Option<&Tokens>, &Pages),
    file: &At<file::Accounts>,
    overlaps: &mut Overlaps,
    named: &mut Named<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Route> {
    let prefix: Option<PathPattern> = accounts.prefix.parse().ok();
    let mut routes = Vec::new();
    for place in places((accounts, tokens, pages), file, problems) {
        // A prefix with a problem of its own has been told already.
        let Ok(path) = place.path.parse::<PathPattern>() else { continue };
        overlaps.claim(&path, &[], &place.methods, file.position, problems);
        let strip_prefix = prefix.clone().filter(|_| place.is_under_prefix);
        routes.push(route(place, path, (file, strip_prefix), named, problems));
    }
    routes
}

fn places<'a>(
    (accounts, tokens, pages): (&Accounts, Option<&Tokens>, &Pages),
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
    let others = of(|limits| &limits.others, "account");
    // Whoever has limited `tokens` has not left a door beside it open.
    let tokens_limit = of(|limits| &limits.tokens, "token");
    let metadata = first_named(of(|limits| &limits.metadata, "metadata"), tokens_limit);
    let mut places = Vec::new();
    let (post, by_cookie) = (|| vec![Method::POST], || pages.cors.clone());
    places.push(place(under(LOGIN), post(), of(|limits| &limits.login, "login"), by_cookie()));
    places.extend(SECRETS.map(|name| place(under(name), post(), secrets, by_cookie())));
    let first = vec![Method::GET, Method::POST];
    places.push(place(under(FIRST_ADMINISTRATOR), first, secrets, Cors::SameOrigin));
    places.extend(KEYS.map(|name| place(under(name), Vec::new(), keys, by_cookie())));
    places.extend(ROLES.map(|name| place(under(name), Vec::new(), roles, by_cookie())));
    if tokens.is_some() {
        let for_tokens = pages::of_tokens(file, problems);
        for (name, methods, is_for_pages) in TOKENS {
            let cors = if is_for_pages { for_tokens.clone() } else { Cors::SameOrigin };
            let limit = match name {
                "refresh" => first_named(of(|limits| &limits.refresh, "refresh"), tokens_limit),
                "service" => first_named(of(|limits| &limits.service, "api-burst"), tokens_limit),
                "introspect" => {
                    first_named(of(|limits| &limits.introspection, "introspection"), tokens_limit)
                }
                "jwks" => metadata,
                _ => tokens_limit,
            };
            places.push(place(under(name), methods.to_vec(), limit, cors));
        }
        for path in WELL_KNOWN {
            let described = place(path.to_owned(), vec![Method::GET], metadata, for_tokens.clone());
            places.push(Place { is_under_prefix: false, ..described });
        }
    }
    places.push(place(under("**"), Vec::new(), others, by_cookie()));
    places
}

/// A limit and the preset that is meant without one.
type Limit<'a> = (Option<&'a Optional<Parsed<OneOrMany<Name>>>>, &'static str);

/// The first that the document names; the preset of the first where it names none.
fn first_named<'a>(own: Limit<'a>, other: Limit<'a>) -> Limit<'a> {
    let is_named = |(limit, _): Limit<'a>| limit.is_some_and(|limit| limit.is_some());
    if !is_named(own) && is_named(other) { other } else { own }
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
