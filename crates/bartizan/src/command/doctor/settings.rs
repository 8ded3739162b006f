//! What the configuration says, as far as it can be used and still should not be like that.

use bartizan_config::{Accounts, Config, MailTransport, PasswordProfile};

use super::Finding;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = vec![transport(config), firewall(config)];
    if let Some(accounts) = &config.accounts {
        findings.extend([rules(accounts), factors(accounts), machines()]);
        findings.extend([cookies(accounts), mail(accounts)]);
    }
    findings
}

fn transport(config: &Config) -> Finding {
    let about = "TLS";
    match &config.tls {
        Some(_) => Finding::good(about, "the routes are served over TLS"),
        None => Finding::doubtful(
            about,
            "the routes are served in the clear: tokens and cookies cross the network readable",
            "configure `tls`, or be sure that something in front speaks it",
        ),
    }
}

fn firewall(config: &Config) -> Finding {
    let about = "firewall";
    let without = config.routes.iter().filter(|route| route.waf.is_none()).count();
    match (without, config.routes.len()) {
        (0, _) => Finding::good(about, "every route has one"),
        (without, all) => Finding::doubtful(
            about,
            format!("{without} of {all} routes have none"),
            "add `waf: { rules: starter, mode: block }` to the document, or `mode: log` to look first",
        ),
    }
}

fn rules(accounts: &Accounts) -> Finding {
    let about = "passwords";
    match accounts.passwords.profile {
        PasswordProfile::Nist if accounts.passwords.blocklist.is_some() => {
            Finding::good(about, "the rules are those of NIST SP 800-63B-4")
        }
        PasswordProfile::Nist => Finding::doubtful(
            about,
            "no list of breached passwords is compared with (NIST SP 800-63B-4, section 3.1.1.2): only the common ones that \
             Bartizan knows itself are refused",
            "download a list, of Have I Been Pwned or another, and name it: `accounts.password.blocklist`",
        ),
        PasswordProfile::CharacterClasses => Finding::doubtful(
            about,
            "`profile: character-classes` does not comply with NIST SP 800-63B-4, section 3.1.1.2, which forbids rules \
             about kinds of characters",
            "use `profile: nist`: 15 characters, or 8 with a second factor, and no known password",
        ),
    }
}

fn factors(accounts: &Accounts) -> Finding {
    let about = "second factors";
    match &accounts.second_factor.key {
        Some(_) => Finding::good(about, "their secrets are encrypted with a key that is not in the store"),
        None => Finding::doubtful(
            about,
            "the key that encrypts their secrets is in the same store: who copies the store can use them",
            "set `accounts.second_factor.key`",
        ),
    }
}

/// What a copy of the store says about keys and services.
fn machines() -> Finding {
    Finding::good(
        "secrets of machines",
        "are 256 random bits each, kept as hashes: the key of these is in the same store, and who copies it still guesses none",
    )
}

fn cookies(accounts: &Accounts) -> Finding {
    let about = "cookies";
    if accounts.sessions.is_secure() {
        return Finding::good(about, "sessions travel over TLS only");
    }
    Finding::doubtful(
        about,
        format!(
            "the cookie `{}` travels without TLS, too, and other hosts can set it",
            accounts.sessions.cookie
        ),
        "leave `accounts.session.cookie` out, or begin it with `__Host-`; only a trial on one machine needs another",
    )
}

fn mail(accounts: &Accounts) -> Finding {
    let about = "mail";
    match accounts.mail.as_ref().map(|mail| &mail.transport) {
        Some(MailTransport::Smtp(server)) => {
            Finding::good(about, format!("is sent by {}:{}", server.host, server.port))
        }
        Some(MailTransport::Folder(folder)) => Finding::doubtful(
            about,
            format!("is written into {}: nobody gets any", folder.display()),
            "name a server: `accounts.mail.smtp`",
        ),
        None => Finding::doubtful(
            about,
            "the gateway writes to nobody: people cannot reset their password",
            "configure `accounts.mail`",
        ),
    }
}
