//! Where events go besides the gateway's own store.

use std::{fmt, num::NonZeroU32, path::PathBuf, time::Duration};

use bartizan_model::{Line, Name};
use http::HeaderName;
use secrecy::{ExposeSecret, SecretString};

/// An entry of `exports:`: one receiver of events.
///
/// `PartialEq` lets a reload keep the connections of an export that has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: Name,
    /// Where it is written.
    pub line: Line,
    /// Who receives.
    pub receiver: ExportReceiver,
    /// Which events.
    pub only: ExportFilter,
    /// What becomes of fields about people.
    pub personal: PersonalFields,
    /// The most events sent at once.
    pub batch: NonZeroU32,
    /// How many bytes may wait on disk.
    pub spool: u64,
    /// How long one delivery may take.
    pub timeout: Duration,
}

/// Which events an export is for. What is empty asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportFilter {
    /// At least so bad.
    pub severity: ExportSeverity,
    /// Of one of these types, with the lines that say so. Whether they exist is checked by whoever knows events.
    pub types: Vec<(String, Line)>,
    /// Of one of these classes.
    pub classes: Vec<ExportClass>,
    /// By one of these routes, as `routes` writes their paths.
    pub routes: Vec<String>,
    /// For one of these organisations.
    pub organizations: Vec<String>,
}

/// How bad an event is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportSeverity {
    /// Nothing to worry about.
    #[default]
    Informational,
    /// Of interest when there is more of it.
    Low,
    /// Somebody should know.
    Medium,
    /// Somebody should look soon.
    High,
    /// Somebody should look now.
    Critical,
}

impl ExportSeverity {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A class of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportClass {
    /// What was asked over HTTP.
    HttpActivity,
    /// Who proved to be who.
    Authentication,
    /// What has changed about an account.
    AccountChange,
    /// What was done through an API, that of the gateway itself.
    ApiActivity,
    /// What a rule has found.
    DetectionFinding,
    /// What became of an alert.
    IncidentFinding,
}

impl ExportClass {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpActivity => "http_activity",
            Self::Authentication => "authentication",
            Self::AccountChange => "account_change",
            Self::ApiActivity => "api_activity",
            Self::DetectionFinding => "detection_finding",
            Self::IncidentFinding => "incident_finding",
        }
    }
}

/// What becomes of fields about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PersonalFields {
    /// They are sent as they are.
    #[default]
    Keep,
    /// `***` stands in their place; where a receiver wants an address there, nothing does.
    Mask,
}

/// Who receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportReceiver {
    /// Syslog (RFC 5424) over TCP or TLS.
    Syslog(SyslogReceiver),
    /// The HTTP Event Collector of Splunk.
    Splunk(SplunkReceiver),
    /// Elasticsearch, or what speaks its `_bulk`.
    Elastic(ElasticReceiver),
    /// An OTLP/HTTP collector of logs.
    Otlp(OtlpReceiver),
    /// Files of JSON, one object a line.
    File(FileReceiver),
}

impl ExportReceiver {
    /// What kind it is, as the document writes it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Syslog(_) => "syslog",
            Self::Splunk(_) => "splunk",
            Self::Elastic(_) => "elastic",
            Self::Otlp(_) => "otlp",
            Self::File(_) => "file",
        }
    }
}

/// TLS towards a receiver. Its certificate is always verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// The client certificate to present.
    pub certificate: Option<crate::Certificate>,
}

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogReceiver {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS towards it (RFC 5425); `None`: in clear (RFC 6587).
    pub tls: Option<ExportTls>,
    /// What the message is.
    pub format: SyslogFormat,
    /// What syslog files it under.
    pub facility: SyslogFacility,
}

/// What the message of syslog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogFormat {
    /// JSON in the shape of OCSF.
    #[default]
    Json,
    /// The Common Event Format of `ArcSight`, which Microsoft Sentinel reads, too.
    Cef,
    /// The Log Event Extended Format of `QRadar`, version 2.0.
    Leef,
}

/// A facility of syslog (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogFacility {
    /// `user`.
    User = 1,
    /// `daemon`.
    Daemon = 3,
    /// `auth`.
    Auth = 4,
    /// `authpriv`.
    Authpriv = 10,
    /// `local0`.
    #[default]
    Local0 = 16,
    /// `local1`.
    Local1 = 17,
    /// `local2`.
    Local2 = 18,
    /// `local3`.
    Local3 = 19,
    /// `local4`.
    Local4 = 20,
    /// `local5`.
    Local5 = 21,
    /// `local6`.
    Local6 = 22,
    /// `local7`.
    Local7 = 23,
}

/// The HTTP Event Collector of Splunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplunkReceiver {
    /// Its base URL.
    pub url: String,
    /// What the gateway proves itself with.
    pub token: ExportSecret,
    /// The index; `None`: the token's.
    pub index: Option<String>,
    /// The type of the events there.
    pub sourcetype: String,
    /// Whether an event counts as delivered only when it is indexed.
    pub acknowledge: bool,
    /// TLS towards it.
    pub tls: ExportTls,
}

/// Elasticsearch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticReceiver {
    /// Its base URL.
    pub url: String,
    /// The data stream.
    pub data_stream: String,
    /// What the gateway proves itself with.
    pub credentials: ElasticCredentials,
    /// TLS towards it.
    pub tls: ExportTls,
}

/// What the gateway proves itself to Elasticsearch with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElasticCredentials {
    /// Nothing.
    None,
    /// An API key, as Elasticsearch gives it out: base64 of its id and secret.
    ApiKey(ExportSecret),
    /// A user and their password.
    Basic {
        /// Who.
        user: String,
        /// Their password.
        password: ExportSecret,
    },
}

/// An OTLP/HTTP collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpReceiver {
    /// Its base URL: `/v1/logs` is appended.
    pub url: String,
    /// What is sent with every request.
    pub headers: Vec<(HeaderName, ExportSecret)>,
    /// TLS towards it.
    pub tls: ExportTls,
}

/// Files of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReceiver {
    /// Their directory.
    pub directory: PathBuf,
    /// After so many bytes another one begins.
    pub size: u64,
    /// So many are kept.
    pub keep: NonZeroU32,
}

/// A secret that a receiver is shown. Neither `Debug` nor a message shows it.
#[derive(Clone)]
pub struct ExportSecret(pub(crate) SecretString);

impl ExportSecret {
    /// A secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(SecretString::from(secret.into()))
    }

    /// The secret itself, for whoever it is sent to.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for ExportSecret {
    /// Both sides come from configurations of the same owner, so the time it takes tells nobody anything.
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for ExportSecret {}

impl fmt::Debug for ExportSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExportSecret(***)")
    }
}
