//! How to make the first administrator. It goes to standard output, and never into the log.

use std::fmt;

use bartizan_config::Config;
use bartizan_identity::account::LinkToken;
use secrecy::{ExposeSecret, SecretString};

use crate::system::System;

/// What is printed where nobody can log in yet.
pub(super) struct Offer {
    /// A page that posts the token, where there are pages.
    page: Option<String>,
    endpoint: String,
    token: SecretString,
}

impl Offer {
    pub(super) fn of(system: &System, token: &LinkToken) -> Self {
        let scheme = if system.running().https.is_some() { "https" } else { "http" };
        let listener = system.proxy().map(|address| format!("{scheme}://{address}")).unwrap_or_default();
        Self::at(&system.config(), &listener, token.secret())
    }

    /// Under the public address, as far as the configuration says one: else at `listener`.
    fn at(config: &Config, listener: &str, token: &SecretString) -> Self {
        let accounts = config.accounts.as_ref();
        let prefix = accounts.map(|accounts| accounts.prefix.as_str()).unwrap_or_default();
        let endpoints = match &config.tokens {
            Some(tokens) => tokens.endpoints.clone(),
            None => format!("{listener}{prefix}"),
        };
        let pages = accounts.and_then(|accounts| accounts.mail.as_ref());
        Self {
            // Like the links of messages: browsers send what stands behind `#` to nobody.
            page: pages
                .map(|mail| format!("{}/first-administrator#token={}", mail.base_url, token.expose_secret())),
            endpoint: format!("{endpoints}/first-administrator"),
            token: token.clone(),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (token, endpoint) = (self.token.expose_secret(), &self.endpoint);
        formatter
            .write_str("Nobody can log in yet. Make the first administrator within a day, once:\n\n  ")?;
        if let Some(page) = &self.page {
            write!(formatter, "{page}\n\nor without a page:\n\n  ")?;
        }
        write!(
            formatter,
            "curl --json '{{\"token\": \"{token}\", \"email\": \"YOU@EXAMPLE.COM\", \"password\": \"…\"}}' {endpoint}\n\n\
             or run `bartizan user create EMAIL --admin`.\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use bartizan_config::Source;

    use super::*;

    fn shown(accounts: &str) -> String {
        let document = format!(
            "version: 1\nlisten: {{ http: \"127.0.0.1:8080\" }}\naccounts: {{ {accounts} }}\n\
             routes: [{{ path: /**, to: \"http://127.0.0.1:9\", auth: none }}]\n"
        );
        let loaded = Config::parse(&document, &Source::text(".")).unwrap();
        Offer::at(&loaded.config, "http://127.0.0.1:8080", &"a-token".into()).to_string()
    }

    #[test]
    fn the_first_administrator_is_shown_a_url_under_the_public_address() {
        let mail = "mail: { from: a@shop.test, base_url: \"https://shop.test/account\", file: ./mail }";
        let tokens = "tokens: { issuer: \"https://id.shop.test\", secret: 0123456789abcdef0123456789abcdef }";
        let page = "https://shop.test/account/first-administrator#token=a-token";
        for (accounts, page, endpoint) in [
            (String::new(), None, "http://127.0.0.1:8080/auth/first-administrator"),
            ("prefix: /people".into(), None, "http://127.0.0.1:8080/people/first-administrator"),
            (mail.to_owned(), Some(page), "http://127.0.0.1:8080/auth/first-administrator"),
            (tokens.to_owned(), None, "https://id.shop.test/auth/first-administrator"),
            (format!("{mail}, {tokens}"), Some(page), "https://id.shop.test/auth/first-administrator"),
        ] {
            let shown = shown(&accounts);
            assert!(shown.contains(&format!("}}' {endpoint}\n")), "{shown}");
            assert_eq!(page.is_some(), shown.contains("#token="), "{shown}");
            assert!(page.is_none_or(|page| shown.contains(&format!("\n  {page}\n"))), "{shown}");
        }
    }
}
