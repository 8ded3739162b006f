//! Tokens that the gateway issues itself.

use std::time::Duration;

use bartizan_model::{Grant, Name};
use secrecy::SecretString;

use crate::Algorithm;

/// The longest that an access token can be configured to last.
pub const LONGEST_ACCESS_TOKEN: Duration = Duration::from_hours(1);

/// `accounts.tokens:`.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The `iss` of every token: an origin, or an origin and the prefix of accounts.
    pub issuer: String,
    /// Where the endpoints are: the issuer's origin with the prefix of accounts.
    pub endpoints: String,
    /// What the private keys are encrypted with in the store.
    pub secret: SecretString,
    /// What they may have been encrypted with before.
    pub earlier_secrets: Vec<SecretString>,
    /// What new tokens are signed with where neither a resource nor a client needs something else. Default `EdDSA`.
    pub algorithm: Algorithm,
    /// What access tokens for a resource are signed with instead.
    pub resource_algorithms: Vec<(String, Algorithm)>,
    /// What tokens may be for (RFC 8707); the first is meant where a client names none. Default the issuer.
    pub resources: Vec<String>,
    /// How long an access token lasts. Default 15 min.
    pub access: Duration,
    /// How long a refresh token lasts that is not used. Default 7 days.
    pub refresh: Duration,
    /// How long the tokens that came from one authorisation last, however often they are renewed. Default 30 days.
    pub absolute: Duration,
    /// How long a refresh token that was used still gets the same successor. Default 10 s.
    pub grace: Duration,
    /// Authorisations of one person at once. Default 5.
    pub at_most: u32,
    /// How long access tokens count while the store does not say what has been revoked. Default 30 s.
    pub stale_after: Duration,
    /// How often another key signs. Default 30 days.
    pub rotate_keys: Duration,
    /// Where people are sent to log in; `None`: the client is told that they must.
    pub login_page: Option<String>,
    /// Whether proofs at the token endpoint must hold a nonce of the gateway (RFC 9449, section 8). Default no.
    pub dpop_nonce: bool,
    /// Who may ask for tokens.
    pub clients: Vec<TokenClient>,
}

impl Tokens {
    /// What an access token is signed with: what the first of its resources needs that says so, else what ID tokens of the
    /// client are.
    pub fn access_algorithm(&self, client: &str, resources: &[String]) -> Algorithm {
        let needed = |resource: &String| self.resource_algorithms.iter().find(|(known, _)| known == resource);
        match resources.iter().find_map(needed) {
            Some((_, algorithm)) => *algorithm,
            None => self.client_algorithm(client),
        }
    }

    /// What ID tokens for a client are signed with.
    pub fn client_algorithm(&self, client: &str) -> Algorithm {
        let known = self.clients.iter().find(|known| known.id.as_str() == client);
        known.and_then(|client| client.algorithm).unwrap_or(self.algorithm)
    }

    /// Every algorithm that something is signed with, none twice, the one for all others first.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let of_clients = self.clients.iter().filter_map(|client| client.algorithm);
        let of_resources = self.resource_algorithms.iter().map(|(_, algorithm)| *algorithm);
        let mut all = vec![self.algorithm];
        for algorithm in of_clients.chain(of_resources) {
            if !all.contains(&algorithm) {
                all.push(algorithm);
            }
        }
        all
    }
}

/// An application that may ask for tokens (RFC 6749, section 2).
#[derive(Debug, Clone)]
pub struct TokenClient {
    /// Its `client_id`.
    pub id: Name,
    /// SHA-256 of its secret; `None` for one that cannot keep a secret.
    pub secret: Option<[u8; 32]>,
    /// Where people may be sent back to, compared exactly.
    pub redirect_uris: Vec<String>,
    /// Where they may be sent after a logout that the client began, compared exactly.
    pub post_logout_redirect_uris: Vec<String>,
    /// What its tokens may do at most. Default whatever the person may.
    pub scopes: Vec<Grant>,
    /// What its tokens are signed with. Default what those of others are.
    pub algorithm: Option<Algorithm>,
    /// What it may do by itself, without a person. Default nothing.
    pub permissions: Vec<Grant>,
    /// Whether it may exchange tokens that it was called with (RFC 8693).
    pub exchange: bool,
    /// Whether its tokens must be bound to a key (RFC 9449).
    pub dpop: bool,
    /// Whether its tokens are bound to the certificate of its connection (RFC 8705).
    pub certificate_bound: bool,
}

/// What a token's holder must prove besides having it (RFC 9449).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dpop {
    /// Whether tokens that are bound to nothing are refused.
    pub required: bool,
    /// Whether a proof must hold a nonce of the gateway.
    pub nonce: bool,
    /// How old a proof may be. Default 1 min.
    pub max_age: Duration,
    /// How many proofs are remembered for each key; a further one is refused until some are too old. Default 100 000.
    pub max_proofs: usize,
    /// Under which origins clients reach the gateway; none: whatever the request says.
    pub origins: Vec<Origin>,
}

/// The beginning of a URL (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host and port.
    pub authority: String,
}

impl Default for Dpop {
    fn default() -> Self {
        Self {
            required: false,
            nonce: false,
            max_age: Duration::from_mins(1),
            max_proofs: 100_000,
            origins: Vec::new(),
        }
    }
}
