//! `accounts.providers:`.

use crate::{
    ClaimSource, LoginClaims, OpenIdProvider,
    file::{self, Entries},
    forms::Parsed,
    located::{At, Optional},
    problems::Problems,
    resolve::identity::writable::Writable,
    word::Url,
};

const SCOPES: [&str; 3] = ["openid", "email", "profile"];

pub(crate) fn providers(
    file: &Optional<Entries<file::OpenIdProvider>>,
    prefix: &str,
    problems: &mut Problems<'_>,
) -> Vec<OpenIdProvider> {
    let mut providers = Vec::new();
    for (key, At { value: entry, .. }) in file.iter().flat_map(|entries| &entries.value.0) {
        let Some(name) = problems.read(key) else { continue };
        let callback = format!("{prefix}/providers/{name}/callback");
        let (issuer, redirect_uri) = (problems.read(&entry.issuer), problems.read(&entry.redirect_uri));
        for (at, url) in [(&entry.issuer, &issuer), (&entry.redirect_uri, &redirect_uri)] {
            if url.as_ref().is_some_and(|url| !url.target.tls && !url.is_loopback()) {
                problems.error(at.position, "whoever listens could log in as anybody: write `https`");
            }
        }
        if let Some(url) = redirect_uri.as_ref().filter(|url| !url.path.ends_with(&callback)) {
            let message = format!("`{}` does not lead back to this login", url.text);
            problems.error(entry.redirect_uri.position, message).help(&format!("it ends with `{callback}`"));
        }
        let scopes = scopes(&entry.scopes, problems);
        let domains = domains(&entry.domains, problems);
        let text = |url: Option<Url>| url.map(|url| url.text).unwrap_or_default();
        providers.push(OpenIdProvider {
            name,
            issuer: text(issuer),
            client_id: problems.read(&entry.client_id).unwrap_or_default(),
            client_secret: problems.read_optional(&entry.client_secret).map(|secret| secret.value.0),
            redirect_uri: text(redirect_uri),
            scopes,
            domains,
            sign_up: problems.read_or(&entry.sign_up, false),
            organization: problems.read_optional(&entry.organization).map(|name| name.value),
            claims: claims(&entry.claims, problems),
            roles: roles(entry, problems),
        });
    }
    providers
}

fn claims(file: &Optional<file::LoginClaims>, problems: &mut Problems<'_>) -> LoginClaims {
    let default = LoginClaims::default();
    let Some(At { value: file, .. }) = file.as_ref() else { return default };
    let writable = Writable::read(&file.user_writable, problems);
    let mut read = |at: &Optional<Parsed<ClaimSource>>, default: Option<ClaimSource>| {
        let claim = problems.read_optional(at);
        let position = claim.as_ref().map(|at| at.position);
        let source = claim.map(|at| at.value).or(default)?;
        writable.refuse(position, std::slice::from_ref(&source), problems);
        Some(source)
    };
    let subject = read(&file.subject, Some(default.subject.clone())).unwrap_or(default.subject);
    let email = read(&file.email, Some(default.email.clone())).unwrap_or(default.email);
    let verified = read(&file.email_verified, Some(default.email_verified.clone()));
    let organization = read(&file.organization, None);
    let roles = read(&file.roles, None);
    if let Some(at) = file.email.as_ref().filter(|_| file.email_verified.is_none()) {
        problems
            .error(at.position, "nothing vouches for this address: `email_verified` is about the claim `email`")
            .help("name under `email_verified` a claim or an expression that is `true` where this address is verified");
    }
    LoginClaims {
        subject,
        email,
        email_verified: verified.unwrap_or(default.email_verified),
        name: problems.read_optional(&file.name).map(|at| at.value),
        organization,
        roles,
    }
}

/// What it may give is said, or it gives nothing: a list is what keeps another house from making administrators here.
fn roles(provider: &file::OpenIdProvider, problems: &mut Problems<'_>) -> Vec<String> {
    let claim = provider.claims.as_ref().and_then(|claims| claims.value.roles.as_ref());
    match (claim, provider.roles.as_ref()) {
        (Some(claim), None) => {
            problems
                .error(claim.position, "nobody says which roles this provider may give")
                .help("list them under `roles` of the provider, such as `roles: [viewer]`");
        }
        (None, Some(roles)) => {
            problems
                .error(roles.position, "this provider names no roles")
                .help("say under `claims.roles` which claim names them");
        }
        _ => {}
    }
    let written = provider.roles.as_ref().map(|roles| problems.read_all(roles)).unwrap_or_default();
    written.into_iter().map(|role| role.value).collect()
}

fn scopes(file: &Optional<Vec<At<Parsed<String>>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(written) = file.as_ref() else { return SCOPES.map(str::to_owned).into() };
    let scopes: Vec<String> = problems.read_all(written).into_iter().map(|at| at.value).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        problems.error(written.position, "without the scope `openid` no provider says who somebody is");
    }
    scopes
}

fn domains(file: &Optional<Vec<At<Parsed<String>>>>, problems: &mut Problems<'_>) -> Vec<String> {
    let written = file.as_ref().map(|domains| problems.read_all(domains)).unwrap_or_default();
    for domain in &written {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if !domain.bytes().all(allowed) || !domain.contains('.') {
            problems
                .error(domain.position, format!("`{}` is not the domain of addresses", domain.value))
                .help("write for example `company.test`");
        }
    }
    written.into_iter().map(|domain| domain.value.to_ascii_lowercase()).collect()
}
