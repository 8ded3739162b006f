//! `/v1/events`: what happened, found again, counted, ranked, and shown as it happens.

pub(crate) mod found;
pub(crate) mod stream;
pub(crate) mod wanted;

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::FromRequestParts};
use bartizan_events::{EventError, EventId, EventLog, Order, masked};
use http::request::Parts;
use serde::Deserialize;

use self::{
    found::{EventCount, EventCounts, FoundEvents, RankedEvents, RankedValue, UnreadableEvents},
    wanted::{EventDimension, Words},
};
use crate::{
    Timestamp,
    control::Shared,
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// How long finding events may take.
pub(crate) const WITHIN: Duration = Duration::from_secs(5);
/// The most events of one page.
pub(crate) const MOST: usize = 1000;
/// The most minutes of one piece of time: a day.
pub(crate) const MOST_MINUTES: u32 = 24 * 60;
/// The most values of a ranking.
pub(crate) const MOST_RANKED: usize = 100;

/// The log of events. A request for it is refused where there is none.
pub(crate) struct KnownEvents(pub(crate) EventLog);

impl FromRequestParts<Arc<Shared>> for KnownEvents {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let detail = "this gateway keeps no events";
        shared.events.clone().map(Self).ok_or_else(|| Failure::new(FailureCode::EventsNotKept, detail))
    }
}

/// Which events, and how many of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedPage {
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
    #[serde(default = "WantedPage::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: usize,
}

impl WantedPage {
    fn default_limit() -> usize {
        50
    }
}

/// Events that happened, the newest first, in the shape of OCSF.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "list_events",
    tag = "events",
    params(WantedPage),
    responses((status = 200, description = "Events that pass.", body = FoundEvents))
)]
pub(crate) async fn list_events(
    KnownEvents(log): KnownEvents,
    QueryParameters(wanted): QueryParameters<WantedPage>,
) -> Result<Json<FoundEvents>, Failure> {
    let WantedPage { since, until, kinds, class, severity, address, user, organization, .. } = wanted;
    let WantedPage { route, rule, request, text, after, oldest_first, masked: is_masked, limit, .. } = wanted;
    let words = Words {
        since,
        until,
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
    };
    let filter = words.filter()?;
    between("limit", limit, MOST)?;
    let cursor = after.as_deref().map(cursor).transpose()?;
    let order = if oldest_first { Order::OldestFirst } else { Order::NewestFirst };
    let page = ask(move || log.page(&filter, order, cursor, limit, WITHIN)).await?;
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
pub(crate) struct WantedCounts {
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
    #[serde(default = "WantedCounts::default_minutes")]
    #[param(minimum = 1, maximum = 1440, default = 5)]
    minutes: u32,
}

impl WantedCounts {
    fn default_minutes() -> u32 {
        5
    }
}

/// How many events of each type each piece of time had. Those that were not kept count, too.
#[utoipa::path(
    get,
    path = "/v1/events/counts",
    operation_id = "count_events",
    tag = "events",
    params(WantedCounts),
    responses((status = 200, description = "The pieces of time that had any.", body = EventCounts))
)]
pub(crate) async fn count_events(
    KnownEvents(log): KnownEvents,
    QueryParameters(wanted): QueryParameters<WantedCounts>,
) -> Result<Json<EventCounts>, Failure> {
    let WantedCounts { since, until, kinds, class, severity, minutes } = wanted;
    let filter = Words { since, until, kinds, class, severity, ..Words::default() }.of_a_day()?;
    between("minutes", minutes, MOST_MINUTES)?;
    let counted = ask(move || log.counts(&filter, minutes, WITHIN)).await?;
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
pub(crate) struct WantedTop {
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
    #[serde(default = "WantedTop::default_limit")]
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: usize,
}

impl WantedTop {
    fn default_limit() -> usize {
        10
    }
}

/// Which addresses, users, organisations, routes, types or rules most of the kept events have.
#[utoipa::path(
    get,
    path = "/v1/events/top",
    operation_id = "rank_events",
    tag = "events",
    params(WantedTop),
    responses((status = 200, description = "The most frequent values first.", body = RankedEvents))
)]
pub(crate) async fn rank_events(
    KnownEvents(log): KnownEvents,
    QueryParameters(wanted): QueryParameters<WantedTop>,
) -> Result<Json<RankedEvents>, Failure> {
    let WantedTop { by, since, until, kinds, class, severity, limit } = wanted;
    let filter = Words { since, until, kinds, class, severity, ..Words::default() }.of_a_day()?;
    between("limit", limit, MOST_RANKED)?;
    let ranked = ask(move || log.top(&filter, by.into(), limit, WITHIN)).await?;
    Ok(Json(RankedEvents {
        values: ranked.values.into_iter().map(RankedValue::from).collect(),
        unreadable: UnreadableEvents::of(ranked.unreadable),
    }))
}

pub(crate) fn between<T: Copy + PartialOrd + From<u8> + std::fmt::Display>(
    name: &'static str,
    number: T,
    most: T,
) -> Result<(), Failure> {
    if number < T::from(1) || number > most {
        return Err(Failure::new(FailureCode::MalformedRequest, format!("`{name}` must be 1 to {most}")));
    }
    Ok(())
}

pub(crate) fn cursor(text: &str) -> Result<EventId, Failure> {
    text.parse().map_err(|detail: String| Failure::new(FailureCode::MalformedRequest, detail))
}

/// Asks the log on a thread for blocking work.
pub(crate) async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, EventError> + Send + 'static,
) -> Result<T, Failure> {
    let answer = tokio::task::spawn_blocking(question).await;
    answer.map_err(|_| Failure::new(FailureCode::InternalError, "finding events failed inside"))?.map_err(
        |error| {
            let code = match error {
                EventError::Deadline => FailureCode::EventsTakeTooLong,
                _ => FailureCode::EventsUnavailable,
            };
            Failure::new(code, error.to_string())
        },
    )
}
