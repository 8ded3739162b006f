//! How to make the first administrator. It goes to standard output, and never into the log.

use std::fmt;

use bartizan_config::Config;
use bartizan_identity::account::LinkToken;
use secrecy::{ExposeSecret, SecretString};

use crate::system::System;

/// What is printed where nobody can log in yet.
pub(super) struct Offer {
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
        let prefix = config.accounts.as_ref().map(|accounts| accounts.prefix.as_str()).unwrap_or_default();
        let endpoints = match &config.tokens {
            Some(tokens) => tokens.endpoints.clone(),
            None => format!("{listener}{prefix}"),
        };
        Self { endpoint: format!("{endpoints}/first-administrator"), token: token.clone() }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (token, endpoint) = (self.token.expose_secret(), &self.endpoint);
        // Browsers send what stands behind `#` to nobody.
        write!(
            formatter,
            "Nobody can log in yet. Make the first administrator within a day, once:\n\n  \
             {endpoint}#token={token}\n\nor without a browser:\n\n  \
             curl --json '{{\"token\": \"{token}\", \"email\": \"YOU@EXAMPLE.COM\", \"password\": \"…\"}}' {endpoint}\n\n\
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
        let tokens = "tokens: { issuer: \"https://id.shop.test\", secret: 0123456789abcdef0123456789abcdef }";
        for (accounts, endpoint) in [
            ("", "http://127.0.0.1:8080/auth/first-administrator"),
            ("prefix: /people", "http://127.0.0.1:8080/people/first-administrator"),
            (tokens, "https://id.shop.test/auth/first-administrator"),
        ] {
            let shown = shown(accounts);
            assert!(shown.contains(&format!("\n  {endpoint}#token=a-token\n")), "{shown}");
            assert!(shown.contains(&format!("}}' {endpoint}\n")), "{shown}");
        }
    }
}
