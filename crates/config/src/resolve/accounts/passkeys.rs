//! `accounts.passkeys:`.

use std::net::IpAddr;

use crate::{
    Passkeys,
    file::{self, Accounts},
    forms::Forms,
    located::At,
    problems::Problems,
    word::{Origin, Url},
};

pub(super) fn passkeys(accounts: &Accounts, problems: &mut Problems<'_>) -> Option<Passkeys> {
    let Some(at) = accounts.passkeys.as_ref() else { return of_public_url(accounts) };
    let id = problems.read(&at.id)?.0;
    if !is_domain(&id) {
        problems.error(at.id.position, format!("`{id}` is no domain that passkeys can belong to")).help(
            "write a name such as `shop.test`, without `*` and without a port; browsers take no addresses",
        );
        return None;
    }
    Some(Passkeys { origins: origins(at, &id, problems), id })
}

fn origins(file: &file::Passkeys, id: &str, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(written) = problems.read_optional(&file.origins) else { return vec![format!("https://{id}")] };
    let origins = problems.read_all(&written.all());
    if origins.is_empty() {
        problems.error(written.position, "`origins` is empty: no page could ask for a passkey");
    }
    for origin in &origins {
        check_origin(origin, id, problems);
    }
    origins.into_iter().map(|origin| origin.value.0).collect()
}

/// What browsers would refuse (section 5.1.3, and secure contexts).
fn check_origin(origin: &At<Origin>, id: &str, problems: &mut Problems<'_>) {
    let text = &origin.value.0;
    let Ok(url) = Url::word(text) else { return };
    let host = url.target.host.as_str();
    let is_own = host == id || host.strip_suffix(id).is_some_and(|rest| rest.ends_with('.'));
    if !is_own {
        problems.error(origin.position, format!("`{text}` is neither `{id}` nor a host under it"));
    } else if !url.target.tls && host != "localhost" && !host.ends_with(".localhost") {
        problems
            .error(origin.position, format!("`{text}`: browsers have no passkeys for pages without TLS"))
            .help("write an `https:` origin; `http:` is for `localhost`");
    }
}

/// The host of what people know these accounts by, where it is a name. What is wrong with it is told where it stands.
fn of_public_url(accounts: &Accounts) -> Option<Passkeys> {
    let issuer = accounts.tokens.as_ref().map(|tokens| &tokens.issuer);
    let url = issuer.or(accounts.mail.as_ref().map(|mail| &mail.base_url))?.value.0.as_ref().ok()?;
    let id = url.target.host.clone();
    is_domain(&id).then(|| Passkeys { origins: vec![url.origin()], id })
}

fn is_domain(host: &str) -> bool {
    !host.contains('*') && host.parse::<IpAddr>().is_err()
}
