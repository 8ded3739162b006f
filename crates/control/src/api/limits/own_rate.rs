//! The rates that API keys have of their own, among the policies that an operator asks about.

use std::sync::Arc;

use bartizan_config::{Config, LimitPolicy};
use bartizan_identity::account::AccountError;
use bartizan_model::Quota;
use bartizan_pipeline::{largest_own_rate, own_rate_policy};

use crate::{LimitsInUse, control::Shared, failure::Failure};

impl LimitsInUse {
    /// The policies of the configuration, and where API keys of the store are let in, the one that stands for their rates.
    pub(super) fn policies(&self) -> Vec<Arc<LimitPolicy>> {
        let lets_in = self.config.identity.iter().any(|entry| entry.provider.has_stored_keys());
        with_own_rate(&self.config, largest_own_rate().filter(|_| lets_in))
    }
}

impl Shared {
    /// The policies that may count this value: those of the configuration, and the rate of its own where it is an API key
    /// that has one.
    pub(super) async fn policies_for(
        &self,
        config: &Config,
        value: &str,
    ) -> Result<Vec<Arc<LimitPolicy>>, Failure> {
        Ok(with_own_rate(config, self.own_rate(config, value).await?))
    }

    async fn own_rate(&self, config: &Config, value: &str) -> Result<Option<Quota>, Failure> {
        let Some((provider, id)) = value.split_once('/') else { return Ok(None) };
        let mut identity = config.identity.iter();
        let is_stored =
            identity.any(|entry| entry.name.as_str() == provider && entry.provider.has_stored_keys());
        let Some(accounts) = self.accounts.as_ref().filter(|_| is_stored) else { return Ok(None) };
        match accounts.api_key(id, None).await {
            Ok(key) => Ok(key.rate.and_then(|rate| rate.token_bucket().ok())),
            Err(AccountError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn with_own_rate(config: &Config, rate: Option<Quota>) -> Vec<Arc<LimitPolicy>> {
    config.limits.iter().cloned().chain(rate.and_then(own_rate_policy).map(Arc::new)).collect()
}
