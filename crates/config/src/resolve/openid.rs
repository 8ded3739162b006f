//! `accounts.providers:`.

use crate::{
    OpenIdProvider,
    file::{self, Entries},
    forms::Parsed,
    located::{At, Optional},
    problems::Problems,
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
        });
    }
    providers
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
