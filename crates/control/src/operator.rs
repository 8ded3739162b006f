//! Who changes something: whoever holds the admin token, or an operator with a token of their own.

use std::{net::SocketAddr, time::SystemTime};

use axum::extract::FromRequestParts;
use bartizan_events::{ActorKind, Decision, Event, HttpDetails, Kind as EventKind, Outcome};
use bartizan_identity::account::{Accounts, Visit};
use bartizan_model::{Name, RequestId};
use http::{HeaderValue, header::USER_AGENT, request::Parts};
use tracing::field::{DisplayValue, display};

use crate::{
    control::Shared,
    failure::{Failure, FailureCode},
    guard::Connection,
};

/// The request that changes something, and where it came from.
#[derive(Debug)]
pub(crate) struct Operator {
    peer: Option<SocketAddr>,
    /// What its program calls itself.
    client: String,
    pub(crate) request_id: RequestId,
    /// Their own token says who.
    name: Option<Name>,
}

/// By which operator's own token a request was let in.
#[derive(Debug, Clone)]
pub(crate) struct NamedOperator(pub(crate) Name);

impl Operator {
    /// The same for the audit trail of accounts.
    pub(crate) fn visit(&self) -> Visit {
        Visit {
            address: self.peer.map(|peer| peer.ip()),
            client: self.client.clone(),
            request_id: self.request_id.to_string(),
            operator: self.name.clone(),
        }
    }

    /// Who they are, as the audit trail writes it.
    pub(crate) fn actor(&self) -> String {
        let named = |name| format!("{}/{name}", Accounts::OPERATOR);
        self.name.as_ref().map_or_else(|| Accounts::OPERATOR.to_owned(), named)
    }

    /// What they have done, as an event.
    fn event(&self, action: &'static str, subject: &str) -> Event {
        let actor = self.actor();
        let message = format!("{action} by {actor} about {subject}");
        let (kind, now) = (EventKind::AdministrativeAction, SystemTime::now());
        let mut event = Event::new(kind, now, Decision::Allowed, message);
        event.address = self.peer.map(|peer| peer.ip().to_canonical());
        event.user = Some(actor);
        event.request = Some(self.request_id.to_string());
        event.details.actor = Some(ActorKind::Operator);
        event.details.outcome = Some(Outcome::Success);
        event.details.reason = Some(action.into());
        event.details.subject = Some(subject.into());
        let client = HttpDetails { user_agent: self.client.clone(), ..HttpDetails::default() };
        event.details.http = Some(Box::new(client));
        event
    }

    /// Who they are, where they have a token of their own.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }

    /// The other end of the connection.
    pub(crate) fn peer(&self) -> Option<DisplayValue<SocketAddr>> {
        self.peer.map(display)
    }
}

impl Shared {
    /// An entry of the audit trail, where there are accounts, which makes an event of it; otherwise the event alone. What
    /// was done is done: a store that does not answer leaves a line in the log.
    pub(crate) async fn record(
        &self,
        action: &'static str,
        subject: &str,
        change: serde_json::Value,
        operator: &Operator,
    ) {
        let Some(accounts) = &self.accounts else {
            if let Some(events) = &self.events {
                events.record(operator.event(action, subject));
            }
            return;
        };
        if let Err(error) = accounts.record_operation(action, subject, change, &operator.visit()).await {
            tracing::error!(%error, action, subject, "the audit trail misses an entry");
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let peer = parts.extensions.get::<Connection>().map(|connection| connection.peer);
        let client = parts.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        let client = String::from_utf8_lossy(client).into_owned();
        let name = parts.extensions.get::<NamedOperator>().map(|NamedOperator(name)| name.clone());
        match parts.extensions.get::<RequestId>() {
            Some(request_id) => Ok(Self { peer, client, request_id: request_id.clone(), name }),
            None => Err(Failure::new(FailureCode::InternalError, "the request has no id")),
        }
    }
}
