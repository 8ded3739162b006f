//! `/auth/organization/events`: what happened in an organisation, for those of it whose role lets them see it.
//!
//! They see the events of the organisation of their session alone, without what belongs to those who run the gateway: which
//! stage and which rule decided, and where operators sit.

mod streams;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json,
    extract::FromRequestParts,
    response::sse::{self, Sse},
};
use bartizan_events::{EventLog, EventView, Order, masked};
use bartizan_identity::{SessionToken, account::Accounts};
use futures_util::Stream;
use http::{HeaderMap, request::Parts};
use serde::Deserialize;
use tokio::time::Instant;

use self::streams::Place;
pub(super) use self::streams::Streams;
use super::{roles::organization, visitor::Holder};
use crate::{
    Timestamp,
    api::events::{
        MOST, MOST_MINUTES, MOST_RANKED, WITHIN, ask, between, cursor,
        found::{EventCount, EventCounts, FoundEvents, RankedEvents, RankedValue, UnreadableEvents},
        stream::{Followed, Lease},
        wanted::{EventDimension, Words},
    },
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// What it takes.
const READ: &str = "events:read";
/// How long a stream lasts at most; whoever wants more comes back.
const LASTS: Duration = Duration::from_mins(10);
/// How often a session is asked about again, while something is shown.
const HOLDS: Duration = Duration::from_secs(1);

/// The log of events, for the endpoints of accounts.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationEvents {
    log: EventLog,
    streams: Arc<Streams>,
}

impl OrganizationEvents {
    pub(super) fn new(log: EventLog) -> Self {
        Self { log, streams: Arc::default() }
    }

    /// What the organisation of the session sees, and its id.
    async fn view(&self, accounts: &Accounts, token: &SessionToken) -> Result<(EventView, String), Failure> {
        let session = accounts.permitted_session(token, READ).await?;
        let organization = organization(&session)?;
        Ok((self.log.within(organization), organization.to_owned()))
    }
}

impl<S: Sync> FromRequestParts<S> for OrganizationEvents {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let kept = parts.extensions.get::<Self>().cloned();
        kept.ok_or_else(|| Failure::new(FailureCode::EventsNotKept, "this gateway keeps no events"))
    }
}

/// Which events, and how many of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedOwnPage {
    /// Not before this.
    since: Option<Timestamp>,
    /// Before this.
    until: Option<Timestamp>,
    /// Of these types, as in `authentication_failed`, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Of these classes, as in `authentication` or `3002`, separated by commas.
    class: Option<String>,
    /// At least so bad: `informational`, `low`, `medium`, `high` or `critical`.
    severity: Option<String>,
    /// From this address or prefix. What operators did has none.
    address: Option<String>,
    /// By this user.
    user: Option<String>,
    /// By the route with this path.
    route: Option<String>,
    /// Of the request with this id.
    request: Option<String>,
    /// Those behind the event with this id, in the order of the list.
    after: Option<String>,
    /// The oldest first.
    #[serde(default)]
    #[param(default = false)]
    oldest_first: bool,
    /// Without what is about people: addresses, names, paths.
    #[serde(default)]
    #[param(default = false)]
    masked: bool,
    /// How many at most.
    #[serde(default = "WantedOwnPage::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: usize,
}

impl WantedOwnPage {
    fn default_limit() -> usize {
        50
    }
}

/// What happened in the organisation of the session, the newest first, in the shape of OCSF. Takes the permission
/// `events:read`. Which stage and which rule decided, and where operators sit, is not told.
#[utoipa::path(
    get,
    path = "/organization/events",
    operation_id = "list_organization_events",
    security(("session" = [])),
    params(WantedOwnPage),
    responses(
        (status = 200, description = "Events that pass.", body = FoundEvents),
        (status = 403, description = "Without the permission."),
        (status = 409, description = "This gateway keeps no events."),
        (status = 503, description = "The store of events or of accounts does not answer, or not in time.")
    )
)]
pub(crate) async fn list_organization_events(
    Holder { accounts, token, .. }: Holder,
    events: OrganizationEvents,
    QueryParameters(wanted): QueryParameters<WantedOwnPage>,
) -> Result<Json<FoundEvents>, Failure> {
    let (view, _) = events.view(&accounts, &token).await?;
    let WantedOwnPage { since, until, kinds, class, severity, address, user, route, request, .. } = wanted;
    let WantedOwnPage { after, oldest_first, masked: is_masked, limit, .. } = wanted;
    let words =
        Words { since, until, kinds, class, severity, address, user, route, request, ..Words::default() };
    let filter = words.filter()?;
    between("limit", limit, MOST)?;
    let cursor = after.as_deref().map(cursor).transpose()?;
    let order = if oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let page = ask(move || view.page(&filter, order, cursor, limit, WITHIN)).await?;
    let written = page.events.iter().map(|event| if is_masked { masked(event.ocsf()) } else { event.ocsf() });
    Ok(Json(FoundEvents {
        events: written.collect(),
        next: page.next.map(|id| id.to_string()),
        unreadable: UnreadableEvents::of(page.unreadable),
    }))
}

/// What is counted, and in pieces of which length.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedOwnCounts {
    /// Not before this. Without it, of the last 24 hours.
    since: Option<Timestamp>,
    /// Before this.
    until: Option<Timestamp>,
    /// Of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Of these classes, separated by commas.
    class: Option<String>,
    /// At least so bad.
    severity: Option<String>,
    /// How many minutes are one piece of time.
    #[serde(default = "WantedOwnCounts::default_minutes")]
    #[param(minimum = 1, maximum = 1440, default = 5)]
    minutes: u32,
}

impl WantedOwnCounts {
    fn default_minutes() -> u32 {
        5
    }
}

/// How many of the kept events of the organisation of the session each piece of time had, of each type. Of requests that were
/// served a sample is kept. Takes the permission `events:read`.
#[utoipa::path(
    get,
    path = "/organization/events/counts",
    operation_id = "count_organization_events",
    security(("session" = [])),
    params(WantedOwnCounts),
    responses(
        (status = 200, description = "The pieces of time that had any.", body = EventCounts),
        (status = 403, description = "Without the permission."),
        (status = 409, description = "This gateway keeps no events."),
        (status = 503, description = "The store of events or of accounts does not answer, or not in time.")
    )
)]
pub(crate) async fn count_organization_events(
    Holder { accounts, token, .. }: Holder,
    events: OrganizationEvents,
    QueryParameters(wanted): QueryParameters<WantedOwnCounts>,
) -> Result<Json<EventCounts>, Failure> {
    let (view, _) = events.view(&accounts, &token).await?;
    let WantedOwnCounts { since, until, kinds, class, severity, minutes } = wanted;
    let filter = Words { since, until, kinds, class, severity, ..Words::default() }.of_a_day()?;
    between("minutes", minutes, MOST_MINUTES)?;
    let counted = ask(move || view.counts(&filter, minutes, WITHIN)).await?;
    Ok(Json(EventCounts {
        minutes,
        counts: counted.buckets.into_iter().map(EventCount::from).collect(),
        unreadable: UnreadableEvents::of(counted.unreadable),
    }))
}

/// What is ranked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedOwnTop {
    /// By what.
    #[param(inline)]
    by: EventDimension,
    /// Not before this. Without it, of the last 24 hours.
    since: Option<Timestamp>,
    /// Before this.
    until: Option<Timestamp>,
    /// Of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Of these classes, separated by commas.
    class: Option<String>,
    /// At least so bad.
    severity: Option<String>,
    /// How many values at most.
    #[serde(default = "WantedOwnTop::default_limit")]
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: usize,
}

impl WantedOwnTop {
    fn default_limit() -> usize {
        10
    }
}

/// Which addresses, users, routes or types most of the kept events of the organisation of the session have. Takes the permission
/// `events:read`.
#[utoipa::path(
    get,
    path = "/organization/events/top",
    operation_id = "rank_organization_events",
    security(("session" = [])),
    params(WantedOwnTop),
    responses(
        (status = 200, description = "The most frequent values first.", body = RankedEvents),
        (status = 403, description = "Without the permission."),
        (status = 409, description = "This gateway keeps no events."),
        (status = 503, description = "The store of events or of accounts does not answer, or not in time.")
    )
)]
pub(crate) async fn rank_organization_events(
    Holder { accounts, token, .. }: Holder,
    events: OrganizationEvents,
    QueryParameters(wanted): QueryParameters<WantedOwnTop>,
) -> Result<Json<RankedEvents>, Failure> {
    let (view, _) = events.view(&accounts, &token).await?;
    let WantedOwnTop { by, since, until, kinds, class, severity, limit } = wanted;
    let filter = Words { since, until, kinds, class, severity, ..Words::default() }.of_a_day()?;
    between("limit", limit, MOST_RANKED)?;
    let ranked = ask(move || view.top(&filter, by.into(), limit, WITHIN)).await?;
    Ok(Json(RankedEvents {
        values: ranked.values.into_iter().map(RankedValue::from).collect(),
        unreadable: UnreadableEvents::of(ranked.unreadable),
    }))
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedOwnStream {
    /// Of these types, separated by commas.
    #[serde(rename = "type")]
    kinds: Option<String>,
    /// Of these classes, separated by commas.
    class: Option<String>,
    /// At least so bad.
    severity: Option<String>,
    /// From this address or prefix. What operators did has none.
    address: Option<String>,
    /// By this user.
    user: Option<String>,
    /// By the route with this path.
    route: Option<String>,
    /// Of the request with this id.
    request: Option<String>,
    /// Without what is about people: addresses, names, paths.
    #[serde(default)]
    #[param(default = false)]
    masked: bool,
}

/// What happens in the organisation of the session, as server-sent events: each message has the event's id, and the event in the
/// shape of OCSF. A stream ends with the session or its permission, and after ten minutes: come back with `Last-Event-ID`.
/// Eight people of an organisation may follow at once. Takes the permission `events:read`.
#[utoipa::path(
    get,
    path = "/organization/events/stream",
    operation_id = "follow_organization_events",
    security(("session" = [])),
    params(
        WantedOwnStream,
        ("Last-Event-ID" = Option<String>, Header, description = "Begin behind the event with this id.")
    ),
    responses(
        (
            status = 200,
            description = "One message for each event, as it happens.",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 403, description = "Without the permission."),
        (status = 409, description = "This gateway keeps no events."),
        (status = 503, description = "Too many follow already, or the store does not answer.")
    )
)]
pub(crate) async fn follow_organization_events(
    Holder { accounts, token, .. }: Holder,
    events: OrganizationEvents,
    headers: HeaderMap,
    QueryParameters(wanted): QueryParameters<WantedOwnStream>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, std::convert::Infallible>>>, Failure> {
    let (view, organization) = events.view(&accounts, &token).await?;
    let WantedOwnStream { kinds, class, severity, address, user, route, request, masked } = wanted;
    let words = Words { kinds, class, severity, address, user, route, request, ..Words::default() };
    let place = events.streams.place(&organization).ok_or_else(|| {
        let detail = "too many people follow the events of this organisation already: try again later";
        Failure::new(FailureCode::EventsUnavailable, detail).retry_after(60)
    })?;
    let mut followed = Followed::begin(view, words.filter()?, &headers)?;
    let session = OpenSession { accounts, token, organization, asked: SystemTime::UNIX_EPOCH, _place: place };
    followed.masked = masked;
    followed.lease = Some(Box::new(session));
    followed.ends = Some(Instant::now() + LASTS);
    Ok(followed.messages())
}

/// The session that a stream was begun with.
struct OpenSession {
    accounts: Arc<Accounts>,
    token: SessionToken,
    organization: String,
    /// When it was asked about last.
    asked: SystemTime,
    _place: Place,
}

impl Lease for OpenSession {
    /// Whether the session is there still, acts for the same organisation, and may see its events.
    fn holds(&mut self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async {
            let now = SystemTime::now();
            if now.duration_since(self.asked).is_ok_and(|since| since < HOLDS) {
                return true;
            }
            self.asked = now;
            let session = self.accounts.permitted_session(&self.token, READ).await;
            session.is_ok_and(|session| organization(&session).is_ok_and(|id| id == self.organization))
        })
    }
}
