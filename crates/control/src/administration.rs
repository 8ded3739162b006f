//! What operators do with the accounts of the gateway: how every endpoint of the admin API on people, organisations,
//! services, keys and sessions begins.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use bartizan_identity::account::{Accounts, Visit};
use http::request::Parts;

use crate::{
    control::Shared,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// The accounts. A request for them is refused where there are none.
pub(crate) struct KnownAccounts(pub(crate) Arc<Accounts>);

/// The accounts, and who changes them, for the audit trail.
pub(crate) struct Administration {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) visit: Visit,
}

impl FromRequestParts<Arc<Shared>> for KnownAccounts {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let detail =
            "there are no accounts: add `accounts: {}` to the configuration and start the gateway again";
        let accounts = shared.accounts.clone();
        accounts.map(Self).ok_or_else(|| Failure::new(FailureCode::AccountsNotConfigured, detail))
    }
}

impl FromRequestParts<Arc<Shared>> for Administration {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let KnownAccounts(accounts) = KnownAccounts::from_request_parts(parts, shared).await?;
        let visit = Operator::from_request_parts(parts, shared).await?.visit();
        Ok(Self { accounts, visit })
    }
}
