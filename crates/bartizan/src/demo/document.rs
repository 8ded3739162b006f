//! The configuration of the demonstration: written to a file, as a user would write it, and loaded from there.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    credentials::Credentials,
    issuer::{AUDIENCE, ISSUER},
    scenario::GUESSES,
};
use crate::document::hexadecimal;

/// Where the demonstration listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

/// Writes the configuration and the key set it names into `folder`, and returns the configuration's path.
pub(crate) fn write(
    folder: &Path,
    addresses: Addresses,
    shop: SocketAddr,
    credentials: &Credentials,
) -> Result<PathBuf> {
    let write = |name: &str, text: String| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    write("jwks.json", format!("{:#}\n", credentials.issuer.jwks()))?;
    write("bartizan.yaml", text(addresses, shop, &credentials.api_key_hash))
}

fn text(addresses: Addresses, shop: SocketAddr, api_key_hash: &[u8; 32]) -> String {
    let Addresses { proxy, admin, metrics } = addresses;
    let hash = hexadecimal(api_key_hash);
    format!(
        r#"# The configuration of `bartizan demo`. Change it while the demo runs: the gateway takes it over.
version: 1
listen: {{ http: "{proxy}", admin: "{admin}", metrics: "{metrics}" }}
identity:
  shop-users:
    jwt: {{ issuer: "{ISSUER}", audience: {AUDIENCE}, jwks: ./jwks.json, algorithms: [EdDSA] }}
  partners:
    api_key:
      header: x-api-key
      keys:
        - name: warehouse
          hash: "sha256:{hash}"
          permissions: [orders:read]
roles:
  administrator: ["orders:*", "customers:*", "shop:report"]
limits:
  guests: [{{ per: address, rate: 6000/min }}]
  login: [{{ per: address, rate: {GUESSES}/d }}]
waf: starter
routes:
  - {{ path: /, to: "http://{shop}", auth: none, limit: guests }}
  - {{ path: /login, to: "http://{shop}", auth: none, methods: [POST], limit: [guests, login] }}
  - {{ path: /products/**, to: "http://{shop}", auth: none, methods: [GET, HEAD], cors: "*", limit: guests }}
  - path: /orders/**
    to: http://{shop}
    auth: [shop-users, partners]
    require: {{ GET: [orders:read], POST: [orders:write] }}
    cors: ["https://shop.test"]
  - path: /customers/**
    to: http://{shop}
    auth: shop-users
    require: [customers:read]
  - path: /admin/**
    to: http://{shop}
    auth: shop-users
    require: [shop:report]
    mfa: required
  - {{ path: /events, to: "http://{shop}", auth: [shop-users, partners] }}
  - {{ path: /echo, to: "http://{shop}", auth: [shop-users, partners] }}
"#
    )
}

#[cfg(test)]
mod tests {
    use bartizan_config::Config;

    use super::*;

    #[test]
    fn the_document_is_valid_and_raises_no_warning() {
        let folder = tempfile::tempdir().unwrap();
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let addresses = Addresses { proxy: address, admin: address, metrics: address };
        let credentials = Credentials::generate().unwrap();
        let shop = "127.0.0.1:8081".parse().unwrap();
        let path = write(folder.path(), addresses, shop, &credentials).unwrap();
        let loaded = Config::load(&path).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.config.routes.len(), 8);
    }
}
