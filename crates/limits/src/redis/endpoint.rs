//! Where Redis is, and how it is reached there.

use std::{fmt, fs, path::Path, sync::Arc, time::Duration};

use bartizan_config::SharedTls;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    TlsCertificates,
    cluster::{ClusterClient, ClusterClientBuilder},
    io::tcp::TcpSettings,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::spawn_blocking;

use super::{
    error::LimitsError,
    link::{Connection, PATIENCE},
};

/// How to reach Redis or Valkey.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host:port[/database]`, `rediss://` for TLS, `unix:` for a socket: one server, or some
    /// nodes of one cluster.
    pub nodes: Vec<SecretString>,
    /// Whether it is a cluster.
    pub is_cluster: bool,
    /// Instead of a password in the URLs.
    pub password: Option<SecretString>,
    /// Who is trusted and what is presented with `rediss://`. The files are read for every new connection.
    pub tls: SharedTls,
    /// What a decision may take before it counts as failed.
    pub timeout: Duration,
}

impl RedisSettings {
    /// What a decision may take, unless stated otherwise.
    pub const TIMEOUT: Duration = Duration::from_millis(5);
}

/// One server, or the nodes by which a cluster is found. Its `Display` shows addresses only.
#[derive(Clone)]
pub(super) struct Endpoint {
    nodes: Vec<ConnectionInfo>,
    is_cluster: bool,
    tls: SharedTls,
}

enum Reached {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// Requests that wait to be written, over which further ones wait in turn.
const WAITING: usize = 1024;

impl Endpoint {
    pub(super) fn of(settings: &RedisSettings) -> Result<Self, LimitsError> {
        let nodes = settings.nodes.iter().map(|node| info(node, settings.password.as_ref()));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        let endpoint = Self { nodes, is_cluster: settings.is_cluster, tls: settings.tls.clone() };
        // So that what can never work is said at once.
        endpoint.client()?;
        Ok(endpoint)
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    pub(super) async fn open(&self) -> Result<Connection, Arc<str>> {
        let endpoint = self.clone();
        let client = match spawn_blocking(move || endpoint.client()).await {
            Ok(client) => client.map_err(|error| error.to_string())?,
            Err(_) => return Err("shutting down".into()),
        };
        let connection = match client {
            Reached::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(PATIENCE))
                    // Every question has its own timeout.
                    .set_response_timeout(None)
                    .set_pipeline_buffer_size(WAITING);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            Reached::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        };
        connection.map_err(|error| LimitsError::connecting(&error))
    }

    fn client(&self) -> Result<Reached, LimitsError> {
        let unusable = |reason: &str| LimitsError::Settings(reason.to_owned());
        let certificates = self.certificates()?;
        match (self.is_cluster, self.nodes.as_slice()) {
            (_, []) => Err(unusable("no node is named")),
            (true, nodes) => {
                let builder = cluster(nodes);
                let builder = certificates.into_iter().fold(builder, ClusterClientBuilder::certs);
                builder.build().map(|client| Reached::Cluster(Box::new(client))).map_err(|_| {
                    unusable("the nodes do not share user, password and transport, or the files for TLS are no PEM")
                })
            }
            (false, [node]) => match certificates {
                Some(certificates) => Client::build_with_tls(node.clone(), certificates)
                    .map(|client| Reached::Single(Box::new(client)))
                    .map_err(|_| unusable("the files for TLS hold no certificates or no key in PEM")),
                None => Client::open(node.clone())
                    .map(|client| Reached::Single(Box::new(client)))
                    .map_err(|_| unusable("the url of redis is not usable")),
            },
            (false, _) => Err(unusable("a single server has one url")),
        }
    }

    /// What is in the files for TLS, where it is spoken and any are named.
    fn certificates(&self) -> Result<Option<TlsCertificates>, LimitsError> {
        let SharedTls { ca, certificate } = &self.tls;
        let speaks_tls = self.nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
        if !speaks_tls || (ca.is_none() && certificate.is_none()) {
            return Ok(None);
        }
        let client_tls = match certificate {
            Some(files) => {
                Some(ClientTlsConfig { client_cert: chain(&files.cert)?, client_key: read(&files.key)? })
            }
            None => None,
        };
        Ok(Some(TlsCertificates { client_tls, root_cert: ca.as_deref().map(chain).transpose()? }))
    }
}

fn cluster(nodes: &[ConnectionInfo]) -> ClusterClientBuilder {
    ClusterClient::builder(nodes.to_vec())
        .tcp_settings(tcp())
        .connection_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .retries(3)
        .min_retry_wait(5)
        .max_retry_wait(100)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", node.addr())?;
        }
        Ok(())
    }
}

fn info(node: &SecretString, password: Option<&SecretString>) -> Result<ConnectionInfo, LimitsError> {
    // The error of the parser is dropped, since it may show what it could not read.
    let info = node
        .expose_secret()
        .into_connection_info()
        .map_err(|_| LimitsError::Settings("a node is not a url like `redis://host:6379`".into()))?;
    let redis = match password {
        Some(password) => info.redis_settings().clone().set_password(password.expose_secret()),
        None => info.redis_settings().clone(),
    };
    Ok(info.set_redis_settings(redis).set_tcp_settings(tcp()))
}

/// Small requests that must not wait for each other's acknowledgement.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Certificates, at least one: an empty file would otherwise be noticed only by nobody being trusted.
fn chain(path: &Path) -> Result<Vec<u8>, LimitsError> {
    let pem = read(path)?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(LimitsError::Settings(format!("`{}` holds no PEM certificate", path.display()))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LimitsError> {
    fs::read(path)
        .map_err(|error| LimitsError::Settings(format!("`{}` cannot be read: {error}", path.display())))
}
