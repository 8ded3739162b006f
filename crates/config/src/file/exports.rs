//! `exports:`.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Entries;
use crate::{
    ExportClass, ExportSeverity, PersonalFields, SyslogFacility, SyslogFormat,
    forms::Parsed,
    located::{At, Optional},
    word::{ByteSize, Password, SyslogUrl, Url},
};

/// One receiver of events: exactly one of `syslog`, `splunk`, `elastic`, `otlp` and `file`. What it has not taken yet waits
/// on disk.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Export {
    /// Syslog (RFC 5424) over TCP or TLS, with JSON, CEF or LEEF as its message.
    pub(crate) syslog: Optional<SyslogExport>,
    /// The HTTP Event Collector of Splunk.
    pub(crate) splunk: Optional<SplunkExport>,
    /// Elasticsearch, with documents of the Elastic Common Schema.
    pub(crate) elastic: Optional<ElasticExport>,
    /// An OTLP/HTTP collector of logs.
    pub(crate) otlp: Optional<OtlpExport>,
    /// Files of JSON in the shape of OCSF, one event a line.
    pub(crate) file: Optional<FileExport>,
    /// Which events. Default: all.
    pub(crate) only: Optional<ExportFilter>,
    /// What becomes of fields about people.
    #[schemars(extend("default" = "keep"))]
    pub(crate) personal: Optional<PersonalFields>,
    /// The most events sent at once, 1 to 5000.
    #[schemars(extend("default" = 500))]
    pub(crate) batch: Optional<Parsed<NonZeroU32>>,
    /// How much may wait on disk for this receiver, at least 1MiB. When it is full, events of severity `informational` and
    /// `low` are left out first, then the oldest go; both are counted.
    #[schemars(extend("default" = "1GiB"))]
    pub(crate) spool: Optional<Parsed<ByteSize>>,
    /// How long one delivery may take, at most 5min.
    #[schemars(extend("default" = "30s"))]
    pub(crate) timeout: Optional<Parsed<Duration>>,
}

/// Which events an export is for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExportFilter {
    /// At least so bad.
    #[schemars(extend("default" = "informational"))]
    pub(crate) severity: Optional<ExportSeverity>,
    /// Of one of these types: the manual lists them under Events.
    #[schemars(extend("examples" = [["attack_detected", "authentication_failed"]]))]
    pub(crate) types: Optional<Vec<At<Parsed<String>>>>,
    /// Of one of these classes.
    pub(crate) classes: Optional<Vec<ExportClass>>,
    /// By one of these routes, as `routes` writes their paths.
    #[schemars(extend("examples" = [["/admin/**"]]))]
    pub(crate) routes: Optional<Vec<At<Parsed<String>>>>,
    /// For one of these organisations, by their ids.
    pub(crate) organizations: Optional<Vec<At<Parsed<String>>>>,
}

/// TLS towards a receiver. Its certificate is always verified.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExportTls {
    /// Authorities (PEM) to trust instead of the system's.
    pub(crate) ca: Optional<Parsed<PathBuf>>,
    /// The client certificate to present, with `key`.
    pub(crate) cert: Optional<Parsed<PathBuf>>,
    /// Its private key. Other users must not be able to read it.
    pub(crate) key: Optional<Parsed<PathBuf>>,
}

/// A syslog server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyslogExport {
    /// Where it is.
    pub(crate) to: At<Parsed<SyslogUrl>>,
    /// What the message is: JSON in the shape of OCSF, CEF (`ArcSight`, Microsoft Sentinel) or LEEF 2.0 (`QRadar`).
    #[serde(default)]
    #[schemars(extend("default" = "json"))]
    pub(crate) format: Optional<SyslogFormat>,
    /// What syslog files it under.
    #[serde(default)]
    #[schemars(extend("default" = "local0"))]
    pub(crate) facility: Optional<SyslogFacility>,
    /// TLS towards it, where `to` is `tls:`.
    #[serde(default)]
    pub(crate) tls: Optional<ExportTls>,
}

/// The HTTP Event Collector of Splunk. One of `token` and `token_file`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplunkExport {
    /// Where it is, without `/services/collector`.
    #[schemars(extend("examples" = ["https://splunk.shop.test:8088"]))]
    pub(crate) url: At<Parsed<Url>>,
    /// The token of the collector.
    #[serde(default)]
    pub(crate) token: Optional<Parsed<Password>>,
    /// A file that holds it. Other users must not be able to read it.
    #[serde(default)]
    pub(crate) token_file: Optional<Parsed<PathBuf>>,
    /// The index. Default: the one that the token says.
    #[serde(default)]
    pub(crate) index: Optional<Parsed<String>>,
    /// The type of the events there.
    #[serde(default)]
    #[schemars(extend("default" = "_json"))]
    pub(crate) sourcetype: Optional<Parsed<String>>,
    /// Whether events count as delivered only when Splunk says that they are indexed. The token must allow it.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) acknowledge: Optional<Parsed<bool>>,
    /// TLS towards it.
    #[serde(default)]
    pub(crate) tls: Optional<ExportTls>,
}

/// Elasticsearch. Either `api_key` (or its file), or `user` and `password` (or its file).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElasticExport {
    /// Where it is.
    #[schemars(extend("examples" = ["https://elastic.shop.test:9200"]))]
    pub(crate) url: At<Parsed<Url>>,
    /// The data stream.
    #[serde(default)]
    #[schemars(extend("default" = "logs-bartizan-default"))]
    pub(crate) data_stream: Optional<Parsed<String>>,
    /// An API key, encoded as Elasticsearch gives it out.
    #[serde(default)]
    pub(crate) api_key: Optional<Parsed<Password>>,
    /// A file that holds it. Other users must not be able to read it.
    #[serde(default)]
    pub(crate) api_key_file: Optional<Parsed<PathBuf>>,
    /// A user.
    #[serde(default)]
    pub(crate) user: Optional<Parsed<String>>,
    /// Their password.
    #[serde(default)]
    pub(crate) password: Optional<Parsed<Password>>,
    /// A file that holds it. Other users must not be able to read it.
    #[serde(default)]
    pub(crate) password_file: Optional<Parsed<PathBuf>>,
    /// TLS towards it.
    #[serde(default)]
    pub(crate) tls: Optional<ExportTls>,
}

/// An OTLP/HTTP collector.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtlpExport {
    /// Where it is: `/v1/logs` is appended.
    #[schemars(extend("examples" = ["http://localhost:4318"]))]
    pub(crate) url: At<Parsed<Url>>,
    /// What is sent with every request: names of headers and their values, which count as secrets.
    #[serde(default)]
    pub(crate) headers: Optional<Entries<Parsed<Password>, HeaderName>>,
    /// TLS towards it.
    #[serde(default)]
    pub(crate) tls: Optional<ExportTls>,
}

/// Files of JSON, which only the gateway's user can read: another one begins every day (UTC) and when one is full.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileExport {
    /// Their directory, which is made.
    pub(crate) directory: At<Parsed<PathBuf>>,
    /// After so many bytes another one begins, at least 64KiB.
    #[serde(default)]
    #[schemars(extend("default" = "100MiB"))]
    pub(crate) size: Optional<Parsed<ByteSize>>,
    /// So many are kept; the oldest go.
    #[serde(default)]
    #[schemars(extend("default" = 30))]
    pub(crate) keep: Optional<Parsed<NonZeroU32>>,
}
