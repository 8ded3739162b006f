//! Logs: to standard error, pretty on a terminal and JSON elsewhere, at the level that `RUST_LOG` or the
//! configuration names.
//!
//! Lines are written by a thread of their own: a reader that stalls must not stall requests. When more wait than
//! the queue holds, the newest are dropped.
//!
//! WARN is what recovers by itself, ERROR is what needs a person; a refused request is one INFO line.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use anyhow::{Context, Result};
use bartizan_config::{Log, LogFormat};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Registry,
    fmt::{self, format::FmtSpan},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

/// Lines that may wait to be written.
const QUEUE: usize = 16_384;
const DEFAULT_LEVEL: &str = "info";

/// Changes the level of a running gateway. What waits to be written is written when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    filter: reload::Handle<EnvFilter, Registry>,
    _writer: Arc<WorkerGuard>,
}

/// Starts logging as `log` says. Once per process.
pub(crate) fn start(log: &Log) -> Result<Level> {
    let (filter, handle) = reload::Layer::new(filter(log)?);
    let registry = tracing_subscriber::registry().with(filter);
    let (queue, writer) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE).finish(io::stderr());
    let layer = fmt::layer().with_writer(queue).with_span_events(FmtSpan::NONE);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(layer.with_ansi(colours).with_target(false)).try_init()
    }
    .context("cannot start logging")?;
    Ok(Level { filter: handle, _writer: Arc::new(writer) })
}

impl Level {
    /// Takes over the level of a new configuration.
    pub(crate) fn set(&self, log: &Log) -> Result<()> {
        self.filter.reload(filter(log)?).context("cannot change the log level")
    }
}

fn filter(log: &Log) -> Result<EnvFilter> {
    let directives = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|directives| !directives.is_empty());
    let level = directives.as_deref().or(log.level.as_deref()).unwrap_or(DEFAULT_LEVEL);
    EnvFilter::try_new(level)
        .with_context(|| format!("`{level}` is not a log level: write `info` or `bartizan_gateway=debug`"))
}
