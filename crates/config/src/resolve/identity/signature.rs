//! `signature:`: keys, and what a signature must cover.

use std::{collections::HashSet, time::Duration};

use bartizan_model::{Name, Zone};
use http::HeaderName;
use secrecy::{ExposeSecret, SecretSlice};

use super::{grants, organization};
use crate::{
    NoncePolicy, SignatureAlgorithm, SignatureComponent, SignatureKey, SignatureProfile, SignatureProvider,
    VerifyingMaterial,
    file::{self, Signatures},
    forms::Parsed,
    located::{At, Optional},
    problems::Problems,
    resolve::{files::Files, roles::Roles},
};

/// What carries a signature of RFC 9421, and the digest it covers.
pub(crate) const HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("signature-input"),
    HeaderName::from_static("signature"),
    HeaderName::from_static("content-digest"),
];
/// What carries a signature of the legacy profile.
pub(crate) const LEGACY_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-signature"),
    HeaderName::from_static("x-timestamp"),
    HeaderName::from_static("x-nonce"),
    HeaderName::from_static("x-key-id"),
];
const WINDOW: Duration = Duration::from_mins(5);
/// The longest window: nonces are remembered as long.
const LONGEST_WINDOW: Duration = Duration::from_hours(1);
const MAX_NONCES: u32 = 100_000;
/// The most nonces of a key: they stay in memory.
const MOST_NONCES: u32 = 10_000_000;
/// The shortest secret (RFC 7518, section 3.2, for the same algorithm).
const SECRET: usize = 32;
/// The longest key id: it travels in a header.
const LONGEST_ID: usize = 256;

pub(super) fn resolve(
    provider: &Name,
    file: &Signatures,
    roles: &mut Roles,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> SignatureProvider {
    let profile = file.profile.get().unwrap_or_default();
    let mut seen = HashSet::new();
    let zone = problems.read_or(&file.zone, Zone::default());
    let read = file.keys.iter().filter_map(|entry| {
        let key = key(entry, profile, &mut seen, roles, files, problems)?;
        Some(SignatureKey { zone: problems.read_or(&entry.zone, zone), ..key })
    });
    let keys = read.collect();
    if file.keys.is_empty() {
        let message = format!("`{provider}` has no keys: it admits nobody");
        problems
            .warning(file.keys.position, message)
            .help("add `{ id, algorithm: ed25519, public_key: ./key.pem }`");
    }
    SignatureProvider {
        profile,
        keys,
        components: demanded(file, profile, problems),
        window: window(file, problems),
        nonce: nonce(file, profile, problems),
        max_nonces: max_nonces(file, problems),
        tag: tag(file, profile, problems),
    }
}

/// Whether what it accepts was signed together with its content.
pub(super) fn proves_content(file: &Signatures) -> bool {
    let digest = |word: &At<Parsed<SignatureComponent>>| {
        word.value.0.as_ref().is_ok_and(|component| *component == SignatureComponent::CONTENT_DIGEST)
    };
    match file.profile.get().unwrap_or_default() {
        SignatureProfile::Legacy => true,
        SignatureProfile::Rfc9421 => file.components.as_ref().is_none_or(|listed| listed.iter().any(digest)),
    }
}

fn key(
    entry: &At<file::SignatureKey>,
    profile: SignatureProfile,
    seen: &mut HashSet<String>,
    roles: &mut Roles,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<SignatureKey> {
    let id = check_id(&entry.id, problems);
    let permissions = grants(&entry.permissions, problems);
    let roles = roles.held(&entry.roles, problems);
    let organization = organization(&entry.organization, problems);
    let algorithm = entry.algorithm.value;
    if profile == SignatureProfile::Legacy && algorithm != SignatureAlgorithm::HmacSha256 {
        problems
            .error(entry.algorithm.position, "the profile `legacy` knows `hmac-sha256` only")
            .help("write `algorithm: hmac-sha256`, or leave `profile` out");
    }
    let material = material(entry, files, problems);
    let id = id?;
    if !seen.insert(id.clone()) {
        problems.error(entry.id.position, format!("a second key is called `{id}`"));
    }
    Some(SignatureKey {
        id,
        algorithm,
        material: material?,
        permissions,
        roles,
        organization,
        zone: Zone::default(),
    })
}

/// A public key is published: as the secret of an HMAC it would let anybody sign, so the two never mix.
fn material(
    entry: &At<file::SignatureKey>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<VerifyingMaterial> {
    let is_shared = entry.algorithm.value == SignatureAlgorithm::HmacSha256;
    if is_shared && (entry.public_key.is_some() || entry.secret.is_none()) {
        problems
            .error(entry.algorithm.position, "`hmac-sha256` is checked with a shared secret")
            .help("add `secret: ${PARTNER_SECRET}`, and leave `public_key` out");
        return None;
    }
    if !is_shared && (entry.secret.is_some() || entry.public_key.is_none()) {
        let message = format!("`{}` is checked with a public key", entry.algorithm.value.as_str());
        problems
            .error(entry.algorithm.position, message)
            .help("add `public_key: ./partner.pem`, and leave `secret` out");
        return None;
    }
    if is_shared {
        let secret = problems.read_optional(&entry.secret)?;
        let secret = secret.with(secret.value.0.clone());
        check_secret(&secret, problems);
        return Some(VerifyingMaterial::Secret(secret.value));
    }
    let file = problems.read_optional(&entry.public_key)?;
    Some(VerifyingMaterial::PublicKey(files.public(&file, problems)))
}

/// What structured fields can say of a key: printable ASCII.
pub(crate) fn check_id(id: &At<Parsed<String>>, problems: &mut Problems<'_>) -> Option<String> {
    let text = problems.read(id)?;
    if text.len() > LONGEST_ID || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        problems
            .error(id.position, format!("`{text}` cannot be the id of a key"))
            .help("use up to 256 printable ASCII characters");
        return None;
    }
    Some(text)
}

pub(crate) fn check_secret(secret: &At<SecretSlice<u8>>, problems: &mut Problems<'_>) {
    let bytes = secret.expose_secret().len();
    if bytes < SECRET {
        let message = format!("the secret is {bytes} bytes long, and `hmac-sha256` needs at least {SECRET}");
        problems.error(secret.position, message).help("make one with `openssl rand -base64 48`");
    }
    if !problems.line(secret.position).contains("${") {
        problems
            .warning(secret.position, "whoever reads this document knows the secret")
            .help("take it from the environment: `secret: ${PARTNER_SECRET}`");
    }
}

/// The components that a list names, each once.
pub(crate) fn components(
    listed: &[At<Parsed<SignatureComponent>>],
    problems: &mut Problems<'_>,
) -> Vec<SignatureComponent> {
    let mut components = Vec::new();
    for component in problems.read_all(listed) {
        if components.contains(&component.value) {
            problems.error(component.position, format!("`{}` is listed twice", component.value));
        } else {
            components.push(component.value);
        }
    }
    components
}

/// What a signature covers where nothing else is said: what is asked for, and the content.
pub(crate) fn covered(
    file: &Optional<Vec<At<Parsed<SignatureComponent>>>>,
    problems: &mut Problems<'_>,
) -> Vec<SignatureComponent> {
    let default =
        [SignatureComponent::Method, SignatureComponent::TargetUri, SignatureComponent::CONTENT_DIGEST];
    let Some(listed) = file.as_ref() else { return default.into() };
    let components = components(listed, problems);
    if listed.is_empty() {
        problems
            .error(listed.position, "a signature that covers nothing proves nothing about a request")
            .help("leave `components` out for `\"@method\"`, `\"@target-uri\"` and `content-digest`");
    }
    components
}

fn demanded(
    file: &Signatures,
    profile: SignatureProfile,
    problems: &mut Problems<'_>,
) -> Vec<SignatureComponent> {
    if profile == SignatureProfile::Rfc9421 {
        return covered(&file.components, problems);
    }
    if let Some(listed) = file.components.as_ref() {
        problems
            .error(listed.position, "the profile `legacy` always covers the same")
            .help("leave `components` out");
    }
    Vec::new()
}

fn window(file: &Signatures, problems: &mut Problems<'_>) -> Duration {
    let window = problems.duration("window", &file.window, WINDOW);
    if let Some(at) = file.window.as_ref().filter(|_| window > LONGEST_WINDOW) {
        problems
            .error(at.position, "`window` is more than an hour: whoever gets hold of a request has as long")
            .help("clocks that differ by minutes need to be set, not tolerated");
    }
    window
}

fn nonce(file: &Signatures, profile: SignatureProfile, problems: &mut Problems<'_>) -> NoncePolicy {
    let policy = file.nonce.get().unwrap_or_default();
    if let Some(at) = file.nonce.as_ref().filter(|_| policy == NoncePolicy::Optional) {
        let message = "whoever gets hold of a request without a nonce can send it again while `window` lasts";
        let help = "leave `nonce` out: a signature must carry one then";
        match profile {
            SignatureProfile::Legacy => problems.error(at.position, message).help(help),
            SignatureProfile::Rfc9421 => problems.warning(at.position, message).help(help),
        }
    }
    policy
}

fn max_nonces(file: &Signatures, problems: &mut Problems<'_>) -> usize {
    let count = problems.count("max_nonces", &file.max_nonces, MAX_NONCES);
    if let Some(at) = file.max_nonces.as_ref().filter(|_| count > MOST_NONCES) {
        problems
            .error(at.position, format!("`max_nonces` is {count}, and {MOST_NONCES} is the most"))
            .help("they stay in memory, about 50 bytes each: a shorter `window` needs fewer");
    }
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn tag(file: &Signatures, profile: SignatureProfile, problems: &mut Problems<'_>) -> Option<String> {
    let tag = problems.read_optional(&file.tag)?;
    if profile == SignatureProfile::Legacy {
        problems.error(tag.position, "the profile `legacy` has no tags").help("leave `tag` out");
    }
    Some(tag.value)
}
