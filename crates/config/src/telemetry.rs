//! Logs and traces.

/// Logs, written to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// Their form.
    pub format: LogFormat,
    /// Levels, by module where they differ (`warn,bartizan_gateway=debug`). Default `info`.
    pub level: Option<String>,
    /// One line per served request too, not only per refusal. Default false.
    pub requests: bool,
}

/// The form of log lines.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Where spans go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// An OTLP/HTTP collector (`http://localhost:4318`); `None` exports nothing.
    pub otlp: Option<String>,
}
