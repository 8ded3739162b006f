//! The configuration in use, and the way a new one takes its place: read, validated, handed to the gateway whole.
//!
//! Whatever fails on that way leaves the running configuration alone and is told three times: in the log with
//! every diagnostic, in the metrics, and as `last_failure` in the admin API.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use bartizan_alerts::Alerts;
use bartizan_config::{Config, ConfigError, Diagnostic, Loaded, Log};
use bartizan_control::{ConfigurationFailure, ConfigurationStatus, ReloadFailure, Reloaded};
use bartizan_export::Plan;
use bartizan_gateway::{Gateway, GatewayError};
use bartizan_identity::{
    account::{Accounts, Reconfiguration},
    authorization_server::AuthorizationServer,
};
use metrics::{counter, gauge};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    admin_tls::AdminTls, alerts, detection::Rules, document, events::Events, exports, logging::Level,
    spans::Spans, state::StateDirectory, systemd,
};

/// Takes over new configurations. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    shared: Arc<Shared>,
}

/// What follows the configuration beside the gateway.
#[derive(Debug)]
pub(crate) struct Followers {
    pub(crate) level: Level,
    pub(crate) admin_tls: Option<AdminTls>,
    pub(crate) spans: Spans,
    pub(crate) events: Events,
    pub(crate) alerts: Option<Alerts>,
    pub(crate) accounts: Option<Arc<Accounts>>,
    pub(crate) tokens: Option<Arc<AuthorizationServer>>,
}

#[derive(Debug)]
struct Shared {
    gateway: Gateway,
    /// The file; `None` for `run --to`.
    document: Option<PathBuf>,
    /// Where rule sets are installed.
    state: StateDirectory,
    followers: Followers,
    history: RwLock<History>,
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct History {
    loaded_at: SystemTime,
    last_failure: Option<(SystemTime, String)>,
}

impl Configuration {
    /// The configuration that `gateway` has started with.
    pub(crate) fn new(
        gateway: Gateway,
        document: Option<PathBuf>,
        state: StateDirectory,
        followers: Followers,
    ) -> Self {
        let history = RwLock::new(History { loaded_at: SystemTime::now(), last_failure: None });
        gauge!("bartizan_config_last_reload_successful").set(1.0);
        let turn = tokio::sync::Mutex::default();
        Self { shared: Arc::new(Shared { gateway, document, state, followers, history, turn }) }
    }

    /// Which configuration is in use.
    pub(crate) fn status(&self) -> ConfigurationStatus {
        let Shared { gateway, document, history, .. } = &*self.shared;
        let History { loaded_at, last_failure } =
            history.read().unwrap_or_else(PoisonError::into_inner).clone();
        ConfigurationStatus {
            revision: gateway.config().revision.clone(),
            path: document.as_ref().map(|path| path.display().to_string()),
            loaded_at: loaded_at.into(),
            last_failure: last_failure.map(|(at, message)| ConfigurationFailure { at: at.into(), message }),
        }
    }

    /// Logs at another level than the configuration says; `None` is what it says.
    pub(crate) fn set_log_level(&self, level: Option<&str>) {
        let mut log = self.shared.gateway.config().log.clone();
        log.level = level.map(ToOwned::to_owned).or(log.level);
        self.shared.set_log(&log);
    }

    /// Reads the configuration again and takes it over, or leaves the running one alone. Goes on to its end even
    /// when the caller goes away.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadFailure> {
        let shared = Arc::clone(&self.shared);
        let reload = tokio::spawn(async move { shared.reload().await });
        reload.await.unwrap_or_else(|_| Err(ReloadFailure::new("the reload failed inside: see the log")))
    }

    /// The same, because the files have changed or a signal says so. What comes of it stands in the audit trail, as if
    /// somebody had asked for it; a failure is told, and the files are tried again when they change again.
    pub(crate) async fn follow_files(&self) {
        let before = self.status().revision;
        let reloaded = self.reload().await;
        let after = reloaded.as_ref().map_or(before.as_str(), |reloaded| reloaded.revision.as_str());
        let failure = reloaded.as_ref().err().map(|failure| failure.message.as_str());
        let change = json!({ "before": before, "after": after, "failure": failure });
        self.shared.record("configuration.reload", "configuration", change).await;
    }
}

impl Shared {
    async fn reload(&self) -> Result<Reloaded, ReloadFailure> {
        let Some(document) = self.document.clone() else {
            let reason = "there is no configuration file: the gateway was started with `run --to`";
            tracing::info!(reason, "nothing to reload");
            return Err(ReloadFailure::new(reason));
        };
        let _turn = self.turn.lock().await;
        systemd::reloading();
        let result = self.take_over(document).await;
        let successful = result.is_ok();
        let outcome = if successful { "success" } else { "failure" };
        counter!("bartizan_config_reloads_total", "result" => outcome).increment(1);
        gauge!("bartizan_config_last_reload_successful").set(if successful { 1.0 } else { 0.0 });
        let config = self.gateway.config();
        let told =
            result.as_ref().map(|reloaded| reloaded.changed).map_err(|failure| failure.message.as_str());
        self.followers.events.record_reload(&config.revision, told);
        let now = SystemTime::now();
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(reloaded) => {
                *history = History { loaded_at: now, last_failure: None };
                tracing::info!(
                    revision = reloaded.revision,
                    changed = reloaded.changed,
                    "configuration taken over"
                );
            }
            Err(failure) => {
                history.last_failure = Some((now, failure.message.clone()));
                log_failure(failure, &self.gateway.config().revision);
            }
        }
        drop(history);
        systemd::ready();
        result
    }

    async fn take_over(&self, document: PathBuf) -> Result<Reloaded, ReloadFailure> {
        let state = self.state.clone();
        let path = document.clone();
        let loaded = tokio::task::spawn_blocking(move || document::load(&document, Some(&state))).await;
        let Loaded { config, mut warnings } = loaded
            .map_err(|_| ReloadFailure::new("reading the configuration failed inside: see the log"))?
            .map_err(|error| ReloadFailure::from(&error))?;
        let rules = Rules::compile(&config)
            .map_err(|problems| ReloadFailure::from(&ConfigError::Invalid(problems)))?;
        let exports = exports::plan(&config, Some(&path))
            .map_err(|problems| ReloadFailure::from(&ConfigError::Invalid(problems)))?;
        let (config, accounts) = self.prepare(&path, config).await?;
        let (revision, log) = (config.revision.clone(), config.log.clone());
        let replaced = self.gateway.config();
        let changed = revision != replaced.revision;
        self.gateway.reload(config).await.map_err(|error| failure(&error))?;
        self.set_log(&log);
        let mut doubts = rules.doubts.clone();
        self.follow(accounts, rules, exports);
        self.record_policies(&replaced).await;
        doubts.extend(self.gateway.doubts());
        warnings.extend(document::doubts(&path, doubts));
        log_warnings(&warnings);
        Ok(Reloaded { revision, changed, warnings: warnings.into_iter().map(Into::into).collect() })
    }

    /// An entry of the audit trail, if policies have changed.
    async fn record_policies(&self, replaced: &Config) {
        let (before, after) = (policies_of(replaced), policies_of(&self.gateway.config()));
        if before != after {
            self.record("policies.change", "policies", json!({ "before": before, "after": after })).await;
        }
    }

    /// An entry of the audit trail, where there is one. A change is not undone because its entry could not be written.
    async fn record(&self, action: &'static str, subject: &str, change: Value) {
        let Some(accounts) = &self.followers.accounts else { return };
        if let Err(error) = accounts.record_configuration(action, subject, change).await {
            tracing::error!(%error, action, "no entry in the audit trail");
        }
    }

    /// What accounts need for a configuration, before anything goes by it.
    async fn prepare(
        &self,
        path: &Path,
        config: Config,
    ) -> Result<(Config, Option<Reconfiguration>), ReloadFailure> {
        let Some(accounts) = self.followers.accounts.clone() else { return Ok((config, None)) };
        let preparing = tokio::task::spawn_blocking(move || {
            let prepared = accounts.prepare(&config);
            (config, prepared)
        });
        let (config, prepared) = preparing
            .await
            .map_err(|_| ReloadFailure::new("preparing the accounts failed inside: see the log"))?;
        match prepared {
            Ok(prepared) => Ok((config, prepared)),
            Err(error) => {
                let problem = document::problem_of_accounts(path, &config, &error);
                Err(ReloadFailure::from(&ConfigError::Invalid(vec![problem])))
            }
        }
    }

    /// Whatever of these fails keeps what it had: the gateway serves by the new configuration already.
    fn follow(&self, prepared: Option<Reconfiguration>, rules: Rules, exports: Plan) {
        let config = self.gateway.config();
        self.followers.events.follow(&config, rules, exports);
        alerts::follow(self.followers.alerts.as_ref(), &config);
        if let Some(tls) = &self.followers.admin_tls
            && let Err(error) = tls.renew(&config)
        {
            tracing::error!(%error, "the admin API keeps its certificate");
        }
        if let (Some(accounts), Some(prepared)) = (&self.followers.accounts, prepared) {
            accounts.take_over(prepared);
        }
        if let Some(tokens) = &self.followers.tokens {
            tokens.reconfigure(&config);
        }
        if let Err(error) = self.followers.spans.export_to(config.telemetry.otlp.as_deref()) {
            tracing::error!(error = format!("{error:#}"), "spans go where they went before");
        }
    }

    fn set_log(&self, log: &Log) {
        if let Err(error) = self.followers.level.set(log) {
            tracing::warn!(error = format!("{error:#}"), "the log level stays as it was");
        }
    }
}

/// The mode of policies and the fingerprints of their files; `None`: there are none.
fn policies_of(config: &Config) -> Option<Value> {
    let policies = config.policies.as_ref()?;
    let fingerprint = |text: &str| {
        let mut digits = format!("{:x}", Sha256::digest(text));
        digits.truncate(12);
        digits
    };
    let files = policies.files.iter().chain(&policies.schemas);
    let files: BTreeMap<String, String> =
        files.map(|file| (file.path.display().to_string(), fingerprint(&file.text))).collect();
    Some(json!({ "mode": policies.mode, "files": files }))
}

/// What a gateway says of a configuration that it does not take.
fn failure(error: &GatewayError) -> ReloadFailure {
    let diagnostics = error.diagnostics().iter().cloned().map(Into::into).collect();
    ReloadFailure { message: error.to_string(), diagnostics }
}

/// Logs what is questionable about a configuration that is in use.
pub(crate) fn log_warnings(warnings: &[Diagnostic]) {
    for Diagnostic { file, line, column, message, hint, .. } in warnings {
        tracing::warn!(file, line, column, hint, "{message}");
    }
}

fn log_failure(failure: &ReloadFailure, revision: &str) {
    for diagnostic in &failure.diagnostics {
        let bartizan_control::Diagnostic { file, line, column, message, hint, .. } = diagnostic;
        tracing::error!(file, line, column, hint, "{message}");
    }
    tracing::error!(
        revision,
        reason = failure.message,
        "the new configuration is not used, the running one stays"
    );
}
