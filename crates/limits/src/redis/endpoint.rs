//! Where Redis is, and how it is reached there.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisResult, cluster::ClusterClient,
    io::tcp::TcpSettings,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    error::LimitsError,
    link::{Connection, PATIENCE},
};

/// How to reach Redis or Valkey.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host:port[/database]`, `rediss://` for TLS, `unix:` for a socket. One is a single
    /// server, several are nodes of one cluster.
    pub nodes: Vec<SecretString>,
    /// Instead of a password in the URLs.
    pub password: Option<SecretString>,
    /// What a decision may take before it counts as failed.
    pub timeout: Duration,
}

impl RedisSettings {
    /// What a decision may take, unless stated otherwise.
    pub const TIMEOUT: Duration = Duration::from_millis(5);
}

/// One server, or the nodes by which a cluster is found. Its `Debug` and `Display` show addresses only.
pub(super) enum Endpoint {
    Single(Box<Client>),
    Cluster(Box<ClusterClient>, Vec<String>),
}

/// Requests that wait to be written, over which further ones wait in turn.
const WAITING: usize = 1024;

impl Endpoint {
    pub(super) fn of(settings: &RedisSettings) -> Result<Self, LimitsError> {
        let infos = settings.nodes.iter().map(|node| info(node, settings.password.as_ref()));
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        match infos.as_slice() {
            [] => Err(LimitsError::Settings("no node is named")),
            [info] => Client::open(info.clone())
                .map(|client| Self::Single(Box::new(client)))
                .map_err(|_| LimitsError::Settings("the url of redis is not usable")),
            nodes => Self::cluster(nodes),
        }
    }

    fn cluster(nodes: &[ConnectionInfo]) -> Result<Self, LimitsError> {
        let names = nodes.iter().map(|node| node.addr().to_string()).collect();
        ClusterClient::builder(nodes.to_vec())
            .tcp_settings(tcp())
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .retries(3)
            .min_retry_wait(5)
            .max_retry_wait(100)
            .build()
            .map(|client| Self::Cluster(Box::new(client), names))
            .map_err(|_| LimitsError::Settings("the nodes do not share user, password and transport"))
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(..))
    }

    pub(super) async fn open(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(PATIENCE))
                    // Every question has its own timeout.
                    .set_response_timeout(None)
                    .set_pipeline_buffer_size(WAITING);
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Single)
            }
            Self::Cluster(client, _) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(client) => client.get_connection_info().addr().fmt(f),
            Self::Cluster(_, nodes) => f.write_str(&nodes.join(",")),
        }
    }
}

fn info(node: &SecretString, password: Option<&SecretString>) -> Result<ConnectionInfo, LimitsError> {
    // The error of the parser is dropped, since it may show what it could not read.
    let info = node
        .expose_secret()
        .into_connection_info()
        .map_err(|_| LimitsError::Settings("a node is not a url like `redis://host:6379`"))?;
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
