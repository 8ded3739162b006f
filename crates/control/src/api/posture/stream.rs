//! How the gateway stands as it changes, by server-sent events (WHATWG HTML, "Server-sent events").
//!
//! Each message is the whole state, so nothing needs to be caught up with: a client that comes back says by
//! `Last-Event-ID` which state it has seen, and is shown the newest at once unless it is that one. Where nothing changes
//! it is shown again every fifteen seconds, with the same id. An id says which run of the gateway it is of: after a
//! restart the first state is new to everybody.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::State,
    response::sse::{self, Sse},
};
use bartizan_posture::Posture;
use futures_util::{Stream, stream};
use http::HeaderMap;
use tokio::{sync::watch, time::timeout};

use super::KnownPosture;
use crate::{
    control::Shared,
    failure::{Failure, FailureCode},
};

/// How often a quiet stream says how the gateway stands.
const QUIET: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";

/// How the gateway stands as it changes, as server-sent events: each message has the whole state, one comes at least every
/// fifteen seconds. A stream ends with the life of its connection, ten minutes: come back with `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/v1/posture/stream",
    operation_id = "follow_posture",
    tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "The state that was seen last.")),
    responses((
        status = 200,
        description = "One message for each state, as it changes.",
        body = String,
        content_type = "text/event-stream"
    ))
)]
pub(crate) async fn follow_posture(
    KnownPosture(monitor): KnownPosture,
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let started = SystemTime::from(shared.system.status().started);
    let run = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let seen = match headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default()) {
        None => None,
        Some(id) => Some(seen(id, run)?),
    };
    let stopping = monitor.log().follow();
    let stopping =
        stopping.ok_or_else(|| Failure::new(FailureCode::EventsUnavailable, "the gateway is stopping"))?;
    let followed = Followed { run, seen: seen.flatten(), told: monitor.follow(), stopping };
    let messages = stream::unfold(followed, |mut followed| async move {
        followed.next().await.map(|message| (Ok(message), followed))
    });
    Ok(Sse::new(messages))
}

/// The number of the state that a client has seen; `None`: it was of another run.
fn seen(id: &str, this: u128) -> Result<Option<u64>, Failure> {
    let parsed = id
        .split_once('-')
        .and_then(|(run, number)| Some((run.parse::<u128>().ok()?, number.parse::<u64>().ok()?)));
    match parsed {
        Some((run, number)) => Ok((run == this).then_some(number)),
        None => Err(Failure::new(FailureCode::MalformedRequest, "`Last-Event-ID` is no id of this stream")),
    }
}

/// What one client is shown.
struct Followed {
    run: u128,
    /// The state that it has seen.
    seen: Option<u64>,
    told: watch::Receiver<Option<(u64, Arc<Posture>)>>,
    /// Ends when the gateway stops.
    stopping: tokio::sync::broadcast::Receiver<Arc<bartizan_events::Event>>,
}

impl Followed {
    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<sse::Event> {
        let seen = self.seen;
        let is_new = |told: &Option<(u64, Arc<Posture>)>| {
            told.as_ref().is_some_and(|(number, _)| Some(*number) != seen)
        };
        tokio::select! {
            // What is new is told before the end.
            biased;
            // Where it was quiet for long enough, what is known is told again.
            told = timeout(QUIET, self.told.wait_for(is_new)) => if let Ok(Err(_)) = told {
                return None;
            },
            () = ended(&mut self.stopping) => return None,
        }
        let told = self.told.borrow_and_update().clone();
        let Some((number, posture)) = told else { return Some(sse::Event::default().comment("nothing yet")) };
        self.seen = Some(number);
        let message = sse::Event::default().id(format!("{}-{number}", self.run));
        Some(message.json_data(posture.as_ref()).unwrap_or_else(|error| {
            tracing::error!(%error, "the state cannot be written");
            sse::Event::default().comment("unwritable")
        }))
    }
}

/// Waits until the log shows events to nobody any more.
async fn ended(stopping: &mut tokio::sync::broadcast::Receiver<Arc<bartizan_events::Event>>) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        if let Err(RecvError::Closed) = stopping.recv().await {
            return;
        }
    }
}
