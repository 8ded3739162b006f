//! TLS of the admin API, whose certificate is renewed together with the proxy's.
//!
//! On a loopback address the admin API speaks plain HTTP; elsewhere its token must not cross the network in the
//! clear. Client certificates are for the proxy: operators have the token.

use std::sync::Arc;

use anyhow::Result;
use arc_swap::ArcSwap;
use bartizan_config::{ClientCertificates, Config, Tls};
use bartizan_gateway::GatewayError;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The certificate that the admin API presents, replaceable while it serves.
#[derive(Debug, Clone)]
pub(crate) struct AdminTls {
    current: Arc<ArcSwap<ServerConfig>>,
}

impl AdminTls {
    /// What `config` says; `None` is plain HTTP.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, GatewayError> {
        let loaded = load(config)?;
        Ok(loaded.map(|loaded| Self { current: Arc::new(ArcSwap::new(loaded)) }))
    }

    /// What a listener is served with.
    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.current.load());
        config.cert_resolver = Arc::new(self.clone());
        Arc::new(config)
    }

    /// Reads the certificates of `config` anew.
    pub(crate) fn renew(&self, config: &Config) -> Result<(), GatewayError> {
        if let Some(loaded) = load(config)? {
            self.current.store(loaded);
        }
        Ok(())
    }
}

impl ResolvesServerCert for AdminTls {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load().cert_resolver.resolve(hello)
    }
}

fn load(config: &Config) -> Result<Option<Arc<ServerConfig>>, GatewayError> {
    let Some(tls) = config.tls.as_ref().filter(|_| !config.listen.admin.ip().is_loopback()) else {
        return Ok(None);
    };
    let tls = match tls {
        Tls::Files { certificates, .. } => {
            Tls::Files { certificates: certificates.clone(), client_certificates: ClientCertificates::Off }
        }
        Tls::Dev => Tls::Dev,
    };
    bartizan_gateway::server_config(&tls).map(Some)
}
