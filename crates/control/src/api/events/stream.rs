//! Events as they happen, by server-sent events (WHATWG HTML, "Server-sent events").
//!
//! The id of a message is that of the event, so a client that comes back says by `Last-Event-ID` where it was: what has
//! happened since is read from the store first. An event is shown once it is there for good. What comes late, because it
//! was spilled, is shown when it comes; whoever was away then finds it by a query.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{self, KeepAlive, Sse};
use bartizan_events::{Event, EventId, EventLog, Filter, Order, Span, masked};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{KnownEvents, MOST, WITHIN, ask, cursor, wanted::Words};
use crate::{
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// How often a quiet stream says that it is there.
const QUIET: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedStream {
    /// Of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Of these classes, separated by commas.
    class: Option<String>,
    /// At least so bad.
    severity: Option<String>,
    /// From this address or prefix.
    address: Option<String>,
    /// By this user.
    user: Option<String>,
    /// For the organisation with this id.
    organization: Option<String>,
    /// By the route with this path, as the configuration writes it.
    route: Option<String>,
    /// That this rule of the firewall matched.
    rule: Option<String>,
    /// Of the request with this id.
    request: Option<String>,
    /// With these words in the message or the details.
    text: Option<String>,
    /// Without what is about people: addresses, names, paths.
    #[serde(default)]
    #[param(default = false)]
    masked: bool,
}

/// Events as they happen, as server-sent events: each message has the event's id, and the event in the shape of OCSF. A
/// stream ends with the life of its connection, ten minutes: come back with `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/v1/events/stream",
    operation_id = "follow_events",
    tag = "events",
    params(
        WantedStream,
        ("Last-Event-ID" = Option<String>, Header, description = "Begin behind the event with this id.")
    ),
    responses((
        status = 200,
        description = "One message for each event, as it happens.",
        body = String,
        content_type = "text/event-stream"
    ))
)]
pub(crate) async fn follow_events(
    KnownEvents(log): KnownEvents,
    headers: HeaderMap,
    QueryParameters(wanted): QueryParameters<WantedStream>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let WantedStream {
        kinds,
        class,
        severity,
        address,
        user,
        organization,
        route,
        rule,
        request,
        text,
        masked,
    } = wanted;
    let words = Words {
        kinds,
        class,
        severity,
        address,
        user,
        organization,
        route,
        rule,
        request,
        text,
        ..Words::default()
    };
    let filter = words.filter()?;
    let last = match headers.get(LAST_EVENT_ID) {
        None => None,
        Some(id) => Some(cursor(id.to_str().unwrap_or_default())?),
    };
    // First who follows, then what was before: nothing falls between.
    let live = log.follow();
    let live = live.ok_or_else(|| Failure::new(FailureCode::EventsUnavailable, "the gateway is stopping"))?;
    let followed =
        Followed { log, filter, masked, live, behind: last, shown: HashSet::new(), waiting: Vec::new() };
    let messages = stream::unfold(followed, |mut followed| async move {
        followed.next().await.map(|message| (Ok(message), followed))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(QUIET)))
}

/// What one client is shown.
struct Followed {
    log: EventLog,
    filter: Filter,
    masked: bool,
    live: Receiver<Arc<Event>>,
    /// Behind which event the store is still to be read; `None`: what is to be shown comes by itself.
    behind: Option<EventId>,
    /// What was read from the store, and may come once more by itself.
    shown: HashSet<EventId>,
    /// Read and not yet shown, the next one last.
    waiting: Vec<Event>,
}

impl Followed {
    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(self.message(&event));
            }
            if let Some(last) = self.behind.take() {
                self.catch_up(last).await?;
                continue;
            }
            match self.live.recv().await {
                Ok(event) if self.shown.remove(&event.id) => {}
                Ok(event) if self.filter.matches(&event) => return Some(self.message(&event)),
                Ok(_) => {}
                // It was too slow. The client comes back with the last id that it has seen, and the store has the rest.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            }
        }
    }

    /// Reads a page of what has happened behind this event. The stream ends where that fails.
    async fn catch_up(&mut self, last: EventId) -> Option<()> {
        let (log, filter) = (self.log.clone(), self.filter.clone());
        let filter = Filter { span: Span::new(Some(last.moment()), None), ..filter };
        let page = ask(move || log.page(&filter, Order::OldestFirst, Some(last), MOST, WITHIN)).await.ok()?;
        self.behind = page.next;
        // What the channel holds is among the last pages: there is no need to remember more of them.
        if self.shown.len() > MOST {
            self.shown.clear();
        }
        self.shown.extend(page.events.iter().map(|event| event.id));
        self.waiting = page.events;
        self.waiting.reverse();
        Some(())
    }

    fn message(&self, event: &Event) -> sse::Event {
        let written = event.ocsf();
        let written = if self.masked { masked(written) } else { written };
        sse::Event::default().id(event.id.to_string()).data(written.to_string())
    }
}
