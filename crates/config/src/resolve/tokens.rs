//! `accounts.tokens:`, and the entries of `identity` that accept these tokens.

use std::time::Duration;

use http::Uri;
use secrecy::ExposeSecret;

use super::rotated;
use crate::{
    Algorithm, ClaimNames, Dpop, JwtKeys, JwtProvider, LONGEST_ACCESS_TOKEN, Origin, TokenClient, Tokens,
    file::{self, Document, TokenAlgorithm},
    forms::{Forms, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    word::Url,
};

const DAY: Duration = Duration::from_hours(24);
const LEAST_STALE: Duration = Duration::from_secs(5);
const LONGEST_GRACE: Duration = Duration::from_mins(1);
const LONGEST_PROOF: Duration = Duration::from_mins(10);
/// The most proofs of a key: as many as are remembered in all.
const MOST_PROOFS: usize = 1_000_000;
const SECRET_BYTES: usize = 32;
/// What own tokens may be signed with, whatever signs new ones: older keys stay for a while.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256];

/// `prefix`: where the endpoints of accounts are.
pub(crate) fn tokens(document: &Document, prefix: &str, problems: &mut Problems<'_>) -> Option<Tokens> {
    let file = document.accounts.as_ref()?.tokens.as_ref()?;
    let issuer = issuer(&file.issuer, prefix, problems);
    let secrets = rotated::secrets(&file.secret, problems);
    for secret in &secrets {
        check_secret(secret.position, secret.0.expose_secret().len(), problems);
    }
    let mut secrets = secrets.into_iter().map(|secret| secret.value.0);
    let secret = secrets.next();
    let resources = resources(file, issuer.as_deref(), problems);
    let access = bounded("access", &file.access, Duration::from_mins(15), LONGEST_ACCESS_TOKEN, problems);
    let refresh = problems.duration("refresh", &file.refresh, 7 * DAY);
    let absolute = problems.duration("absolute", &file.absolute, (30 * DAY).max(refresh));
    if let Some(at) = file.absolute.as_ref().filter(|_| absolute < refresh) {
        problems.error(at.position, "`absolute` is shorter than `refresh`");
    }
    let rotate_keys = problems.duration("rotate_keys", &file.rotate_keys, 30 * DAY);
    if let Some(at) = file.rotate_keys.as_ref().filter(|_| rotate_keys < DAY) {
        problems.error(
            at.position,
            "`rotate_keys` is less than a day: those who cache the keys would not follow",
        );
    }
    let at_most = problems.read_optional(&file.at_most);
    if let Some(at) = at_most.as_ref().filter(|at| at.value.get() > 1000) {
        problems.error(at.position, "`at_most` is 1 to 1000");
    }
    let grace = bounded("grace", &file.grace, Duration::from_secs(10), LONGEST_GRACE, problems);
    let login_page = problems.read_optional(&file.login_page).map(|url| url.value.text);
    Some(Tokens {
        endpoints: format!("{}{prefix}", origin(issuer.as_deref()?, prefix)),
        issuer: issuer?,
        secret: secret?,
        earlier_secrets: secrets.collect(),
        algorithm: file.algorithm.get().map_or(Algorithm::EdDSA, algorithm),
        resource_algorithms: resource_algorithms(file, &resources, problems),
        resources,
        access,
        refresh,
        absolute,
        grace,
        at_most: at_most.map_or(5, |at| at.value.get()),
        stale_after: stale_after(file, problems),
        rotate_keys,
        login_page,
        dpop_nonce: problems.read_or(&file.dpop_nonce, false),
        clients: clients(file, problems),
    })
}

/// Less would refuse tokens for one look that is late.
fn stale_after(file: &file::Tokens, problems: &mut Problems<'_>) -> Duration {
    let default = Duration::from_secs(30);
    let stale_after = bounded("stale_after", &file.stale_after, default, LONGEST_ACCESS_TOKEN, problems);
    if let Some(at) = file.stale_after.as_ref().filter(|_| stale_after < LEAST_STALE) {
        problems.error(at.position, format!("`stale_after` is at least {} s", LEAST_STALE.as_secs()));
    }
    stale_after
}

fn issuer(at: &At<Parsed<Url>>, prefix: &str, problems: &mut Problems<'_>) -> Option<String> {
    let url = problems.read(at)?;
    if !url.target.tls && !url.is_loopback() {
        problems
            .error(at.position, format!("`{}`: tokens would travel in clear", url.text))
            .help("use `https:`; `http:` is for loopback addresses");
    }
    let has_slash = url.text.ends_with('/') || url.text.contains('?');
    let path = if url.path == "/" { "" } else { url.path.as_str() };
    if has_slash || (!path.is_empty() && path != prefix) {
        problems.error(at.position, format!("`{}` is not where the endpoints are", url.text)).hint(format!(
            "write the origin alone, without a slash at the end, or with `{prefix}` behind it"
        ));
    }
    Some(url.text)
}

/// The issuer without the prefix of accounts.
fn origin<'i>(issuer: &'i str, prefix: &str) -> &'i str {
    issuer.strip_suffix(prefix).unwrap_or(issuer)
}

fn check_secret(position: Position, bytes: usize, problems: &mut Problems<'_>) {
    if bytes < SECRET_BYTES {
        problems
            .error(
                position,
                format!("the secret is {bytes} bytes long, and at least {SECRET_BYTES} are needed"),
            )
            .help("make one with `openssl rand -base64 48`");
    }
    if !problems.line(position).contains("${") {
        problems
            .warning(position, "whoever reads this document knows the secret")
            .help("take it from the environment: `secret: ${TOKEN_SECRET}`");
    }
}

fn resources(file: &file::Tokens, issuer: Option<&str>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(written) = file.resources.as_ref() else {
        return issuer.map(str::to_owned).into_iter().collect();
    };
    if written.is_empty() {
        problems.error(written.position, "`resources` is empty: tokens would be for nothing");
    }
    problems.read_all(written).into_iter().map(|url| url.value.text).collect()
}

const fn algorithm(written: TokenAlgorithm) -> Algorithm {
    match written {
        TokenAlgorithm::EdDSA => Algorithm::EdDSA,
        TokenAlgorithm::ES256 => Algorithm::ES256,
        TokenAlgorithm::RS256 => Algorithm::RS256,
    }
}

fn resource_algorithms(
    file: &file::Tokens,
    resources: &[String],
    problems: &mut Problems<'_>,
) -> Vec<(String, Algorithm)> {
    let mut algorithms = Vec::new();
    for (key, written) in file.resource_algorithms.iter().flat_map(|entries| &entries.value.0) {
        let Some(url) = problems.read(key) else { continue };
        if !resources.contains(&url.text) {
            problems
                .error(key.position, format!("no token is for `{}`", url.text))
                .help("name it under `resources`, too");
        }
        algorithms.push((url.text, algorithm(written.value)));
    }
    algorithms
}

fn clients(file: &file::Tokens, problems: &mut Problems<'_>) -> Vec<TokenClient> {
    let mut clients = Vec::new();
    for (key, entry) in file.clients.iter().flat_map(|clients| &clients.value.0) {
        let client = &entry.value;
        let uris = client.redirect_uris.as_ref().map(|uris| problems.read_all(uris)).unwrap_or_default();
        let after_logout = client.post_logout_redirect_uris.as_ref();
        let after_logout = after_logout.map(|uris| problems.read_all(uris)).unwrap_or_default();
        for uri in uris.iter().chain(&after_logout) {
            check_redirect_uri(uri, problems);
        }
        let secret = problems.read_optional(&client.secret).map(|hash| hash.value.0);
        let scopes = client.scopes.as_ref().map(|scopes| problems.read_all(scopes)).unwrap_or_default();
        let permissions = client.permissions.as_ref().map(|list| problems.read_all(list)).unwrap_or_default();
        let exchange = problems.read_or(&client.exchange, false);
        if secret.is_none() && (exchange || !permissions.is_empty()) {
            problems
                .error(key.position, "without a `secret` anybody could do this in the name of the client")
                .help("add `secret: \"sha256:...\"`, or leave out `permissions` and `exchange`");
        }
        let dpop = problems.read_or(&client.dpop, false);
        let certificate_bound = problems.read_or(&client.certificate_bound, false);
        if uris.is_empty() && secret.is_none() {
            problems
                .warning(
                    key.position,
                    "this client can do nothing: it has neither `redirect_uris` nor a `secret`",
                )
                .help("add `redirect_uris: [\"https://app.shop.test/callback\"]`");
        }
        let Some(id) = problems.read(key) else { continue };
        clients.push(TokenClient {
            id,
            secret,
            redirect_uris: uris.into_iter().map(|uri| uri.value).collect(),
            post_logout_redirect_uris: after_logout.into_iter().map(|uri| uri.value).collect(),
            scopes: scopes.into_iter().map(|scope| scope.value).collect(),
            permissions: permissions.into_iter().map(|grant| grant.value).collect(),
            algorithm: client.algorithm.get().map(algorithm),
            exchange,
            dpop,
            certificate_bound,
        });
    }
    clients
}

/// RFC 9700, section 2.1, and RFC 8252, section 7.
fn check_redirect_uri(uri: &At<String>, problems: &mut Problems<'_>) {
    let scheme = uri.value.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
    let is_safe = match scheme.as_str() {
        "https" | "http" => Url::word(&uri.value).is_ok_and(|url| url.target.tls || url.is_loopback()),
        own => own.contains('.') && uri.value.parse::<Uri>().is_ok() && !uri.value.contains('#'),
    };
    if !is_safe {
        problems
            .error(uri.position, format!("`{}`: nobody can be sent back here safely", uri.value))
            .help("write an `https:` URL without `#`, `http:` on loopback, or a scheme of your own such as `test.shop.app:/callback`");
    }
}

/// The entry of `identity` that accepts own tokens.
pub(crate) fn provider(
    tokens: Option<&Tokens>,
    file: &file::OwnTokens,
    position: Position,
    problems: &mut Problems<'_>,
) -> Option<JwtProvider> {
    let dpop = dpop(&file.dpop, problems);
    let zone = problems.read_or(&file.zone, bartizan_model::Zone::default());
    let service_zone = problems.read_or(&file.service_zone, zone);
    let Some(tokens) = tokens else {
        problems
            .error(position, "`token` needs `accounts.tokens`: the gateway issues none")
            .help("add `tokens: { issuer: \"https://id.shop.test\", secret: \"${TOKEN_SECRET}\" }` under `accounts`");
        return None;
    };
    let resources = file.resources.as_ref().map(|resources| problems.read_all(resources));
    for resource in resources.iter().flatten().filter(|at| !tokens.resources.contains(&at.value.text)) {
        problems
            .error(resource.position, format!("no token is for `{}`", resource.value.text))
            .help("name it under `accounts.tokens.resources`, too");
    }
    let audiences = match resources {
        Some(resources) => resources.into_iter().map(|url| url.value.text).collect(),
        None => tokens.resources.clone(),
    };
    Some(JwtProvider {
        issuer: tokens.issuer.clone(),
        audiences,
        keys: JwtKeys::Own,
        algorithms: ALGORITHMS.into(),
        types: vec!["at+jwt".into()],
        leeway: Duration::from_secs(30),
        max_bytes: 8192,
        header: http::header::AUTHORIZATION,
        claims: ClaimNames { permissions: vec!["permissions".into()], ..ClaimNames::default() },
        principal: bartizan_model::CallerType::User,
        zone,
        service_zone,
        dpop,
    })
}

pub(crate) fn dpop(file: &Optional<file::Dpop>, problems: &mut Problems<'_>) -> Dpop {
    let Some(at) = file.as_ref() else { return Dpop::default() };
    let default = Dpop::default();
    Dpop {
        required: problems.read_or(&at.required, default.required),
        nonce: problems.read_or(&at.nonce, default.nonce),
        max_age: bounded("max_age", &at.max_age, default.max_age, LONGEST_PROOF, problems),
        max_proofs: max_proofs(&at.max_proofs, default.max_proofs, problems),
        origins: origins(&at.origins, problems),
    }
}

fn max_proofs(file: &Optional<Parsed<u32>>, default: usize, problems: &mut Problems<'_>) -> usize {
    let Some(at) = file.as_ref() else { return default };
    let count = usize::try_from(problems.count("max_proofs", file, 0)).unwrap_or(usize::MAX);
    if count > MOST_PROOFS {
        problems
            .error(at.position, format!("`max_proofs` is {count}, and {MOST_PROOFS} is the most"))
            .help("they stay in memory: a shorter `max_age` needs fewer");
    }
    count
}

fn origins(file: &Optional<Vec<At<Parsed<Url>>>>, problems: &mut Problems<'_>) -> Vec<Origin> {
    let Some(written) = file.as_ref() else { return Vec::new() };
    if written.is_empty() {
        problems.error(written.position, "`origins` is empty: no proof would be accepted");
    }
    let mut origins = Vec::new();
    for url in problems.read_all(written) {
        let rest = url.value.text.split_once("://").map_or("", |(_, rest)| rest);
        if rest.contains(['/', '?', '#']) {
            problems
                .error(url.position, format!("`{}` is more than an origin", url.value.text))
                .help("write scheme, host and port alone: `https://api.shop.test`");
        }
        let scheme = if url.value.target.tls { "https" } else { "http" };
        origins.push(Origin { scheme, authority: rest.to_owned() });
    }
    origins
}

fn bounded(
    key: &str,
    optional: &Optional<Parsed<Duration>>,
    default: Duration,
    most: Duration,
    problems: &mut Problems<'_>,
) -> Duration {
    let duration = problems.duration(key, optional, default);
    if let Some(at) = optional.as_ref().filter(|_| duration > most) {
        problems.error(at.position, format!("`{key}` is at most {} s", most.as_secs()));
    }
    duration
}
