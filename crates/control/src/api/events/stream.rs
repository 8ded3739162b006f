//! Events as they happen, by server-sent events (WHATWG HTML, "Server-sent events").
//!
//! The id of a message is that of the event, so a client that comes back says by `Last-Event-ID` where it was: what has
//! happened since is read from the store first. The first message has an id alone, so that a client knows where it was
//! although nothing has passed its filter. Who is too slow for what comes is shown what it has missed from the store. An
//! event is shown once it is there for good. What comes late, because it was spilled, is shown when it comes; whoever was
//! away then finds it by a query.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime},
};

use axum::response::sse::{self, KeepAlive, Sse};
use bartizan_events::{Event, EventId, EventView, Filter, Following, Order, Span, masked};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde::Deserialize;
use tokio::{sync::broadcast::error::RecvError, time::Instant};

use super::{KnownEvents, MOST, WITHIN, ask, cursor, wanted::Words};
use crate::{
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// How often a quiet stream says that it is there.
const QUIET: Duration = Duration::from_secs(15);
/// How far the order in which events come may differ from that of their ids.
const DISORDER: Duration = Duration::from_secs(5);
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
    let mut followed = Followed::begin(log.everywhere(), filter, &headers)?;
    followed.masked = masked;
    Ok(followed.messages())
}

/// What one client is shown.
pub(crate) struct Followed {
    view: EventView,
    filter: Filter,
    pub(crate) masked: bool,
    /// What says whether the client may see it still.
    pub(crate) lease: Option<Box<dyn Lease>>,
    /// When the stream ends at the latest.
    pub(crate) ends: Option<Instant>,
    live: Following,
    /// Behind which event it begins.
    start: EventId,
    /// Whether the client knows where.
    is_begun: bool,
    /// The newest that was seen, whether it passed or not.
    newest: EventId,
    /// Behind which event the store is still to be read; `None`: what is to be shown comes by itself.
    behind: Option<EventId>,
    /// Of when the last one is that has come by itself.
    passed: SystemTime,
    /// What was shown and may be met once more, there or here.
    shown: BTreeSet<EventId>,
    /// Read and not yet shown, the next one last.
    waiting: Vec<Event>,
}

/// Whether something may still be shown. Asked before each message.
pub(crate) trait Lease: Send {
    /// Whether it is so now.
    fn holds(&mut self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

impl Followed {
    /// Follows from now on, or from where the client was.
    pub(crate) fn begin(view: EventView, filter: Filter, headers: &HeaderMap) -> Result<Self, Failure> {
        let last = match headers.get(LAST_EVENT_ID) {
            None => None,
            Some(id) => Some(cursor(id.to_str().unwrap_or_default())?),
        };
        // First who follows, then what was before: nothing falls between.
        let stopping = || Failure::new(FailureCode::EventsUnavailable, "the gateway is stopping");
        let live = view.follow().ok_or_else(stopping)?;
        let now = SystemTime::now();
        let start = last.unwrap_or_else(|| EventId::at(now));
        Ok(Self {
            view,
            filter,
            masked: false,
            lease: None,
            ends: None,
            live,
            start,
            is_begun: last.is_some(),
            newest: start,
            behind: last,
            passed: now,
            shown: BTreeSet::new(),
            waiting: Vec::new(),
        })
    }

    /// As server-sent events.
    pub(crate) fn messages(self) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
        let messages = stream::unfold(self, |mut followed| async move {
            let ends = followed.ends;
            let next = followed.next();
            let next = match ends {
                Some(ends) => tokio::time::timeout_at(ends, next).await.ok()?,
                None => next.await,
            }?;
            if let Some(lease) = &mut followed.lease
                && !lease.holds().await
            {
                return None;
            }
            Some((Ok(next), followed))
        });
        Sse::new(messages).keep_alive(KeepAlive::new().interval(QUIET))
    }

    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<sse::Event> {
        if !std::mem::replace(&mut self.is_begun, true) {
            return Some(sse::Event::default().id(self.start.to_string()));
        }
        loop {
            if let Some(event) = self.waiting.pop() {
                return Some(self.show(&event));
            }
            if let Some(last) = self.behind.take() {
                self.catch_up(last).await?;
                continue;
            }
            match self.live.next().await {
                Ok(event) => {
                    self.newest = self.newest.max(event.id);
                    self.passed = event.id.moment();
                    if self.filter.matches(&event) && !self.shown.contains(&event.id) {
                        return Some(self.show(&event));
                    }
                }
                // It was too slow: the store has what it missed.
                Err(RecvError::Lagged(_)) => {
                    let moment = self.newest.moment().checked_sub(DISORDER);
                    self.behind = Some(moment.map_or(self.start, EventId::at).max(self.start));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Reads a page of what has happened behind this event. The stream ends where that fails.
    async fn catch_up(&mut self, last: EventId) -> Option<()> {
        let (view, filter) = (self.view.clone(), self.filter.clone());
        let filter = Filter { span: Span::new(Some(last.moment()), None), ..filter };
        let page =
            ask(move || view.page(&filter, Order::OldestFirst, Some(last), MOST, WITHIN)).await.ok()?;
        self.behind = page.next;
        self.waiting = page.events;
        self.waiting.retain(|event| !self.shown.contains(&event.id));
        self.waiting.reverse();
        Some(())
    }

    /// Notes that it was shown. What is older than anything that can come again is forgotten.
    fn show(&mut self, event: &Event) -> sse::Event {
        self.newest = self.newest.max(event.id);
        let since = self.passed.checked_sub(DISORDER).unwrap_or(self.passed);
        if event.id.moment() >= since {
            self.shown.insert(event.id);
        }
        while self.shown.first().is_some_and(|id| id.moment() < since) {
            self.shown.pop_first();
        }
        let written = event.ocsf();
        let written = if self.masked { masked(written) } else { written };
        sse::Event::default().id(event.id.to_string()).data(written.to_string())
    }
}
