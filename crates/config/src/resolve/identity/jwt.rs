//! `jwt:`: issuer, keys and algorithms.
//!
//! Public keys and shared secrets never mix: a provider that knows public keys accepts no HMAC algorithm, or
//! anybody could sign with the published key (RFC 8725, section 2.1).

use std::{path::PathBuf, time::Duration};

use bartizan_model::{CallerType, Zone};
use http::header;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Algorithm, ClaimNames, ClaimSource, JwtKeys, JwtProvider,
    file::{Claims, Jwt, TokenPrincipal},
    forms::{Forms, OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    resolve::{files::Files, identity::writable::Writable, tokens},
    word::Url,
};

const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const TYPES: [&str; 2] = ["JWT", "at+jwt"];
const LEEWAY: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_mins(10);
const MAX_TOKEN: usize = 8192;
/// The largest token that can be allowed: it travels in a header.
const MOST_TOKEN: u32 = 1024 * 1024;

pub(crate) fn resolve(file: &Jwt, files: &mut Files<'_>, problems: &mut Problems<'_>) -> Option<JwtProvider> {
    let issuer = problems.read(&file.issuer);
    let audiences = texts(&file.audience, problems);
    if audiences.is_empty() && file.audience.is_valid() {
        problems.error(file.audience.position, "`audience` names nobody: no token would be accepted");
    }
    let algorithms = algorithms(file, problems);
    let keys = keys(file, &algorithms, files, problems);
    let max_bytes = problems.memory("max_bytes", &file.max_bytes, MOST_TOKEN, MAX_TOKEN);
    let (leeway, header) =
        (problems.read_or(&file.leeway, LEEWAY), problems.read_or(&file.header, header::AUTHORIZATION));
    let claims =
        file.claims.as_ref().map_or_else(ClaimNames::default, |claims| self::claims(claims, problems));
    let types = types(file, problems);
    let dpop = tokens::dpop(&file.dpop, problems);
    let principal = match file.principal.get() {
        Some(TokenPrincipal::Service) => CallerType::Service,
        Some(TokenPrincipal::User) | None => CallerType::User,
    };
    let zone = problems.read_or(&file.zone, Zone::default());
    Some(JwtProvider {
        issuer: issuer?,
        audiences,
        keys: keys?,
        algorithms,
        types,
        leeway,
        max_bytes,
        header,
        claims,
        principal,
        zone,
        service_zone: zone,
        dpop,
    })
}

fn types(file: &Jwt, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(types) = file.types.as_ref() else { return TYPES.map(String::from).into() };
    if types.is_empty() {
        problems.error(types.position, "`types` is empty: no token would be accepted");
    }
    let without_prefix = |text: String| text.strip_prefix("application/").map_or(text.clone(), String::from);
    problems.read_all(types).into_iter().map(|text| without_prefix(text.value)).collect()
}

fn algorithms(file: &Jwt, problems: &mut Problems<'_>) -> Vec<Algorithm> {
    let shared = file.secret.is_some();
    let Some(listed) = file.algorithms.as_ref() else {
        return if shared { vec![Algorithm::HS256] } else { ASYMMETRIC.into() };
    };
    if listed.is_empty() {
        problems.error(listed.position, "`algorithms` is empty: no token would be accepted");
    }
    for algorithm in &listed.value {
        match (shared, secret_bytes(algorithm.value)) {
            (false, Some(_)) => problems
                .error(
                    algorithm.position,
                    format!("`{:?}` uses a shared secret, and `jwks` holds public keys", algorithm.value),
                )
                .help("anybody could sign with a public key: leave it out"),
            (true, None) => problems
                .error(
                    algorithm.position,
                    format!("`{:?}` uses a public key, and there is a `secret`", algorithm.value),
                )
                .help("write `HS256`, `HS384` or `HS512`, or `jwks` in the place of `secret`"),
            _ => {}
        }
    }
    let mut algorithms: Vec<Algorithm> = listed.iter().map(|algorithm| algorithm.value).collect();
    let mut seen = std::collections::HashSet::new();
    algorithms.retain(|algorithm| seen.insert(*algorithm));
    algorithms
}

/// The shortest secret of an HMAC algorithm (RFC 7518, section 3.2).
const fn secret_bytes(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::HS256 => Some(32),
        Algorithm::HS384 => Some(48),
        Algorithm::HS512 => Some(64),
        _ => None,
    }
}

fn keys(
    file: &Jwt,
    algorithms: &[Algorithm],
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<JwtKeys> {
    match (file.jwks.as_ref(), file.secret.as_ref()) {
        (Some(_), Some(secret)) => {
            problems
                .error(secret.position, "`secret` and `jwks` exclude each other")
                .help("keep one of the two");
            None
        }
        (None, None) => {
            problems
                .error(file.issuer.position, "this provider has no keys")
                .help("add `jwks` (a URL or a file), or `secret: ${JWT_SECRET}`");
            None
        }
        (Some(_), None) => jwks(file, files, problems),
        (None, Some(_)) => {
            fetch_keys_only(file, "a `secret`", problems);
            let secret = problems.read_optional(&file.secret)?;
            check_secret(&secret.with(secret.value.0.clone()), algorithms, problems);
            Some(JwtKeys::Secret(secret.value.0))
        }
    }
}

fn check_secret(secret: &At<SecretString>, algorithms: &[Algorithm], problems: &mut Problems<'_>) {
    let longest = algorithms
        .iter()
        .filter_map(|&algorithm| Some((secret_bytes(algorithm)?, algorithm)))
        .max_by_key(|(bytes, _)| *bytes);
    let (needed, algorithm) = longest.unwrap_or((32, Algorithm::HS256));
    let bytes = secret.expose_secret().len();
    if bytes < needed {
        let message = format!("the secret is {bytes} bytes long, and {algorithm:?} needs at least {needed}");
        problems.error(secret.position, message).help("make one with `openssl rand -base64 48`");
    }
    if !problems.line(secret.position).contains("${") {
        problems
            .warning(secret.position, "whoever reads this document knows the secret")
            .help("take it from the environment: `secret: ${JWT_SECRET}`");
    }
}

fn jwks(file: &Jwt, files: &mut Files<'_>, problems: &mut Problems<'_>) -> Option<JwtKeys> {
    let at = problems.read_optional(&file.jwks)?;
    if !at.contains("://") {
        fetch_keys_only(file, "a file", problems);
        return Some(JwtKeys::JwksFile(files.public(&at.with(PathBuf::from(&at.value)), problems)));
    }
    let ca = files.optional(&file.ca, problems);
    let refresh = problems.duration("refresh", &file.refresh, REFRESH);
    match Url::word(&at.value) {
        Ok(url) if !url.target.tls && !url.is_loopback() => {
            problems
                .error(
                    at.position,
                    format!("`{}`: keys that travel in clear can be replaced on the way", url.text),
                )
                .help("use `https:`; `http:` is for loopback addresses");
            None
        }
        Ok(url) => Some(JwtKeys::JwksUrl { url: url.text, ca, refresh }),
        Err(message) => {
            problems.error(at.position, message);
            None
        }
    }
}

/// `ca` and `refresh` belong to a key set that is fetched.
fn fetch_keys_only(file: &Jwt, keys: &str, problems: &mut Problems<'_>) {
    let ca = file.ca.as_ref().map(|at| ("ca", at.position));
    let refresh = file.refresh.as_ref().map(|at| ("refresh", at.position));
    for (key, position) in [ca, refresh].into_iter().flatten() {
        let message = format!("`{key}` is about fetching keys, and they come from {keys}");
        problems.error(position, message).help("leave it out");
    }
}

fn claims(file: &Claims, problems: &mut Problems<'_>) -> ClaimNames {
    let default = ClaimNames::default();
    let writable = Writable::read(&file.user_writable, problems);
    let mut read = |at: &Optional<Parsed<ClaimSource>>, default: ClaimSource| {
        let claim = problems.read_optional(at);
        let position = claim.as_ref().map(|at| at.position);
        let source = claim.map_or(default, |at| at.value);
        writable.refuse(position, std::slice::from_ref(&source), problems);
        source
    };
    let (subject, roles) = (read(&file.subject, default.subject), read(&file.roles, default.roles));
    let organization = read(&file.organization, default.organization);
    let permissions = file.permissions.as_ref().map_or(default.permissions, |at| sources(at, problems));
    writable.refuse(file.permissions.as_ref().map(|at| at.position), &permissions, problems);
    ClaimNames { subject, permissions, roles, organization }
}

fn sources(at: &At<Parsed<OneOrMany<ClaimSource>>>, problems: &mut Problems<'_>) -> Vec<ClaimSource> {
    let Some(sources) = problems.read(at) else { return Vec::new() };
    problems.read_all(&at.with(sources).all()).into_iter().map(|source| source.value).collect()
}

fn texts(at: &At<Parsed<OneOrMany<String>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(texts) = problems.read(at) else { return Vec::new() };
    problems.read_all(&at.with(texts).all()).into_iter().map(|text| text.value).collect()
}
