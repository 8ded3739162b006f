//! What the configuration says, as far as it can be used and still should not be like that.

use bartizan_config::{
    Accounts, Authentication, Config, Destination, Enforcement, ExcludedRules, MailTransport,
    PasswordProfile, Route, Waf, WafMode,
};

use super::{Check, Found};

pub(super) fn look(config: &Config, found: &mut Found) {
    if config.tls.is_none() {
        found.add(
            Check::TlsOff,
            "listen.http",
            "the routes are served in the clear: tokens and cookies cross the network readable".into(),
            "configure `tls`, or be sure that something in front speaks it",
        );
    }
    for route in &config.routes {
        look_at_route(config, route, found);
    }
    if let Some(accounts) = &config.accounts {
        look_at_accounts(accounts, found);
    }
}

fn look_at_route(config: &Config, route: &Route, found: &mut Found) {
    let subject = name(config, route);
    let line = route.line.number().map_or_else(String::new, |line| format!(", line {line}"));
    let is_own = matches!(route.destination, Destination::Accounts);
    let place = if is_own { "at the top of the document".into() } else { format!("`routes`{line}") };
    let at = |key: &str| format!("{place}: {key}");
    match &route.waf {
        None => found.add(
            Check::FirewallOff,
            &subject,
            format!("no firewall looks at requests for `{subject}`"),
            at("set `waf: starter`, or `waf: { mode: log }` to look first"),
        ),
        Some(waf) => look_at_firewall(waf, &subject, &at, found),
    }
    // The endpoints of accounts are there for people who have not proven anything yet.
    if route.authentication == Authentication::Public && !is_own {
        found.add(
            Check::RouteWithoutAuthentication,
            &subject,
            format!("anybody may use `{subject}`"),
            at("set `auth` to a provider under `identity`, unless it is meant for everybody"),
        );
    }
    let policies: Vec<_> = route
        .limits
        .iter()
        .chain(&config.every_request)
        .filter_map(|index| config.limits.get(index.0))
        .collect();
    let rules = || policies.iter().flat_map(|policy| &policy.rules).filter(|rule| rule.enabled);
    if rules().next().is_none() {
        found.add(
            Check::RouteWithoutLimits,
            &subject,
            format!("nobody is limited in what they ask of `{subject}`"),
            at("set `limit: default`, or a policy of `limits`"),
        );
    } else if rules().all(|rule| rule.enforcement == Enforcement::Shadow) {
        found.add(
            Check::LimitsOnlyReport,
            &subject,
            format!("the limits of `{subject}` only report"),
            "take `mode: shadow` from the rules under `limits` when `bartizan limits status` shows what is expected",
        );
    }
}

fn look_at_firewall(waf: &Waf, subject: &str, at: &dyn Fn(&str) -> String, found: &mut Found) {
    if waf.mode == WafMode::Log {
        found.add(
            Check::FirewallOnlyLogs,
            subject,
            format!("the firewall of `{subject}` refuses nothing"),
            at("set `waf.mode: block` when `bartizan events --type attack_detected` shows attacks only"),
        );
    }
    let now = found.now;
    for exclusion in waf.exclusions.iter().filter(|exclusion| !exclusion.applies_at(now)) {
        let rules = match &exclusion.rules {
            ExcludedRules::Ids(ids) => ids.to_string(),
            ExcludedRules::Tag(tag) => tag.clone(),
        };
        let line = exclusion.line.number().map_or_else(String::new, |line| format!(" in line {line}"));
        found.add(
            Check::ExclusionExpired,
            &format!("{rules}{line}"),
            format!("the exclusion of `{rules}` has expired and counts no more: the rules look again"),
            format!("remove it from `waf.exclude`{line}, or give it another `expires`"),
        );
    }
}

fn look_at_accounts(accounts: &Accounts, found: &mut Found) {
    match accounts.passwords.profile {
        PasswordProfile::Nist if accounts.passwords.blocklist.is_none() => found.add(
            Check::PasswordBlocklistMissing,
            "accounts.password.blocklist",
            "no list of breached passwords is compared with (NIST SP 800-63B-4, section 3.1.1.2): only the common ones \
             that Bartizan knows itself are refused"
                .into(),
            "download a list, of Have I Been Pwned or another, and name it: `accounts.password.blocklist`",
        ),
        PasswordProfile::Nist => {}
        PasswordProfile::CharacterClasses => found.add(
            Check::PasswordProfileOutdated,
            "accounts.password.profile",
            "`profile: character-classes` does not comply with NIST SP 800-63B-4, section 3.1.1.2, which forbids rules \
             about kinds of characters"
                .into(),
            "use `profile: nist` under `accounts.password`: 15 characters, or 8 with a second factor, and no known \
             password",
        ),
    }
    if accounts.second_factor.key.is_none() {
        found.add(
            Check::FactorKeyInStore,
            "accounts.second_factor.key",
            "the key that encrypts second factors is in the same store: who copies the store can use them"
                .into(),
            "set `accounts.second_factor.key`",
        );
    }
    let sessions = &accounts.sessions;
    if !sessions.is_secure() {
        found.add(
            Check::CookieInsecure,
            "accounts.session.cookie",
            format!("the cookie `{}` travels without TLS, too, and other hosts can set it", sessions.cookie),
            "leave `accounts.session.cookie` out, or begin it with `__Host-`; only a trial on one machine needs another",
        );
    }
    let said = match accounts.mail.as_ref().map(|mail| &mail.transport) {
        Some(MailTransport::Smtp(_)) => return,
        Some(MailTransport::Folder(folder)) => {
            format!("mail is written into {}: nobody gets any", folder.display())
        }
        None => "the gateway writes to nobody: people cannot reset their password".into(),
    };
    found.add(Check::MailOff, "accounts.mail", said, "name a server: `accounts.mail.smtp`");
}

/// A route as people know it: two can have the same path for different hosts or methods. Those of accounts are one.
fn name(config: &Config, route: &Route) -> String {
    if let (Destination::Accounts, Some(accounts)) = (route.destination, &config.accounts) {
        return format!("{}/**", accounts.prefix);
    }
    let methods: Vec<_> = route.methods.iter().map(ToString::to_string).collect();
    let place = format!("{}{}", route.hosts.join(","), route.path.as_str());
    if methods.is_empty() { place } else { format!("{} {place}", methods.join(",")) }
}
