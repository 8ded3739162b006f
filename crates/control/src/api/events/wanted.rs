//! What is asked for, from the words of a query.

use std::{
    net::IpAddr,
    str::FromStr,
    time::{Duration, SystemTime},
};

use bartizan_events::{Dimension, Filter, Span, TextFilter};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    failure::{Failure, FailureCode},
};

/// The longest word of a filter, in bytes.
const LONGEST_WORD: usize = 512;
const DAY: Duration = Duration::from_hours(24);

/// The words of a filter.
#[derive(Debug, Default)]
pub(crate) struct Words {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) kinds: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) severity: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) request: Option<String>,
    pub(crate) text: Option<String>,
}

/// By what events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventDimension {
    /// Where they came from.
    Address,
    /// Who did it.
    User,
    /// For which organisation.
    Organization,
    /// By which route.
    Route,
    /// What happened.
    Type,
    /// Which rule matched.
    Rule,
}

impl From<EventDimension> for Dimension {
    fn from(dimension: EventDimension) -> Self {
        match dimension {
            EventDimension::Address => Self::Address,
            EventDimension::User => Self::User,
            EventDimension::Organization => Self::Organization,
            EventDimension::Route => Self::Route,
            EventDimension::Type => Self::Kind,
            EventDimension::Rule => Self::Rule,
        }
    }
}

impl Words {
    pub(crate) fn filter(self) -> Result<Filter, Failure> {
        let Self {
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
        } = self;
        let words = [&user, &organization, &route, &rule, &request];
        if words.into_iter().flatten().any(|word| word.len() > LONGEST_WORD) {
            return Err(malformed(format!("a word of the filter is longer than {LONGEST_WORD} bytes")));
        }
        let text = match text {
            None => None,
            Some(text) => Some(TextFilter::new(&text).ok_or_else(|| {
                malformed(format!("`text` must be 1 to {} characters", TextFilter::LONGEST))
            })?),
        };
        Ok(Filter {
            span: Span::new(since.map(SystemTime::from), until.map(SystemTime::from)),
            kinds: all(kinds.as_deref())?,
            classes: all(class.as_deref())?,
            severity: severity.map(|severity| severity.parse()).transpose().map_err(malformed)?,
            network: address.as_deref().map(network).transpose()?,
            user,
            organization,
            route,
            rule,
            request,
            text,
        })
    }

    /// The same, of the last day where nothing else is said.
    pub(crate) fn of_a_day(mut self) -> Result<Filter, Failure> {
        if self.since.is_none() {
            let end = self.until.map_or_else(SystemTime::now, SystemTime::from);
            self.since = end.checked_sub(DAY).map(Timestamp::from);
        }
        self.filter()
    }
}

fn all<T: FromStr<Err = String>>(words: Option<&str>) -> Result<Vec<T>, Failure> {
    let words = words.into_iter().flat_map(|words| words.split(','));
    words.map(|word| word.trim().parse::<T>().map_err(malformed)).collect()
}

fn network(text: &str) -> Result<IpNet, Failure> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address);
    network
        .map(|network| network.trunc())
        .ok_or_else(|| malformed(format!("`{text}` is neither an address nor a prefix")))
}

fn malformed(detail: String) -> Failure {
    Failure::new(FailureCode::MalformedRequest, detail)
}
