//! The accounts of one running system: their store opened, their endpoints joined to the gateway.

use std::sync::Arc;

use anyhow::{Context, Result};
use bartizan_config::{Config, StoreLocation};
use bartizan_control::{AccountClient, AccountsApi, AccountsBody};
use bartizan_events::EventLog;
use bartizan_gateway::{AccountsDoor, LocalAnswer, LocalBody, LocalService, Visitor};
use bartizan_identity::{
    account::{Accounts, LinkToken},
    authorization_server::AuthorizationServer,
};
use bytes::Bytes;
use http::Request;

use crate::state::StateDirectory;

/// The accounts that `config` asks for, ready to be used.
pub(crate) async fn open(config: &Config, state: &StateDirectory) -> Result<Option<Arc<Accounts>>> {
    let Some(settings) = &config.accounts else { return Ok(None) };
    let location = location(config, state);
    let accounts = Accounts::open(&location, settings, &config.roles).await;
    Ok(Some(accounts.context("people cannot log in without the store of `accounts`")?))
}

/// The authorization server that `config` asks for, with its keys.
pub(crate) async fn open_tokens(
    config: &Config,
    accounts: Option<&Arc<Accounts>>,
) -> Result<Option<Arc<AuthorizationServer>>> {
    let (Some(settings), Some(accounts)) = (&config.tokens, accounts) else { return Ok(None) };
    let server = AuthorizationServer::open(accounts, settings).await;
    Ok(Some(server.context("no tokens can be issued")?))
}

/// The secret by which the first administrator is made, where nobody is known.
pub(crate) async fn offer_first_administrator(accounts: Option<&Arc<Accounts>>) -> Result<Option<LinkToken>> {
    let Some(accounts) = accounts else { return Ok(None) };
    Ok(accounts.offer_first_administrator().await?)
}

/// Where the store is: what the configuration says, or a file in the state directory.
pub(crate) fn location(config: &Config, state: &StateDirectory) -> StoreLocation {
    config.store.clone().unwrap_or_else(|| StoreLocation::Sqlite(state.database_path()))
}

/// The way from the gateway to the accounts.
pub(crate) fn door(
    accounts: &Arc<Accounts>,
    tokens: Option<&Arc<AuthorizationServer>>,
    events: &EventLog,
) -> AccountsDoor {
    let api = AccountsApi::new(Arc::clone(accounts), tokens.cloned()).with_events(events.clone());
    let service = Endpoints(api);
    AccountsDoor { sessions: Arc::clone(accounts.sessions()), service: Arc::new(service) }
}

struct Endpoints(AccountsApi);

impl LocalService for Endpoints {
    fn call(&self, mut request: Request<Bytes>) -> LocalAnswer<'_> {
        let visitor = request.extensions_mut().remove::<Visitor>();
        Box::pin(async move {
            // INVARIANT: the gateway says who asks. Without it nobody is known to speak TLS.
            let client = visitor.map_or(
                AccountClient {
                    address: std::net::Ipv4Addr::UNSPECIFIED.into(),
                    secure: false,
                    certificate: None,
                    trusted: Vec::new(),
                },
                |Visitor { address, secure, certificate, route }| {
                    let trusted = route.map_or_else(Vec::new, |route| route.cors.trusted().to_vec());
                    AccountClient { address, secure, certificate, trusted }
                },
            );
            Ok(self.0.answer(request, client).await.map(|body| match body {
                AccountsBody::Whole(body) => LocalBody::Whole(body),
                AccountsBody::Stream(pieces) => LocalBody::Stream(pieces),
            }))
        })
    }
}
