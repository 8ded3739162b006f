//! Where to listen, and with which certificates.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

/// The listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// TLS, HTTP/1.1 and HTTP/2.
    pub https: Option<SocketAddr>,
    /// Plain HTTP/1.1 and HTTP/2 with prior knowledge.
    pub http: Option<Http>,
    /// The admin API.
    pub admin: SocketAddr,
    /// `/metrics`, `/healthz` and `/readyz`, without a token.
    pub metrics: SocketAddr,
    /// Whether connections start with a PROXY protocol header.
    pub proxy_protocol: ProxyProtocol,
    /// Peers whose `Forwarded`, `X-Forwarded-For` and PROXY header are believed. Nobody else's are.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether trusted proxies say by `Client-Cert` which certificate their client has shown (RFC 9440). Default no.
    pub client_cert: bool,
    /// `SO_REUSEPORT`: lets a new process listen before the old one has stopped.
    pub reuse_port: bool,
}

/// What the plain listener does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// Serve the routes.
    Serve(SocketAddr),
    /// Send every request to the HTTPS listener (308).
    Redirect(SocketAddr),
}

impl Http {
    /// Where it listens.
    pub fn address(self) -> SocketAddr {
        match self {
            Self::Serve(address) | Self::Redirect(address) => address,
        }
    }
}

/// The PROXY protocol (versions 1 and 2) on the proxy listeners.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// A header is not expected; one that comes is a malformed request.
    #[default]
    Off,
    /// Every connection must start with one and come from a trusted proxy.
    Required,
}

/// What the HTTPS listener presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// A self-signed certificate made at start, on loopback addresses only.
    Dev,
    /// Certificates from files, read again when they change.
    Files {
        /// The first one answers a client that names no server; the others are chosen by SNI.
        certificates: Vec<Certificate>,
        /// Whether clients show a certificate.
        client_certificates: ClientCertificates,
    },
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key; not readable by others.
    pub key: PathBuf,
}

/// Client certificates on the HTTPS listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// Not asked for.
    #[default]
    Off,
    /// Asked for; a client without one is served as an unauthenticated one. Holds the PEM file of authorities.
    Optional(PathBuf),
    /// The handshake fails without one. Holds the PEM file of authorities.
    Required(PathBuf),
}
