//! One fetch of a JWK set over HTTP.

use std::{net::IpAddr, time::Duration};

use bartizan_model::Name;
use reqwest::{Certificate, Client, StatusCode, Url, header, redirect};

use super::MAX_BYTES;
use crate::{IdentityError, JwksError};

/// Fetches one URL: no redirects (the issuer would choose whom we trust), ten seconds, one mebibyte.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    url: Url,
}

impl Fetcher {
    /// `ca` holds additional authorities (PEM).
    pub(super) fn new(provider: &Name, url: &str, ca: Option<&[u8]>) -> Result<Self, IdentityError> {
        let insecure = || IdentityError::InsecureUrl { provider: provider.clone(), url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| insecure())?;
        let plain = match parsed.scheme() {
            "https" => false,
            "http" if is_loopback(&parsed) => true,
            _ => return Err(insecure()),
        };
        let client = client(ca, plain)
            .map_err(|source| IdentityError::Client { provider: provider.clone(), source })?;
        Ok(Self { client, url: parsed })
    }

    /// The document.
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        let request = self
            .client
            .get(self.url.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(JwksError::Fetch)?;
        if response.status() != StatusCode::OK {
            return Err(JwksError::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(JwksError::Fetch)? {
            if document.len() + chunk.len() > MAX_BYTES {
                return Err(JwksError::TooLong);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

fn client(ca: Option<&[u8]>, plain: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .https_only(!plain)
        .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")))
        .pool_max_idle_per_host(0);
    let builder = match ca {
        Some(pem) => builder.tls_certs_merge(Certificate::from_pem_bundle(pem)?),
        None => builder,
    };
    // What listens on loopback is not reached through a proxy.
    if plain { builder.no_proxy().build() } else { builder.build() }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}
