//! One provider, asked over HTTP.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::OpenIdProvider as Settings;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use super::{
    Errand, OpenIdError, Proven,
    discovery::Metadata,
    id_token::{Expected, Said},
};
use crate::{IdentityError, key::KeySet, key_source::KeySource, token::json};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a login waits for keys that the provider has begun to sign with: a little longer than the schedule of keys rests
/// after a fetch.
const PATIENCE_FOR_KEYS: Duration = Duration::from_secs(12);
/// How long what a provider says about itself is believed.
const METADATA_LASTS: Duration = Duration::from_hours(1);
/// How often its keys are fetched again.
const KEYS_LAST: Duration = Duration::from_mins(10);
/// How long a provider that could not be asked is left alone: else everybody who wants to log in would wait for it.
const RESTS: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_BYTES: usize = 1 << 20;

/// A provider where people can log in.
#[derive(Debug)]
pub struct OpenIdProvider {
    settings: Settings,
    client: Client,
    known: Mutex<Option<Known>>,
    /// Held by whoever asks what it says about itself. Until when it is left alone, if it could not be asked.
    asking: tokio::sync::Mutex<Option<Instant>>,
    patience_for_keys: Duration,
}

/// What it said about itself last, and its keys.
#[derive(Debug, Clone)]
struct Known {
    metadata: Metadata,
    keys: Arc<KeySource>,
    until: Instant,
}

/// What a code was worth.
#[derive(Debug)]
struct Redeemed {
    id_token: String,
    /// For more about the person; `None`: not one that is sent as it is.
    access_token: Option<SecretString>,
}

/// What comes back with a person (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) code: Option<&'a str>,
    pub(super) state: Option<&'a str>,
    pub(super) issuer: Option<&'a str>,
    pub(super) error: Option<&'a str>,
}

impl OpenIdProvider {
    /// Nothing is fetched before somebody wants to log in.
    pub fn new(settings: &Settings) -> Result<Self, IdentityError> {
        let provider = || settings.name.clone();
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .https_only(settings.issuer.starts_with("https:"))
            .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")));
        let builder = if settings.issuer.starts_with("https:") { builder } else { builder.no_proxy() };
        let client =
            builder.build().map_err(|source| IdentityError::Client { provider: provider(), source })?;
        Ok(Self {
            settings: settings.clone(),
            client,
            known: Mutex::new(None),
            asking: tokio::sync::Mutex::new(None),
            patience_for_keys: PATIENCE_FOR_KEYS,
        })
    }

    #[cfg(test)]
    pub(super) fn impatient(self) -> Self {
        Self { patience_for_keys: Duration::ZERO, ..self }
    }

    /// How it is configured.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where to send a person.
    pub async fn begin(&self, errand: &Errand) -> Result<Url, OpenIdError> {
        let name = self.settings.name.as_str();
        let mut url = self.known().await?.metadata.authorization_endpoint;
        let verifier = errand.code_verifier(name);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &errand.state(name))
            .append_pair("nonce", &errand.nonce(name))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Who came back with this query.
    pub async fn complete(&self, errand: &Errand, query: &str) -> Result<Proven, OpenIdError> {
        let pairs: Vec<_> = form_pairs(query);
        let answer = Answer::of(&pairs)?;
        let name = self.settings.name.as_str();
        if !answer.state.is_some_and(|state| errand.is_state(name, state)) {
            return Err(OpenIdError::Stray);
        }
        let known = self.known().await?;
        match answer.issuer {
            Some(issuer) if issuer != self.settings.issuer => return Err(OpenIdError::WrongIssuer),
            None if known.metadata.names_itself => return Err(OpenIdError::WrongIssuer),
            _ => {}
        }
        if let Some(error) = answer.error {
            return Err(OpenIdError::Declined(printable(error)));
        }
        let code = answer.code.ok_or(OpenIdError::Stray)?;
        let redeemed = self.redeem(&known.metadata, code, &errand.code_verifier(name)).await?;
        let said = self.believe(&known, &redeemed.id_token, errand).await?;
        let other = self.ask_more(&known.metadata, &said, redeemed.access_token.as_ref()).await?;
        said.proven(other)
    }

    /// What an ID token says, if it is to be believed.
    async fn believe(&self, known: &Known, token: &str, errand: &Errand) -> Result<Said, OpenIdError> {
        let _ = timeout(PATIENCE, known.keys.wait_ready()).await;
        let nonce = errand.nonce(self.settings.name.as_str());
        let Settings { issuer, client_id, claims, .. } = &self.settings;
        let check = |keys: &KeySet| {
            Expected { issuer, client_id, nonce: &nonce, claims }.check(token, keys, SystemTime::now())
        };
        let keys = known.keys.keys().clone().ok_or(OpenIdError::NoKeysYet)?;
        let checked = check(&keys);
        if !matches!(checked, Err(OpenIdError::IdToken(crate::InvalidReason::UnknownKey))) {
            return checked;
        }
        // The provider may have begun to sign with another key. The token came from it directly, and the schedule of the
        // keys keeps this from being done often.
        known.keys.request_refresh();
        match timeout(self.patience_for_keys, known.keys.wait_after(&keys)).await {
            Ok(later) => check(&later),
            Err(_) => checked,
        }
    }

    /// What the `UserInfo` endpoint says, where the ID token does not say all that is used: with the code flow that is where a
    /// provider tells of `email` and `profile` (section 5.4).
    async fn ask_more(
        &self,
        metadata: &Metadata,
        said: &Said,
        access_token: Option<&SecretString>,
    ) -> Result<Option<Said>, OpenIdError> {
        let Some((endpoint, token)) = metadata.userinfo_endpoint.as_ref().zip(access_token) else {
            return Ok(None);
        };
        if !said.lacks(&self.settings.claims) {
            return Ok(None);
        }
        match self.user_info(endpoint, token).await {
            // About somebody else: a token that was put in the place of another (section 16.11).
            Ok(other) if other.sub != said.sub => Err(OpenIdError::OtherPerson),
            Ok(other) => Ok(Some(other)),
            // What somebody is no longer is not kept from a login to the next.
            Err(error) if said.verified_email().is_some() && !said.lacks_roles(&self.settings.claims) => {
                tracing::warn!(provider = %self.settings.name, %error, "the provider does not tell more of a person");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn user_info(&self, endpoint: &Url, token: &SecretString) -> Result<Said, OpenIdError> {
        let request = self.client.get(endpoint.clone()).bearer_auth(token.expose_secret());
        let request = request.header(header::ACCEPT, "application/json");
        let response = request.send().await.map_err(OpenIdError::Unreachable)?;
        let answer = document(response, "its UserInfo").await?;
        let members = json::parse_object(&answer)
            .map_err(|_| OpenIdError::Metadata("its UserInfo is not a JSON object with unique members"))?;
        Ok(Said::of(&members, &self.settings.claims)?)
    }

    /// The tokens for a code (section 3.1.3).
    async fn redeem(
        &self,
        metadata: &Metadata,
        code: &str,
        verifier: &SecretString,
    ) -> Result<Redeemed, OpenIdError> {
        let Settings { client_id, client_secret, redirect_uri, .. } = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose_secret()),
        ];
        let mut request = self.client.post(metadata.token_endpoint.clone());
        match client_secret {
            Some(secret) if !metadata.secret_in_form => {
                request =
                    request.basic_auth(form_encoded(client_id), Some(form_encoded(secret.expose_secret())));
            }
            Some(secret) => {
                form.extend([("client_id", client_id.as_str()), ("client_secret", secret.expose_secret())]);
            }
            None => form.push(("client_id", client_id)),
        }
        let body = form.iter().map(|(name, value)| format!("{name}={}", form_encoded(value)));
        let body = body.collect::<Vec<_>>().join("&");
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(body);
        let response = request.send().await.map_err(OpenIdError::Unreachable)?;
        let answer = document(response, "a token").await?;
        let members =
            json::parse_object(&answer).map_err(|_| OpenIdError::Metadata("its token answer is no JSON"))?;
        let text = |name: &str| members.get(name).and_then(|value| value.as_str());
        let id_token = text("id_token").ok_or(OpenIdError::Metadata("its token answer has no `id_token`"))?;
        let is_bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer"));
        let access_token = text("access_token").filter(|_| is_bearer).map(SecretString::from);
        Ok(Redeemed { id_token: id_token.to_owned(), access_token })
    }

    /// What it says about itself. One asks; whoever comes meanwhile waits for the answer.
    async fn known(&self) -> Result<Known, OpenIdError> {
        if let Some(known) = self.current() {
            return Ok(known);
        }
        let mut rests_until = self.asking.lock().await;
        if let Some(known) = self.current() {
            return Ok(known);
        }
        let earlier = self.known.lock().clone();
        if rests_until.is_some_and(|until| Instant::now() < until) {
            return earlier.ok_or(OpenIdError::Resting);
        }
        match self.discover(earlier.as_ref()).await {
            Ok(known) => {
                *rests_until = None;
                *self.known.lock() = Some(known.clone());
                Ok(known)
            }
            Err(error) => {
                *rests_until = Some(Instant::now() + RESTS);
                // What it said before is better than no login.
                let Some(known) = earlier else { return Err(error) };
                tracing::warn!(provider = %self.settings.name, %error, "the provider's metadata was not refreshed");
                Ok(known)
            }
        }
    }

    fn current(&self) -> Option<Known> {
        self.known.lock().as_ref().filter(|known| Instant::now() < known.until).cloned()
    }

    async fn discover(&self, earlier: Option<&Known>) -> Result<Known, OpenIdError> {
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let response = self.client.get(url).send().await.map_err(OpenIdError::Unreachable)?;
        let metadata = Metadata::parse(&document(response, "its metadata").await?, issuer)?;
        let keys = KeySource::from_url(
            &self.settings.name,
            metadata.jwks_uri.as_str(),
            None,
            KEYS_LAST,
            earlier.map(|known| &known.keys),
        );
        let keys = keys.map_err(|_| OpenIdError::Metadata("`jwks_uri` cannot be fetched from"))?;
        Ok(Known { metadata, keys, until: Instant::now() + METADATA_LASTS })
    }
}

impl<'a> Answer<'a> {
    /// A parameter that occurs twice could mean either (RFC 6749, section 3.1).
    fn of(pairs: &'a [(String, String)]) -> Result<Self, OpenIdError> {
        let once = |name: &str| {
            let mut found = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (value, None) => Ok(value),
                (_, Some(_)) => Err(OpenIdError::Stray),
            }
        };
        Ok(Self { code: once("code")?, state: once("state")?, issuer: once("iss")?, error: once("error")? })
    }
}

/// `application/x-www-form-urlencoded`.
pub(super) fn form_pairs(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn form_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What an error code is made of (RFC 6749, section 4.1.2.1); it is shown.
fn printable(error: &str) -> String {
    error
        .chars()
        .filter(|letter| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\'))
        .take(64)
        .collect()
}

async fn document(mut response: Response, expected: &'static str) -> Result<Vec<u8>, OpenIdError> {
    if response.status() != StatusCode::OK {
        return Err(OpenIdError::Answer(response.status(), expected));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(OpenIdError::Unreachable)? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(OpenIdError::Metadata("an answer is longer than a mebibyte"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
