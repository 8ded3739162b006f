//! `accounts:` and `store:`.

pub(super) mod mail;
pub(super) mod pages;
mod passkeys;
mod protection;
mod routes;
mod second_factor;
mod sms;

use std::{num::NonZeroU32, time::Duration};

use http::header::HeaderName;

pub(super) use self::routes::routes;
use super::{files::Files, openid};
use crate::{
    Accounts, Http, Listen, PasswordProfile, Passwords, PathPattern, SameSite, Segment, Sessions,
    StoreLocation,
    file::{self, Document},
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
};

const DAY: Duration = Duration::from_hours(24);
const KEY_PREFIX: &str = "bzn_live";
const AUDIT_RETENTION: Duration = Duration::from_hours(90 * 24);
const COOKIE: &str = "__Host-bartizan";
const DOMAIN_COOKIE: &str = "__Secure-bartizan";
const PLAIN_COOKIE: &str = "bartizan";
const MEMORY_KIB: u32 = 19 * 1024;
/// In KiB, over all iterations: what OWASP asks for at the least.
const LEAST_WORK: u64 = 35 * 1024;
const MOST_MEMORY_KIB: u64 = 1024 * 1024;
/// Of Argon2, over the memory, and in lanes.
const MOST_PASSES: u32 = 16;
/// Of the operator's own.
const CONTEXT_WORDS: usize = 16;
pub(crate) fn store(
    file: &Optional<file::Store>,
    files: &Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<StoreLocation> {
    let url = &file.as_ref()?.url;
    let location = problems.read(url)?.0;
    if matches!(location, StoreLocation::Postgres(_)) && !problems.line(url.position).contains("${") {
        // The user's own password is the only one that a URL may hold.
        if problems.line(url.position).split_once("://").is_some_and(|(_, rest)| {
            rest.split_once('@').is_some_and(|(credentials, _)| credentials.contains(':'))
        }) {
            problems
                .warning(url.position, "whoever reads this document knows the password of the store")
                .help(
                    "take it from the environment: `postgres://bartizan:${POSTGRES_PASSWORD}@host/bartizan`",
                );
        }
    }
    Some(match location {
        StoreLocation::Sqlite(path) => StoreLocation::Sqlite(files.absolute(&path)),
        postgres @ StoreLocation::Postgres(_) => postgres,
    })
}

pub(crate) fn accounts(
    document: &Document,
    listen: Option<&Listen>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Accounts> {
    let file = document.accounts.as_ref()?;
    mail::check_sign_up(&file.sign_up, &file.mail, problems);
    let prefix = prefix(&file.prefix, problems);
    Some(Accounts {
        line: file.position.line(),
        providers: openid::providers(&file.providers, &prefix, problems),
        prefix,
        sign_up: file.sign_up.get().unwrap_or_default(),
        passwords: passwords(&file.password, files, problems),
        sessions: sessions(file, listen, problems),
        key_prefix: key_prefix(file, problems),
        audit_retention: audit_retention(file, problems),
        protection: protection::protection(&file.protection, problems),
        mail: mail::mail(&file.mail, files, problems),
        second_factor: second_factor::second_factor(&file.second_factor, problems),
        passkeys: passkeys::passkeys(file, problems),
        sms: sms::sms(&file.sms, problems),
    })
}

fn key_prefix(file: &file::Accounts, problems: &mut Problems<'_>) -> String {
    let keys = file.api_keys.as_ref();
    let Some(prefix) = keys.and_then(|keys| problems.read_optional(&keys.prefix)) else {
        return KEY_PREFIX.into();
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=32).contains(&prefix.len()) || !prefix.bytes().all(allowed) {
        problems
            .error(prefix.position, format!("`{}` cannot start an API key", prefix.value))
            .help("use 1 to 32 letters, digits, `-` or `_`, for example `shop_live`");
    }
    prefix.value
}

fn audit_retention(file: &file::Accounts, problems: &mut Problems<'_>) -> Duration {
    let written = file.audit.as_ref().and_then(|audit| problems.read_optional(&audit.retention));
    let Some(retention) = written else { return AUDIT_RETENTION };
    if !(DAY..=3653 * DAY).contains(&retention.value) {
        problems.error(retention.position, "`retention` is 1d to 3653d (ten years)");
    }
    retention.value
}

fn prefix(file: &Optional<Parsed<PathPattern>>, problems: &mut Problems<'_>) -> String {
    let Some(prefix) = problems.read_optional(file) else { return "/auth".into() };
    let literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
    if prefix.segments().is_empty() || !prefix.segments().iter().all(literal) {
        problems
            .error(prefix.position, format!("`{}`: a prefix is made of plain segments", prefix.as_str()))
            .help("write for example `/auth`");
    }
    prefix.as_str().trim_end_matches('/').to_owned()
}

fn passwords(
    file: &Optional<file::Passwords>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Passwords {
    let file = file.as_ref().map(|at| &at.value);
    let argon2 = file.and_then(|file| file.argon2.as_ref()).map(|at| &at.value);
    let mut number = |optional: Option<&Optional<Parsed<NonZeroU32>>>,
                      name: &str,
                      default: u32,
                      most: u32| {
        let Some(at) = optional.and_then(|optional| problems.read_optional(optional)) else { return default };
        if at.value.get() > most {
            problems.error(at.position, format!("`{name}` is 1 to {most}"));
        }
        at.value.get()
    };
    let iterations = number(argon2.map(|argon2| &argon2.iterations), "iterations", 2, MOST_PASSES);
    let parallelism = number(argon2.map(|argon2| &argon2.parallelism), "parallelism", 1, MOST_PASSES);
    let memory_kib =
        argon2.and_then(|argon2| problems.read_optional(&argon2.memory)).map_or(MEMORY_KIB, |memory| {
            let kib = memory.value.0 / 1024;
            if !(u64::from(MEMORY_KIB).min(7 * 1024)..=MOST_MEMORY_KIB).contains(&kib) {
                problems
                    .error(memory.position, "`memory` is 7MiB to 1GiB")
                    .help("OWASP asks for at least 19MiB with 2 iterations, or 7MiB with 5");
            }
            u32::try_from(kib).unwrap_or(MEMORY_KIB)
        });
    if let Some(at) = file.and_then(|file| file.argon2.as_ref())
        && u64::from(memory_kib) * u64::from(iterations) < LEAST_WORK
    {
        problems
            .error(
                at.position,
                "these hashes are guessed too cheaply: `memory` times `iterations` is under 35MiB",
            )
            .help("leave both out for 19MiB with 2 iterations, or write 7MiB with 5");
    }
    let profile = file.and_then(|file| file.profile.as_ref());
    if let Some(at) = profile.filter(|at| at.value == PasswordProfile::CharacterClasses) {
        problems
            .warning(at.position, "these rules do not comply with NIST SP 800-63B-4, which forbids rules about kinds of characters")
            .help("leave `profile` out, or write `profile: nist`");
    }
    Passwords {
        profile: profile.map_or_else(PasswordProfile::default, |at| at.value),
        memory_kib,
        iterations,
        parallelism,
        blocklist: file.and_then(|file| files.optional(&file.blocklist, problems)),
        context_words: file.map(|file| context_words(&file.context_words, problems)).unwrap_or_default(),
    }
}

fn context_words(file: &Optional<Vec<At<Parsed<String>>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(at) = file.as_ref() else { return Vec::new() };
    if at.value.len() > CONTEXT_WORDS {
        problems
            .error(at.position, format!("`context_words` has more than {CONTEXT_WORDS} words"))
            .help("put further ones into a file, and name it as `blocklist`");
    }
    let words = problems.read_all(&at.value);
    for word in &words {
        if !(3..=64).contains(&word.chars().count()) {
            problems.error(word.position, format!("`{}`: a word has 3 to 64 characters", word.value));
        }
    }
    words.into_iter().map(|word| word.value).collect()
}

fn sessions(file: &At<file::Accounts>, listen: Option<&Listen>, problems: &mut Problems<'_>) -> Sessions {
    let written = file.session.as_ref();
    let default = file::Sessions::default();
    let session = written.map_or(&default, |at| &at.value);
    let lifetime = problems.duration("lifetime", &session.lifetime, 7 * DAY);
    let renew_after = problems.duration("renew_after", &session.renew_after, DAY.min(lifetime / 2));
    let absolute = problems.duration("absolute", &session.absolute, (30 * DAY).max(lifetime));
    if let Some(at) = session.renew_after.as_ref().filter(|_| renew_after >= lifetime) {
        problems
            .error(at.position, "`renew_after` is not shorter than `lifetime`: no session would be renewed");
    }
    if let Some(at) = session.absolute.as_ref().filter(|_| absolute < lifetime) {
        problems.error(at.position, "`absolute` is shorter than `lifetime`");
    }
    let at_most = problems.read_optional(&session.at_most);
    if let Some(at) = at_most.as_ref().filter(|at| at.value.get() > 1000) {
        problems.error(at.position, "`at_most` is 1 to 1000");
    }
    let domain = problems.read_optional(&session.domain);
    if let Some(at) = &domain {
        check_domain(at, problems);
    }
    let strict = session.same_site.as_ref().filter(|at| at.value == SameSite::Strict);
    if let Some(at) = strict.filter(|_| file.providers.is_some()) {
        problems
            .warning(at.position, "whoever comes back from another provider is logged out until they follow a link of yours")
            .help("write `same_site: lax`, the default: browsers send no strict cookie where another site leads here");
    }
    Sessions {
        lifetime,
        renew_after,
        absolute,
        at_most: at_most.map_or(5, |at| at.value.get()),
        same_site: session.same_site.get().unwrap_or_default(),
        cookie: cookie(&session.cookie, domain.as_ref(), file.position, listen, problems),
        domain: domain.map(|at| at.value.to_ascii_lowercase()),
    }
}

/// `__Host-` cookies need TLS, which a gateway for development has not.
fn cookie(
    file: &Optional<Parsed<String>>,
    domain: Option<&At<String>>,
    position: Position,
    listen: Option<&Listen>,
    problems: &mut Problems<'_>,
) -> String {
    if let Some(cookie) = problems.read_optional(file) {
        let is_name = HeaderName::try_from(cookie.value.as_str()).is_ok() && cookie.len() <= 64;
        if !is_name {
            problems.error(cookie.position, format!("`{}` is not the name of a cookie", cookie.value));
        } else if cookie.starts_with("__Host-") {
            if let Some(domain) = domain {
                problems
                    .error(domain.position, "browsers take no `__Host-` cookie with a `domain`")
                    .help("leave `domain` out, or call the cookie `__Secure-bartizan`");
            }
        } else if !cookie.starts_with("__Secure-") {
            problems
                .warning(cookie.position, "this cookie travels without TLS, too, and subdomains can set it")
                .help("write `__Host-bartizan`");
        }
        return cookie.value;
    }
    let is_development = listen.is_some_and(|listen| {
        let loopback = matches!(listen.http, Some(Http::Serve(address)) if address.ip().is_loopback());
        listen.https.is_none() && loopback && listen.trusted_proxies.is_empty()
    });
    if is_development {
        problems
            .warning(position, "sessions are for development: without TLS their cookie is not protected")
            .help("listen with `https`; or, where TLS ends in front of the gateway, name that proxy in `listen.trusted_proxies`");
        return PLAIN_COOKIE.into();
    }
    if domain.is_some() { DOMAIN_COOKIE.into() } else { COOKIE.into() }
}

/// Of at least two labels (RFC 1123, section 2.1): browsers take no cookie for a top-level domain.
fn check_domain(domain: &At<String>, problems: &mut Problems<'_>) {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(is_label) || is_number {
        problems
            .error(domain.position, format!("`{}` is not a domain that cookies can have", domain.value))
            .help("write for example `shop.test`, without a dot before it");
    }
}
